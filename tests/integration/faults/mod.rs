//! Faults of Nomad, the machine and scrapers, and their effect on the exporter.
//!
//! Each test is one fault. Those of Nomad use the [`driver`], which starts the real binary with a simulated
//! Nomad, starts and ends the fault, and compares the metrics with the expected ones. `cargo test --test
//! integration faults:: -- --nocapture 2>&1 | grep '^|'` prints the values of docs/reliability.md.

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
