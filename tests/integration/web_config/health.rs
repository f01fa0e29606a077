//! `nomad-exporter healthcheck` with a protected exporter.

use super::{authority, hash, serve};
use crate::support::process::{exporter, run};

/// Runs the command for an address; returns its exit code and output.
async fn asked(address: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let command = exporter(&[&["healthcheck", "--web.listen-address", address], arguments].concat());
    let (code, stdout, stderr) = tokio::task::spawn_blocking(|| run(command)).await.unwrap();
    (code, stdout + &stderr)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_check_can_send_a_client_certificate() {
    let authority = authority();
    authority.write("client", "probe");
    let text = "tls_server_config: {cert_file: server.crt, key_file: server.key, client_ca_file: ca.pem, \
                client_auth_type: RequireAndVerifyClientCert}";
    let address = serve(authority.folder.path(), text, &[]).await.to_string();
    let file = |name: &str| authority.path(name).display().to_string();
    let (cert, key) = (file("client.crt"), file("client.key"));
    let (code, said) = asked(&address, &[]).await;
    assert_eq!(code, Some(1), "{said}");
    let given = ["--scheme", "https", "--client-cert", &cert, "--client-key", &key];
    let (code, said) = asked(&address, &given).await;
    assert_eq!((code, said.as_str()), (Some(0), format!("https://{address}/-/healthy: healthy\n").as_str()));
    let (code, said) = asked(&address, &[&["--ready"][..], &given].concat()).await;
    assert!(code == Some(1) && said.contains("503 Service Unavailable: not ready"), "{said}");
    for (wrong, problem) in [
        (&["--client-cert", cert.as_str()][..], "--client-key"),
        (&["--client-cert", &cert, "--client-key", "/nowhere"], "--client-key: cannot read /nowhere"),
        (&["--client-cert", &cert, "--client-key", &cert], "are not a PEM certificate and its key"),
        (&["--scheme", "gopher"], "http, https"),
    ] {
        let (code, said) = asked(&address, wrong).await;
        assert!(code != Some(0) && said.contains(problem), "{wrong:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_check_can_send_a_password() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("basic_auth_users: {{probe: {}}}", hash("s3cret", 4));
    let address = serve(folder.path(), &text, &[]).await.to_string();
    let file = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name).display().to_string()
    };
    let (right, wrong) = (file("right", "s3cret\n"), file("wrong", "secret"));
    let (code, said) = asked(&address, &[]).await;
    assert!(code == Some(0) && said.contains("healthy, requires a password"), "{said}");
    let (code, said) = asked(&address, &["--user", "probe", "--password-file", &right]).await;
    assert!(code == Some(0) && said.ends_with("/-/healthy: healthy\n"), "{said}");
    let (code, said) = asked(&address, &["--ready", "--user", "probe", "--password-file", &right]).await;
    assert!(code == Some(1) && said.contains("not ready"), "{said}");
    let (code, said) = asked(&address, &["--user", "probe", "--password-file", &wrong]).await;
    assert!(code == Some(1) && said.contains("401 Unauthorized") && !said.contains("secret"), "{said}");
}
