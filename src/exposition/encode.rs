//! Encoding that both formats share.

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::metrics::{Family, SamplePart};

/// Size of the text buffer. Large enough that passing it on costs nothing, and small compared to the memory
/// of the compressor.
const FLUSH_BYTES: usize = 64 << 10;

/// All whole numbers up to this one have an exact float.
const MAX_WHOLE: u64 = 1 << 53;

/// A buffer that passes text on in blocks, so that an exposition that is compressed is never held in memory
/// as a whole.
pub(super) struct Lines<W> {
    text: String,
    out: W,
    error: Option<io::Error>,
}

impl<W: Write> Lines<W> {
    pub(super) fn new(out: W) -> Self {
        Self { text: String::with_capacity(FLUSH_BYTES + (FLUSH_BYTES >> 3)), out, error: None }
    }

    /// Returns the buffer for the next line.
    pub(super) fn line(&mut self) -> &mut String {
        if self.text.len() >= FLUSH_BYTES {
            self.flush();
        }
        &mut self.text
    }

    /// Writes the rest, and returns the writer. Reports the first error of all writes.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.flush();
        self.error.map_or(Ok(self.out), Err)
    }

    fn flush(&mut self) {
        if self.error.is_none() {
            self.error = self.out.write_all(self.text.as_bytes()).err();
        }
        self.text.clear();
    }
}

/// Suffixes of a histogram's sum and count, which differ between the formats.
pub(super) struct Suffixes {
    pub(super) sum: &'static str,
    pub(super) count: &'static str,
}

/// Writes one sample.
pub(super) fn sample(
    out: &mut String,
    (family, part): (&Family, SamplePart),
    suffixes: &Suffixes,
    names: &[&str],
    labels: &[&str],
    value: f64,
) {
    out.push_str(family.name);
    let mut bound = None;
    match part {
        SamplePart::Value => {}
        SamplePart::Bucket(at_most) => {
            out.push_str("_bucket");
            bound = Some(bound_text(at_most));
        }
        SamplePart::Sum => out.push_str(suffixes.sum),
        SamplePart::Count => out.push_str(suffixes.count),
    }
    write_labels(out, names, labels, bound.as_deref().map(|bound| ("le", bound)));
    out.push(' ');
    write_value(out, value);
    out.push('\n');
}

/// Writes a value as Rust formats it. Most values are counts and bytes, so whole numbers are not formatted as
/// floats.
fn write_value(out: &mut String, value: f64) {
    let whole = value as u64;
    if whole as f64 == value && whole < MAX_WHOLE && value.is_sign_positive() {
        out.push_str(itoa::Buffer::new().format(whole));
    } else {
        write!(out, "{value}").expect("writing to a string does not fail");
    }
}

/// Writes `{name="value",…}` with an optional additional label, or nothing if there are no labels.
fn write_labels(out: &mut String, names: &[&str], values: &[&str], last: Option<(&str, &str)>) {
    let mut separator = '{';
    for (name, value) in names.iter().copied().zip(values.iter().copied()).chain(last) {
        out.push(separator);
        out.push_str(name);
        out.push_str("=\"");
        escape(out, value, true);
        out.push('"');
        separator = ',';
    }
    if separator == ',' {
        out.push('}');
    }
}

/// Writes text with escaped backslashes, newlines and, in label values, quotes.
pub(super) fn escape(out: &mut String, text: &str, quotes: bool) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|b| matches!(b, b'\\' | b'\n') || (quotes && b == b'"')) {
        out.push_str(&rest[..at]);
        out.push_str(match rest.as_bytes()[at] {
            b'\\' => "\\\\",
            b'\n' => "\\n",
            _ => "\\\"",
        });
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}

/// Formats a bucket bound as OpenMetrics requires, `10.0` instead of `10`. Format 0.0.4 allows both, and the
/// same spelling in both formats keeps the series the same if a scraper switches formats.
fn bound_text(bound: f64) -> String {
    if bound.is_infinite() { "+Inf".to_owned() } else { format!("{bound:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_written_like_floats() {
        let odd =
            [0.0, -0.0, 1.0, -1.0, 0.5, 1e15, 9_007_199_254_740_993.0, 1e21, 1795354759.656144, f64::MAX];
        for value in odd.into_iter().chain((0..64).map(|power| 2f64.powi(power))) {
            let mut out = String::new();
            write_value(&mut out, value);
            assert_eq!(out, value.to_string());
        }
    }
}
