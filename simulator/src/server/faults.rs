//! Injected faults by path.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;

/// A fault of responses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This status with this text.
    Status {
        /// The HTTP status.
        code: u16,
        /// The body, as plain text.
        body: String,
    },
    /// Accept the request and never respond.
    Hang,
    /// Close the connection without a response.
    Close,
    /// Respond normally, but later.
    Delay(Duration),
    /// 200 with these bytes.
    Body(Bytes),
    /// 200 with these bytes, declared as gzip.
    Gzipped(Bytes),
    /// Correct status and headers, but the connection closes after this many bytes of the body. Applies to event
    /// streams too.
    Truncate(usize),
    /// The correct response, one byte at a time with a pause after each. Applies to event streams too.
    Drip(Duration),
    /// 307 to this URL.
    Redirect(String),
    /// The correct response, with this time since the last contact with the leader.
    LastContact(Duration),
    /// The correct response from a server without a leader.
    NoLeader,
    /// The correct response with this index: the index of a rebuilt server starts again.
    Index(u64),
    /// A stream as always, but its connection is cut this long after it began.
    CutAfter(Duration),
    /// An event stream whose lines are wrong.
    Events(EventFault),
    /// This fault in the first half of each period, none in the second.
    Intermittent {
        /// Duration of the fault and its pause.
        period: Duration,
        /// The fault.
        fault: Box<Fault>,
    },
}

/// One way to send wrong events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventFault {
    /// Every payload is null.
    NullPayloads,
    /// Every event is of a topic and a type that nobody knows.
    UnknownTopics,
    /// Every line comes this many times.
    Repeated(u32),
    /// Of two lines the later one comes first.
    Swapped,
    /// Every second line is missing, and nothing tells of it.
    Lost,
    /// Of every line the second half is missing.
    Halved,
    /// The buffer has overflowed: the stream ends as that of a reader that is too slow.
    Dropped,
}

/// A fault before a request is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionFault {
    /// Write these bytes, and close the connection.
    Raw(Bytes),
    /// Never read or write anything.
    Silent,
}

/// The active faults, by path prefix.
#[derive(Debug, Default)]
pub struct Faults {
    by_prefix: Mutex<BTreeMap<String, (Fault, Instant)>>,
    of_connections: Mutex<Option<ConnectionFault>>,
    cut: Notify,
}

impl Faults {
    /// Sets a fault for all requests whose path with query has this prefix. The empty prefix matches all. The
    /// longest match applies.
    pub fn set(&self, path_prefix: &str, fault: Fault) {
        self.lock().insert(path_prefix.to_owned(), (fault, Instant::now()));
    }

    /// Closes all connections, and injects a fault into new ones.
    pub fn set_connections(&self, fault: ConnectionFault) {
        *self.of_connections.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
        self.cut.notify_waiters();
    }

    /// Removes all faults. Silent connections stay silent.
    pub fn clear(&self) {
        self.lock().clear();
        *self.of_connections.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(super) fn of_connection(&self) -> Option<ConnectionFault> {
        self.of_connections.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until connections are closed.
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
