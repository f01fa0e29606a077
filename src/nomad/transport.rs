//! Connections to one address: pool, timeouts, TLS.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Certificate, Identity, redirect};

use super::address::Address;
use crate::files::Reading;

/// TLS settings for `https` addresses; all paths are PEM files.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// CA certificates to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Directory of CA certificates to trust instead of the system's.
    pub ca_path: Option<PathBuf>,
    /// Client certificate.
    pub client_cert: Option<PathBuf>,
    /// Its private key.
    pub client_key: Option<PathBuf>,
    /// Expected name in the server's certificate, such as `server.global.nomad`, if it is not the host of the
    /// address.
    pub server_name: Option<String>,
    /// Accept any certificate. An attacker in the network can then read the token.
    pub skip_verify: bool,
}

/// Unusable TLS settings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// A file cannot be read.
    #[error("cannot read {what} {}", path.display())]
    Read {
        /// Purpose of the file.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A file contains no usable PEM.
    #[error("{what} {} contains no usable PEM certificate", path.display())]
    Pem {
        /// Purpose of the file.
        what: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// A certificate without its key, or a key without its certificate.
    #[error("a client certificate needs its key: give both or neither")]
    HalfIdentity,
    /// The parts do not match.
    #[error("cannot set up connections to {address}")]
    Build {
        /// The address.
        address: String,
        /// The library's error.
        source: reqwest::Error,
    },
}

/// Content encoding of responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Uncompressed.
    Identity,
    /// Compressed: a tenth of the bytes or less, but more CPU time of Nomad.
    Gzip,
}

/// Loaded files of [`Tls`].
#[derive(Default)]
pub(super) struct Certificates {
    /// CA certificates to trust; the system's if empty.
    authorities: Vec<Certificate>,
    /// The client certificate and its key.
    identity: Option<Identity>,
}

impl Certificates {
    /// Loads the files.
    pub(super) fn load(tls: &Tls, reading: &mut Reading) -> Result<Self, TransportError> {
        Ok(Self { authorities: authorities(tls, reading)?, identity: identity(tls, reading)? })
    }
}

/// Creates the connections to one address. Without `read_timeout`, a response may pause for any time.
pub(super) fn build(
    address: &Address,
    tls: &Tls,
    certificates: &Certificates,
    timeout: Duration,
    read_timeout: Option<Duration>,
    max_idle: usize,
) -> Result<reqwest::Client, TransportError> {
    // Fails if the provider is already installed, which is fine.
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("nomad-exporter/", env!("CARGO_PKG_VERSION")))
        // A redirect would send the token elsewhere; Nomad before 0.10 redirects unknown paths to its UI.
        .redirect(redirect::Policy::none())
        .connect_timeout(timeout)
        .pool_max_idle_per_host(max_idle);
    if let Some(timeout) = read_timeout {
        builder = builder.read_timeout(timeout);
    }
    if let Address::Unix(path) = address {
        builder = builder.unix_socket(path.clone());
    }
    builder = match address.is_https() {
        true => with_tls(builder, address, tls, certificates),
        // No certificate is verified, so the system's CA certificates are not needed.
        false => builder.tls_certs_only([]),
    };
    builder.build().map_err(|source| TransportError::Build { address: address.to_string(), source })
}

fn with_tls(
    mut builder: reqwest::ClientBuilder,
    address: &Address,
    tls: &Tls,
    certificates: &Certificates,
) -> reqwest::ClientBuilder {
    if !certificates.authorities.is_empty() {
        builder = builder.tls_certs_only(certificates.authorities.clone());
    }
    if let Some(identity) = &certificates.identity {
        builder = builder.identity(identity.clone());
    }
    if tls.skip_verify {
        builder = builder.tls_danger_accept_invalid_certs(true);
    }
    if let (Some(_), Address::Http(url)) = (&tls.server_name, address) {
        builder = builder.dns_resolver(std::sync::Arc::new(RealHost::of(url)));
    }
    builder
}

fn identity(tls: &Tls, reading: &mut Reading) -> Result<Option<Identity>, TransportError> {
    match (&tls.client_cert, &tls.client_key) {
        (None, None) => Ok(None),
        (Some(cert), Some(key)) => {
            let mut pem = read("the client certificate", cert, reading)?;
            pem.push(b'\n');
            pem.extend(read("the client key", key, reading)?);
            let identity = Identity::from_pem(&pem)
                .map_err(|_| TransportError::Pem { what: "the client certificate", path: cert.clone() })?;
            Ok(Some(identity))
        }
        _ => Err(TransportError::HalfIdentity),
    }
}

fn authorities(tls: &Tls, reading: &mut Reading) -> Result<Vec<Certificate>, TransportError> {
    let mut files: Vec<PathBuf> = tls.ca_file.iter().cloned().collect();
    if let Some(dir) = &tls.ca_path {
        let what = "the directory of CA certificates";
        let found =
            reading.list(dir).map_err(|source| TransportError::Read { what, path: dir.clone(), source })?;
        files.extend(found);
    }
    let mut found = Vec::new();
    for path in files {
        let what = "the CA certificate";
        let bundle = Certificate::from_pem_bundle(&read(what, &path, reading)?)
            .map_err(|_| TransportError::Pem { what, path: path.clone() })?;
        if bundle.is_empty() {
            return Err(TransportError::Pem { what, path });
        }
        found.extend(bundle);
    }
    Ok(found)
}

fn read(what: &'static str, path: &Path, reading: &mut Reading) -> Result<Vec<u8>, TransportError> {
    reading.read(path).map_err(|source| TransportError::Read { what, path: path.to_owned(), source })
}

/// Resolves every name to one host. Requests have the certificate's name in their URL, so TLS sends and
/// verifies it, while the connection goes to the configured address.
struct RealHost {
    host: String,
    port: u16,
}

impl RealHost {
    fn of(url: &reqwest::Url) -> Self {
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        Self { host, port: url.port_or_known_default().unwrap_or(443) }
    }
}

impl Resolve for RealHost {
    fn resolve(&self, _: Name) -> Resolving {
        let (host, port) = (self.host.clone(), self.port);
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Returns whether a request failed during the TLS handshake.
pub(super) fn is_tls(error: &reqwest::Error) -> bool {
    let causes = std::iter::successors(std::error::Error::source(error), |error| error.source());
    causes.into_iter().any(holds_rustls_error)
}

/// rustls wraps its errors in I/O errors, possibly twice, and their `source` skips the wrapped error.
fn holds_rustls_error(error: &(dyn std::error::Error + 'static)) -> bool {
    let held = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    error.is::<rustls::Error>() || held.is_some_and(|held| holds_rustls_error(held))
}
