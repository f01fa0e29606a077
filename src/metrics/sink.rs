//! The only way to a sample.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::SystemTime;

use ring::digest::{SHA256, digest};

use super::family::Family;
use super::selection::Selection;
use super::view::View;

/// Writes samples in one format.
pub trait Exposition {
    /// A family that has samples begins.
    fn family(&mut self, family: &Family);
    /// One sample of it. `labels` are the values of the family's labels, in their order.
    fn sample(&mut self, family: &Family, part: SamplePart, labels: &[&str], value: f64);
}

/// Which sample of a family: the value itself, or a part of a histogram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SamplePart {
    /// The value.
    Value,
    /// How many observations are at most the bound; infinity for all.
    Bucket(f64),
    /// Sum of the observations.
    Sum,
    /// Number of observations.
    Count,
}

/// Passes samples on, within a cap on series, and counts them.
pub(super) struct Sink<'s> {
    selection: &'s Selection,
    series: u64,
    by_family: BTreeMap<&'static str, Emitted>,
}

/// What became of the samples of one family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Emitted {
    series: u64,
    /// Series that a cap cut.
    pub(super) dropped: u64,
    /// Samples of which a label value was too long.
    pub(super) shortened: u64,
}

impl<'s> Sink<'s> {
    /// A sink for the families of a selection.
    pub(super) fn new(selection: &'s Selection) -> Self {
        Self { selection, series: 0, by_family: BTreeMap::new() }
    }

    /// Sends the samples of one family to the format.
    pub(super) fn emit(&mut self, family: &'static Family, view: &View<'_>, format: &mut dyn Exposition) {
        let mut samples = Samples { sink: self, format, family, emitted: Emitted::default() };
        (family.emit)(view, &mut samples);
        let emitted = samples.emitted;
        self.series += emitted.series;
        self.by_family.insert(family.name, emitted);
    }
}

/// The samples of one family.
pub struct Samples<'s, 'w> {
    sink: &'s Sink<'w>,
    format: &'s mut dyn Exposition,
    family: &'static Family,
    emitted: Emitted,
}

impl<'s> Samples<'s, '_> {
    /// One sample. A value that is not finite is no value: it is left out.
    pub fn add(&mut self, labels: &[&str], value: f64) {
        if value.is_finite() && self.admit(1) {
            self.write(SamplePart::Value, labels, value);
        }
    }

    /// One sample, if there is a value.
    pub fn add_some(&mut self, labels: &[&str], value: Option<f64>) {
        if let Some(value) = value {
            self.add(labels, value);
        }
    }

    /// A count.
    pub fn add_count(&mut self, labels: &[&str], count: u64) {
        // Exact up to 2^53, which no count of jobs or nodes reaches.
        self.add(labels, count as f64);
    }

    /// A point in time, if there is one.
    pub fn add_time(&mut self, labels: &[&str], time: Option<SystemTime>) {
        let since_epoch = time.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        self.add_some(labels, since_epoch.map(|since| since.as_secs_f64()));
    }

    /// A histogram: bounds with how many observations are at most each, the number of all, and their sum.
    pub fn add_histogram(
        &mut self,
        labels: &[&str],
        cumulative: impl ExactSizeIterator<Item = (f64, u64)>,
        count: u64,
        sum: f64,
    ) {
        if !self.admit(cumulative.len() as u64 + 3) {
            return;
        }
        for (bound, at_most) in cumulative {
            self.write(SamplePart::Bucket(bound), labels, at_most as f64);
        }
        self.write(SamplePart::Bucket(f64::INFINITY), labels, count as f64);
        self.write(SamplePart::Sum, labels, sum);
        self.write(SamplePart::Count, labels, count as f64);
    }

    /// Counts series that a cap cut before they came here.
    pub(super) fn drop_by_cap(&mut self, series: u64) {
        self.emitted.dropped += series;
    }

    /// The names of this family's labels.
    pub(super) fn label_names(&self) -> &'static [&'static str] {
        self.family.labels
    }

    /// Series of all families before this one.
    pub(super) fn series_so_far(&self) -> u64 {
        self.sink.series
    }

    /// What became of each family before this one.
    pub(super) fn families_so_far(&self) -> &'s BTreeMap<&'static str, Emitted> {
        &self.sink.by_family
    }

    /// Whether the cap leaves room for so many series more.
    fn admit(&mut self, series: u64) -> bool {
        if self.emitted.series + series > self.sink.selection.limits.series_per_family as u64 {
            self.drop_by_cap(series);
            return false;
        }
        if self.emitted.series == 0 {
            self.format.family(self.family);
        }
        self.emitted.series += series;
        true
    }

    fn write(&mut self, part: SamplePart, labels: &[&str], value: f64) {
        debug_assert_eq!(labels.len(), self.family.labels.len(), "{}: labels", self.family.name);
        let limit = self.sink.selection.limits.label_length;
        if labels.iter().all(|label| label.len() <= limit) {
            return self.format.sample(self.family, part, labels, value);
        }
        self.emitted.shortened += 1;
        let shortened: Vec<_> = labels.iter().map(|label| shortened(label, limit)).collect();
        let labels: Vec<&str> = shortened.iter().map(Cow::as_ref).collect();
        self.format.sample(self.family, part, &labels, value);
    }
}

/// Returns a label value within its limit: its beginning, a mark, and a checksum of all of it, so that two long names
/// that begin alike stay two series. The checksum is the beginning of the SHA-256: it is the same in every build, so that
/// no update renames a series.
fn shortened(label: &str, limit: usize) -> Cow<'_, str> {
    if label.len() <= limit {
        return Cow::Borrowed(label);
    }
    let digest = digest(&SHA256, label.as_bytes());
    let checksum = digest.as_ref().iter().take(8).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let ending = format!("…{checksum:016x}");
    let kept = label.floor_char_boundary(limit.saturating_sub(ending.len()));
    Cow::Owned(format!("{}{ending}", &label[..kept]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `printf 'a%.0s' {1..40} | sha256sum`
    #[test]
    fn a_shortened_label_is_the_same_in_every_build() {
        assert_eq!(shortened(&"a".repeat(40), 32), "aaaaaaaaaaaaa…e33cdf9c7f7120b9");
    }

    #[test]
    fn long_labels_are_shortened_between_letters_and_stay_apart() {
        assert_eq!(shortened("short", 32), "short");
        let (one, other) = (format!("{}1", "é".repeat(100)), format!("{}2", "é".repeat(100)));
        let (one, other) = (shortened(&one, 32), shortened(&other, 32));
        assert_ne!(one, other);
        for cut in [one, other] {
            assert!(cut.len() <= 32 && cut.starts_with("éééééé…"), "{cut}");
        }
    }
}
