//! Random faults: one at a time, on one path or on all, for some seconds each.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use fastrand::Rng;
use nomad_simulator::{EventFault, Fault, Simulator};

/// Paths of faults; the empty path means all.
const PATHS: [&str; 10] = [
    "",
    "/v1/jobs",
    "/v1/nodes",
    "/v1/allocations",
    "/v1/evaluations",
    "/v1/deployments",
    "/v1/namespaces",
    "/v1/client/stats",
    "/v1/agent/members",
    "/v1/status/leader",
];
const STREAM: &str = "/v1/event/stream";
/// Duration of faults, and of the pauses in between, in milliseconds.
const LASTS: std::ops::Range<u64> = 500..4_000;

pub(crate) struct Faults {
    random: Rng,
    next: Instant,
    is_on: bool,
    count: usize,
    kinds: BTreeSet<usize>,
    reasons: BTreeSet<&'static str>,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        let (kinds, reasons) = (BTreeSet::new(), BTreeSet::new());
        Self { random: Rng::with_seed(seed), next: Instant::now(), is_on: false, count: 0, kinds, reasons }
    }

    /// Starts or ends a fault when it is due.
    pub(crate) fn act(&mut self, simulator: &Simulator) {
        if Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + Duration::from_millis(self.random.u64(LASTS));
        self.is_on = !self.is_on;
        if !self.is_on {
            return simulator.faults().clear();
        }
        let all = all();
        let kind = self.random.usize(..all.len());
        let (fault, reasons) = &all[kind];
        simulator.faults().set(PATHS[self.random.usize(..PATHS.len())], fault.clone());
        // The stream fails most of the time, so that there are always gaps.
        simulator.faults().set(STREAM, of_stream()[self.random.usize(..of_stream().len())].clone());
        self.count += 1;
        self.kinds.insert(kind);
        self.reasons.extend(*reasons);
    }

    pub(crate) fn end(&self, simulator: &Simulator) {
        simulator.faults().clear();
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn kinds(&self) -> usize {
        self.kinds.len()
    }

    /// Returns the reasons of requests that may have failed.
    pub(crate) fn reasons(&self) -> impl Iterator<Item = &'static str> {
        self.reasons.iter().copied()
    }
}

/// Returns faults of the event stream, none of which hides a change.
fn of_stream() -> [Fault; 7] {
    [
        Fault::CutAfter(Duration::ZERO),
        Fault::CutAfter(Duration::from_secs(1)),
        Fault::Truncate(5_000),
        Fault::Events(EventFault::Dropped),
        Fault::Events(EventFault::Halved),
        Fault::Events(EventFault::Repeated(3)),
        Fault::Events(EventFault::NullPayloads),
    ]
}

/// Returns every fault, with the possible reasons.
fn all() -> Vec<(Fault, &'static [&'static str])> {
    let status = |code, body: &str| Fault::Status { code, body: body.to_owned() };
    let body = |text: &'static str| Fault::Body(text.as_bytes().into());
    vec![
        (status(500, "No cluster leader"), &["http"]),
        (status(403, "Permission denied"), &["forbidden"]),
        (status(404, "not here"), &["not_found"]),
        (status(429, "Too many requests"), &["throttled"]),
        (status(501, "not implemented"), &["http"]),
        (Fault::Hang, &["timeout"]),
        (Fault::Close, &["connect"]),
        (Fault::Delay(Duration::from_millis(700)), &[]),
        (body("<html>"), &["decode"]),
        (body(""), &["decode"]),
        (body("[{\"ID\":"), &["decode"]),
        (body("[{\"ID\":7}]"), &["decode"]),
        (body("[{\"ID\":\"\u{1f980}"), &["decode"]),
        (Fault::Truncate(100), &["connect"]),
        (Fault::Drip(Duration::from_millis(20)), &["timeout"]),
        (Fault::Redirect("http://127.0.0.1:1/".to_owned()), &["http"]),
        (Fault::LastContact(Duration::from_secs(60)), &["stale"]),
        (Fault::NoLeader, &["stale"]),
    ]
}
