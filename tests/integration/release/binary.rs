//! The released program: its size, and the location in panics.

use std::process::Command;

use super::release;
use crate::support::process::{program, run};
use crate::support::read;

/// Maximum size in bytes of the program in downloads and images.
const MAX_SIZE: u64 = 20_000_000;

#[test]
#[ignore = "needs a packed release: make check-release"]
fn the_program_is_small() {
    for file in ["tarball/nomad-exporter", "installed/usr/bin/nomad-exporter"] {
        let size = std::fs::metadata(release().join(file)).unwrap().len();
        assert!(size <= MAX_SIZE, "{file} has {size} bytes");
    }
}

/// No input makes the exporter panic, so this tests a small program built with the release profile. The
/// exporter contains the names of its files, so it has the same information.
#[test]
#[ignore = "needs a packed release: make check-release"]
fn a_panic_names_its_file_and_line() {
    let manifest = read("Cargo.toml");
    let profile = manifest.split("[profile.release]\n").nth(1).unwrap().split("\n\n").next().unwrap();
    assert!(profile.contains("strip = "), "{profile}");
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("src")).unwrap();
    let manifest = format!(
        "[package]\nname = \"panics\"\nedition = \"2024\"\n[workspace]\n[profile.release]\n{profile}\n"
    );
    std::fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    let code = "fn main() {\n    let count = std::env::args().count();\n    assert_eq!(count, 7);\n}\n";
    std::fs::write(folder.path().join("src/main.rs"), code).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", "--release", "--offline"]).current_dir(folder.path());
    cargo.env("CARGO_TARGET_DIR", folder.path().join("target"));
    let (code, _, stderr) = run(cargo);
    assert!(code == Some(101) && stderr.contains("panicked at src/main.rs:3:5:"), "{stderr}");

    let exporter = std::fs::read(program()).unwrap();
    for folder in ["src/web/", "src/collect/"] {
        let found = memchr::memmem::find(&exporter, folder.as_bytes());
        assert!(found.is_some(), "the program must not contain paths in {folder}");
    }
}
