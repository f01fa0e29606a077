//! Connections to one address: pool, timeouts, TLS.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Certificate, Identity, redirect};

use super::address::Address;
use crate::files::Reading;

/// How `https` addresses are trusted and how we identify ourselves there; all paths are PEM files.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// Trust these authorities instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Trust every authority in this directory instead of the system's.
    pub ca_path: Option<PathBuf>,
    /// Certificate shown to servers that ask for one.
    pub client_cert: Option<PathBuf>,
    /// Its private key.
    pub client_key: Option<PathBuf>,
    /// The name to expect in the server's certificate, such as `server.global.nomad`, when it is not the host of
    /// the address.
    pub server_name: Option<String>,
    /// Accept any certificate. Whoever stands between then reads the token.
    pub skip_verify: bool,
}

/// TLS settings that do not make a transport, as a sentence.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// A file cannot be read.
    #[error("cannot read {what} {}", path.display())]
    Read {
        /// What the file is for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file holds no usable PEM.
    #[error("{what} {} contains no usable PEM certificate", path.display())]
    Pem {
        /// What the file is for.
        what: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// A certificate without its key, or the other way round.
    #[error("a client certificate needs its key: give both or neither")]
    HalfIdentity,
    /// The parts do not fit together.
    #[error("cannot set up connections to {address}")]
    Build {
        /// The address.
        address: String,
        /// What the library said.
        source: reqwest::Error,
    },
}

/// How Nomad is asked to send its answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// As they are.
    Identity,
    /// Compressed: a tenth of the bytes or less, for CPU time of Nomad's.
    Gzip,
}

/// What the files of [`Tls`] hold.
#[derive(Default)]
pub(super) struct Certificates {
    /// Authorities to trust; the system's if there are none.
    authorities: Vec<Certificate>,
    /// The client certificate and its key.
    identity: Option<Identity>,
}

impl Certificates {
    /// Reads the files.
    pub(super) fn load(tls: &Tls, reading: &mut Reading) -> Result<Self, TransportError> {
        Ok(Self { authorities: authorities(tls, reading)?, identity: identity(tls, reading)? })
    }
}

/// Builds the connections to one address.
pub(super) fn build(
    address: &Address,
    tls: &Tls,
    certificates: &Certificates,
    timeout: Duration,
    max_idle: usize,
) -> Result<reqwest::Client, TransportError> {
    // A second call finds the provider installed, which is what we want.
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("nomad-exporter/", env!("CARGO_PKG_VERSION")))
        // A redirect would carry the token elsewhere; Nomad before 0.10 redirects unknown paths to its UI.
        .redirect(redirect::Policy::none())
        .connect_timeout(timeout)
        .read_timeout(timeout)
        .pool_max_idle_per_host(max_idle);
    if let Address::Unix(path) = address {
        builder = builder.unix_socket(path.clone());
    }
    builder = match address.is_https() {
        true => with_tls(builder, address, tls, certificates),
        // Nobody is to be trusted, so the system's authorities need not be read.
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

/// Resolves every name to one host. Requests then carry the certificate's name in their URL, which makes TLS ask
/// for it and check it, while they still go to the address the user gave.
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
