//! A Nomad HTTP API for tests, benchmarks and demonstrations.
//!
//! A [`Simulator`] serves a [`Backend`] over HTTP: a [`Recording`] with responses of real agents; a
//! [`Cluster`], a small model of servers, nodes, jobs, allocations and evaluations, whose clock moves only on
//! request; or a [`Load`], a large cluster without changes. Each simulates one Nomad [`Version`] with its
//! fields, gaps and bugs. The server records its requests, counts what each response would cost a real server
//! ([`Work`]), and injects faults ([`Faults`]).
//!
//! ```text
//! request ─► server ─► faults ─► backend ─┬─► replay ──────────┬─► list (filter, order, pages) ─► response
//!                                         └─► api ─► cluster ──┘
//! ```

mod answer;
mod api;
mod backend;
pub mod cluster;
mod list;
mod load;
mod replay;
mod request;
mod scenario;
mod server;
mod time;
mod version;
mod work;

pub use backend::{Backend, SharedCluster};
pub use cluster::{Cluster, Settings};
pub use load::{Load, Size};
pub use replay::Recording;
pub use scenario::{BuildDay, Scenario, Story};
pub use server::{ConnectionFault, EventFault, Fault, Faults, LoggedRequest, Simulator};
pub use version::{InvalidVersion, Version};
pub use work::Work;
