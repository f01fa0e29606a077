//! The files of a release: reproducible, complete, and installable. `make check-release` runs these tests
//! with a release binary.

mod binary;
mod booted;
mod unpacked;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::support::process::{done, exporter, program, run};
use crate::support::{path, read, root, tools};

/// Packs the binary; returns the folder with the packages.
fn pack(name: &str, folder: &Path, environment: &[(&str, &str)]) -> PathBuf {
    let out = folder.join(name);
    let mut pack = Command::new(path("scripts/pack.sh"));
    pack.arg(program()).arg(&out).current_dir(folder).env("SOURCE_DATE_EPOCH", "1760000000");
    done(pack.envs(environment.iter().copied()));
    out
}

/// A release, packed once for all tests and unpacked.
fn release() -> &'static Path {
    static RELEASE: OnceLock<PathBuf> = OnceLock::new();
    RELEASE.get_or_init(|| {
        for program in ["cargo-deb", "cargo-cyclonedx", "dpkg-deb", "dpkg-shlibdeps"] {
            tools::find(program);
        }
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("release");
        // Removes the files of an earlier run.
        drop(std::fs::remove_dir_all(&folder));
        std::fs::create_dir_all(&folder).unwrap();
        let out = pack("out", &folder, &[]);
        done(Command::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(&out));
        let tarball = file_of(&out, ".tar.gz");
        let unpacked = folder.join("tarball");
        std::fs::create_dir(&unpacked).unwrap();
        done(
            Command::new("tar")
                .arg("-xzf")
                .arg(tarball)
                .args(["--strip-components", "1", "-C"])
                .arg(&unpacked),
        );
        done(Command::new("dpkg-deb").arg("-x").arg(file_of(&out, ".deb")).arg(folder.join("installed")));
        done(Command::new("dpkg-deb").arg("-e").arg(file_of(&out, ".deb")).arg(folder.join("control")));
        folder
    })
}

fn file_of(folder: &Path, ending: &str) -> PathBuf {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut fitting = files.filter(|file| file.to_str().unwrap().ends_with(ending));
    fitting.next().unwrap_or_else(|| panic!("no {ending} in {}", folder.display()))
}

/// Returns every linked crate, as `name version`.
fn linked() -> BTreeSet<String> {
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--locked", "--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}"]);
    let text = done(tree.current_dir(root()));
    let crates = text.lines().filter(|line| !line.contains("(/"));
    let words = crates.map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" "));
    words.map(|word| word.replace(" v", " ")).collect()
}

#[test]
#[ignore = "needs a packed release: make check-release"]
fn the_same_binary_is_packed_into_the_same_bytes() {
    let first = release();
    let folder = tempfile::tempdir().unwrap();
    let second =
        pack("again", folder.path(), &[("TZ", "Asia/Tokyo"), ("LC_ALL", "C.UTF-8"), ("USER", "other")]);
    let sums = |folder: &Path| std::fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
    assert_eq!(sums(&second), sums(&first.join("out")));
}

#[test]
#[ignore = "needs a packed release: make check-release"]
fn the_tarball_is_complete() {
    let release = release();
    let tarball = release.join("tarball");
    let text = |file: &str| {
        let path = tarball.join(file);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    for file in ["README.md", "CHANGELOG.md", "LICENSE", "docs/metrics.md", "alerts/nomad.alerts.yml"] {
        assert!(text(file) == read(file), "{file}");
    }
    let (_, bash, _) = run(exporter(&["completions", "bash"]));
    assert!(text("completions/nomad-exporter.bash") == bash);
    assert!(text("completions/_nomad-exporter").starts_with("#compdef nomad-exporter"));
    assert!(text("completions/nomad-exporter.fish").contains("complete -c nomad-exporter"));
    assert!(text("man/man1/nomad-exporter-check.1").contains(".TH nomad-exporter-check 1"));
    text("dashboards/nomad-overview.json");
    text("deploy/systemd/nomad-exporter.service");
    let version = done(Command::new(tarball.join("nomad-exporter")).arg("--version"));
    assert_eq!(version, run(exporter(&["--version"])).1);
}

#[test]
#[ignore = "needs a packed release: make check-release"]
fn every_linked_crate_is_listed_with_its_license() {
    let release = release();
    let linked = linked();
    assert!(linked.len() > 50 && linked.iter().any(|name| name.starts_with("rustls ")), "{linked:?}");
    let licences = std::fs::read_to_string(release.join("tarball/THIRD-PARTY-LICENCES.txt")).unwrap();
    for name in &linked {
        assert!(licences.contains(&format!("\n  {name}: ")), "{name} has no licence");
    }
    assert!(licences.contains("Permission is hereby granted, free of charge"));

    let bill = std::fs::read_to_string(release.join("tarball/nomad-exporter.cdx.json")).unwrap();
    assert!(!bill.contains(std::env::temp_dir().to_str().unwrap()), "it contains a path of this machine");
    let bill: Value = serde_json::from_str(&bill).unwrap();
    assert_eq!(bill["bomFormat"], "CycloneDX");
    assert_eq!(bill["metadata"]["component"]["version"], env!("CARGO_PKG_VERSION"));
    let components = bill["components"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let listed: BTreeSet<String> = components
        .map(|component| format!("{} {}", text(&component["name"]), text(&component["version"])))
        .collect();
    let missing: Vec<&String> = linked.difference(&listed).collect();
    assert!(missing.is_empty(), "{missing:?} are not in the bill of materials");
    assert!(!listed.iter().any(|name| name.starts_with("proptest ")), "test dependencies must not be listed");
}

#[test]
#[ignore = "needs a packed release: make check-release"]
fn the_debian_package_installs_a_service_without_a_user() {
    let release = release();
    let (installed, control) = (release.join("installed"), release.join("control"));
    let text = |file: PathBuf| {
        std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    };
    for file in [
        "usr/share/man/man1/nomad-exporter.1",
        "usr/share/man/man1/nomad-exporter-check.1",
        "usr/share/bash-completion/completions/nomad-exporter",
        "usr/share/fish/vendor_completions.d/nomad-exporter.fish",
        "usr/share/zsh/vendor-completions/_nomad-exporter",
        "usr/share/nomad-exporter/alerts/nomad.rules.yml",
        "usr/share/nomad-exporter/dashboards/nomad-nodes.json",
        "usr/share/nomad-exporter/systemd/credentials.conf",
        "usr/lib/nomad-exporter/lifecycle-hook.sh",
        "usr/lib/nomad-exporter/watch.sh",
        "usr/lib/nomad-exporter/watch-group.sh",
        "usr/lib/systemd/system/nomad-exporter.socket",
        "usr/lib/systemd/system/nomad-scale-in.service",
        "etc/default/nomad-scale-in",
        "usr/share/doc/nomad-exporter/copyright",
        "usr/share/doc/nomad-exporter/THIRD-PARTY-LICENCES.txt",
    ] {
        assert!(installed.join(file).is_file(), "{file} is missing");
    }
    let settings = text(installed.join("etc/default/nomad-exporter"));
    assert!(settings == read("deploy/systemd/nomad-exporter.default"));
    let set = settings.lines().find(|line| !line.is_empty() && !line.starts_with('#'));
    assert_eq!(set, None, "an initial setting would override a flag of the unit");
    assert_eq!(
        text(control.join("conffiles")).trim(),
        "/etc/default/nomad-exporter\n/etc/default/nomad-scale-in"
    );

    let unit = text(installed.join("usr/lib/systemd/system/nomad-exporter.service"));
    assert!(unit == read("deploy/systemd/nomad-exporter.service"));
    assert!(unit.contains("\nDynamicUser=yes\n") && !unit.contains("\nUser="), "{unit}");
    let scripts = ["postinst", "prerm", "postrm"].map(|name| text(control.join(name))).concat();
    for unit in ["nomad-exporter.service", "nomad-exporter.socket", "nomad-scale-in.service"] {
        let is_kept = format!("if deb-systemd-helper --quiet was-enabled {unit}");
        assert!(
            scripts.contains(&is_kept) && scripts.contains(&format!("purge {unit}"))
                || unit.ends_with("socket")
        );
    }
    // Nothing is started unless somebody enables it.
    for unwanted in ["useradd", "adduser", "_dh_action=start", "deb-systemd-invoke start"] {
        assert!(!scripts.contains(unwanted), "{unwanted}: {scripts}");
    }
    let version = done(Command::new(installed.join("usr/bin/nomad-exporter")).arg("--version"));
    assert!(text(control.join("control")).contains(&format!("\nVersion: {}-1\n", env!("CARGO_PKG_VERSION"))));
    assert!(version.starts_with(&format!("nomad-exporter {} (", env!("CARGO_PKG_VERSION"))), "{version}");
}

/// The service and its socket-activated variant, in the root that the package installs.
#[test]
#[ignore = "needs a packed release: make check-release"]
fn systemd_accepts_the_installed_units() {
    let release = release();
    let analyze = tools::find("systemd-analyze");
    let scratch = tempfile::tempdir().unwrap();
    done(Command::new("cp").arg("-r").arg(release.join("installed/.")).arg(scratch.path()));
    let units = scratch.path().join("usr/lib/systemd/system");
    for target in ["sysinit", "basic", "multi-user", "sockets", "network-online", "shutdown"] {
        std::fs::write(units.join(format!("{target}.target")), "[Unit]\nDefaultDependencies=no\n").unwrap();
    }
    let verify = || {
        let mut verify = Command::new(&analyze);
        verify.args(["--man=no", "--root"]).arg(scratch.path()).arg("verify");
        verify.args(["nomad-exporter.service", "nomad-exporter.socket", "nomad-scale-in.service"]);
        run(verify)
    };
    assert_eq!(verify(), (Some(0), String::new(), String::new()));
    // The check reads the files: without the program it fails.
    std::fs::remove_file(scratch.path().join("usr/bin/nomad-exporter")).unwrap();
    let (code, _, said) = verify();
    assert!(code == Some(1) && said.contains("/usr/bin/nomad-exporter is not executable"), "{said}");
}
