//! Fuzz targets, and a parser of expositions that the tests use too.

mod bodies;
#[path = "../../tests/integration/support/exposition.rs"]
mod exposition;

pub use bodies::*;
