//! Backends of the server.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::answer::{Answer, Events};
use crate::api::{self, Follow, Lines, More, Subscription};
use crate::cluster::Cluster;
use crate::load::Load;
use crate::replay::Recording;
use crate::request::Request;
use crate::version::Version;

/// A cluster that a server and others share. The lock is held for one operation at a time, never across an
/// await.
pub type SharedCluster = Arc<Mutex<Cluster>>;

/// Source of the responses.
#[derive(Debug)]
pub enum Backend {
    /// Recorded responses of real agents.
    Replay(Recording),
    /// A simulated cluster.
    Cluster(SharedCluster),
    /// A large cluster without changes.
    Load(Box<Load>),
}

impl From<Load> for Backend {
    fn from(load: Load) -> Backend {
        Backend::Load(Box::new(load))
    }
}

impl From<Recording> for Backend {
    fn from(recording: Recording) -> Backend {
        Backend::Replay(recording)
    }
}

impl From<SharedCluster> for Backend {
    fn from(cluster: SharedCluster) -> Backend {
        Backend::Cluster(cluster)
    }
}

impl From<Cluster> for Backend {
    fn from(cluster: Cluster) -> Backend {
        Backend::Cluster(Arc::new(Mutex::new(cluster)))
    }
}

impl Backend {
    pub(crate) fn version(&self) -> Version {
        match self {
            Backend::Replay(recording) => recording.version(),
            Backend::Cluster(cluster) => cluster.lock().unwrap_or_else(PoisonError::into_inner).version(),
            Backend::Load(load) => load.version(),
        }
    }

    pub(crate) fn answer(&self, request: &Request) -> Answer {
        match self {
            Backend::Replay(recording) => recording.answer(request),
            Backend::Load(load) => load.answer(request),
            Backend::Cluster(cluster) => {
                let mut cluster = cluster.lock().unwrap_or_else(PoisonError::into_inner);
                let mut answer = match request.is_write() {
                    true => api::write(&mut cluster, request),
                    false => api::answer(&cluster, request),
                };
                if let Some(Events::Stream(subscription)) = &mut answer.events {
                    subscription.begin(&mut cluster);
                }
                answer
            }
        }
    }

    /// Returns the next lines of an event stream.
    pub(crate) fn lines(&self, subscription: &mut Subscription) -> Lines {
        match self {
            Backend::Cluster(cluster) => {
                subscription.next(&mut cluster.lock().unwrap_or_else(PoisonError::into_inner))
            }
            Backend::Load(load) => load.lines(subscription),
            // Event streams are not recorded.
            Backend::Replay(_) => Lines::none(),
        }
    }

    /// Removes the reader of an event stream that has ended.
    pub(crate) fn leave(&self, subscription: &mut Subscription) {
        match self {
            Backend::Cluster(cluster) => {
                subscription.leave(&mut cluster.lock().unwrap_or_else(PoisonError::into_inner));
            }
            Backend::Load(load) => load.leave(subscription),
            Backend::Replay(_) => {}
        }
    }

    /// Returns the next part of a followed log.
    pub(crate) fn more(&self, follow: &mut Follow) -> More {
        match self {
            Backend::Cluster(cluster) => follow.next(&cluster.lock().unwrap_or_else(PoisonError::into_inner)),
            Backend::Replay(_) | Backend::Load(_) => More::End(Bytes::new()),
        }
    }
}
