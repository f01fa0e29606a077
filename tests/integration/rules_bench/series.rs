//! Series of a region over some hours, minute by minute, and what scrapers of it see.

use std::fmt::Write as _;

/// Where a series comes from, and so with what it ends.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Origin {
    /// `up`, which Prometheus makes for each target.
    Target,
    /// What the exporter tells of itself.
    Exporter,
    /// What a collector read from Nomad.
    Collector(&'static str),
    /// How that collector fares: up, and when it last succeeded.
    CollectorUp(&'static str),
    CollectorSuccess(&'static str),
    /// A rule elsewhere that depends on all collectors, with no instance.
    Rule,
}

/// One series, with its value at each minute.
pub(super) struct Series {
    metric: &'static str,
    labels: Vec<(&'static str, String)>,
    origin: Origin,
    values: Values,
}

enum Values {
    Gauge(Vec<Option<f64>>),
    /// By how much it grows in each minute.
    Counter(Vec<f64>),
}

/// What ends series for a while at one exporter.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Cause {
    /// It is not scraped.
    Scrape,
    /// It is scraped, and Nomad does not answer.
    Nomad,
    /// It is started again: its counters begin anew, and in the last minute some collectors have not succeeded yet.
    Restart,
}

/// Minutes in which series are missing, the last one excluded.
#[derive(Clone)]
pub(super) struct Hole {
    pub(super) cause: Cause,
    pub(super) from: usize,
    pub(super) until: usize,
    /// Collectors that are slow to come back after a restart.
    pub(super) slow: Vec<&'static str>,
}

impl Hole {
    pub(super) fn new(cause: Cause, from: usize, until: usize) -> Self {
        Self { cause, from, until, slow: Vec::new() }
    }

    fn holds(&self, minute: usize) -> bool {
        (self.from..self.until).contains(&minute)
    }
}

/// One exporter, as it is scraped.
#[derive(Clone, Default)]
pub(super) struct Replica {
    pub(super) instance: &'static str,
    pub(super) holes: Vec<Hole>,
    /// The minute in which it was started first.
    pub(super) since: usize,
    /// By how many minutes it is behind.
    pub(super) lag: usize,
    /// A collector that it may not use.
    pub(super) without: Option<&'static str>,
}

/// What happens in a region.
pub(super) struct History {
    pub(super) minutes: usize,
    pub(super) series: Vec<Series>,
    /// Minutes in which something changes.
    pub(super) changes: Vec<usize>,
    /// When no exporter at all is scraped.
    pub(super) outages: Vec<Hole>,
}

impl History {
    pub(super) fn new(minutes: usize) -> Self {
        Self { minutes, series: Vec::new(), changes: Vec::new(), outages: Vec::new() }
    }

    pub(super) fn gauge(
        &mut self,
        metric: &'static str,
        labels: &[(&'static str, &str)],
        origin: Origin,
        value: impl Fn(usize) -> Option<f64>,
    ) {
        let values = Values::Gauge((0..self.minutes).map(value).collect());
        self.push(metric, labels, origin, values);
    }

    /// A counter of what a collector saw, by how much it grows in each minute.
    pub(super) fn counter(
        &mut self,
        metric: &'static str,
        labels: &[(&'static str, &str)],
        origin: Origin,
        growth: impl Fn(usize) -> f64,
    ) {
        let values = Values::Counter((0..self.minutes).map(growth).collect());
        self.push(metric, labels, origin, values);
    }

    fn push(
        &mut self,
        metric: &'static str,
        labels: &[(&'static str, &str)],
        origin: Origin,
        values: Values,
    ) {
        let labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.series.push(Series { metric, labels, origin, values });
    }

    /// The series as promtool reads them, of a cluster and a region with these exporters.
    pub(super) fn render(&self, cluster: &str, region: &str, replicas: &[Replica], text: &mut String) {
        for series in &self.series {
            for (number, replica) in replicas.iter().enumerate() {
                let is_rule = series.origin == Origin::Rule;
                if is_rule && number > 0 {
                    continue;
                }
                let mut labels = format!("cluster=\"{cluster}\", region=\"{region}\"");
                if !is_rule {
                    write!(labels, ", instance=\"{}\"", replica.instance).unwrap();
                }
                for (name, value) in &series.labels {
                    write!(labels, ", {name}=\"{value}\"").unwrap();
                }
                // With two exporters, there is always one that such a rule can read.
                let mut replica =
                    if is_rule && replicas.len() > 1 { Replica::default() } else { replica.clone() };
                replica.holes.splice(0..0, self.outages.iter().cloned());
                let values = series.seen_by(&replica, self.minutes);
                if values.iter().any(Option::is_some) {
                    writeln!(text, "      - series: '{}{{{labels}}}'", series.metric).unwrap();
                    writeln!(text, "        values: {}", notation(&values)).unwrap();
                }
            }
        }
    }
}

impl Series {
    fn seen_by(&self, replica: &Replica, minutes: usize) -> Vec<Option<f64>> {
        let mut count = 0.0;
        let mut seen = Vec::with_capacity(minutes);
        for minute in 0..minutes {
            let hole = replica.holes.iter().find(|hole| hole.holds(minute));
            if replica.holes.iter().any(|hole| hole.cause == Cause::Restart && hole.from == minute) {
                count = 0.0;
            }
            let value = match &self.values {
                Values::Gauge(values) => {
                    let at = if self.origin == Origin::Target {
                        minute
                    } else {
                        minute.saturating_sub(replica.lag)
                    };
                    values[at]
                }
                Values::Counter(growth) => {
                    // What happens while it is down, it never sees.
                    let is_down =
                        hole.is_some_and(|hole| hole.cause == Cause::Restart) || minute < replica.since;
                    if !is_down {
                        count += growth[minute];
                    }
                    Some(count)
                }
            };
            seen.push(if minute < replica.since { None } else { self.in_hole(value, hole, replica, minute) });
        }
        seen
    }

    fn in_hole(
        &self,
        value: Option<f64>,
        hole: Option<&Hole>,
        replica: &Replica,
        minute: usize,
    ) -> Option<f64> {
        let collector = match self.origin {
            Origin::Collector(name) | Origin::CollectorUp(name) | Origin::CollectorSuccess(name) => {
                Some(name)
            }
            _ => None,
        };
        if collector.is_some() && collector == replica.without {
            return None;
        }
        let Some(hole) = hole else { return value };
        match (self.origin, hole.cause) {
            (Origin::Target, Cause::Nomad) | (Origin::Exporter, Cause::Nomad) => value,
            (_, Cause::Restart) if minute + 1 == hole.until => match collector {
                Some(name) if hole.slow.contains(&name) => None,
                None if self.origin == Origin::Rule => None,
                _ => value,
            },
            (Origin::Target, _) => Some(0.0),
            (Origin::CollectorUp(_), Cause::Nomad) => value.map(|_| 0.0),
            // The last one before.
            (Origin::CollectorSuccess(_), Cause::Nomad) => match &self.values {
                Values::Gauge(values) => values[hole.from.saturating_sub(1)],
                Values::Counter(_) => None,
            },
            _ => None,
        }
    }
}

/// Values in promtool's notation: runs of equal steps, and `stale` where a series ends.
fn notation(values: &[Option<f64>]) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut at = 0;
    while at < values.len() {
        let Some(start) = values[at] else {
            let end =
                values[at..].iter().position(Option::is_some).map_or(values.len(), |length| at + length);
            let ends = at > 0;
            if ends {
                words.push("stale".to_owned());
            }
            let rest = end - at - usize::from(ends);
            if rest > 0 {
                words.push(format!("_x{rest}"));
            }
            at = end;
            continue;
        };
        let next = |index: usize| values.get(index).copied().flatten();
        let step = next(at + 1).map(|value| value - start);
        let mut length = 0;
        if let Some(step) = step {
            while next(at + length + 1) == Some(start + step * (length + 1) as f64) {
                length += 1;
            }
        }
        match (step, length) {
            (Some(step), 1..) => {
                let sign = if step < 0.0 { '-' } else { '+' };
                words.push(format!("{start}{sign}{}x{length}", step.abs()));
            }
            _ => words.push(start.to_string()),
        }
        at += length + 1;
    }
    words.join(" ")
}
