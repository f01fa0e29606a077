//! Rate limit: a token bucket.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::{file, quoted};
use crate::human::parse_duration;

/// The rate limit.
pub(super) struct RateLimit {
    /// Average time between two requests.
    pub(super) interval: Duration,
    /// Maximum burst of requests.
    pub(super) burst: u32,
    /// Number of tokens that were left, and when.
    bucket: Mutex<(f64, Instant)>,
}

impl RateLimit {
    /// Applies the settings of a file; `None` if there is no limit.
    pub(super) fn new(typed: &file::RateLimitConfig) -> Result<Option<Self>, String> {
        let interval = match typed.interval.as_deref().unwrap_or_default().trim() {
            "" | "0" => Duration::ZERO,
            text => parse_duration(text).map_err(|_| {
                format!(
                    "rate_limit.interval: {} is not a duration; give one such as 100ms or 1m30s",
                    quoted(text)
                )
            })?,
        };
        let burst = typed.burst.unwrap_or_default();
        match (interval.is_zero(), burst) {
            (true, _) => Ok(None),
            (false, 0) => {
                Err("rate_limit.burst: it is 0, so all requests would be rejected; give at least 1"
                    .to_owned())
            }
            (false, _) => {
                Ok(Some(Self { interval, burst, bucket: Mutex::new((f64::from(burst), Instant::now())) }))
            }
        }
    }

    /// Takes a token. Returns whether there was one.
    pub(super) fn admit(&self) -> bool {
        let now = Instant::now();
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, at) = *bucket;
        let back = now.duration_since(at).as_secs_f64() / self.interval.as_secs_f64();
        let tokens = (left + back).min(f64::from(self.burst));
        let is_admitted = tokens >= 1.0;
        *bucket = (if is_admitted { tokens - 1.0 } else { tokens }, now);
        is_admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(interval: &str, burst: u32) -> Result<Option<RateLimit>, String> {
        RateLimit::new(&file::RateLimitConfig { interval: Some(interval.to_owned()), burst: Some(burst) })
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_allowed_and_then_one_request_per_interval() {
        let limit = of("10s", 3).unwrap().unwrap();
        let admitted = || (0..10).filter(|_| limit.admit()).count();
        assert_eq!(admitted(), 3);
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!(admitted(), 0);
        tokio::time::advance(Duration::from_millis(1_001)).await;
        assert_eq!(admitted(), 1);
        tokio::time::advance(Duration::from_secs(3_600)).await;
        assert_eq!(admitted(), 3);
    }

    #[test]
    fn durations_have_gos_format() {
        for (text, expected) in
            [("1s", 1_000), ("1m30s", 90_000), ("1.5s", 1_500), ("250ms", 250), ("2h", 7_200_000)]
        {
            assert_eq!(of(text, 1).unwrap().unwrap().interval, Duration::from_millis(expected), "{text}");
        }
        for none in ["", "0", "0s"] {
            assert!(of(none, 0).unwrap().is_none());
        }
        for wrong in ["-1s", "soon", "5"] {
            let error = of(wrong, 1).err().unwrap();
            assert!(error.starts_with("rate_limit.interval: `"), "{error}");
        }
        assert!(of("1s", 0).err().unwrap().starts_with("rate_limit.burst: "));
    }
}
