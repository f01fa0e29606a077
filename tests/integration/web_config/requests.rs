//! Users, headers and the rate limit.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use http::StatusCode;
use nomad_simulator::Simulator;

use super::{authority, basic, hash, serve};
use crate::support::https::{Client, get};
use crate::support::process::{Exporter, wait_until};
use crate::support::prometheus::Prometheus;
use crate::support::{recordings, tools};

fn users(users: &[(&str, &str, u32)]) -> String {
    let line = |(name, password, cost): &(&str, &str, u32)| format!("  {name}: {}\n", hash(password, *cost));
    format!("basic_auth_users:\n{}", users.iter().map(line).collect::<String>())
}

#[tokio::test]
async fn only_users_with_the_right_password_get_a_response() {
    let folder = tempfile::tempdir().unwrap();
    let text = users(&[("alice", "s3cret", 5), ("bob", "p:w", 6)]);
    let address = serve(folder.path(), &text, &[]).await;
    let ask = async |path: &str, header: Option<String>| {
        let headers: Vec<_> = header.iter().map(|value| ("authorization", value.as_str())).collect();
        get(address, path, &headers).await.unwrap()
    };
    // Twice: a remembered password must not help another user.
    for _ in 0..2 {
        for (name, password, expected) in [
            ("alice", "s3cret", StatusCode::OK),
            ("bob", "p:w", StatusCode::OK),
            ("alice", "p:w", StatusCode::UNAUTHORIZED),
            ("bob", "s3cret", StatusCode::UNAUTHORIZED),
            ("alice", "", StatusCode::UNAUTHORIZED),
            ("Alice", "s3cret", StatusCode::UNAUTHORIZED),
            ("mallory", "s3cret", StatusCode::UNAUTHORIZED),
            ("", "", StatusCode::UNAUTHORIZED),
        ] {
            for path in ["/", "/metrics", "/-/healthy"] {
                let answer = ask(path, Some(basic(name, password))).await;
                assert_eq!(answer.status, expected, "{name}:{password} {path}");
            }
        }
    }
    let refused = ask("/metrics", None).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert!(refused.headers["www-authenticate"].to_str().unwrap().starts_with("Basic realm="));
    assert!(!refused.body.contains("nomad_"), "{}", refused.body);
    for odd in ["Basic", "Basic !!!", "Bearer abc", "Basic YWxpY2U="] {
        assert_eq!(ask("/metrics", Some(odd.to_owned())).await.status, StatusCode::UNAUTHORIZED);
    }
}

/// With a single async thread, which would stall if a password were checked on it.
#[tokio::test]
async fn a_slow_check_does_not_delay_known_users() {
    let folder = tempfile::tempdir().unwrap();
    let address = serve(folder.path(), &users(&[("alice", "s3cret", 4), ("bob", "s3cret", 14)]), &[]).await;
    let (alice, bob) = (basic("alice", "s3cret"), basic("bob", "s3cret"));
    assert_eq!(
        get(address, "/-/healthy", &[("authorization", &alice)]).await.unwrap().status,
        StatusCode::OK
    );
    let (status, first) = beside(address, &alice, bob.clone()).await;
    assert_eq!(status, StatusCode::OK);
    assert!(first >= 10, "{first} answers");
    let (status, second) = beside(address, &alice, bob).await;
    assert_eq!(status, StatusCode::OK);
    assert!(second < first / 4, "{second} answers, and {first} before");
}

/// Sends a request, and counts the responses to a known user until it is complete. This measures time
/// independently of the speed of the machine.
async fn beside(address: SocketAddr, known: &str, header: String) -> (StatusCode, usize) {
    let request = tokio::spawn(async move {
        get(address, "/metrics", &[("authorization", &header)]).await.map(|answer| answer.status).ok()
    });
    let mut answered = 0;
    while !request.is_finished() {
        let answer = get(address, "/-/healthy", &[("authorization", known)]).await.unwrap();
        assert_eq!(answer.status, StatusCode::OK);
        answered += 1;
    }
    (request.await.unwrap().unwrap(), answered)
}

#[tokio::test]
async fn unknown_users_take_as_long_as_known_ones() {
    let folder = tempfile::tempdir().unwrap();
    let address = serve(folder.path(), &users(&[("alice", "s3cret", 12)]), &[]).await;
    let alice = basic("alice", "s3cret");
    assert_eq!(get(address, "/metrics", &[("authorization", &alice)]).await.unwrap().status, StatusCode::OK);
    let refusal = async |name: &str| {
        let (status, answered) = beside(address, &alice, basic(name, "wrong")).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        answered
    };
    // Without a check there would be almost none.
    let (mut known, mut unknown) = (0, 0);
    for _ in 0..4 {
        known += refusal("alice").await;
        unknown += refusal("mallory").await;
    }
    assert!(
        known > 40 && unknown > known / 5 && known > unknown / 5,
        "{known} and {unknown} answers meanwhile"
    );
}

/// Guessed passwords wait in a short queue, and known users do not wait for them.
#[tokio::test]
async fn guessed_passwords_do_not_pile_up() {
    let folder = tempfile::tempdir().unwrap();
    let address = serve(folder.path(), &users(&[("alice", "s3cret", 9)]), &[]).await;
    let alice = basic("alice", "s3cret");
    assert_eq!(get(address, "/metrics", &[("authorization", &alice)]).await.unwrap().status, StatusCode::OK);
    let guess = |number: usize| async move {
        let header = basic("alice", &format!("guess {number}"));
        get(address, "/metrics", &[("authorization", &header)]).await.map(|answer| answer.status).ok()
    };
    let guesses: Vec<_> = (0..60).map(|number| tokio::spawn(guess(number))).collect();
    assert_eq!(get(address, "/metrics", &[("authorization", &alice)]).await.unwrap().status, StatusCode::OK);
    let mut statuses = Vec::new();
    for guess in guesses {
        statuses.push(guess.await.unwrap().unwrap());
    }
    let count = |status| statuses.iter().filter(|one| **one == status).count();
    let (checked, refused) = (count(StatusCode::UNAUTHORIZED), count(StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!(checked + refused, 60, "{statuses:?}");
    assert!(checked >= 16 && refused > 0, "{checked} checked, {refused} refused");
}

#[tokio::test]
async fn headers_are_set_and_requests_limited() {
    let folder = tempfile::tempdir().unwrap();
    let text = "http_server_config:\n  headers:\n    X-Frame-Options: deny\n    X-Content-Type-Options: nosniff\n    \
                X-XSS-Protection: '0'\n    Strict-Transport-Security: max-age=31536000\n    \
                Content-Security-Policy: ''\nrate_limit:\n  interval: 1h\n  burst: 5\n";
    let address = serve(folder.path(), text, &[]).await;
    for path in ["/", "/metrics", "/-/healthy", "/-/ready", "/nowhere", "/metrics", "/"] {
        let answer = get(address, path, &[]).await.unwrap();
        assert_eq!(answer.headers["x-frame-options"], "deny", "{path}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers["x-xss-protection"], "0");
        assert_eq!(answer.headers["strict-transport-security"], "max-age=31536000");
    }
    assert_eq!(get(address, "/metrics", &[]).await.unwrap().status, StatusCode::TOO_MANY_REQUESTS);
    // The status page keeps its own policy, unless the file sets one.
    let page = async |text: &str| {
        let address = serve(folder.path(), text, &[]).await;
        get(address, "/", &[]).await.unwrap().headers["content-security-policy"].to_str().unwrap().to_owned()
    };
    assert!(page("").await.starts_with("default-src 'none'"));
    let own = "http_server_config: {headers: {Content-Security-Policy: sandbox}}";
    assert_eq!(page(own).await, "sandbox");
}

/// A real Prometheus scrapes with the example of docs/web-config.md, and its scrape configuration.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Prometheus: make check-prometheus"]
async fn a_real_prometheus_scrapes_by_tls_with_a_password() {
    prometheus_scrapes_by_tls_with_a_password(&tools::find("prometheus")).await;
}

/// The same with this Prometheus.
pub(crate) async fn prometheus_scrapes_by_tls_with_a_password(program: &Path) {
    let program = program.to_owned();
    let simulator: Simulator = recordings::replay("2.0.5").await;
    let nomad = simulator.url();
    let authority = authority();
    authority.write("prometheus", "prometheus.example");
    std::fs::write(authority.path("password"), "s3cret").unwrap();
    let file = authority.path("web.yml");
    let text = format!(
        "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n  client_ca_file: ca.pem\n  \
         client_auth_type: RequireAndVerifyClientCert\n  client_allowed_sans: [prometheus.example]\n{}",
        users(&[("alice", "s3cret", 8)])
    );
    std::fs::write(&file, text).unwrap();
    tokio::task::spawn_blocking(move || {
        let exporter = Exporter::start(&nomad, &["--web.config.file", file.to_str().unwrap()]);
        let folder = authority.folder.path();
        let target = exporter.url.trim_start_matches("http://").replace("127.0.0.1", "localhost");
        let config = super::passing::documented("scrape_configs:")
            .replace("nomad-exporter.example:9441", &target)
            .replace("15s", "1s")
            .replace("/etc/prometheus/", &format!("{}/", folder.display()));
        let prometheus = Prometheus::start(&program, folder, &config);
        wait_until(Duration::from_secs(60), "the first scrape", || prometheus.value("nomad_up") == Some(1.0));
        assert_eq!(prometheus.value(r#"sum(nomad_jobs{status="pending"})"#), Some(3.0));
        let loaded = "nomad_exporter_file_last_reload_successful";
        assert_eq!(prometheus.value(loaded), Some(1.0));
        assert_eq!(prometheus.value(r#"up{job="nomad-exporter"}"#), Some(1.0));
        prometheus.assert_no_complaint();
    })
    .await
    .unwrap();
}

/// A burst over one HTTP/2 connection.
#[tokio::test]
async fn users_and_http2_go_together() {
    let authority = authority();
    let text = format!(
        "tls_server_config: {{cert_file: server.crt, key_file: server.key}}\n{}",
        users(&[("alice", "s3cret", 5)])
    );
    let address = serve(authority.folder.path(), &text, &[]).await;
    let mut client = Client::new(&authority, None);
    assert_eq!(client.get(address, "/metrics").await.unwrap().status, StatusCode::UNAUTHORIZED);
    client.headers.push(("authorization", basic("alice", "s3cret")));
    let answer = client.get(address, "/metrics").await.unwrap();
    assert_eq!((answer.status, answer.version), (StatusCode::OK, http::Version::HTTP_2));
}
