//! The connections to one address, made anew when a file they were made from changes.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::address::Address;
use super::transport::{self, Tls, TransportError};

/// A pool of connections and the state of the files that it was made from: whoever renews a certificate need not
/// restart us.
pub(super) struct Connections {
    pub(super) address: Address,
    tls: Tls,
    timeout: Duration,
    max_idle: usize,
    last: Mutex<(Marks, reqwest::Client)>,
}

/// Files and when each was changed. A directory stands with what is in it.
type Marks = Vec<(PathBuf, Option<SystemTime>)>;

impl Connections {
    pub(super) fn new(
        address: Address,
        tls: Tls,
        timeout: Duration,
        max_idle: usize,
    ) -> Result<Self, TransportError> {
        let marks = marks(&address, &tls);
        let client = transport::build(&address, &tls, timeout, max_idle)?;
        Ok(Self { address, tls, timeout, max_idle, last: Mutex::new((marks, client)) })
    }

    /// The connections to use now. New files that do not work leave the old ones in use, and are said once.
    pub(super) fn current(&self) -> reqwest::Client {
        let marks = marks(&self.address, &self.tls);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.0 != marks {
            last.0 = marks;
            match transport::build(&self.address, &self.tls, self.timeout, self.max_idle) {
                Ok(client) => {
                    tracing::info!(address = %self.address, "read the changed TLS files");
                    last.1 = client;
                }
                Err(error) => {
                    tracing::warn!(
                        address = %self.address, %error,
                        "the changed TLS files cannot be used; those before stay in use"
                    );
                }
            }
        }
        last.1.clone()
    }
}

fn marks(address: &Address, tls: &Tls) -> Marks {
    if !address.is_https() {
        return Marks::new();
    }
    let files = [&tls.ca_file, &tls.client_cert, &tls.client_key].into_iter().flatten().cloned();
    let mut paths: Vec<PathBuf> = files.collect();
    if let Some(dir) = &tls.ca_path {
        let entries = std::fs::read_dir(dir).into_iter().flatten();
        paths.extend(entries.filter_map(|entry| Some(entry.ok()?.path())));
        paths.sort();
    }
    let mark = |path: PathBuf| {
        let time = modified(&path);
        (path, time)
    };
    paths.into_iter().map(mark).collect()
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).ok()?.modified().ok()
}
