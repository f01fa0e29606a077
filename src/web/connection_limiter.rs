//! Connection limit. If it is reached, a new connection replaces the one that has been idle longest.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::activity::{Activity, Deadlines};

/// Interval for finding an idle connection while all are busy.
const EVICTION_INTERVAL: Duration = Duration::from_millis(100);

/// Open connections.
pub(super) struct ConnectionLimiter {
    deadlines: Deadlines,
    places: Arc<Semaphore>,
    members: Mutex<(u64, BTreeMap<u64, Arc<Activity>>)>,
}

/// The place of a connection. Dropping it frees the place.
pub(super) struct ConnectionSlot {
    limiter: Arc<ConnectionLimiter>,
    number: u64,
    pub(super) activity: Arc<Activity>,
    _permit: OwnedSemaphorePermit,
}

impl ConnectionLimiter {
    pub(super) fn new(max: usize, deadlines: Deadlines) -> Self {
        Self { deadlines, places: Arc::new(Semaphore::new(max)), members: Mutex::default() }
    }

    /// Returns the place for a new connection. Waits while all others are busy.
    pub(super) async fn enter(self: &Arc<Self>) -> ConnectionSlot {
        let permit = loop {
            if let Ok(permit) = self.places.clone().try_acquire_owned() {
                break permit;
            }
            self.evict_idle();
            if let Ok(permit) = timeout(EVICTION_INTERVAL, self.places.clone().acquire_owned()).await {
                break permit.expect("the semaphore is never closed");
            }
        };
        let activity = Arc::new(Activity::new(self.deadlines));
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        members.0 += 1;
        let number = members.0;
        members.1.insert(number, activity.clone());
        ConnectionSlot { limiter: self.clone(), number, activity, _permit: permit }
    }

    fn evict_idle(&self) {
        let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        let silent = members.1.values().filter_map(|activity| Some((activity.idle_since()?, activity)));
        if let Some((_, longest)) = silent.min_by_key(|(since, _)| *since) {
            longest.evict();
        }
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.limiter.members.lock().unwrap_or_else(PoisonError::into_inner).1.remove(&self.number);
    }
}
