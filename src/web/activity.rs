//! Timeouts of one connection for all protocols: for its first request, for each response, and for the idle
//! time in between.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// Per-connection timeouts.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// From the start of the connection until its first complete request head, including the TLS handshake.
    pub head: Duration,
    /// From a response until the next complete request head.
    pub idle: Duration,
    /// From a request head until its response has been received.
    pub response: Duration,
}

/// Activity of a connection.
pub(super) struct Activity {
    deadlines: Deadlines,
    state: Mutex<ActivityState>,
    changed: Notify,
}

struct ActivityState {
    /// Whether there has been a request.
    had_request: bool,
    /// Since when there is no pending request.
    idle_since: Instant,
    /// Requests without a completed response: a number for each, and its time. The oldest is first.
    pending: VecDeque<(u64, Instant)>,
    next: u64,
    is_evicted: bool,
}

/// A pending request. Dropping it ends the request.
pub(super) struct PendingRequest {
    activity: Arc<Activity>,
    number: u64,
}

impl Activity {
    pub(super) fn new(deadlines: Deadlines) -> Self {
        let state = ActivityState {
            had_request: false,
            idle_since: Instant::now(),
            pending: VecDeque::new(),
            next: 0,
            is_evicted: false,
        };
        Self { deadlines, state: Mutex::new(state), changed: Notify::new() }
    }

    /// Records a new request.
    pub(super) fn request(self: &Arc<Self>) -> PendingRequest {
        let number = self.with(|state| {
            state.had_request = true;
            state.pending.push_back((state.next, Instant::now()));
            state.next += 1;
            state.next - 1
        });
        self.changed.notify_one();
        PendingRequest { activity: self.clone(), number }
    }

    /// Returns since when the connection is idle; `None` if it is busy, or already told to close.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        self.with(|state| (state.pending.is_empty() && !state.is_evicted).then_some(state.idle_since))
    }

    /// Closes the connection to make room for another.
    pub(super) fn evict(&self) {
        self.with(|state| state.is_evicted = true);
        self.changed.notify_one();
    }

    /// Waits until a timeout has expired, and returns which.
    pub(super) async fn overdue(&self) -> &'static str {
        loop {
            let (due, reason) = self.due();
            if due <= Instant::now() {
                return reason;
            }
            tokio::select! {
                () = sleep_until(due) => {}
                () = self.changed.notified() => {}
            }
        }
    }

    fn due(&self) -> (Instant, &'static str) {
        let Deadlines { head, idle, response } = self.deadlines;
        self.with(|state| match state.pending.front() {
            _ if state.is_evicted => {
                (state.idle_since, "closed to accept a newer one (--web.max-connections)")
            }
            Some((_, since)) => (
                *since + response,
                "the client did not receive the response in time (--web.response-timeout)",
            ),
            None if state.had_request => (state.idle_since + idle, "idle (--web.idle-timeout)"),
            None => (state.idle_since + head, "no request in time (--web.header-timeout)"),
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut ActivityState) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for PendingRequest {
    fn drop(&mut self) {
        self.activity.with(|state| {
            state.pending.retain(|(number, _)| *number != self.number);
            state.idle_since = Instant::now();
        });
        self.activity.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn activity() -> Arc<Activity> {
        Arc::new(Activity::new(Deadlines { head: 10 * SECOND, idle: 90 * SECOND, response: 30 * SECOND }))
    }

    /// Returns after how many seconds it times out, and why.
    async fn overdue(activity: &Activity) -> (u64, &'static str) {
        let begin = Instant::now();
        let reason = activity.overdue().await;
        (begin.elapsed().as_secs(), reason)
    }

    #[tokio::test(start_paused = true)]
    async fn each_state_has_its_timeout() {
        let activity = activity();
        assert_eq!(overdue(&activity).await, (10, "no request in time (--web.header-timeout)"));
        let first = activity.request();
        assert_eq!(
            overdue(&activity).await,
            (30, "the client did not receive the response in time (--web.response-timeout)")
        );
        let second = activity.request();
        drop(first);
        assert_eq!(
            overdue(&activity).await,
            (30, "the client did not receive the response in time (--web.response-timeout)")
        );
        assert_eq!(activity.idle_since(), None);
        drop(second);
        assert_eq!(overdue(&activity).await, (90, "idle (--web.idle-timeout)"));
        assert!(activity.idle_since().is_some());
        activity.evict();
        assert_eq!(overdue(&activity).await, (0, "closed to accept a newer one (--web.max-connections)"));
    }

    /// A deadline that is set later but ends sooner is respected.
    #[tokio::test(start_paused = true)]
    async fn a_request_resets_the_idle_timeout() {
        let activity = activity();
        drop(activity.request());
        let waiting = activity.clone();
        let overdue = tokio::spawn(async move { overdue(&waiting).await });
        tokio::time::sleep(5 * SECOND).await;
        let _request = activity.request();
        assert_eq!(
            overdue.await.unwrap(),
            (35, "the client did not receive the response in time (--web.response-timeout)")
        );
    }
}
