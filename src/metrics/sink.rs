//! The only way to a sample.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::SystemTime;

use super::family::Family;
use super::selection::Selection;
use super::view::View;
use crate::labels::shortened;

/// Writes samples in one format.
pub trait Exposition {
    /// A family that has samples begins.
    fn family(&mut self, family: &Family);
    /// One sample of it, with the names of its labels and their values.
    fn sample(&mut self, family: &Family, part: SamplePart, names: &[&str], labels: &[&str], value: f64);
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

    /// A sample of 1 with more labels than the family's own, of which a value was shortened before or not.
    pub fn add_info<'v>(
        &mut self,
        labels: &[&'v str],
        more: impl Iterator<Item = (&'v str, &'v str)>,
        is_shortened: bool,
    ) {
        if !self.admit(1) {
            return;
        }
        let own = self.family.labels.iter().copied().zip(labels.iter().copied());
        let (names, labels): (Vec<&str>, Vec<&str>) = own.chain(more).unzip();
        self.write_named(SamplePart::Value, &names, &labels, 1.0, is_shortened);
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
        self.write_named(part, self.family.labels, labels, value, false);
    }

    fn write_named(
        &mut self,
        part: SamplePart,
        names: &[&str],
        labels: &[&str],
        value: f64,
        was_shortened: bool,
    ) {
        let limit = self.sink.selection.limits.label_length;
        let is_long = labels.iter().any(|label| label.len() > limit);
        self.emitted.shortened += u64::from(is_long || was_shortened);
        if !is_long {
            return self.format.sample(self.family, part, names, labels, value);
        }
        let shortened: Vec<_> = labels.iter().map(|label| shortened(label, limit)).collect();
        let labels: Vec<&str> = shortened.iter().map(Cow::as_ref).collect();
        self.format.sample(self.family, part, names, &labels, value);
    }
}
