//! Tells the code which compiler builds it.

use std::process::Command;

fn main() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().ok();
    let version = version.and_then(|output| String::from_utf8(output.stdout).ok());
    let number =
        version.as_deref().and_then(|version| version.split_whitespace().nth(1)).unwrap_or("unknown");
    println!("cargo::rustc-env=NOMAD_EXPORTER_RUSTC={number}");
    println!("cargo::rerun-if-env-changed=NOMAD_EXPORTER_REVISION");
    println!("cargo::rerun-if-changed=build.rs");
}
