//! TLS: converts `tls_server_config` to a configuration of rustls.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, SupportedKxGroup, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, SupportedCipherSuite, SupportedProtocolVersion, version};
use secrecy::ExposeSecret;

use super::clients::{self, ClientAuth};
use super::file::TlsServerConfig;
use super::{named, quoted};
use crate::files::Reading;

/// Supported protocols, preferred ones first.
const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// Returns whether the client has chosen HTTP/2.
pub(in crate::web) fn speaks_http2(protocol: Option<&[u8]>) -> bool {
    protocol == Some(HTTP2)
}

impl TlsServerConfig {
    /// Returns whether nothing is set. An empty section has no effect.
    fn is_empty(&self) -> bool {
        let Self { cert, client_ca, cert_file, key_file, client_ca_file, client_auth_type, .. } = self;
        let texts = [cert, client_ca, client_auth_type, &self.min_version, &self.max_version];
        let lists = [&self.cipher_suites, &self.curve_preferences];
        texts.iter().all(|text| text.as_deref().is_none_or(str::is_empty))
            && [cert_file, key_file, client_ca_file].into_iter().all(|file| non_empty(file).is_none())
            && lists.iter().all(|list| list.as_deref().is_none_or(<[String]>::is_empty))
            && self.key.is_none()
            && self.client_allowed_sans.is_none()
            && self.prefer_server_cipher_suites.is_none()
    }

    /// Returns the rustls configuration and the client authentication type; `None` if nothing is set.
    pub(super) fn server_config(
        &self,
        folder: &Path,
        http2: bool,
        reading: &mut Reading,
    ) -> Result<Option<(Arc<ServerConfig>, ClientAuth)>, String> {
        if self.is_empty() {
            return Ok(None);
        }
        if self.client_allowed_sans.as_ref().is_some_and(Vec::is_empty) {
            return Err(field(
                "client_allowed_sans",
                "it is empty, so all clients would be rejected; give names or remove it",
            ));
        }
        let provider = Arc::new(CryptoProvider {
            cipher_suites: self.suites()?,
            kx_groups: self.groups()?,
            ..ring::default_provider()
        });
        let (chain, key) = self.identity(folder, reading)?;
        let auth = ClientAuth::new(self.client_auth_type.as_deref().unwrap_or_default())?;
        let authorities =
            read("client_ca", self.client_ca.as_deref(), &self.client_ca_file, folder, reading)?;
        let allowed = self.client_allowed_sans.clone().unwrap_or_default();
        let verifier = clients::verifier(auth, authorities, allowed, &provider)?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&self.versions()?)
            .map_err(|error| {
                field("cipher_suites", &format!("they cannot be used with the TLS versions: {error}"))
            })?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .map_err(|error| {
                field("cert", &format!("certificate and key cannot be used together: {error}"))
            })?;
        config.ignore_client_order = self.prefer_server_cipher_suites.unwrap_or(true);
        config.alpn_protocols = match http2 {
            true => vec![HTTP2.to_vec(), HTTP1.to_vec()],
            false => vec![HTTP1.to_vec()],
        };
        Ok(Some((Arc::new(config), auth)))
    }

    fn identity(
        &self,
        folder: &Path,
        reading: &mut Reading,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
        let missing = |name: &str| field(name, &format!("it is missing; give {name} or {name}_file"));
        let cert = read("cert", self.cert.as_deref(), &self.cert_file, folder, reading)?
            .ok_or_else(|| missing("cert"))?;
        let key = self.key.as_ref().map(|key| key.expose_secret());
        let key = read("key", key, &self.key_file, folder, reading)?.ok_or_else(|| missing("key"))?;
        let chain = certificates(&cert)?;
        // The parser's error might contain parts of the key.
        let parsed = PrivateKeyDer::from_pem_slice(&key.pem)
            .map_err(|_| format!("{}: it contains no unencrypted PEM private key", key.origin))?;
        Ok((chain, parsed))
    }

    fn versions(&self) -> Result<Vec<&'static SupportedProtocolVersion>, String> {
        let number =
            |name: &str, typed: &Option<String>, default: u8| match typed.as_deref().unwrap_or_default() {
                "" => Ok(default),
                "TLS12" => Ok(2),
                "TLS13" => Ok(3),
                old @ ("TLS10" | "TLS11") => {
                    Err(field(name, &format!("{old} is insecure and not supported; give TLS12 or TLS13")))
                }
                other => {
                    Err(field(name, &format!("{} is not a TLS version; give TLS12 or TLS13", quoted(other))))
                }
            };
        let (least, most) =
            (number("min_version", &self.min_version, 2)?, number("max_version", &self.max_version, 3)?);
        let both = [(3, &version::TLS13), (2, &version::TLS12)];
        let versions: Vec<_> =
            both.into_iter().filter(|(number, _)| (least..=most).contains(number)).collect();
        match versions.is_empty() {
            true => Err(field("min_version", "it is above max_version")),
            false => Ok(versions.into_iter().map(|(_, version)| version).collect()),
        }
    }

    /// Returns the given TLS 1.2 cipher suites, in their order. All of TLS 1.3 are added, unless some of them
    /// are given.
    fn suites(&self) -> Result<Vec<SupportedCipherSuite>, String> {
        let names = self.cipher_suites.as_deref().unwrap_or_default();
        let all = ring::ALL_CIPHER_SUITES;
        let named = choose("cipher_suites", names, all, suite_name)?;
        let is_new = |suite: &SupportedCipherSuite| suite.tls13().is_some();
        let stay = |suite: &SupportedCipherSuite| match is_new(suite) {
            true => !named.iter().any(is_new),
            false => named.is_empty(),
        };
        let others = all.iter().copied().filter(stay);
        Ok(others.chain(named.iter().copied()).collect())
    }

    fn groups(&self) -> Result<Vec<&'static dyn SupportedKxGroup>, String> {
        let names = self.curve_preferences.as_deref().unwrap_or_default();
        let all = ring::ALL_KX_GROUPS;
        match choose("curve_preferences", names, all, group_name)? {
            none if none.is_empty() => Ok(all.to_vec()),
            some => Ok(some),
        }
    }
}

/// Returns the name of a cipher suite in Go, which the file uses.
fn suite_name(suite: &SupportedCipherSuite) -> String {
    format!("{:?}", suite.suite()).replace("TLS13_", "TLS_")
}

/// Returns the name of a group in Go, which the file uses.
fn group_name(group: &&'static dyn SupportedKxGroup) -> String {
    format!("{:?}", group.name()).replace("secp256r1", "CurveP256").replace("secp384r1", "CurveP384")
}

/// Maximum number of unknown names in an error.
const NAMED: usize = 5;

/// Returns the given members of `all`, in the order of their names. The error lists unknown names.
fn choose<T: Copy>(
    list: &str,
    names: &[String],
    all: &[T],
    name: fn(&T) -> String,
) -> Result<Vec<T>, String> {
    let find =
        |wanted: &String| all.iter().find(|one| name(one) == *wanted).copied().ok_or_else(|| wanted.clone());
    let (found, unknown): (Vec<_>, Vec<_>) = names.iter().map(find).partition(Result::is_ok);
    if unknown.is_empty() {
        return Ok(found.into_iter().flatten().collect());
    }
    let told: Vec<String> =
        unknown.iter().filter_map(|name| name.as_ref().err()).take(NAMED).map(|name| quoted(name)).collect();
    let more = if unknown.len() > NAMED { " and others" } else { "" };
    let known: Vec<String> = all.iter().map(name).collect();
    let problem = format!("not supported: {}{more}; give {}", told.join(", "), known.join(", "));
    Err(field(list, &problem))
}

/// PEM data, and where it comes from.
pub(super) struct Material {
    pub(super) origin: String,
    pub(super) pem: Vec<u8>,
}

fn read(
    name: &str,
    inline: Option<&str>,
    file: &Option<PathBuf>,
    folder: &Path,
    reading: &mut Reading,
) -> Result<Option<Material>, String> {
    match (inline.filter(|text| !text.is_empty()), non_empty(file)) {
        (None, None) => Ok(None),
        (Some(text), None) => Ok(Some(Material { origin: section(name), pem: text.into() })),
        (None, Some(file)) => {
            let (path, name) = (folder.join(file), format!("{name}_file"));
            let cannot_read = |error| field(&name, &format!("cannot read {}: {error}", named(&path)));
            let pem = reading.read(&path).map_err(cannot_read)?;
            Ok(Some(Material { origin: format!("{}: {}", section(&name), named(&path)), pem }))
        }
        (Some(_), Some(_)) => Err(field(name, &format!("{name} and {name}_file are both given; give one"))),
    }
}

/// Returns the certificates of a chain; at least one.
pub(super) fn certificates(material: &Material) -> Result<Vec<CertificateDer<'static>>, String> {
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&material.pem).collect();
    match parsed {
        Ok(chain) if chain.is_empty() => Err(format!("{}: it contains no PEM certificate", material.origin)),
        Ok(chain) => Ok(chain),
        Err(error) => Err(format!("{}: it contains an invalid certificate: {error}", material.origin)),
    }
}

/// Returns a path, unless it is empty.
fn non_empty(file: &Option<PathBuf>) -> Option<&PathBuf> {
    file.as_ref().filter(|path| !path.as_os_str().is_empty())
}

fn section(name: &str) -> String {
    format!("tls_server_config.{name}")
}

pub(super) fn field(name: &str, problem: &str) -> String {
    format!("{}: {problem}", section(name))
}
