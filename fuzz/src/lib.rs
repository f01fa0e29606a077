//! What the fuzz targets do, and the reader of expositions that they share with the tests.

mod bodies;
#[path = "../../tests/integration/support/exposition.rs"]
mod exposition;

pub use bodies::*;
