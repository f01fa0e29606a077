//! Identifiers, and the seeded random numbers behind them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A UUID of a node, allocation, evaluation or deployment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(u128);

/// The ID of a node.
pub type NodeId = Id;
/// The ID of an allocation.
pub type AllocationId = Id;
/// The ID of an evaluation.
pub type EvaluationId = Id;
/// The ID of a deployment.
pub type DeploymentId = Id;

impl Id {
    /// Returns a number that differs between IDs, as a seed.
    pub(crate) fn seed(self) -> u64 {
        // The lower half of a random number is as random as the whole.
        self.0 as u64
    }
}

impl fmt::Display for Id {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = format!("{:032x}", self.0);
        write!(out, "{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// The text is not a UUID.
#[derive(Debug, PartialEq, Eq)]
pub struct InvalidId;

impl FromStr for Id {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Id, InvalidId> {
        let dashes = [8, 13, 18, 23];
        let shaped =
            text.len() == 36 && text.is_ascii() && dashes.iter().all(|at| text.as_bytes()[*at] == b'-');
        let hex = text.replace('-', "");
        if !shaped || hex.len() != 32 {
            return Err(InvalidId);
        }
        u128::from_str_radix(&hex, 16).map(Id).map_err(|_| InvalidId)
    }
}

/// SplitMix64: small, seeded, and good enough for a simulation.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number from 0 to 1, excluding 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Returns true with this probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    pub(crate) fn between(&mut self, min: Duration, max: Duration) -> Duration {
        min + max.saturating_sub(min).mul_f64(self.unit())
    }

    pub(crate) fn id(&mut self) -> Id {
        Id(u128::from(self.next()) << 64 | u128::from(self.next()))
    }
}
