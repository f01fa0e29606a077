//! TLS versions, cipher suites, curves, and client certificates.

use http::{StatusCode, Version};
use rcgen::{CertificateParams, SanType};
use rustls::{CipherSuite, NamedGroup, ProtocolVersion, SupportedProtocolVersion, version};

use super::{authority, serve};
use crate::support::authority::Authority;
use crate::support::https::Client;

const IDENTITY: &str = "  cert_file: server.crt\n  key_file: server.key\n";

fn file(settings: &str) -> String {
    format!("tls_server_config:\n{IDENTITY}{settings}")
}

#[tokio::test]
async fn the_client_chooses_http2_or_http1() {
    let authority = authority();
    let address = serve(authority.folder.path(), &file(""), &[]).await;
    let mut client = Client::new(&authority, None);
    for (protocols, version) in [
        (&["h2", "http/1.1"][..], Version::HTTP_2),
        (&["http/1.1"], Version::HTTP_11),
        (&[], Version::HTTP_11),
    ] {
        client.protocols = protocols.to_vec();
        let answer = client.get(address, "/metrics").await.unwrap();
        assert_eq!((answer.status, answer.version), (StatusCode::OK, version));
        assert!(answer.body.contains("nomad_up 0"));
        assert_eq!(client.get(address, "/nowhere").await.unwrap().status, StatusCode::NOT_FOUND);
    }
    let without = file("http_server_config: {http2: false}\n");
    let address = serve(authority.folder.path(), &without, &[]).await;
    client.protocols = vec!["h2", "http/1.1"];
    assert_eq!(client.get(address, "/metrics").await.unwrap().version, Version::HTTP_11);
}

/// Without TLS there is no HTTP/2, and with TLS there is no plain HTTP.
#[tokio::test]
async fn plain_http_is_rejected_with_tls() {
    let authority = authority();
    let address = serve(authority.folder.path(), &file(""), &[]).await;
    assert!(crate::support::https::get(address, "/metrics", &[]).await.is_err());
    let plain = serve(authority.folder.path(), "", &[]).await;
    let answer = crate::support::https::get(plain, "/metrics", &[]).await.unwrap();
    assert_eq!((answer.status, answer.version), (StatusCode::OK, Version::HTTP_11));
    assert!(Client::new(&authority, None).connect(plain).await.is_err());
}

#[tokio::test]
async fn client_certificates_follow_the_client_auth_type() {
    let (authority, stranger) = (authority(), Authority::new());
    for (mode, nothing, strange, known) in [
        ("NoClientCert", true, true, true),
        ("RequestClientCert", true, true, true),
        ("RequireAnyClientCert", false, true, true),
        ("RequireClientCert", false, true, true),
        ("VerifyClientCertIfGiven", true, false, true),
        ("RequireAndVerifyClientCert", false, false, true),
    ] {
        let needs_authority = mode.contains("Verify");
        let ca = if needs_authority { "  client_ca_file: ca.pem\n" } else { "" };
        let text = file(&format!("  client_auth_type: {mode}\n{ca}"));
        let address = serve(authority.folder.path(), &text, &[]).await;
        for only in [&version::TLS13, &version::TLS12] {
            for (identity, expected) in [
                (None, nothing),
                (Some(stranger.issue("prometheus")), strange),
                (Some(authority.issue("prometheus")), known),
            ] {
                let mut client = Client::new(&authority, identity);
                client.versions = vec![only];
                let is_answered = client.get(address, "/metrics").await.is_ok();
                assert_eq!(is_answered, expected, "{mode}, {only:?}");
            }
        }
    }
}

#[tokio::test]
async fn names_of_client_certificates_are_checked() {
    let authority = authority();
    let text = file(
        "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n  client_allowed_sans:\n    \
         - prometheus.example\n    - 192.0.2.7\n    - 2001:db8::1\n    - spiffe://example/prometheus\n    \
         - ops@example.org\n",
    );
    let address = serve(authority.folder.path(), &text, &[]).await;
    let name = |text: &str| text.try_into().unwrap();
    for (names, expected) in [
        (vec![SanType::DnsName(name("prometheus.example"))], true),
        (vec![SanType::DnsName(name("other.example")), SanType::DnsName(name("prometheus.example"))], true),
        (vec![SanType::IpAddress("192.0.2.7".parse().unwrap())], true),
        (vec![SanType::IpAddress("2001:db8::1".parse().unwrap())], true),
        (vec![SanType::URI(name("spiffe://example/prometheus"))], true),
        (vec![SanType::Rfc822Name(name("ops@example.org"))], true),
        (vec![SanType::DnsName(name("other.example"))], false),
        // A wildcard does not equal the names that it matches.
        (vec![SanType::DnsName(name("*.example"))], false),
        (vec![SanType::IpAddress("192.0.2.8".parse().unwrap())], false),
        (vec![SanType::URI(name("spiffe://example/other"))], false),
        (vec![], false),
    ] {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names.clone();
        let client = Client::new(&authority, Some(authority.issue_as(params)));
        assert_eq!(client.get(address, "/metrics").await.is_ok(), expected, "{names:?}");
    }
    // The right name, signed by another CA.
    let client = Client::new(&authority, Some(Authority::new().issue("prometheus.example")));
    assert!(client.get(address, "/metrics").await.is_err());
}

#[tokio::test]
async fn versions_suites_and_curves_are_applied() {
    let authority = authority();
    let agree = async |settings: &str, versions: &[&'static SupportedProtocolVersion]| {
        let address = serve(authority.folder.path(), &file(settings), &[]).await;
        let mut client = Client::new(&authority, None);
        client.versions = versions.to_vec();
        client.agree(address).await
    };
    let all = rustls::ALL_VERSIONS;
    assert_eq!(agree("", all).await.unwrap().version, ProtocolVersion::TLSv1_3);
    assert_eq!(agree("  max_version: TLS12\n", all).await.unwrap().version, ProtocolVersion::TLSv1_2);
    assert!(agree("  min_version: TLS13\n", &[&version::TLS12]).await.is_err());
    assert!(agree("  min_version: TLS13\n", all).await.is_ok());

    let suites = "  cipher_suites:\n    - TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256\n    \
                  - TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256\n";
    let agreed = agree(suites, &[&version::TLS12]).await.unwrap();
    assert_eq!(agreed.suite, CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256);
    let by_client =
        agree(&format!("{suites}  prefer_server_cipher_suites: false\n"), &[&version::TLS12]).await;
    assert_eq!(by_client.unwrap().suite, CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256);
    // Those of TLS 1.3 stay, unless some of them are given.
    assert_eq!(agree(suites, all).await.unwrap().version, ProtocolVersion::TLSv1_3);
    let named = format!("{suites}    - TLS_CHACHA20_POLY1305_SHA256\n");
    assert_eq!(agree(&named, all).await.unwrap().suite, CipherSuite::TLS13_CHACHA20_POLY1305_SHA256);

    let agreed = agree("  curve_preferences: [CurveP384]\n", all).await.unwrap();
    assert_eq!(agreed.group, NamedGroup::secp384r1);
}

#[tokio::test]
async fn certificates_can_be_inline() {
    let authority = authority();
    let indented = |text: String| text.lines().map(|line| format!("    {line}\n")).collect::<String>();
    let (certificate, key) = authority.issue("localhost");
    let text = format!(
        "tls_server_config:\n  cert: |\n{}  key: |\n{}  client_ca: |\n{}  client_auth_type: RequireAndVerifyClientCert\n",
        indented(certificate.pem()),
        indented(key.serialize_pem()),
        indented(authority.issuer.pem()),
    );
    let address = serve(authority.folder.path(), &text, &[]).await;
    let known = Client::new(&authority, Some(authority.issue("prometheus")));
    assert_eq!(known.get(address, "/metrics").await.unwrap().status, StatusCode::OK);
    assert!(Client::new(&authority, None).get(address, "/metrics").await.is_err());
}
