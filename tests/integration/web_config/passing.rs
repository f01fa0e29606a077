//! The web configuration file: its validation, its documentation, and sockets that systemd passes.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use super::{authority, hash};
use crate::support::process::{Running, SOON, exporter, run, wait_until};
use crate::support::prometheus::free_port;
use crate::support::{read, tools};

/// Returns the example of docs/web-config.md that begins with this line.
pub(super) fn documented(begin: &str) -> String {
    let page = read("docs/web-config.md");
    let block = page.split("```yaml\n").find(|block| block.starts_with(begin));
    block.expect("docs/web-config.md shows it").split("```").next().unwrap().to_owned()
}

#[test]
fn the_documented_example_is_valid() {
    let authority = authority();
    let file = authority.path("web.yml");
    let text = documented("tls_server_config:");
    assert!(text.contains(&hash("s3cret", 10)), "the hash must match its password: {}", hash("s3cret", 10));
    std::fs::write(&file, text).unwrap();
    let (code, stdout, stderr) = run(exporter(&["check-config", file.to_str().unwrap()]));
    assert_eq!(
        stdout,
        format!(
            "{} is valid: TLS with HTTP/2 and HTTP/1.1, RequireAndVerifyClientCert and client_allowed_sans, 1 user, \
             a request every 100ms after a burst of 50\n",
            file.display()
        )
    );
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
}

#[test]
fn an_unusable_file_is_rejected_with_an_error() {
    let authority = authority();
    authority.write("other", "localhost");
    let folder = authority.folder.path();
    std::fs::write(folder.join("empty.pem"), "").unwrap();
    let tls = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n";
    let with = |more: &str| format!("{tls}  {more}\n");
    for (text, sentence) in [
        (
            "tls_server_config:\n  cert: x\n  certificate: y\n".to_owned(),
            "line 3, column 3: `certificate` is not a field",
        ),
        (
            "web:\n  x: 1\n".to_owned(),
            "line 1, column 1: `web` is not a field here; the fields are tls_server_config",
        ),
        (with("min_version: TLS10"), "tls_server_config.min_version: TLS10 is insecure and not supported"),
        (with("max_version: TLS11"), "tls_server_config.max_version: TLS11 is insecure and not supported"),
        (
            with("min_version: TLS1.2"),
            "tls_server_config.min_version: `TLS1.2` is not a TLS version; give TLS12 or TLS13",
        ),
        (
            with("min_version: TLS13\n  max_version: TLS12"),
            "tls_server_config.min_version: it is above max_version",
        ),
        (
            with("cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA, TLS_AES_128_GCM_SHA256, TLS_NONE]"),
            "tls_server_config.cipher_suites: not supported: `TLS_RSA_WITH_AES_128_CBC_SHA`, `TLS_NONE`; give TLS_AES",
        ),
        (
            with("max_version: TLS12\n  cipher_suites: [TLS_AES_128_GCM_SHA256]\n"),
            "tls_server_config.cipher_suites: they cannot be used with the TLS versions",
        ),
        (
            with("curve_preferences: [X25519, CurveP521]"),
            "tls_server_config.curve_preferences: not supported: `CurveP521`; give X25519, CurveP256, CurveP384",
        ),
        (
            with("client_auth_type: Always"),
            "tls_server_config.client_auth_type: `Always` is not a client_auth_type; give NoClientCert",
        ),
        (
            with("client_ca_file: ca.pem"),
            "tls_server_config.client_ca: it has no effect without client_auth_type",
        ),
        (
            with("client_auth_type: RequireAndVerifyClientCert"),
            "tls_server_config.client_ca: it is needed to verify clients",
        ),
        (
            with(
                "client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: ca.pem\n  client_allowed_sans: [a]",
            ),
            "tls_server_config.client_allowed_sans: it has no effect because clients need no certificate",
        ),
        (
            with("client_allowed_sans: []"),
            "tls_server_config.client_allowed_sans: it is empty, so all clients would be rejected",
        ),
        (
            with("client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: empty.pem"),
            "empty.pem: it contains no PEM certificate",
        ),
        (
            tls.replace("server.key", "other.key"),
            "tls_server_config.cert: certificate and key cannot be used together",
        ),
        (tls.replace("server.key", "server.crt"), "server.crt: it contains no unencrypted PEM private key"),
        (tls.replace("server.crt", "server.key"), "server.key: it contains no PEM certificate"),
        (tls.replace("server.key", "none.key"), "tls_server_config.key_file: cannot read "),
        // If a quote is missing, the path contains the next lines, which may be secret.
        (tls.replace("server.key", "'none.key\n    alice: $2y$10$a0j2b'"), "none.key alice…: No such file"),
        (with("cert: x"), "tls_server_config.cert: cert and cert_file are both given; give one"),
        ("tls_server_config: {cert_file: server.crt}".to_owned(), "tls_server_config.key: it is missing"),
        ("tls_server_config: {min_version: TLS13}".to_owned(), "tls_server_config.cert: it is missing"),
        (
            "http_server_config: {headers: {X-Frame-Options: allow}}".to_owned(),
            "http_server_config.headers.X-Frame-Options: `allow` is not a valid value; give deny or sameorigin",
        ),
        (
            "basic_auth_users: {alice: s3cret}".to_owned(),
            "basic_auth_users: the password of `alice` is not a bcrypt hash; create one with",
        ),
        (
            with("cert_file: server.crt"),
            "line 4, column 3: duplicate mapping key `cert_file` is not allowed here",
        ),
        (
            "rate_limit: {interval: 1s}".to_owned(),
            "rate_limit.burst: it is 0, so all requests would be rejected",
        ),
        (
            "rate_limit: {interval: soon, burst: 1}".to_owned(),
            "rate_limit.interval: `soon` is not a duration",
        ),
    ] {
        let file = folder.join("web.yml");
        std::fs::write(&file, &text).unwrap();
        let (code, stdout, stderr) = run(exporter(&["check-config", file.to_str().unwrap()]));
        assert_eq!((code, stdout.as_str()), (Some(1), ""), "{text}");
        assert!(stderr.starts_with(&format!("nomad-exporter: {}: ", file.display())), "{stderr}");
        assert!(stderr.contains(sentence) && stderr.lines().count() == 1, "{text}\n{stderr}");
        assert!(!stderr.contains("s3cret"), "{stderr}");
        // The exporter does not start with it.
        let (code, _, said) = run(exporter(&["--web.config.file", file.to_str().unwrap()]));
        assert_eq!(code, Some(2));
        assert!(said.starts_with("nomad-exporter: --web.config.file: ") && said.contains(sentence), "{said}");
    }
    let (code, _, stderr) = run(exporter(&["check-config", "/nowhere/web.yml"]));
    assert_eq!(code, Some(1));
    assert!(
        stderr.starts_with("nomad-exporter: /nowhere/web.yml: cannot read /nowhere/web.yml: "),
        "{stderr}"
    );
}

/// Passes its standard input like systemd passes a socket: as descriptor 3, with two variables.
const PASS: &str = "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\"";

#[test]
fn a_passed_socket_is_served() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", PASS, "sh"]).stdin(OwnedFd::from(socket));
    serves_the_socket_that_it_is_passed(command, address);
}

#[test]
#[ignore = "needs systemd-socket-activate: make check-deploy"]
fn sockets_of_systemd_are_served() {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let mut command = Command::new(tools::find("systemd-socket-activate"));
    command.args(["--listen", &address.to_string()]);
    serves_the_socket_that_it_is_passed(command, address);
}

/// Checks that a command passes the socket to the exporter.
fn serves_the_socket_that_it_is_passed(mut command: Command, address: SocketAddr) {
    let program = env!("CARGO_BIN_EXE_nomad-exporter");
    command.args([program, "--web.systemd-socket", "--web.listen-address", "127.0.0.1:1"]);
    let _running = Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    // Our end is closed: new connections reach the exporter.
    drop(command);
    wait_until(SOON, "the socket", || TcpStream::connect(address).is_ok());
    wait_until(SOON, "an answer", || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answer = crate::support::https::get(address, "/-/healthy", &[]);
        runtime.block_on(answer).is_ok_and(|answer| answer.body == "healthy\n")
    });
}

#[test]
fn a_missing_socket_is_reported() {
    let (code, _, stderr) = run(exporter(&["--web.systemd-socket"]));
    assert_eq!(code, Some(1));
    assert!(stderr.contains("nomad-exporter: --web.systemd-socket: systemd passed no socket"), "{stderr}");
}
