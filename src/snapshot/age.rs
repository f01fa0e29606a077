//! How long things have waited.

use std::time::Duration;

/// Upper bounds of the buckets, in seconds. The last bucket has none.
pub const AGE_BOUNDS_SECONDS: [f64; 10] =
    [10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 14400.0];

/// A histogram of ages.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AgeHistogram {
    /// How many fall into each bucket alone; the last is for those above every bound.
    pub counts: [u64; AGE_BOUNDS_SECONDS.len() + 1],
    /// Sum of all ages in seconds.
    pub sum_seconds: f64,
}

impl AgeHistogram {
    /// Adds one age.
    pub fn observe(&mut self, age: Duration) {
        let seconds = age.as_secs_f64();
        let bucket = AGE_BOUNDS_SECONDS.iter().position(|bound| seconds <= *bound);
        self.counts[bucket.unwrap_or(AGE_BOUNDS_SECONDS.len())] += 1;
        self.sum_seconds += seconds;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_on_a_bound_belongs_to_its_bucket() {
        let mut ages = AgeHistogram::default();
        for seconds in [0, 10, 11, 14_400, 14_401] {
            ages.observe(Duration::from_secs(seconds));
        }
        assert_eq!(ages.counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(ages.sum_seconds, 28_822.0);
    }
}
