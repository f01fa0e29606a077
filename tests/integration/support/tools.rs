//! Programs of others that tests run.

use std::path::PathBuf;

/// Set by `make test`, which installs the programs: then a missing one is an error.
const REQUIRED: &str = "NOMAD_EXPORTER_TEST_TOOLS";

/// A program of this name on the PATH. Where it is missing, says what is skipped, or fails if `make test` runs.
pub(crate) fn find(program: &str, skipped: &str) -> Option<PathBuf> {
    let found = look_up(program);
    if found.is_none() {
        assert!(std::env::var_os(REQUIRED).is_none(), "{program} is not on the PATH");
        eprintln!("skipped: {skipped}: {program} is not on the PATH (`make test` makes it available)");
    }
    found
}

/// A program that may be missing even under `make test`, which then says why.
pub(crate) fn find_optional(program: &str, skipped: &str) -> Option<PathBuf> {
    let found = look_up(program);
    if found.is_none() {
        eprintln!("skipped: {skipped}: {program} is not on the PATH");
    }
    found
}

fn look_up(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}
