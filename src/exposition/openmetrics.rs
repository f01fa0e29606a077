//! OpenMetrics 1.0.

use super::encode::{self, Endings};
use crate::metrics::{Exposition, Family, Kind, Part};

const ENDINGS: Endings = Endings { sum: "_sum", count: "_count" };
const GAUGE_ENDINGS: Endings = Endings { sum: "_gsum", count: "_gcount" };

/// Writes OpenMetrics 1.0.
#[derive(Default)]
pub struct OpenMetrics(String);

impl OpenMetrics {
    /// Continues in a buffer of this many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self(String::with_capacity(bytes))
    }

    /// The exposition, with its end mark: a scraper that does not see it knows that the answer was cut.
    pub fn finish(mut self) -> String {
        self.0.push_str("# EOF\n");
        self.0
    }
}

/// The family's name without the ending that samples of its kind carry.
fn stem(family: &Family) -> &str {
    let ending = match family.kind {
        Kind::Counter => "_total",
        Kind::Info => "_info",
        Kind::Gauge | Kind::Histogram | Kind::GaugeHistogram => "",
    };
    family.name.strip_suffix(ending).unwrap_or(family.name)
}

impl Exposition for OpenMetrics {
    fn family(&mut self, family: &Family) {
        let out = &mut self.0;
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

    fn sample(&mut self, family: &Family, part: Part, labels: &[&str], value: f64) {
        let endings = if family.kind == Kind::GaugeHistogram { &GAUGE_ENDINGS } else { &ENDINGS };
        encode::sample(&mut self.0, family, part, endings, labels, value);
    }
}
