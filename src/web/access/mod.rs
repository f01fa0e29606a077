//! Who may come in, and how: the file of `--web.config.file`, in the format of Prometheus' exporter-toolkit.

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

/// What one version of the file says.
pub(super) struct Access {
    /// How connections are encrypted; plain if there is none.
    pub(super) tls: Option<Arc<ServerConfig>>,
    /// Headers of every answer.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    users: Option<Users>,
    rate: Option<RateLimit>,
    clients: ClientAuth,
    names_are_checked: bool,
}

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There were too many.
    TooMany,
    /// It does not say who asks, or not truly.
    Unknown,
    /// Too many passwords wait to be checked.
    Busy,
}

/// A file that cannot be used, and why.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct AccessError {
    path: PathBuf,
    problem: String,
}

impl Access {
    /// Takes what a file says; relative paths in it start at its folder. Reads certificates.
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

    /// Lets a request in, or says why not.
    pub(super) async fn admit(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if self.rate.as_ref().is_some_and(|rate| !rate.admit()) {
            return Err(Refusal::TooMany);
        }
        match &self.users {
            Some(users) => users.admit(headers).await,
            None => Ok(()),
        }
    }

    /// What keeps strangers out, and whether it does.
    fn guards(&self) -> [(&'static str, bool); 4] {
        [
            ("TLS", self.tls.is_some()),
            ("client certificates", self.clients != ClientAuth::No),
            ("client_allowed_sans", self.names_are_checked),
            ("basic authentication", self.users.is_some()),
        ]
    }

    /// What keeps strangers out now and would not any more: a file that is read while it is being written looks like
    /// one without its end.
    fn lost_in(&self, newer: &Self) -> Option<&'static str> {
        let pairs = self.guards().into_iter().zip(newer.guards());
        pairs.into_iter().find(|((_, was), (_, is))| *was && !is).map(|((guard, _), _)| guard)
    }
}

/// How much of a value a sentence quotes.
const QUOTED_CHARS: usize = 40;

/// A value in a sentence: without control characters, and its beginning if it is long.
fn quoted(value: &str) -> String {
    let (shown, more) = match value.char_indices().nth(QUOTED_CHARS) {
        Some((at, _)) => (&value[..at], "…"),
        None => (value, ""),
    };
    format!("`{}{more}`", shown.escape_debug())
}

/// How much of a path a sentence names.
const NAMED_CHARS: usize = 300;

/// A path in a sentence: without control characters, and its end if it is long.
fn named(path: &Path) -> String {
    let path = path.to_string_lossy();
    match path.char_indices().rev().nth(NAMED_CHARS) {
        Some((at, _)) => format!("…{}", path[at..].escape_debug()),
        None => path.escape_debug().to_string(),
    }
}

/// What it does, in a line.
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
