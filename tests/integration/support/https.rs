//! A client that reports the details of handshakes and responses.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    CipherSuite, ClientConfig, NamedGroup, ProtocolVersion, RootCertStore, SupportedProtocolVersion,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::authority::Authority;

/// Client certificate and key.
pub(crate) type Identity = (rcgen::Certificate, rcgen::KeyPair);

/// A response.
pub(crate) struct Answer {
    pub(crate) version: Version,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// The result of a handshake.
pub(crate) struct Agreed {
    pub(crate) version: ProtocolVersion,
    pub(crate) suite: CipherSuite,
    pub(crate) group: NamedGroup,
    /// The server's certificate.
    pub(crate) certificate: Vec<u8>,
}

/// A client that trusts a CA. It offers HTTP/2 and HTTP/1.1.
pub(crate) struct Client {
    roots: RootCertStore,
    identity: Option<Identity>,
    pub(crate) versions: Vec<&'static SupportedProtocolVersion>,
    pub(crate) protocols: Vec<&'static str>,
    /// Headers of every request.
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Client {
    pub(crate) fn new(authority: &Authority, identity: Option<Identity>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(authority.issuer.der().to_vec())).unwrap();
        let (versions, protocols) = (rustls::ALL_VERSIONS.to_vec(), vec!["h2", "http/1.1"]);
        Self { roots, identity, versions, protocols, headers: Vec::new() }
    }

    /// Performs a handshake.
    pub(crate) async fn connect(&self, address: SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&self.versions)
            .unwrap()
            .with_root_certificates(self.roots.clone());
        let mut config = match &self.identity {
            Some((certificate, key)) => {
                let chain = vec![CertificateDer::from(certificate.der().to_vec())];
                builder
                    .with_client_auth_cert(chain, PrivateKeyDer::try_from(key.serialize_der()).unwrap())
                    .unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = self.protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let stream = TcpStream::connect(address).await?;
        TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await
    }

    /// Performs a handshake, and returns the result.
    pub(crate) async fn agree(&self, address: SocketAddr) -> std::io::Result<Agreed> {
        let stream = self.connect(address).await?;
        let connection = stream.get_ref().1;
        Ok(Agreed {
            version: connection.protocol_version().unwrap(),
            suite: connection.negotiated_cipher_suite().unwrap().suite(),
            group: connection.negotiated_key_exchange_group().unwrap().name(),
            certificate: connection.peer_certificates().unwrap()[0].to_vec(),
        })
    }

    /// Sends a request on a new connection. An error is one of the connection: a server rejects a client
    /// during the handshake or, with TLS 1.3, right after it.
    pub(crate) async fn get(
        &self,
        address: SocketAddr,
        path: &str,
    ) -> Result<Answer, Box<dyn std::error::Error>> {
        let stream = self.connect(address).await?;
        let mut request = Request::get(format!("https://localhost{path}")).header("host", "localhost");
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let response = if is_http2 {
            let (mut sender, connection) =
                http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            sender.send_request(request).await?
        } else {
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            sender.send_request(request).await?
        };
        read(response).await
    }
}

/// Sends a plain HTTP request on a new connection.
pub(crate) async fn get(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
) -> Result<Answer, Box<dyn std::error::Error>> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get(path).header("host", "localhost");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    read(sender.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await?).await
}

async fn read(response: Response<Incoming>) -> Result<Answer, Box<dyn std::error::Error>> {
    let (head, body) = response.into_parts();
    let body = String::from_utf8(body.collect().await?.to_bytes().to_vec())?;
    Ok(Answer { version: head.version, status: head.status, headers: head.headers, body })
}
