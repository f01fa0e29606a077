//! A file that changes while it is in use.

use std::net::SocketAddr;
use std::path::Path;

use http::StatusCode;
use tokio::runtime::Handle;

use super::{authority, basic, hash};
use crate::support::authority::Authority;
use crate::support::exposition::Exposition;
use crate::support::https::Client;
use crate::support::process::{Exporter, SOON, wait_until};
use crate::support::recordings;

const SUCCESSFUL: &str = "nomad_exporter_file_last_reload_successful";
const SUCCESS_TIME: &str = "nomad_exporter_file_last_reload_success_timestamp_seconds";

fn file(password: &str) -> String {
    let hash = hash(password, 4);
    format!(
        "tls_server_config: {{cert_file: server.crt, key_file: server.key}}\nbasic_auth_users: {{alice: {hash}}}\n"
    )
}

struct World {
    exporter: Exporter,
    authority: Authority,
}

impl World {
    fn address(&self) -> SocketAddr {
        self.exporter.url.trim_start_matches("http://").parse().unwrap()
    }

    fn ask(&self, password: &str) -> (StatusCode, String) {
        let mut client = Client::new(&self.authority, None);
        client.headers.push(("authorization", basic("alice", password)));
        let answer = Handle::current().block_on(client.get(self.address(), "/metrics")).unwrap();
        (answer.status, answer.body)
    }

    fn value(&self, password: &str, name: &str) -> Option<f64> {
        Exposition::parse(&self.ask(password).1).value(name, &[("file", "web_config")])
    }

    fn certificate(&self) -> Vec<u8> {
        let agreed = Handle::current().block_on(Client::new(&self.authority, None).agree(self.address()));
        agreed.unwrap().certificate
    }

    /// Replaces the file atomically, so that nobody reads half of it.
    fn write(&self, text: &str) {
        let next = self.authority.path("web.yml.next");
        std::fs::write(&next, text).unwrap();
        std::fs::rename(next, self.authority.path("web.yml")).unwrap();
    }

    fn complaints(&self) -> usize {
        self.exporter.log().matches("cannot reload files that have changed").count()
    }
}

/// Runs a test with an exporter on which alice's password is `first`.
async fn with_world(test: impl FnOnce(World) + Send + 'static) {
    let simulator = recordings::replay("2.0.5").await;
    let nomad = simulator.url();
    let start = move || {
        let authority = authority();
        let path = authority.path("web.yml");
        std::fs::write(&path, file("first")).unwrap();
        let arguments = ["--web.config.file", text(&path), "--collect.interval", "300ms"];
        let exporter = Exporter::start(&nomad, &arguments);
        test(World { exporter, authority });
    };
    tokio::task::spawn_blocking(start).await.unwrap();
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn valid_changes_apply_at_once_and_invalid_ones_never() {
    with_world(|world| {
        wait_until(SOON, "the metric", || world.value("first", SUCCESSFUL) == Some(1.0));
        let loaded = world.value("first", SUCCESS_TIME).unwrap();
        world.write(&file("second"));
        assert_eq!(world.ask("first").0, StatusCode::UNAUTHORIZED);
        assert_eq!(world.ask("second").0, StatusCode::OK);
        wait_until(SOON, "the time", || {
            world.value("second", SUCCESS_TIME).is_some_and(|time| time > loaded)
        });
        assert_eq!(world.complaints(), 0);

        let loaded = world.value("second", SUCCESS_TIME);
        for (round, broken) in [
            "basic_auth_users: [",
            &file("third").replace("cert_file", "certfile"),
            &file("third").replace("server.key", "gone.key"),
            // A partly written file.
            "",
            &file("third")[..file("third").find("basic_auth").unwrap()],
            &file("third")[file("third").find("basic_auth").unwrap()..],
        ]
        .into_iter()
        .enumerate()
        {
            world.write(broken);
            assert_eq!(world.ask("second").0, StatusCode::OK, "{broken}");
            assert_eq!(world.ask("third").0, StatusCode::UNAUTHORIZED, "{broken}");
            wait_until(SOON, "the metric", || world.value("second", SUCCESSFUL) == Some(0.0));
            assert_eq!(world.value("second", SUCCESS_TIME), loaded);
            assert_eq!(world.complaints(), round + 1, "once each: {}", world.exporter.log());
        }
        world.write(&file("third"));
        assert_eq!(world.ask("third").0, StatusCode::OK);
        wait_until(SOON, "recovery", || world.value("third", SUCCESSFUL) == Some(1.0));
        let log = world.exporter.log();
        assert!(
            log.contains("it would disable TLS") && log.contains("it would disable basic authentication")
        );
        assert!(log.contains("file=web_config now=\"TLS with HTTP/2 and HTTP/1.1, 1 user\""), "{log}");
        for secret in [&hash("first", 4), &hash("third", 4), "PRIVATE KEY"] {
            assert!(!log.contains(secret), "{log}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_renewed_in_two_steps() {
    with_world(|world| {
        let first = world.certificate();
        let (certificate, key) = world.authority.issue("localhost");
        std::fs::write(world.authority.path("server.crt"), certificate.pem()).unwrap();
        assert_eq!(world.certificate(), first, "the certificate does not match the key yet");
        std::fs::write(world.authority.path("server.key"), key.serialize_pem()).unwrap();
        assert_eq!(world.certificate(), certificate.der().to_vec());
        // Replaced by another file of the same size.
        world.authority.write("next", "localhost");
        for end in ["crt", "key"] {
            let path = |name: &str| world.authority.path(&format!("{name}.{end}"));
            std::fs::rename(path("next"), path("server")).unwrap();
        }
        assert_ne!(world.certificate(), certificate.der().to_vec());
        // A missing file is reported, and reloaded when it is back.
        std::fs::rename(world.authority.path("web.yml"), world.authority.path("gone.yml")).unwrap();
        assert_eq!(world.ask("first").0, StatusCode::OK);
        assert!(world.exporter.log().contains("cannot read "));
        std::fs::rename(world.authority.path("gone.yml"), world.authority.path("web.yml")).unwrap();
        assert_eq!(world.ask("first").0, StatusCode::OK);
        wait_until(SOON, "the metric", || world.value("first", SUCCESSFUL) == Some(1.0));
    })
    .await;
}

/// Without a file there are no metrics about it.
#[tokio::test(flavor = "multi_thread")]
async fn metrics_about_the_file_exist_only_with_a_file() {
    let collector = crate::support::collect::Collector::new("http://127.0.0.1:1", &[]);
    let shown = collector.exposition();
    assert_eq!((shown.value(SUCCESSFUL, &[]), shown.value(SUCCESS_TIME, &[])), (None, None));
}
