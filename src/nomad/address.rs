//! Address of a Nomad agent.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Address of a Nomad agent: `http://host:port`, `https://host:port`, or `unix:///path` for the task API
/// socket (Nomad 1.5 and later).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// TCP, with or without TLS.
    Http(reqwest::Url),
    /// A Unix socket.
    Unix(PathBuf),
}

/// An unusable address.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{given}` is not a Nomad address: {problem}; give http://host:4646, https://host:4646 or unix:///path/api.sock"
)]
pub struct AddressError {
    given: String,
    problem: &'static str,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(given: &str) -> Result<Self, AddressError> {
        let error = |problem| AddressError { given: hide_password(given), problem };
        if let Some(path) = given.strip_prefix("unix://") {
            return match path.starts_with('/') {
                true => Ok(Self::Unix(path.into())),
                false => Err(error("the socket's path must be absolute")),
            };
        }
        let url = reqwest::Url::parse(given).map_err(|_| error("it is not a URL"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(error("its scheme is not http, https or unix"));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(error("it has no host"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(error("it contains a user or password, which belong in NOMAD_HTTP_AUTH"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(error("it has a query or a fragment"));
        }
        Ok(Self::Http(url))
    }
}

/// Replaces a password, because an error must not contain it.
fn hide_password(given: &str) -> String {
    match (given.find("://"), given.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => format!("{}://…{}", &given[..scheme], &given[at..]),
        _ => given.to_owned(),
    }
}

impl Address {
    /// Returns the URL of an API path at this address. With a socket, the host has no meaning.
    pub(super) fn join(&self, path: &str) -> String {
        match self {
            Self::Http(url) => format!("{}{path}", url.as_str().trim_end_matches('/')),
            Self::Unix(_) => format!("http://127.0.0.1{path}"),
        }
    }

    /// Returns whether the connection is encrypted.
    pub fn is_https(&self) -> bool {
        matches!(self, Self::Http(url) if url.scheme() == "https")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(url) => f.write_str(url.as_str().trim_end_matches('/')),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_joined_with_paths() {
        for (address, url) in [
            ("http://127.0.0.1:4646", "http://127.0.0.1:4646/v1/jobs"),
            ("https://nomad.example/", "https://nomad.example/v1/jobs"),
            ("http://proxy.example/nomad/", "http://proxy.example/nomad/v1/jobs"),
            ("http://[::1]:4646", "http://[::1]:4646/v1/jobs"),
            ("unix:///secrets/api.sock", "http://127.0.0.1/v1/jobs"),
        ] {
            assert_eq!(address.parse::<Address>().unwrap().join("/v1/jobs"), url);
        }
    }

    #[test]
    fn invalid_addresses_are_rejected_without_showing_the_password() {
        for (address, problem) in [
            ("localhost:4646", "scheme"),
            ("", "not a URL"),
            ("http://", "not a URL"),
            ("unix://api.sock", "absolute"),
            ("ftp://nomad", "scheme"),
            ("http://nomad?x=1", "query"),
            ("http://me:secret@nomad:4646", "NOMAD_HTTP_AUTH"),
        ] {
            let error = address.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
