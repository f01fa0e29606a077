//! Rows of the table of collectors.

use std::time::Duration;

use super::collector::{AnyCollector, Collect, Upstream};
use super::context::Settings;
use super::observers::Observers;
use crate::snapshot::CollectorId;
use crate::terms::Term;

/// Properties of a collector.
pub struct Collector {
    /// Its ID. The name is used as a label value and in its flag.
    pub id: CollectorId,
    /// Description for `--help`.
    pub help: &'static str,
    /// Whether it is enabled by default.
    pub default_on: bool,
    /// Whether the exporter is of little use without it.
    pub required: bool,
    /// Schedule of refreshes.
    pub clock: Clock,
    /// Collectors whose sections it reads.
    pub upstream: &'static [CollectorId],
    /// Creates the collector without data.
    pub(super) new: fn(&Observers) -> Box<dyn AnyCollector>,
}

/// Schedule of refreshes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Every interval, for small data that changes quickly.
    Live,
    /// Every history interval, for large data that changes slowly.
    History,
    /// Every second history interval, for data with even larger rows.
    SlowHistory,
    /// Every client interval, for data that takes one request per client or allocation.
    Client,
}

impl Collector {
    /// Creates a row that is enabled by default and not required.
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

    /// Returns its name.
    pub fn name(&self) -> &'static str {
        self.id.as_str()
    }

    /// Returns its interval, regardless of its cost.
    pub fn interval(&self, settings: &Settings) -> Duration {
        match self.clock {
            Clock::Live => settings.interval,
            Clock::History => settings.history_interval,
            Clock::SlowHistory => 2 * settings.history_interval,
            Clock::Client => settings.client_interval,
        }
    }

    /// Returns the interval after a refresh with this cost. Expensive collectors are refreshed less often.
    pub fn interval_after(&self, cost: Duration, settings: &Settings) -> Duration {
        let interval = self.interval(settings);
        match self.clock {
            Clock::Live | Clock::History | Clock::SlowHistory => {
                interval.max(cost.div_f64(settings.duty_cycle))
            }
            // The requests are spread over the interval anyway.
            Clock::Client => interval,
        }
    }
}
