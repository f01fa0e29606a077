//! Faults on demand: what the server does wrong, by path.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;

/// One way to answer wrongly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This status with this text.
    Status {
        /// The HTTP status.
        code: u16,
        /// The body, as plain text.
        body: String,
    },
    /// Accept the request and never answer.
    Hang,
    /// Close the connection without an answer.
    Close,
    /// Answer as always, but later.
    Delay(Duration),
    /// 200 with these bytes.
    Body(Bytes),
    /// The right status and headers, but the connection closes after this many bytes of the body.
    Truncate(usize),
    /// The right answer, one byte at a time with a pause after each.
    Drip(Duration),
    /// 307 to this URL.
    Redirect(String),
    /// The right answer, said to be this old.
    LastContact(Duration),
    /// The right answer from a server that knows no leader.
    NoLeader,
    /// The right answer, said to be of this index: a server that was built anew counts from the beginning.
    Index(u64),
}

/// The faults in force, by the path they begin with.
#[derive(Debug, Default)]
pub struct Faults {
    by_prefix: Mutex<BTreeMap<String, Fault>>,
}

impl Faults {
    /// Sets a fault for all requests whose path, with its query, begins with this text. The empty text is a
    /// prefix of all of them; of several the longest decides.
    pub fn set(&self, path_prefix: &str, fault: Fault) {
        self.lock().insert(path_prefix.to_owned(), fault);
    }

    /// Heals everything.
    pub fn clear(&self) {
        self.lock().clear();
    }

    pub(super) fn find(&self, target: &str) -> Option<Fault> {
        let faults = self.lock();
        let matching = faults.iter().filter(|(prefix, _)| target.starts_with(prefix.as_str()));
        matching.max_by_key(|(prefix, _)| prefix.len()).map(|(_, fault)| fault.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Fault>> {
        self.by_prefix.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
