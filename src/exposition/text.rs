//! Prometheus text format 0.0.4.

use std::io::{self, Write};

use super::encode::{self, Lines, Suffixes};
use crate::metrics::{Exposition, Family, Kind, SamplePart};

const SUFFIXES: Suffixes = Suffixes { sum: "_sum", count: "_count" };

/// Writes format 0.0.4.
pub struct Text<W>(Lines<W>);

impl<W: Write> Text<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self(Lines::new(out))
    }

    /// Writes the rest, and returns the writer.
    pub fn finish(self) -> io::Result<W> {
        self.0.finish()
    }
}

impl<W: Write> Exposition for Text<W> {
    fn family(&mut self, family: &Family) {
        let out = self.0.line();
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

    fn sample(&mut self, family: &Family, part: SamplePart, names: &[&str], labels: &[&str], value: f64) {
        encode::sample(self.0.line(), (family, part), &SUFFIXES, names, labels, value);
    }
}
