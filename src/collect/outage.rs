//! Outages of Nomad, logged once for all collectors.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::report::{FetchError, Lines};
use crate::snapshot::CollectorId;
use crate::terms::{Term, TermSet};

/// Delay of the log message, so that it names all collectors that fail for the same reason.
const GATHER: Duration = Duration::from_secs(1);

/// The current outage, if any.
#[derive(Debug)]
pub(super) struct Outage(Mutex<State>);

#[derive(Debug)]
struct State {
    current: Option<CurrentOutage>,
    /// End of the last outage.
    ended: Option<Instant>,
    lines: Lines,
}

#[derive(Debug)]
struct CurrentOutage {
    began: Instant,
    reason: &'static str,
    error: String,
    /// Collectors that are down because of it.
    collectors: TermSet<CollectorId>,
    log_status: LogStatus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LogStatus {
    NotLogged,
    Scheduled,
    Logged,
}

impl Outage {
    /// Creates the state without an outage. Logs at most `limit` messages per period.
    pub(super) fn new(limit: u32) -> Self {
        Self(Mutex::new(State { current: None, ended: None, lines: Lines::new(limit) }))
    }

    /// Returns whether there is an outage, or there was one when a refresh began at this time.
    pub(super) fn covers(&self, refresh: Instant) -> bool {
        let state = self.state();
        state.current.is_some() || state.ended.is_some_and(|ended| refresh <= ended)
    }

    /// Records that a refresh that began at this time failed because Nomad cannot be reached.
    pub(super) fn add(&self, collector: CollectorId, error: &FetchError, refresh: Instant) {
        let mut state = self.state();
        if state.ended.is_some_and(|ended| refresh <= ended) {
            return;
        }
        let current = state.current.get_or_insert_with(|| CurrentOutage {
            began: Instant::now(),
            reason: error.word(),
            error: error.sentence(),
            collectors: TermSet::default(),
            log_status: LogStatus::NotLogged,
        });
        current.collectors.insert(collector);
    }

    /// Ends the outage if Nomad has responded since it began.
    pub(super) fn end(&self, answered: Option<Instant>) {
        let mut state = self.state();
        let is_over = |it: &mut CurrentOutage| answered.is_some_and(|answered| answered > it.began);
        let Some(mut ended) = state.current.take_if(is_over) else { return };
        ended.log(&mut state.lines);
        state.ended = Some(Instant::now());
        if let Some(left_out) = state.lines.one_more() {
            tracing::info!(left_out, "Nomad can be reached again");
        }
    }

    /// Logs the outage, unless that has been done or is pending. Waits first, so that the message names more
    /// collectors.
    pub(super) async fn log(&self) {
        match &mut self.state().current {
            Some(current) if current.log_status == LogStatus::NotLogged => {
                current.log_status = LogStatus::Scheduled
            }
            _ => return,
        }
        sleep(GATHER).await;
        let State { current, lines, .. } = &mut *self.state();
        if let Some(current) = current {
            current.log(lines);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CurrentOutage {
    fn log(&mut self, lines: &mut Lines) {
        if std::mem::replace(&mut self.log_status, LogStatus::Logged) == LogStatus::Logged {
            return;
        }
        if let Some(left_out) = lines.one_more() {
            let collectors: Vec<&str> = self.collectors.iter().map(CollectorId::as_str).collect();
            let (reason, error, collectors) = (self.reason, &self.error, collectors.join(","));
            tracing::warn!(reason, error, collectors, left_out, "Nomad cannot be reached");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_refresh_that_began_in_an_outage_begins_no_other() {
        let (outage, error) = (Outage::new(20), FetchError::TookTooLong(Duration::from_secs(60)));
        let early = Instant::now();
        assert!(!outage.covers(early));
        tokio::time::advance(Duration::from_secs(1)).await;
        outage.add(CollectorId::Jobs, &error, early);
        outage.add(CollectorId::Nodes, &error, Instant::now());
        outage.end(Some(early));
        assert!(outage.covers(Instant::now()), "nothing was answered since it began");
        outage.log().await;

        let answered = Instant::now();
        outage.end(Some(answered));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(outage.covers(early) && !outage.covers(Instant::now()));
        outage.add(CollectorId::Leader, &error, early);
        assert!(!outage.covers(Instant::now()));
        outage.add(CollectorId::Leader, &error, Instant::now());
        assert!(outage.covers(Instant::now()));
    }
}
