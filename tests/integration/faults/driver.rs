//! Runs one fault from before its start to after its end.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use nomad_exporter::metrics::families;
use nomad_exporter::terms::Term;
use nomad_simulator::{ConnectionFault, Fault, Simulator};

use super::figures::{Figures, mib};
use crate::support::exposition::Exposition;
pub(super) use crate::support::process::SOON;
use crate::support::process::{Exporter, Refusing, wait_until};
use crate::support::recordings;
use crate::support::scrape::{ask, metrics, status};

/// Refresh interval of all collectors.
pub(super) const INTERVAL: Duration = Duration::from_millis(500);
/// The same as flags. A refresh may take eight intervals, and data expires after as many: on a busy machine, the
/// first one takes several.
pub(super) const QUICK: [&str; 12] = [
    "--collect.interval",
    "500ms",
    "--collect.history-interval",
    "500ms",
    "--collect.client-interval",
    "500ms",
    "--collect.max-age-intervals",
    "8",
    "--collect.duty-cycle",
    "1",
    "--log.level",
    "debug",
];
/// Number of idle connections to Nomad that may stay open (--nomad.max-connections), and the one of the event stream.
pub(super) const POOLED: usize = 16 + 1;
/// Maximum number of concurrent requests beside one per collector: 8 to clients, 4 for specifications, 4 for drains, and
/// the event stream.
const SIDE_BY_SIDE: usize = 8 + 4 + 4 + 1;
/// Maximum memory growth by one fault, permanent and temporary: pools and buffers, but not responses.
const GROWTH_KIB: u64 = 24 << 10;
const PEAK_GROWTH_KIB: u64 = 64 << 10;
const TOKEN: &str = "9f1c2d3e-5a6b-4c7d-8e9f-0a1b2c3d4e5f";
/// Required collectors.
const REQUIRED: [&str; 4] = ["jobs", "nodes", "allocations", "evaluations"];

/// The kind of fault.
pub(super) enum Trouble {
    /// Faulty responses for paths with these prefixes.
    Answers(Vec<(String, Fault)>),
    /// Faulty connections for all requests.
    Connections(ConnectionFault),
    /// Nomad's process ends, and is restarted.
    Death,
}

/// A fault and its expected effect.
pub(super) struct Trial {
    pub(super) fault: &'static str,
    pub(super) trouble: Trouble,
    pub(super) arguments: Vec<&'static str>,
    /// The collectors that go down; empty means all.
    pub(super) down: &'static [&'static str],
    /// The endpoint to check, and the reason of its failed requests.
    pub(super) seen: (&'static str, &'static str),
}

impl Trial {
    /// A fault of all requests.
    pub(super) fn all(fault: &'static str, trouble: Trouble, reason: &'static str) -> Self {
        Self { fault, trouble, arguments: Vec::new(), down: &[], seen: ("jobs", reason) }
    }

    /// A fault of the requests for evaluations, on which no other collector depends.
    pub(super) fn one(name: &'static str, fault: Fault, reason: &'static str) -> Self {
        let trouble = Trouble::Answers(vec![("/v1/evaluations".to_owned(), fault)]);
        let seen = ("evaluations", reason);
        Self { fault: name, trouble, arguments: Vec::new(), down: &["evaluations"], seen }
    }

    pub(super) fn with(mut self, arguments: &[&'static str]) -> Self {
        self.arguments.extend(arguments);
        self
    }

    /// Runs the fault: before, during and after it.
    pub(super) async fn run(self) {
        let mut nomad = Some(recordings::replay("2.0.5").await);
        let url = nomad.as_ref().unwrap().url();
        let address: SocketAddr = url.trim_start_matches("http://").parse().unwrap();
        let arguments = self.arguments.clone();
        let watched = blocking(move || Watched::start(&url, &arguments)).await;

        let began = Instant::now();
        let mut refusing = None;
        match &self.trouble {
            Trouble::Answers(faults) => {
                let nomad = nomad.as_ref().unwrap();
                faults.iter().for_each(|(path, fault)| nomad.faults().set(path, fault.clone()));
            }
            Trouble::Connections(fault) => nomad.as_ref().unwrap().faults().set_connections(fault.clone()),
            Trouble::Death => {
                nomad.take().unwrap().stop().await;
                refusing = Some(Refusing::at(address));
            }
        }
        let (down, seen, fault) = (self.down, self.seen, self.fault);
        let meanwhile = blocking(move || watched.meanwhile(began, fault, down, seen)).await;
        match nomad {
            Some(_) => nomad.as_ref().unwrap().faults().clear(),
            None => nomad = Some(recordings::replay_on("2.0.5", address).await),
        }
        drop(refusing);
        let ended = Instant::now();
        blocking(move || meanwhile.after(ended)).await;
        check_tokens(&nomad.unwrap());
    }
}

/// Checks that the token is sent with every request, and only to Nomad.
fn check_tokens(nomad: &Simulator) {
    let requests = nomad.requests();
    assert!(!requests.is_empty() && requests.iter().all(|request| request.token.as_deref() == Some(TOKEN)));
}

pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

/// A healthy exporter, and its values before the fault.
pub(super) struct Watched {
    pub(super) exporter: Exporter,
    pub(super) before: Figures,
    families: BTreeSet<&'static str>,
    collectors: Vec<String>,
    _token: tempfile::TempDir,
}

impl Watched {
    /// Starts the exporter, and waits until it is healthy.
    pub(super) fn start(nomad: &str, arguments: &[&str]) -> Self {
        let token = tempfile::tempdir().unwrap();
        let file = token.path().join("token");
        std::fs::write(&file, TOKEN).unwrap();
        let token_file = ["--nomad.token-file", file.to_str().unwrap()];
        // Flags of the test take precedence over the common ones.
        let quick = QUICK.chunks(2).filter(|flag| !arguments.contains(&flag[0]));
        let quick: Vec<&str> = quick.flatten().copied().collect();
        let exporter = Exporter::start(nomad, &[&quick, &token_file[..], arguments].concat());
        let mut shown = Exposition::default();
        wait_until(SOON, "all collectors", || {
            shown = metrics(&exporter.url);
            is_well(&shown) && status(&exporter.url, "/-/ready") == "200"
        });
        let collectors =
            shown.find("nomad_exporter_collector_up", &[]).map(|up| up.labels["collector"].clone());
        let (collectors, families) = (collectors.collect(), shown_families(&shown));
        // Ignores temporarily open connections.
        let several = (0..5).map(|_| {
            std::thread::sleep(Duration::from_millis(10));
            Figures::of(exporter.id())
        });
        let before = several.min_by_key(|figures| figures.files).unwrap();
        Self { exporter, before, families, collectors, _token: token }
    }

    /// Waits until the fault has an effect, and compares the metrics.
    fn meanwhile(
        self,
        began: Instant,
        fault: &'static str,
        down: &'static [&'static str],
        seen: (&'static str, &'static str),
    ) -> Meanwhile {
        let url = self.exporter.url.clone();
        let is_down = |collector: &str| down.is_empty() || down.contains(&collector);
        let expected = |collector: &String| f64::from(!is_down(collector));
        let up = |shown: &Exposition, collector: &String| {
            shown.value("nomad_exporter_collector_up", &[("collector", collector)]).unwrap()
        };
        wait_until(SOON, &format!("{fault}: the collectors to be down"), || {
            let shown = metrics(&url);
            self.collectors.iter().all(|collector| up(&shown, collector) == expected(collector))
        });
        // Metrics of stale collectors are dropped; those of others stay.
        let gone: BTreeSet<&str> = families()
            .filter(|family| self.families.contains(family.name))
            .filter(|family| family.collectors.iter().all(|collector| is_down(collector.as_str())))
            .map(|family| family.name)
            .collect();
        let stay: BTreeSet<&str> = families()
            .filter(|family| self.families.contains(family.name))
            .filter(|family| !family.collectors.iter().any(|collector| is_down(collector.as_str())))
            .map(|family| family.name)
            .collect();
        assert!(!gone.is_empty(), "{fault} withdraws nothing");
        wait_until(SOON, &format!("{fault}: the withdrawal"), || {
            shown_families(&metrics(&url)).is_disjoint(&gone)
        });
        let withdrawn = began.elapsed();
        // It keeps trying, without logging more.
        let failures = |shown: &Exposition| {
            let labels = [("endpoint", seen.0), ("reason", seen.1)];
            shown.value("nomad_exporter_api_requests_total", &labels).unwrap_or_default()
        };
        wait_until(SOON, &format!("{fault}: several tries that end in {}", seen.1), || {
            failures(&metrics(&url)) >= 3.0
        });

        let all_required = REQUIRED.iter().all(|collector| is_down(collector));
        let any_required = REQUIRED.iter().any(|collector| is_down(collector));
        let ready = if all_required { "503" } else { "200" };
        let mut shown = Exposition::default();
        // On a busy machine, a refresh may take so long that data expires for a moment, or that clients are asked once
        // more: one that does not respond is no failure of their collector.
        wait_until(SOON, &format!("{fault}: what others vouch for, in one scrape"), || {
            shown = metrics(&url);
            let families = shown_families(&shown);
            self.collectors.iter().all(|collector| up(&shown, collector) == expected(collector))
                && stay.is_subset(&families)
                && gone.is_disjoint(&families)
                && status(&url, "/-/ready") == ready
        });
        assert_eq!(shown.value("nomad_up", &[]), Some(f64::from(!any_required)), "{fault}");
        assert_eq!(status(&url, "/-/healthy"), "200", "{fault}");
        let page = String::from_utf8(ask(&url, "GET", "/", "").1).unwrap();
        assert!(!page.contains(TOKEN) && page.contains("evaluations"), "{fault}");
        // If Nomad is unreachable, one log line names all collectors, and no collector has its own.
        let is_outage = down.is_empty() && ["connect", "timeout"].contains(&seen.1);
        for collector in &self.collectors {
            let expected = usize::from(is_down(collector.as_str()) && !is_outage);
            self.check_log(fault, "level=warn", collector, expected);
        }
        self.check_outage(fault, "Nomad cannot be reached", is_outage);
        let requests = shown.sum("nomad_exporter_api_requests_total", &[]).unwrap_or_default();
        Meanwhile {
            fault,
            watched: self,
            down,
            damaged: seen.0,
            is_outage,
            withdrawn,
            lasted: began.elapsed(),
            requests,
        }
    }
}

/// The exporter during the fault.
struct Meanwhile {
    fault: &'static str,
    watched: Watched,
    down: &'static [&'static str],
    /// Endpoint of the requests that fail.
    damaged: &'static str,
    is_outage: bool,
    withdrawn: Duration,
    lasted: Duration,
    requests: f64,
}

impl Meanwhile {
    /// Waits until everything has recovered, and compares the values with those before.
    fn after(self, ended: Instant) {
        let Self { fault, watched, down, damaged, is_outage, .. } = self;
        let url = watched.exporter.url.clone();
        // The recording does not contain all specifications and policies, so 404 is no failure, except of what is damaged.
        let failures = || {
            let requests = metrics(&url);
            let failed = requests.find("nomad_exporter_api_requests_total", &[]);
            let failed = failed.filter(|sample| match sample.labels["reason"].as_str() {
                "ok" => false,
                "not_found" => sample.labels["endpoint"] == damaged,
                _ => true,
            });
            failed.map(|sample| (sample.labels["endpoint"].clone(), sample.value)).collect::<Vec<_>>()
        };
        let failed_before = failures();
        wait_until(SOON, &format!("{fault}: recovery"), || {
            let shown = metrics(&url);
            is_well(&shown)
                && watched.families.is_subset(&shown_families(&shown))
                && status(&url, "/-/ready") == "200"
        });
        let recovered = ended.elapsed();
        // Only requests that were running when the fault ended may still fail: one of each collector, and
        // concurrent ones for clients, specifications and drains. As many may have failed just before it: the exporter
        // renders its counters at least every 5/4 intervals, so the first figures may not include them yet.
        let failed_after = failures();
        let count = |failures: &[(String, f64)]| failures.iter().map(|(_, count)| count).sum::<f64>();
        let failed = count(&failed_after) - count(&failed_before);
        let under_way = watched.collectors.len() + SIDE_BY_SIDE;
        assert!(
            failed <= 2.0 * under_way as f64,
            "{fault}: {failed} requests failed after its end: {failed_before:?}, then {failed_after:?}"
        );
        watched.check_outage(fault, "Nomad can be reached again", is_outage);
        let mut said = 2 * usize::from(is_outage);
        for collector in &watched.collectors {
            let was_down = down.is_empty() || down.contains(&collector.as_str());
            let expected = usize::from(was_down && !is_outage);
            // Once at the start, and once now.
            watched.check_log(fault, "level=info", collector, 1 + expected);
            said += 2 * expected;
        }
        let after = watched.check_figures(fault);
        let mut exporter = watched.exporter;
        exporter.signal("TERM");
        assert_eq!(exporter.wait(SOON).code(), Some(0), "{fault}");
        assert!(!exporter.log().contains(TOKEN), "{fault}: the token is in the log");
        let before = watched.before;
        let intervals = |time: Duration| time.div_duration_f64(INTERVAL);
        eprintln!(
            "| {fault} | {:.1} | {:.1} | {:.1} | {} | {said} | {:.1} → {:.1} | {} → {} |",
            intervals(self.lasted),
            intervals(self.withdrawn),
            intervals(recovered),
            self.requests,
            mib(before.resident),
            mib(after.resident),
            before.descriptors(),
            after.descriptors(),
        );
    }
}

impl Watched {
    /// Checks the number of log lines of this level about a collector. The last one may not have been written
    /// yet.
    fn check_log(&self, fault: &str, level: &str, collector: &str, expected: usize) {
        let deadline = Instant::now() + SOON;
        while lines(&self.exporter.log(), level, collector) < expected && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        let log = self.exporter.log();
        assert_eq!(lines(&log, level, collector), expected, "{fault}: {level} of {collector}\n{log}");
    }

    /// Checks that one line reports this about Nomad as a whole, or none.
    fn check_outage(&self, fault: &str, message: &str, is_outage: bool) {
        if is_outage {
            self.exporter.wait_for_log(message, SOON);
        }
        let log = self.exporter.log();
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(message)).collect();
        assert_eq!(lines.len(), usize::from(is_outage), "{fault}: {message}\n{log}");
        let named = |line: &&str| line.contains("level=info") || line.contains(" collectors=");
        assert!(lines.iter().all(named), "{fault}: {lines:?}");
    }

    /// Checks that no connection is left open, and that memory is within its limit.
    pub(super) fn check_figures(&self, what: &str) -> Figures {
        let id = self.exporter.id();
        // Connections of the last scrapes take a moment to close.
        let bound = self.before.sockets.max(BASE_SOCKETS + POOLED);
        wait_until(SOON, &format!("{what}: descriptors to be closed"), || {
            let now = Figures::of(id);
            now.files <= self.before.files && now.sockets <= bound
        });
        let (before, after) = (self.before, Figures::of(id));
        assert!(after.resident < before.resident + GROWTH_KIB, "{what}: {before:?} {after:?}");
        assert!(after.peak < before.peak + PEAK_GROWTH_KIB, "{what}: {before:?} {after:?}");
        after
    }
}

/// Sockets of an idle exporter: one that listens, and three for signals.
pub(super) const BASE_SOCKETS: usize = 4;

/// Returns whether every collector is up.
pub(super) fn is_well(shown: &Exposition) -> bool {
    let count = |family| shown.find(family, &[]).count();
    // Every collector has an interval from the start, and a state once it was tried.
    let all = count("nomad_exporter_collector_interval_seconds");
    all > 0 && shown.sum("nomad_exporter_collector_up", &[]) == Some(all as f64)
}

/// Returns the cluster metrics with samples.
fn shown_families(shown: &Exposition) -> BTreeSet<&'static str> {
    let names: BTreeSet<&str> = shown.samples().iter().map(|sample| sample.name.as_str()).collect();
    let has = |name: &str| names.contains(name) || names.contains(format!("{name}_bucket").as_str());
    families()
        .filter(|family| !family.collectors.is_empty() && has(family.name))
        .map(|family| family.name)
        .collect()
}

/// Returns the number of log lines of this level about a collector.
pub(super) fn lines(log: &str, level: &str, collector: &str) -> usize {
    let collector = format!(" collector={collector} ");
    log.lines().filter(|line| line.contains(level) && format!("{line} ").contains(&collector)).count()
}
