//! Comparing what the exporter shows with what Nomad's answers say.
//!
//! The cluster never stands still. So Nomad is asked before and after the exporter: where both answers lead to the
//! same numbers, the exporter has to show these. A metric that moved meanwhile, or differs, is looked at again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::answers::Answers;
use crate::exposition::Exposition;
use crate::report::Report;

/// Values by label values, in the order of the metric's labels.
pub(crate) type Numbers = BTreeMap<Vec<String>, f64>;

/// One metric, and how it follows from Nomad's answers.
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) labels: &'static [&'static str],
    pub(crate) expected: fn(&View<'_>) -> Numbers,
    pub(crate) zeros: Zeros,
    pub(crate) closeness: Closeness,
}

/// What the expected numbers follow from.
pub(crate) struct View<'a> {
    pub(crate) answers: &'a Answers,
    /// Types of the jobs that have series of their own.
    pub(crate) job_types: &'a [&'static str],
}

/// Whether a series of value 0 is as good as none.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Zeros {
    /// A closed set: values that do not occur are shown as 0.
    Filled,
    /// A 0 means something, and so does absence.
    Told,
}

/// How near the shown value has to be.
#[derive(Clone, Copy)]
pub(crate) enum Closeness {
    /// The same, up to the precision of floats.
    Same,
    /// Between what was so before and after, since it grows with time.
    Between,
    /// Within this share of it, since it was measured at another moment.
    Near(f64),
}

/// A metric whose value has to be the same.
pub(crate) const fn metric(
    name: &'static str,
    labels: &'static [&'static str],
    expected: fn(&View<'_>) -> Numbers,
) -> Metric {
    Metric { name, labels, expected, zeros: Zeros::Told, closeness: Closeness::Same }
}

impl Metric {
    pub(crate) const fn filled(self) -> Self {
        Self { zeros: Zeros::Filled, ..self }
    }

    pub(crate) const fn between(self) -> Self {
        Self { closeness: Closeness::Between, ..self }
    }

    pub(crate) const fn near(self, share: f64) -> Self {
        Self { closeness: Closeness::Near(share), ..self }
    }

    /// Numbers by label values, without zeros where these mean nothing.
    fn numbers(&self, numbers: Numbers) -> Numbers {
        numbers.into_iter().filter(|(_, value)| self.zeros == Zeros::Told || *value != 0.0).collect()
    }

    /// Whether there is anything to show.
    fn has_values(&self, view: &View<'_>) -> bool {
        !self.numbers((self.expected)(view)).is_empty()
    }

    /// What differs. `None` if the cluster moved meanwhile.
    fn differences(&self, before: &View<'_>, shown: &Exposition, after: &View<'_>) -> Option<Vec<String>> {
        let (before, after) = (self.numbers((self.expected)(before)), self.numbers((self.expected)(after)));
        let stood_still = match self.closeness {
            Closeness::Same => before == after,
            Closeness::Between | Closeness::Near(_) => before.keys().eq(after.keys()),
        };
        if !stood_still {
            return None;
        }
        let mut differences = Vec::new();
        let shown = self.numbers(self.shown(shown, &mut differences));
        let keys: BTreeSet<&Vec<String>> = before.keys().chain(shown.keys()).collect();
        for key in keys {
            let (expected, found) = (before.get(key), shown.get(key));
            let is_right = match (expected, found) {
                (Some(expected), Some(found)) => self.is_close(*expected, *found, after[key]),
                _ => false,
            };
            if !is_right {
                let named: Vec<_> =
                    self.labels.iter().zip(key).map(|(name, value)| format!("{name}={value}")).collect();
                let [expected, found] =
                    [expected, found].map(|value| value.map_or("nothing".to_owned(), f64::to_string));
                differences.push(format!("{{{}}}: expected {expected}, found {found}", named.join(", ")));
            }
        }
        Some(differences)
    }

    fn shown(&self, shown: &Exposition, differences: &mut Vec<String>) -> Numbers {
        let mut numbers = Numbers::new();
        for sample in shown.find(self.name, &[]) {
            let labels: BTreeSet<&str> = sample.labels.keys().map(String::as_str).collect();
            if labels != self.labels.iter().copied().collect() {
                differences.push(format!("has the labels {labels:?}"));
                continue;
            }
            let key = self.labels.iter().map(|label| sample.labels[*label].clone()).collect();
            numbers.insert(key, sample.value);
        }
        numbers
    }

    fn is_close(&self, before: f64, found: f64, after: f64) -> bool {
        let precision = before.abs().max(1.0) * 1e-9;
        match self.closeness {
            Closeness::Same => (found - before).abs() <= precision,
            Closeness::Between => {
                found >= before.min(after) - precision && found <= before.max(after) + precision
            }
            Closeness::Near(share) => (found - before).abs() <= share * before.abs().max(after.abs()),
        }
    }
}

/// Metrics that are not compared, by the beginning of their name, and why.
const NOT_COMPARED: &[(&str, &str)] = &[
    ("nomad_exporter_", "they are about the exporter"),
    ("process_", "they are about the exporter"),
    ("nomad_up", "the comparison fails without it"),
    ("nomad_job_completions_total", "it counts since the exporter started: see counters.rs"),
    ("nomad_job_placement_delay_seconds", "it counts since the exporter started: see counters.rs"),
    ("nomad_allocation_failures_total", "it counts since the exporter started: see counters.rs"),
    ("nomad_task_restarts_total", "it counts since the exporter started: see counters.rs"),
    ("nomad_node_start_failures_total", "it counts since the exporter started: see counters.rs"),
    ("nomad_job_task_restarts_total", "it counts since the exporter started: see counters.rs"),
    ("nomad_task_oom_kills_total", "no task has a limit of its memory: raw_exec has none"),
    ("nomad_job_task_oom_kills_total", "no task has a limit of its memory: raw_exec has none"),
    ("nomad_allocation_start_delay_seconds", "what starts and ends between two refreshes is not seen"),
    (
        "nomad_stopping_allocations_oldest_timestamp_seconds",
        "Nomad does not tell when an allocation was told to stop",
    ),
    ("nomad_running_allocations_age_seconds_sum", "it grows while it is read; the buckets are compared"),
    ("nomad_pool_clients_missing", "it is the result of packing: see the integration tests placing::"),
    ("nomad_periodic_job_last_failure_timestamp_seconds", "no run of a periodic job fails"),
    ("nomad_pending_jobs_age_seconds_sum", "it grows while it is read; the buckets are compared"),
    ("nomad_node_host_cpu_used_hertz", "it changes from second to second"),
    ("nomad_allocation_cpu_used_hertz", "it changes from second to second"),
    ("nomad_allocation_memory_used_bytes", "it changes from second to second"),
    ("nomad_allocation_cpu_throttled_seconds_total", "nothing is throttled"),
];

/// How often a metric is looked at that moved or differed.
const ROUNDS: usize = 12;
const PAUSE: Duration = Duration::from_millis(700);

/// Compares all metrics; `show` asks the exporter.
pub(crate) fn compare(
    metrics: &[&[Metric]],
    job_types: &[&'static str],
    mut ask: impl FnMut() -> Answers,
    mut show: impl FnMut() -> String,
    report: &mut Report,
) {
    let mut open: Vec<&Metric> = metrics.iter().flat_map(|metrics| metrics.iter()).collect();
    let mut names: BTreeSet<String> = BTreeSet::new();
    let mut last = BTreeMap::new();
    let mut before = ask();
    for round in 1..=ROUNDS {
        let text = show();
        let shown = Exposition::parse(&text);
        let after = ask();
        names.extend(shown.samples().iter().map(|sample| sample.name.clone()));
        open.retain(|metric| {
            let [one, other] = [&before, &after].map(|answers| View { answers, job_types });
            if metric.has_values(&one) {
                report.occurred(metric.name);
            }
            match metric.differences(&one, &shown, &other) {
                Some(differences) if differences.is_empty() => {
                    report.right();
                    last.remove(metric.name);
                    false
                }
                Some(differences) => {
                    report.looked_again(format!("{}: {}", metric.name, differences.join("; ")));
                    last.insert(metric.name, differences);
                    true
                }
                None => true,
            }
        });
        if open.is_empty() || round == ROUNDS {
            for metric in &open {
                match last.get(metric.name) {
                    Some(differences) => {
                        differences.iter().for_each(|it| report.wrong(&format!("{}{it}", metric.name)))
                    }
                    None => report.wrong(&format!("{} never stood still", metric.name)),
                }
            }
            if !open.is_empty() {
                report.save(&after, &text);
            }
            break;
        }
        std::thread::sleep(PAUSE);
        before = ask();
    }
    let compared: BTreeSet<&str> =
        metrics.iter().flat_map(|metrics| metrics.iter()).map(|metric| metric.name).collect();
    for name in names {
        let is_left_out = NOT_COMPARED.iter().any(|(start, _)| name.starts_with(start));
        if !compared.contains(name.as_str()) && !is_left_out {
            report.wrong(&format!("{name} is shown, and nothing is compared with it"));
        }
    }
}
