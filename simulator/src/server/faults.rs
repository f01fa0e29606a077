//! Faults on demand: what the server does wrong, by path.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;

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
    /// 200 with these bytes, said to be gzipped.
    Gzipped(Bytes),
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
    /// This fault in the first half of each period, none in the second.
    Intermittent {
        /// One fault and its pause.
        period: Duration,
        /// What goes wrong.
        fault: Box<Fault>,
    },
}

/// What goes wrong before a request is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionFault {
    /// These bytes are written, and the connection is closed.
    Raw(Bytes),
    /// Nothing is ever read or written.
    Silent,
}

/// The faults in force, by the path they begin with.
#[derive(Debug, Default)]
pub struct Faults {
    by_prefix: Mutex<BTreeMap<String, (Fault, Instant)>>,
    of_connections: Mutex<Option<ConnectionFault>>,
    cut: Notify,
}

impl Faults {
    /// Sets a fault for all requests whose path, with its query, begins with this text. The empty text is a
    /// prefix of all of them; of several the longest decides.
    pub fn set(&self, path_prefix: &str, fault: Fault) {
        self.lock().insert(path_prefix.to_owned(), (fault, Instant::now()));
    }

    /// Cuts all connections, and lets new ones go wrong.
    pub fn set_connections(&self, fault: ConnectionFault) {
        *self.of_connections.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
        self.cut.notify_waiters();
    }

    /// Heals everything. Connections that are silent stay so.
    pub fn clear(&self) {
        self.lock().clear();
        *self.of_connections.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(super) fn of_connection(&self) -> Option<ConnectionFault> {
        self.of_connections.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until connections are cut.
    pub(super) fn cut(&self) -> Notified<'_> {
        self.cut.notified()
    }

    pub(super) fn find(&self, target: &str) -> Option<Fault> {
        let faults = self.lock();
        let matching = faults.iter().filter(|(prefix, _)| target.starts_with(prefix.as_str()));
        let (_, (fault, since)) = matching.max_by_key(|(prefix, _)| prefix.len())?;
        match fault {
            Fault::Intermittent { period, fault } => {
                let position = since.elapsed().div_duration_f64(*period).fract();
                (position < 0.5).then(|| (**fault).clone())
            }
            fault => Some(fault.clone()),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, (Fault, Instant)>> {
        self.by_prefix.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
