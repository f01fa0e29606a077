//! Nomad with TLS: trusted CAs, and client certificates.

use std::path::Path;
use std::sync::Arc;

use nomad_exporter::files::FileSet;
use nomad_exporter::nomad::Reason;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::support::authority::Authority;
use crate::support::collect::{Collector, only};
use crate::support::process::{self, Exporter};
use crate::support::recordings;

/// Starts a TLS proxy for an address, with a certificate for this name; returns the port.
async fn front(authority: &Authority, address: &str, name: &str, ask_for_clients: bool) -> u16 {
    rustls::crypto::ring::default_provider().install_default().ok();
    let (certificate, key) = authority.issue(name);
    let chain = vec![CertificateDer::from(certificate.der().to_vec())];
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let builder = rustls::ServerConfig::builder();
    let builder = if ask_for_clients {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from(authority.issuer.der().to_vec())).unwrap();
        builder.with_client_cert_verifier(WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap())
    } else {
        builder.with_no_client_auth()
    };
    let acceptor = TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let address = address.trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (acceptor, address) = (acceptor.clone(), address.clone());
            tokio::spawn(async move {
                let Ok(mut client) = acceptor.accept(client).await else { return };
                let mut server = TcpStream::connect(address).await.unwrap();
                tokio::io::copy_bidirectional(&mut client, &mut server).await.ok();
            });
        }
    });
    port
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Returns an exporter with one collector, so that failing tests do not wait for the retries of all.
fn nodes_only(url: &str, arguments: &[&str]) -> Collector {
    let others_off = only(&["nodes"]);
    let others_off: Vec<_> = others_off.iter().map(String::as_str).collect();
    Collector::new(url, &[&others_off[..], arguments].concat())
}

async fn requests(url: &str, arguments: &[&str], reason: Reason) -> Option<f64> {
    let labels = [("endpoint", "nodes"), ("reason", reason.as_str())];
    let collector = nodes_only(url, arguments);
    collector.refresh().await;
    collector.exposition().value("nomad_exporter_api_requests_total", &labels)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_ca_is_trusted_by_file_and_by_folder() {
    let (simulator, authority) = (recordings::replay("2.0.5").await, Authority::new());
    let port = front(&authority, &simulator.url(), "localhost", false).await;
    let url = format!("https://localhost:{port}");
    let (ca, folder) = (authority.path("ca.pem"), authority.folder.path().to_owned());
    assert_eq!(requests(&url, &["--nomad.ca-file", text(&ca)], Reason::Ok).await, Some(1.0));
    assert_eq!(requests(&url, &["--nomad.ca-path", text(&folder)], Reason::Ok).await, Some(1.0));
    assert_eq!(requests(&url, &["--nomad.tls-skip-verify"], Reason::Ok).await, Some(1.0));
    // The system does not trust the CA.
    assert_eq!(requests(&url, &[], Reason::Tls).await, Some(1.0));
}

/// Nomad's servers have certificates for `server.REGION.nomad`, whatever their address.
#[tokio::test(flavor = "multi_thread")]
async fn the_name_in_the_certificate_can_differ_from_the_host() {
    let (simulator, authority) = (recordings::replay("2.0.5").await, Authority::new());
    let port = front(&authority, &simulator.url(), "server.global.nomad", false).await;
    let (url, ca) = (format!("https://127.0.0.1:{port}"), authority.path("ca.pem"));
    let named = ["--nomad.ca-file", text(&ca), "--nomad.tls-server-name", "server.global.nomad"];
    assert_eq!(requests(&url, &named, Reason::Ok).await, Some(1.0));
    assert_eq!(requests(&url, &named[..2], Reason::Tls).await, Some(1.0));
    let other = ["--nomad.ca-file", text(&ca), "--nomad.tls-server-name", "server.mars.nomad"];
    assert_eq!(requests(&url, &other, Reason::Tls).await, Some(1.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_is_sent_on_request() {
    let (simulator, authority) = (recordings::replay("2.0.5").await, Authority::new());
    let port = front(&authority, &simulator.url(), "localhost", true).await;
    let (certificate, key) = authority.issue("cli.global.nomad");
    let (cert_file, key_file, ca) =
        (authority.path("cli.crt"), authority.path("cli.key"), authority.path("ca.pem"));
    std::fs::write(&cert_file, certificate.pem()).unwrap();
    std::fs::write(&key_file, key.serialize_pem()).unwrap();
    let url = format!("https://localhost:{port}");
    let mutual = [
        "--nomad.ca-file",
        text(&ca),
        "--nomad.client-cert",
        text(&cert_file),
        "--nomad.client-key",
        text(&key_file),
    ];
    assert_eq!(requests(&url, &mutual, Reason::Ok).await, Some(1.0));
    let collector = nodes_only(&url, &mutual[..2]);
    collector.refresh().await;
    assert!(!collector.snapshot().is_up());
}

#[tokio::test(flavor = "multi_thread")]
async fn renewed_certificates_are_reloaded() {
    let (simulator, authority) = (recordings::replay("2.0.5").await, Authority::new());
    let port = front(&authority, &simulator.url(), "localhost", false).await;
    let (right, ca) = (std::fs::read(authority.path("ca.pem")).unwrap(), authority.path("trusted.pem"));
    std::fs::copy(Authority::new().path("ca.pem"), &ca).unwrap();
    let collector = nodes_only(&format!("https://localhost:{port}"), &["--nomad.ca-file", text(&ca)]);
    collector.refresh().await;
    assert!(!collector.snapshot().is_up(), "another authority is trusted");

    std::fs::write(&ca, right).unwrap();
    collector.refresh().await;
    assert!(collector.snapshot().is_up());

    let last_load = || {
        let load = collector.context.client.last_loads().next().unwrap();
        (load.set, load.successful)
    };
    assert_eq!(last_load(), (FileSet::ApiTls, true));
    for broken in ["", "half a certifi"] {
        std::fs::write(&ca, broken).unwrap();
        collector.refresh().await;
        assert!(collector.snapshot().is_up(), "the working version stays in use");
        assert_eq!(last_load(), (FileSet::ApiTls, false));
    }
    let shown = collector.exposition();
    let asked = |reason| {
        shown.value("nomad_exporter_api_requests_total", &[("endpoint", "nodes"), ("reason", reason)])
    };
    assert_eq!((asked("tls"), asked("ok")), (Some(1.0), Some(3.0)));
}

/// Any certificate is accepted: the check uses an IP address of this machine, which is in no certificate.
#[tokio::test(flavor = "multi_thread")]
async fn healthcheck_works_with_tls() {
    let authority = Authority::new();
    let exporter = tokio::task::spawn_blocking(|| Exporter::start("http://127.0.0.1:1", &[])).await.unwrap();
    let port = front(&authority, &exporter.url, "exporter.example", false).await;
    let check = process::exporter(&["healthcheck", "--web.listen-address", &format!("127.0.0.1:{port}")]);
    let (code, stdout, stderr) = tokio::task::spawn_blocking(|| process::run(check)).await.unwrap();
    assert_eq!(stdout, format!("https://127.0.0.1:{port}/-/healthy: healthy\n"), "{stderr}");
    assert_eq!(code, Some(0));
}
