//! Passes the compiler version and the commit to the code.

use std::path::Path;
use std::process::Command;

fn main() {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let version = output(&rustc, &["--version"]);
    let number =
        version.as_deref().and_then(|version| version.split_whitespace().nth(1)).unwrap_or("unknown");
    println!("cargo::rustc-env=NOMAD_EXPORTER_RUSTC={number}");
    println!("cargo::rustc-env=NOMAD_EXPORTER_REVISION={}", revision().as_deref().unwrap_or("unknown"));
    println!("cargo::rerun-if-env-changed=NOMAD_EXPORTER_REVISION");
    for path in ["build.rs", "Cargo.toml", "Cargo.lock", "src"] {
        println!("cargo::rerun-if-changed={path}");
    }
}

/// Returns the commit: from the packager, from git, or from the archive that git created.
fn revision() -> Option<String> {
    let said = std::env::var("NOMAD_EXPORTER_REVISION").ok().filter(|said| !said.is_empty());
    said.or_else(of_git).or_else(of_archive)
}

fn of_git() -> Option<String> {
    // If this is a folder in another repository, its commit is not ours.
    if !Path::new(".git").exists() {
        return None;
    }
    // Files that change with a commit or a checkout. A missing file would make cargo rebuild every time.
    for file in ["HEAD", "logs/HEAD"] {
        let path = output("git", &["rev-parse", "--git-path", file])?;
        if Path::new(&path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    output("git", &["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"])
}

/// Returns the commit that `git archive` wrote into the file, as configured in `.gitattributes`.
fn of_archive() -> Option<String> {
    println!("cargo::rerun-if-changed=.revision");
    let revision = std::fs::read_to_string(".revision").ok()?;
    let revision = revision.trim();
    revision.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| revision.chars().take(12).collect())
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = output.status.success().then(|| String::from_utf8(output.stdout).ok())??;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
