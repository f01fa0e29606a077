//! Scenarios.

mod ci;
mod farm;

use std::fmt::Debug;
use std::time::Duration;

use crate::cluster::Cluster;

pub use ci::BuildDay;
pub use farm::Scenario;

/// A scenario of a cluster.
pub trait Story: Debug + Send {
    /// Advances the cluster and the scenario.
    fn advance(&mut self, cluster: &mut Cluster, duration: Duration);
}

impl Story for Scenario {
    fn advance(&mut self, cluster: &mut Cluster, duration: Duration) {
        Scenario::advance(self, cluster, duration);
    }
}
