//! OpenMetrics 1.0.

use std::io::{self, Write};

use super::encode::{self, Lines, Suffixes};
use crate::metrics::{Exposition, Family, Kind, SamplePart};

const SUFFIXES: Suffixes = Suffixes { sum: "_sum", count: "_count" };
const GAUGE_SUFFIXES: Suffixes = Suffixes { sum: "_gsum", count: "_gcount" };

/// Writes OpenMetrics 1.0.
pub struct OpenMetrics<W>(Lines<W>);

impl<W: Write> OpenMetrics<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self(Lines::new(out))
    }

    /// Writes the end mark and the rest, and returns the writer. Without the mark, scrapers reject the
    /// response as truncated.
    pub fn finish(mut self) -> io::Result<W> {
        self.0.line().push_str("# EOF\n");
        self.0.finish()
    }
}

/// Returns the name of the metric without the suffix of its kind.
fn stem(family: &Family) -> &str {
    let ending = match family.kind {
        Kind::Counter => "_total",
        Kind::Info => "_info",
        Kind::Gauge | Kind::Histogram | Kind::GaugeHistogram => "",
    };
    family.name.strip_suffix(ending).unwrap_or(family.name)
}

impl<W: Write> Exposition for OpenMetrics<W> {
    fn family(&mut self, family: &Family) {
        let out = self.0.line();
        let stem = stem(family);
        let kind = match family.kind {
            Kind::Gauge => "gauge",
            Kind::Info => "info",
            Kind::Counter => "counter",
            Kind::Histogram => "histogram",
            Kind::GaugeHistogram => "gaugehistogram",
        };
        for part in ["# TYPE ", stem, " ", kind, "\n"] {
            out.push_str(part);
        }
        if let Some(unit) = family.unit() {
            for part in ["# UNIT ", stem, " ", unit, "\n"] {
                out.push_str(part);
            }
        }
        for part in ["# HELP ", stem, " "] {
            out.push_str(part);
        }
        encode::escape(out, family.help, true);
        out.push('\n');
    }

    fn sample(&mut self, family: &Family, part: SamplePart, names: &[&str], labels: &[&str], value: f64) {
        let suffixes = if family.kind == Kind::GaugeHistogram { &GAUGE_SUFFIXES } else { &SUFFIXES };
        encode::sample(self.0.line(), (family, part), suffixes, names, labels, value);
    }
}
