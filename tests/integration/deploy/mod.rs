//! What stands in deploy/ fits the program, and works.

mod chart;
mod circleci;
mod container;
pub(crate) mod kubernetes;
mod names;
mod nomad;
mod prometheus;
mod scaling;
mod shapes;
mod systemd;
