//! What both formats write alike.

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::metrics::{Family, SamplePart};

/// How much text is gathered before it is passed on: enough that passing on costs nothing, little beside what
/// compressing it needs.
const PASS_ON_BYTES: usize = 64 << 10;

/// Up to here every whole number has a float of its own.
const MAX_WHOLE: u64 = 1 << 53;

/// Gathers text and passes it on now and then, so that an exposition that is compressed is never held whole.
pub(super) struct Lines<W> {
    text: String,
    out: W,
    error: Option<io::Error>,
}

impl<W: Write> Lines<W> {
    pub(super) fn new(out: W) -> Self {
        Self { text: String::with_capacity(PASS_ON_BYTES + (PASS_ON_BYTES >> 3)), out, error: None }
    }

    /// Where the next line goes.
    pub(super) fn line(&mut self) -> &mut String {
        if self.text.len() >= PASS_ON_BYTES {
            self.pass_on();
        }
        &mut self.text
    }

    /// Passes on what is left, and hands the writer back. The first error of any writing is reported here.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.pass_on();
        self.error.map_or(Ok(self.out), Err)
    }

    fn pass_on(&mut self) {
        if self.error.is_none() {
            self.error = self.out.write_all(self.text.as_bytes()).err();
        }
        self.text.clear();
    }
}

/// The endings of a histogram's sum and count, which differ between formats.
pub(super) struct Endings {
    pub(super) sum: &'static str,
    pub(super) count: &'static str,
}

/// Writes one sample.
pub(super) fn sample(
    out: &mut String,
    (family, part): (&Family, SamplePart),
    endings: &Endings,
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
        SamplePart::Sum => out.push_str(endings.sum),
        SamplePart::Count => out.push_str(endings.count),
    }
    write_labels(out, names, labels, bound.as_deref().map(|bound| ("le", bound)));
    out.push(' ');
    write_value(out, value);
    out.push('\n');
}

/// Writes a value as Rust displays it. Most are counts and bytes: whole numbers, which need not be written as floats.
fn write_value(out: &mut String, value: f64) {
    let whole = value as u64;
    if whole as f64 == value && whole < MAX_WHOLE && value.is_sign_positive() {
        out.push_str(itoa::Buffer::new().format(whole));
    } else {
        write!(out, "{value}").expect("writing to a string does not fail");
    }
}

/// Writes `{name="value",…}`, with one more label at the end if there is one, or nothing where there is none.
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

/// Writes text with backslash, newline and, in label values, the quote escaped.
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

/// A bucket's bound as OpenMetrics wants it, `10.0` and not `10`. Format 0.0.4 leaves it open, and one spelling
/// for both means one series, whichever format a scraper asks for.
fn bound_text(bound: f64) -> String {
    if bound.is_infinite() { "+Inf".to_owned() } else { format!("{bound:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_written_as_floats_are() {
        let odd =
            [0.0, -0.0, 1.0, -1.0, 0.5, 1e15, 9_007_199_254_740_993.0, 1e21, 1795354759.656144, f64::MAX];
        for value in odd.into_iter().chain((0..64).map(|power| 2f64.powi(power))) {
            let mut out = String::new();
            write_value(&mut out, value);
            assert_eq!(out, value.to_string());
        }
    }
}
