//! Prometheus text format 0.0.4.

use super::encode::{self, Endings};
use crate::metrics::{Exposition, Family, Kind, Part};

const ENDINGS: Endings = Endings { sum: "_sum", count: "_count" };

/// Writes format 0.0.4.
#[derive(Default)]
pub struct Text(String);

impl Text {
    /// Continues in a buffer of this many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self(String::with_capacity(bytes))
    }

    /// The exposition.
    pub fn finish(self) -> String {
        self.0
    }
}

impl Exposition for Text {
    fn family(&mut self, family: &Family) {
        let out = &mut self.0;
        for part in ["# HELP ", family.name, " "] {
            out.push_str(part);
        }
        encode::escape(out, family.help, false);
        let kind = match family.kind {
            Kind::Gauge | Kind::Info => "gauge",
            Kind::Counter => "counter",
            Kind::Histogram | Kind::GaugeHistogram => "histogram",
        };
        for part in ["\n# TYPE ", family.name, " ", kind, "\n"] {
            out.push_str(part);
        }
    }

    fn sample(&mut self, family: &Family, part: Part, labels: &[&str], value: f64) {
        encode::sample(&mut self.0, family, part, &ENDINGS, labels, value);
    }
}
