//! What stands in deploy/ fits the program, and works.

mod chart;
mod circleci;
mod container;
pub(crate) mod kubernetes;
mod names;
mod nomad;
pub(crate) mod prometheus;
pub(crate) mod scaling;
mod shapes;
mod systemd;
