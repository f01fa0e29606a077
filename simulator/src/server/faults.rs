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
    /// Correct status and headers, but the connection closes after this many bytes of the body. Also applies
    /// to event streams.
    Truncate(usize),
    /// The correct response, one byte at a time with a pause after each. Also applies to event streams.
    Drip(Duration),
    /// 307 to this URL.
    Redirect(String),
    /// The correct response, with this time since the last contact with the leader.
    LastContact(Duration),
    /// The correct response from a server without a leader.
    NoLeader,
    /// The correct response with this index, like that of a rebuilt server, whose index starts again. Also
    /// applies to event streams.
    Index(u64),
    /// A normal event stream whose connection is cut after this time.
    CutAfter(Duration),
    /// An event stream with faulty lines.
    Events(EventFault),
    /// This fault in the first half of each period, none in the second.
    Intermittent {
        /// Duration of the fault and its pause.
        period: Duration,
        /// The fault.
        fault: Box<Fault>,
    },
}

/// A fault of the lines of an event stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventFault {
    /// Every payload is null.
    NullPayloads,
    /// Every event has an unknown topic and an unknown type.
    UnknownTopics,
    /// Every line is sent this many times.
    Repeated(u32),
    /// Of each pair of lines, the later one is sent first.
    Swapped,
    /// Every second line is dropped silently.
    Lost,
    /// Only the first half of every line is sent.
    Halved,
    /// The stream ends as if the buffer had overflowed because the reader is too slow.
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
