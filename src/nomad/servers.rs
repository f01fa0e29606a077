//! Several addresses, and the one in use.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::connections::Connections;

/// Time after which the first address is checked again while another one is used.
const CHECK_INTERVAL: Duration = Duration::from_secs(60);

/// The addresses in the order of the flag: the first is preferred, and the next is used if one fails.
pub(super) struct ServerAddresses {
    all: Vec<Connections>,
    current: AtomicUsize,
    /// Whether the first address has failed and not responded since.
    first_is_down: AtomicBool,
    /// When the first address failed, or was last checked.
    first_checked: Mutex<Instant>,
}

impl ServerAddresses {
    pub(super) fn new(all: Vec<Connections>) -> Self {
        let (current, first_is_down) = (AtomicUsize::new(0), AtomicBool::new(false));
        Self { all, current, first_is_down, first_checked: Mutex::new(Instant::now()) }
    }

    /// Returns all addresses.
    pub(super) fn all(&self) -> &[Connections] {
        &self.all
    }

    /// Returns the number of addresses.
    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    /// Returns the address in use, and its position.
    pub(super) fn current(&self) -> (usize, &Connections) {
        let position = self.current.load(Ordering::Relaxed) % self.all.len();
        (position, &self.all[position])
    }

    /// Switches to the next address, unless another caller has already done so.
    pub(super) fn failed(&self, position: usize) {
        let next = (position + 1) % self.all.len();
        let moved = self.current.compare_exchange(position, next, Ordering::Relaxed, Ordering::Relaxed);
        if moved.is_ok() && position == 0 && next != 0 {
            if !self.first_is_down.swap(true, Ordering::Relaxed) {
                tracing::warn!(address = %self.all[0].address, "the first address of Nomad failed; using another");
            }
            *self.first_checked.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
    }

    /// Records a response from this address.
    pub(super) fn answered(&self, position: usize) {
        if position == 0 && self.first_is_down.swap(false, Ordering::Relaxed) {
            tracing::info!(address = %self.all[0].address, "the first address of Nomad responds again");
        }
    }

    /// Returns the first address if another is in use and the first is due for a check. Only one caller at a
    /// time gets it.
    pub(super) fn first_if_due(&self) -> Option<&Connections> {
        if self.current().0 == 0 {
            return None;
        }
        let mut first_checked = self.first_checked.lock().unwrap_or_else(PoisonError::into_inner);
        if first_checked.elapsed() < CHECK_INTERVAL {
            return None;
        }
        *first_checked = Instant::now();
        self.all.first()
    }

    /// Switches back to the first address.
    pub(super) fn return_to_first(&self) {
        self.current.store(0, Ordering::Relaxed);
        self.answered(0);
    }
}
