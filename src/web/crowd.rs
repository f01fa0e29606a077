//! Connection limit. If it is reached, a new connection replaces the one that has been idle longest.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::pulse::{Deadlines, Pulse};

/// Interval for finding an idle connection while all are busy.
const LOOK: Duration = Duration::from_millis(100);

/// Open connections.
pub(super) struct Crowd {
    deadlines: Deadlines,
    places: Arc<Semaphore>,
    members: Mutex<(u64, BTreeMap<u64, Arc<Pulse>>)>,
}

/// The place of a connection. Dropping it frees the place.
pub(super) struct Place {
    crowd: Arc<Crowd>,
    number: u64,
    pub(super) pulse: Arc<Pulse>,
    _permit: OwnedSemaphorePermit,
}

impl Crowd {
    pub(super) fn new(max: usize, deadlines: Deadlines) -> Self {
        Self { deadlines, places: Arc::new(Semaphore::new(max)), members: Mutex::default() }
    }

    /// Returns the place for a new connection. Waits while all others are busy.
    pub(super) async fn enter(self: &Arc<Self>) -> Place {
        let permit = loop {
            if let Ok(permit) = self.places.clone().try_acquire_owned() {
                break permit;
            }
            self.make_room();
            if let Ok(permit) = timeout(LOOK, self.places.clone().acquire_owned()).await {
                break permit.expect("the semaphore is never closed");
            }
        };
        let pulse = Arc::new(Pulse::new(self.deadlines));
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        members.0 += 1;
        let number = members.0;
        members.1.insert(number, pulse.clone());
        Place { crowd: self.clone(), number, pulse, _permit: permit }
    }

    fn make_room(&self) {
        let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        let silent = members.1.values().filter_map(|pulse| Some((pulse.silent_since()?, pulse)));
        if let Some((_, longest)) = silent.min_by_key(|(since, _)| *since) {
            longest.evict();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.crowd.members.lock().unwrap_or_else(PoisonError::into_inner).1.remove(&self.number);
    }
}
