//! The part of `GET /v1/node/:id` that tells how a drain stands.

use serde::Deserialize;

use super::{DrainStrategy, LastDrain};
use crate::terms::{Eligibility, NodeStatus};

/// A node, as far as a drain is concerned.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodeDrain {
    /// Its status as the servers see it.
    pub status: NodeStatus,
    /// Whether it takes work.
    pub scheduling_eligibility: Eligibility,
    /// `null` on a node that is not being drained.
    pub drain_strategy: Option<DrainStrategy>,
    /// Nomad 1.1 and later.
    pub last_drain: Option<LastDrain>,
}
