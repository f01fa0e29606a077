//! Common code of the tests.

pub(crate) mod authority;
pub(crate) mod build_day;
pub(crate) mod collect;
pub(crate) mod exposition;
pub(crate) mod https;
pub(crate) mod ledger;
pub(crate) mod panics;
pub(crate) mod process;
pub(crate) mod prometheus;
pub(crate) mod promtool;
mod queries;
pub(crate) mod recordings;
pub(crate) mod scrape;
pub(crate) mod tools;
pub(crate) mod webhook;

use std::path::{Path, PathBuf};

/// Returns how many random cases a test tries: this number, or a multiple of it in `make check-soak`.
pub(crate) fn cases(number: u32) -> u32 {
    let times = std::env::var("TEST_CASES_TIMES").ok();
    number * times.map_or(1, |times| times.parse::<u32>().expect("TEST_CASES_TIMES is a number"))
}

/// Returns the project's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the path of a file or folder below the root.
pub(crate) fn path(relative: &str) -> PathBuf {
    root().join(relative)
}

/// Returns the text of a file below the root.
pub(crate) fn read(relative: &str) -> String {
    let path = path(relative);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
