//! Queries for parsed expositions.

use super::exposition::{Exposition, Sample};

impl Exposition {
    /// Returns the samples with this name and at least these labels.
    pub(crate) fn find(&self, name: &str, labels: &[(&str, &str)]) -> impl Iterator<Item = &Sample> {
        self.samples().iter().filter(move |sample| sample.name == name && sample.has(labels))
    }

    /// Returns the value of the single sample with this name and these labels.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let found: Vec<_> = self.find(name, labels).collect();
        assert!(found.len() <= 1, "{name}{labels:?} is not one series: {found:?}");
        found.first().map(|sample| sample.value)
    }

    /// Returns the sum of all samples with this name and these labels; `None` if there are none.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        self.find(name, labels).map(|sample| sample.value).reduce(|one, other| one + other)
    }
}

impl Sample {
    fn has(&self, labels: &[(&str, &str)]) -> bool {
        labels.iter().all(|(name, value)| self.labels.get(*name).is_some_and(|found| found == value))
    }
}
