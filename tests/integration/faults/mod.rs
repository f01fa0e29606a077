//! What an ill Nomad, an ill machine and ill scrapers can do to the exporter, and what it shows meanwhile.
//!
//! Each test is one fault. Those of Nomad go through one [`driver`], which starts the real binary against a simulated
//! Nomad, lets the fault begin and end, and compares what is to be seen with what is expected. The figures of
//! docs/reliability.md are printed by `cargo test --test integration faults:: -- --nocapture 2>&1 | grep '^|'`.

mod bodies;
mod cluster;
mod driver;
mod figures;
mod machine;
mod process;
mod scrapers;
mod statuses;
mod tasks;
mod transport;
