//! Histograms and counts of observed changes. They only increase while the exporter runs.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::terms::{ByTerm, JobType, Outcome};

/// Bucket bounds of the delays, in seconds.
pub const DELAY_BOUNDS_SECONDS: [f64; 10] = [1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0];

/// Delay of jobs from submission to first allocation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlacementDelays {
    /// By namespace.
    pub by_namespace: BTreeMap<String, ByTerm<JobType, Histogram<{ DELAY_BOUNDS_SECONDS.len() }>>>,
}

/// Jobs that finished while the exporter was running.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FinishedCounts {
    /// By namespace.
    pub by_namespace: BTreeMap<String, ByTerm<JobType, ByTerm<Outcome, u64>>>,
}

/// A histogram of durations.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram<const BOUNDS: usize> {
    /// Observations per bucket, not cumulative.
    buckets: [u64; BOUNDS],
    /// Observations above all bounds.
    above: u64,
    sum_seconds: f64,
}

impl<const BOUNDS: usize> Default for Histogram<BOUNDS> {
    fn default() -> Self {
        Self { buckets: [0; BOUNDS], above: 0, sum_seconds: 0.0 }
    }
}

impl<const BOUNDS: usize> Histogram<BOUNDS> {
    /// Adds a duration; one on a bound belongs to that bucket.
    pub fn observe(&mut self, bounds: &[f64; BOUNDS], duration: Duration) {
        let seconds = duration.as_secs_f64();
        match bounds.iter().position(|bound| seconds <= *bound) {
            Some(bucket) => self.buckets[bucket] += 1,
            None => self.above += 1,
        }
        self.sum_seconds += seconds;
    }

    /// Returns cumulative counts for all bounds.
    pub fn cumulative(&self, bounds: &[f64; BOUNDS]) -> [(f64, u64); BOUNDS] {
        let mut at_most = 0;
        std::array::from_fn(|bucket| {
            at_most += self.buckets[bucket];
            (bounds[bucket], at_most)
        })
    }

    /// Returns the total count.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum::<u64>() + self.above
    }

    /// Returns the sum in seconds.
    pub fn sum_seconds(&self) -> f64 {
        self.sum_seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_on_a_bound_belongs_to_its_bucket() {
        let bounds = [10.0, 20.0];
        let mut histogram = Histogram::default();
        for seconds in [0, 10, 11, 20, 21] {
            histogram.observe(&bounds, Duration::from_secs(seconds));
        }
        assert_eq!(histogram.cumulative(&bounds), [(10.0, 2), (20.0, 4)]);
        assert_eq!((histogram.count(), histogram.sum_seconds()), (5, 62.0));
    }
}
