//! What happens to a cluster while somebody watches.

mod ci;
mod farm;

use std::fmt::Debug;
use std::time::Duration;

use crate::cluster::Cluster;

pub use ci::BuildDay;
pub use farm::Scenario;

/// Something that goes on with a cluster.
pub trait Story: Debug + Send {
    /// Lets time pass, and with it what the story has planned.
    fn advance(&mut self, cluster: &mut Cluster, duration: Duration);
}

impl Story for Scenario {
    fn advance(&mut self, cluster: &mut Cluster, duration: Duration) {
        Scenario::advance(self, cluster, duration);
    }
}
