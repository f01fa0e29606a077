//! TLS and authentication: the file of `--web.config.file`, in the format of the Prometheus exporter toolkit.

mod clients;
mod file;
mod headers;
mod live;
mod rate;
mod tls;
mod users;

pub use live::AccessFile;
pub(super) use tls::speaks_http2;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use rustls::ServerConfig;

use self::clients::ClientAuth;
use self::rate::RateLimit;
use self::users::Users;
use crate::files::Reading;

/// Settings of one version of the file.
pub(super) struct Access {
    /// TLS; plain HTTP if `None`.
    pub(super) tls: Option<Arc<ServerConfig>>,
    /// Headers of all responses.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    users: Option<Users>,
    rate: Option<RateLimit>,
    clients: ClientAuth,
    names_are_checked: bool,
}

/// Why a request is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Rate limit exceeded.
    TooMany,
    /// No credentials, or wrong ones.
    Unknown,
    /// Too many concurrent password checks.
    Busy,
}

/// An unusable file.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct AccessError {
    path: PathBuf,
    problem: String,
}

impl Access {
    /// Applies a file; relative paths start at its directory. Reads certificates.
    fn new(file: &file::File, folder: &Path, reading: &mut Reading) -> Result<Self, String> {
        let http = file.http_server_config.as_ref();
        let http2 = http.and_then(|http| http.http2).unwrap_or(true);
        let tls = match &file.tls_server_config {
            Some(tls) => tls.server_config(folder, http2, reading)?,
            None => None,
        };
        let users = file.basic_auth_users.as_ref().map(Users::new).transpose()?.flatten();
        let headers = http.and_then(|http| http.headers.as_ref()).map(headers::headers).transpose()?;
        let rate = file.rate_limit.as_ref().map(RateLimit::new).transpose()?.flatten();
        let names_are_checked =
            file.tls_server_config.as_ref().is_some_and(|tls| tls.client_allowed_sans.is_some());
        Ok(Self {
            clients: tls.as_ref().map_or(ClientAuth::No, |(_, auth)| *auth),
            tls: tls.map(|(config, _)| config),
            headers: headers.unwrap_or_default(),
            users,
            rate,
            names_are_checked,
        })
    }

    /// Checks the credentials and the rate limit of a request.
    pub(super) async fn admit(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if self.rate.as_ref().is_some_and(|rate| !rate.admit()) {
            return Err(Refusal::TooMany);
        }
        match &self.users {
            Some(users) => users.admit(headers).await,
            None => Ok(()),
        }
    }

    /// Returns the protections, and whether each is enabled.
    fn guards(&self) -> [(&'static str, bool); 4] {
        [
            ("TLS", self.tls.is_some()),
            ("client certificates", self.clients != ClientAuth::No),
            ("client_allowed_sans", self.names_are_checked),
            ("basic authentication", self.users.is_some()),
        ]
    }

    /// Returns a protection that the newer version would disable: a file that is still being written may look
    /// complete without its end.
    fn lost_in(&self, newer: &Self) -> Option<&'static str> {
        let pairs = self.guards().into_iter().zip(newer.guards());
        pairs.into_iter().find(|((_, was), (_, is))| *was && !is).map(|((guard, _), _)| guard)
    }
}

/// Maximum length of a quoted value.
const QUOTED_CHARS: usize = 40;

/// Quotes a value for an error: without control characters, and truncated at the end.
fn quoted(value: &str) -> String {
    let (shown, more) = match value.char_indices().nth(QUOTED_CHARS) {
        Some((at, _)) => (&value[..at], "…"),
        None => (value, ""),
    };
    format!("`{}{more}`", shown.escape_debug())
}

/// Maximum length of a path in an error.
const NAMED_CHARS: usize = 300;

/// Formats a path for an error: without control characters, and truncated at the start. If a quote is missing in the
/// file, a path contains the next lines; they are left out, because they may contain hashes of passwords.
fn named(path: &Path) -> String {
    let path = path.to_string_lossy();
    let line = path.split(['\n', '\r']).next().unwrap_or_default();
    let name = line.split(": ").next().unwrap_or_default();
    let (start, begin) = match name.char_indices().rev().nth(NAMED_CHARS) {
        Some((at, _)) => (at, "…"),
        None => (0, ""),
    };
    let end = if name.len() < path.len() { "…" } else { "" };
    format!("{begin}{}{end}", name[start..].escape_debug())
}

/// The settings in one line.
impl fmt::Display for Access {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offers_http2 =
            |tls: &Arc<ServerConfig>| tls.alpn_protocols.iter().any(|name| speaks_http2(Some(name)));
        out.write_str(match self.tls.as_ref().map(offers_http2) {
            Some(true) => "TLS with HTTP/2 and HTTP/1.1",
            Some(false) => "TLS with HTTP/1.1",
            None => "plain HTTP/1.1",
        })?;
        if self.clients != ClientAuth::No {
            write!(out, ", {}", self.clients.as_str())?;
        }
        if self.names_are_checked {
            out.write_str(" and client_allowed_sans")?;
        }
        match self.users.as_ref().map(Users::count) {
            Some(1) => out.write_str(", 1 user")?,
            Some(count) => write!(out, ", {count} users")?,
            None => out.write_str(", no users")?,
        }
        if let Some(rate) = &self.rate {
            let interval = humantime::format_duration(rate.interval);
            write!(out, ", a request every {interval} after a burst of {}", rate.burst)?;
        }
        Ok(())
    }
}
