//! Several addresses, and which of them is asked.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::connections::Connections;

/// How long another address than the first is asked before the first one is looked at again.
const LOOK_AFTER: Duration = Duration::from_secs(60);

/// The addresses in the order that the user gave: the first is preferred, and the next is asked when one fails.
pub(super) struct ServerAddresses {
    all: Vec<Connections>,
    current: AtomicUsize,
    /// Whether the first address failed and has not answered since.
    first_is_down: AtomicBool,
    /// When the first address failed, or was last looked at.
    looked: Mutex<Instant>,
}

impl ServerAddresses {
    pub(super) fn new(all: Vec<Connections>) -> Self {
        let (current, first_is_down) = (AtomicUsize::new(0), AtomicBool::new(false));
        Self { all, current, first_is_down, looked: Mutex::new(Instant::now()) }
    }

    /// All of them.
    pub(super) fn all(&self) -> &[Connections] {
        &self.all
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    /// The one to ask, and its position.
    pub(super) fn current(&self) -> (usize, &Connections) {
        let position = self.current.load(Ordering::Relaxed) % self.all.len();
        (position, &self.all[position])
    }

    /// Whoever comes next asks the next one, unless somebody moved on already.
    pub(super) fn failed(&self, position: usize) {
        let next = (position + 1) % self.all.len();
        let moved = self.current.compare_exchange(position, next, Ordering::Relaxed, Ordering::Relaxed);
        if moved.is_ok() && position == 0 && next != 0 {
            if !self.first_is_down.swap(true, Ordering::Relaxed) {
                tracing::warn!(address = %self.all[0].address, "the first address of Nomad failed; using another");
            }
            *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
    }

    /// This one answered.
    pub(super) fn answered(&self, position: usize) {
        if position == 0 && self.first_is_down.swap(false, Ordering::Relaxed) {
            tracing::info!(address = %self.all[0].address, "the first address of Nomad responds again");
        }
    }

    /// The first one, if another is asked now and it is time to look whether the first is well again. One caller at a
    /// time is told.
    pub(super) fn first_to_look_at(&self) -> Option<&Connections> {
        if self.current().0 == 0 {
            return None;
        }
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if looked.elapsed() < LOOK_AFTER {
            return None;
        }
        *looked = Instant::now();
        self.all.first()
    }

    /// The first one is well again.
    pub(super) fn return_to_first(&self) {
        self.current.store(0, Ordering::Relaxed);
        self.answered(0);
    }
}
