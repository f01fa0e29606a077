//! Client certificates.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoClientAuth, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore,
    SignatureScheme,
};
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use super::quoted;
use super::tls::{Material, certificates, field};

/// Client authentication types, named as in Go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientAuth {
    /// No certificate.
    No,
    /// An optional certificate, which is not verified.
    Request,
    /// A certificate, which is not verified.
    RequireAny,
    /// An optional certificate, which is verified.
    VerifyIfGiven,
    /// A certificate, which is verified.
    RequireAndVerify,
}

impl ClientAuth {
    pub(super) fn new(typed: &str) -> Result<Self, String> {
        match typed {
            "" | "NoClientCert" => Ok(Self::No),
            "RequestClientCert" => Ok(Self::Request),
            // The second is an old name of the first.
            "RequireAnyClientCert" | "RequireClientCert" => Ok(Self::RequireAny),
            "VerifyClientCertIfGiven" => Ok(Self::VerifyIfGiven),
            "RequireAndVerifyClientCert" => Ok(Self::RequireAndVerify),
            other => {
                let problem = format!(
                    "{} is not a client_auth_type; give NoClientCert, RequestClientCert, RequireAnyClientCert, \
                     VerifyClientCertIfGiven or RequireAndVerifyClientCert",
                    quoted(other)
                );
                Err(field("client_auth_type", &problem))
            }
        }
    }

    /// Returns its name in Go.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::No => "NoClientCert",
            Self::Request => "RequestClientCert",
            Self::RequireAny => "RequireAnyClientCert",
            Self::VerifyIfGiven => "VerifyClientCertIfGiven",
            Self::RequireAndVerify => "RequireAndVerifyClientCert",
        }
    }

    fn is_mandatory(self) -> bool {
        matches!(self, Self::RequireAny | Self::RequireAndVerify)
    }
}

/// Creates the verifier of client certificates.
pub(super) fn verifier(
    auth: ClientAuth,
    authorities: Option<Material>,
    allowed: Vec<String>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    if authorities.is_some() && auth == ClientAuth::No {
        return Err(field(
            "client_ca",
            "it has no effect without client_auth_type; set client_auth_type to RequireAndVerifyClientCert",
        ));
    }
    if !allowed.is_empty() && !auth.is_mandatory() {
        let problem = "it has no effect because clients need no certificate; set client_auth_type to \
                       RequireAndVerifyClientCert";
        return Err(field("client_allowed_sans", problem));
    }
    let verifier: Arc<dyn ClientCertVerifier> = match auth {
        ClientAuth::No => Arc::new(NoClientAuth),
        ClientAuth::Request | ClientAuth::RequireAny => {
            Arc::new(Unverified { mandatory: auth.is_mandatory(), provider: provider.clone() })
        }
        ClientAuth::VerifyIfGiven | ClientAuth::RequireAndVerify => {
            let missing = || field("client_ca", "it is needed to verify clients; give client_ca_file");
            let material = authorities.ok_or_else(missing)?;
            let mut roots = RootCertStore::empty();
            for authority in certificates(&material)? {
                roots.add(authority).map_err(|error| format!("{}: {error}", material.origin))?;
            }
            let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
            let builder = if auth.is_mandatory() { builder } else { builder.allow_unauthenticated() };
            builder.build().map_err(|error| format!("{}: {error}", material.origin))?
        }
    };
    match allowed.is_empty() {
        true => Ok(verifier),
        false => Ok(Arc::new(Named { allowed, verifier })),
    }
}

/// Accepts any certificate if the client has its key.
#[derive(Debug)]
struct Unverified {
    mandatory: bool,
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for Unverified {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Accepts certificates that another verifier accepts and that have an allowed name.
#[derive(Debug)]
struct Named {
    allowed: Vec<String>,
    verifier: Arc<dyn ClientCertVerifier>,
}

#[derive(Debug, thiserror::Error)]
#[error("no name in the client's certificate is in client_allowed_sans")]
struct NotAllowed;

impl ClientCertVerifier for Named {
    fn offer_client_auth(&self) -> bool {
        self.verifier.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.verifier.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.verifier.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        cert: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.verifier.verify_client_cert(cert, intermediates, now)?;
        let names = names(cert).unwrap_or_default();
        match names.iter().any(|name| self.allowed.contains(name)) {
            true => Ok(verified),
            false => Err(CertificateError::Other(OtherError(Arc::new(NotAllowed))).into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

/// Returns the subject alternative names of a certificate: DNS names, IP addresses, e-mail addresses and
/// URIs.
fn names(cert: &CertificateDer<'_>) -> Option<Vec<String>> {
    let cert = x509_cert::Certificate::from_der(cert).ok()?;
    let (_, SubjectAltName(names)) = cert.tbs_certificate().get_extension::<SubjectAltName>().ok()??;
    let text = |name: &GeneralName| match name {
        GeneralName::DnsName(name)
        | GeneralName::Rfc822Name(name)
        | GeneralName::UniformResourceIdentifier(name) => Some(name.to_string()),
        GeneralName::IpAddress(bytes) => address(bytes.as_bytes()).map(|address| address.to_string()),
        _ => None,
    };
    Some(names.iter().filter_map(text).collect())
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}
