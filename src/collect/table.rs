//! What the table of collectors tells of each.

use std::time::Duration;

use super::collector::{AnyCollector, Collect, Upstream};
use super::context::Settings;
use super::observers::Observers;
use crate::snapshot::CollectorId;
use crate::terms::Term;

/// A row of the table.
pub struct Collector {
    /// Which one it is: its name is a label value, and the name of its flag.
    pub id: CollectorId,
    /// What it reads, for `--help`.
    pub help: &'static str,
    /// Whether it is on unless switched off.
    pub default_on: bool,
    /// Whether the exporter is of little use without it.
    pub required: bool,
    /// How often it is read.
    pub clock: Clock,
    /// The collectors whose sections it reads.
    pub upstream: &'static [CollectorId],
    /// Makes one that has read nothing yet.
    pub(super) new: fn(&Observers) -> Box<dyn AnyCollector>,
}

/// How often a collector is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Every interval: it is small and changes fast.
    Live,
    /// Every history interval: it is large and changes slowly.
    History,
    /// Every second history interval: its rows are larger still.
    SlowHistory,
    /// Every client interval: it is a request for each client or allocation.
    Client,
}

impl Collector {
    /// A row that is on unless switched off, and not required.
    pub(super) const fn of<C: Collect>(id: CollectorId, clock: Clock, help: &'static str) -> Self {
        let (default_on, required) = (true, false);
        let upstream = <C as Upstream>::COLLECTORS;
        Self { id, help, default_on, required, clock, upstream, new: |observers| Box::new(C::new(observers)) }
    }

    pub(super) const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    pub(super) const fn off(self) -> Self {
        Self { default_on: false, ..self }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.id.as_str()
    }

    /// How often it is read.
    pub fn interval(&self, settings: &Settings) -> Duration {
        match self.clock {
            Clock::Live => settings.interval,
            Clock::History => settings.history_interval,
            Clock::SlowHistory => 2 * settings.history_interval,
            Clock::Client => settings.client_interval,
        }
    }

    /// How often it is read if that costs this much time: what costs much is read less often.
    pub fn interval_after(&self, cost: Duration, settings: &Settings) -> Duration {
        let interval = self.interval(settings);
        match self.clock {
            Clock::Live | Clock::History | Clock::SlowHistory => {
                interval.max(cost.div_f64(settings.duty_cycle))
            }
            // Its requests are spread over the interval anyway.
            Clock::Client => interval,
        }
    }
}
