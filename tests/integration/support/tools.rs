//! Other programs that tests run. Tests that need one are ignored, and their reason names the part of `make
//! test` or `make check` that installs it and runs them.

use std::path::PathBuf;

/// Returns a program on the PATH.
pub(crate) fn find(program: &str) -> PathBuf {
    look_up(program).unwrap_or_else(|| panic!("{program} is not on the PATH: run this test with `make`"))
}

/// Returns a program that is not available everywhere. If it is missing, prints what is skipped.
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
