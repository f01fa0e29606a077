//! Definition of a metric family.

use super::sink::Samples;
use super::view::View;
use crate::snapshot::CollectorId;

/// A metric family.
pub struct Family {
    /// Name as in samples (counters end with `_total`, infos with `_info`).
    pub name: &'static str,
    /// HELP text, also used in the metrics reference.
    pub help: &'static str,
    /// Type.
    pub kind: Kind,
    /// Label names, in the order of the values that `emit` passes.
    pub labels: &'static [&'static str],
    /// Collectors that it needs: `emit` sees only their data. Empty for metrics of the exporter itself.
    pub collectors: &'static [CollectorId],
    /// Emits its samples; none if its data is unknown.
    pub emit: fn(&View<'_>, &mut Samples<'_, '_>),
}

/// Type of a metric family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A value that can go up and down.
    Gauge,
    /// Always 1; the information is in the labels.
    Info,
    /// A value that only increases.
    Counter,
    /// Buckets of a counter.
    Histogram,
    /// Buckets of current values, which can go up and down. Format 0.0.4 has no such type, so it is a
    /// histogram there.
    GaugeHistogram,
}

impl Family {
    /// Returns the unit, which precedes the suffix in every name.
    pub fn unit(&self) -> Option<&'static str> {
        let stem = self.name.strip_suffix("_total").unwrap_or(self.name);
        ["seconds", "bytes", "hertz", "ratio"].into_iter().find(|unit| {
            stem.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_')) && self.kind != Kind::Info
        })
    }
}
