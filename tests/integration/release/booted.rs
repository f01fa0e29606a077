//! The package and the units in a booted systemd: installed, configured, upgraded, removed and purged with
//! the commands of the pages.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use super::{done, file_of, release};
use crate::support::authority::Authority;
use crate::support::process::{SOON, run, wait_until, write_script};
use crate::support::{path, read, tools};

/// A small booted system; dropping it stops it.
struct Booted {
    unshare: Child,
    /// Process ID of its systemd on this machine.
    init: u32,
    /// Its cgroup, which is removed at the end.
    group: String,
    folder: TempDir,
}

impl Booted {
    /// Returns `None` and prints the reason, if this machine cannot boot another system.
    fn start(suite: &str) -> Option<Self> {
        let what = format!("running the units in a booted Debian ({suite})");
        for program in ["mmdebstrap", "unshare", "nsenter", "pgrep"] {
            tools::find_optional(program, &what)?;
        }
        let mut id = Command::new("id");
        id.arg("-u");
        if run(id).1.trim() != "0" {
            eprintln!("skipped: {what}: needs root");
            return None;
        }
        let made = match root_of(suite) {
            Ok(made) => made,
            Err(why) => {
                eprintln!("skipped: {what}: the image cannot be created: {why}");
                return None;
            }
        };
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        done(Command::new("cp").args(["--archive", "--reflink=auto"]).arg(made).arg(&root));
        // Tests boot the same suite at the same time. Each removes its own cgroup at the end.
        static BOOTED: AtomicU32 = AtomicU32::new(0);
        let number = BOOTED.fetch_add(1, Ordering::Relaxed);
        let group = format!("nomad-exporter-test-{}-{number}", std::process::id());
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut boot = Command::new(path("tests/integration/deploy/boot.sh"));
        boot.arg("start").arg(&root).arg(&group).stdin(Stdio::null());
        let unshare = boot.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let mut booted = Self { unshare, init: 0, group, folder };
        // The script is replaced by `unshare`, whose child is systemd.
        let mut ended = false;
        wait_until(SOON, "a booted system", || {
            ended = booted.unshare.try_wait().unwrap().is_some();
            ended || booted.is_up()
        });
        if ended {
            let log = std::fs::read_to_string(booted.folder.path().join("log")).unwrap();
            eprintln!("skipped: {what}: this machine cannot boot the image: {log}");
            return None;
        }
        Some(booted)
    }

    fn is_up(&mut self) -> bool {
        let mut child = Command::new("pgrep");
        child.args(["--parent", &self.unshare.id().to_string()]);
        self.init = run(child).1.trim().parse().unwrap_or(0);
        if self.init == 0 {
            return false;
        }
        let (code, state, _) = self.run("systemctl is-system-running");
        code == Some(0) || state.trim() == "degraded"
    }

    /// Runs commands in it, as root, with bash.
    fn run(&self, commands: &str) -> (Option<i32>, String, String) {
        let mut enter = Command::new("nsenter");
        enter.args(["--target", &self.init.to_string(), "--all", "--root", "--wd", "env", "-i"]);
        enter.args(["PATH=/root/bin:/usr/sbin:/usr/bin:/sbin:/bin", "NOMAD_TOKEN=s3cret", "HOME=/root"]);
        run({
            enter.args(["bash", "-euo", "pipefail", "-c", commands]).stdin(Stdio::null());
            enter
        })
    }

    /// Runs commands that must succeed; returns their output.
    fn done(&self, commands: &str) -> String {
        let (code, stdout, stderr) = self.run(commands);
        let journal = self.run("journalctl --no-pager --lines 30 || true").1;
        assert_eq!(code, Some(0), "{commands}\n{stdout}{stderr}\n{journal}");
        stdout.trim().to_owned()
    }

    /// Returns whether units are enabled and active, as systemctl prints it; unknown ones are only inactive.
    fn states(&self, units: &[&str]) -> Vec<String> {
        let state = |unit: &&str| {
            let text = self.run(&format!("systemctl is-enabled {unit}; true")).1
                + &self.run(&format!("systemctl is-active {unit}; true")).1;
            text.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        units.iter().map(state).collect()
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// Adds programs that the small system lacks: sudo, and an editor that writes $EDITED.
    fn add_programs(&self) {
        let bin = self.root().join("root/bin");
        std::fs::create_dir_all(&bin).unwrap();
        for (name, text) in [("sudo", "exec \"$@\""), ("editor", "cat /root/edited >>\"$1\"")] {
            write_script(&bin.join(name), text);
        }
    }

    /// Sets the lines that the editor adds to a file.
    fn will_edit(&self, lines: &str) {
        std::fs::write(self.root().join("root/edited"), lines).unwrap();
    }
}

impl Drop for Booted {
    fn drop(&mut self) {
        self.unshare.kill().ok();
        self.unshare.wait().ok();
        for groups in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] {
            // The innermost first. A cgroup with a process that is still exiting cannot be removed.
            let group = Path::new(groups).join(&self.group);
            let mut find = Command::new("find");
            find.arg(group).args(["-depth", "-type", "d", "-exec", "rmdir", "{}", ";"]);
            find.stderr(Stdio::null()).status().ok();
        }
    }
}

/// Returns a system that is unpacked once and copied for each test.
fn root_of(suite: &str) -> Result<PathBuf, String> {
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("containers");
    let (root, making) = (folder.join(suite), folder.join(format!("{suite}.making")));
    if root.exists() {
        return Ok(root);
    }
    std::fs::remove_dir_all(&making).ok();
    std::fs::create_dir_all(&making).unwrap();
    let mut make = Command::new(path("tests/integration/deploy/boot.sh"));
    make.args(["make", suite]).arg(&making);
    let (code, _, stderr) = run(make);
    if code != Some(0) {
        return Err(stderr);
    }
    std::fs::rename(&making, &root).unwrap();
    Ok(root)
}

/// Returns the shell blocks of a section of a page.
fn commands(page: &str, section: &str) -> Vec<String> {
    let text = read(page);
    let section =
        text.split(&format!("\n## {section}\n")).nth(1).unwrap_or_else(|| panic!("{page} has no {section}"));
    let blocks = section.split("\n## ").next().unwrap().split("```sh\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

const UNITS: [&str; 3] = ["nomad-exporter.service", "nomad-exporter.socket", "nomad-scale-in.service"];
const IDLE: &str = "disabled inactive";

#[test]
#[ignore = "needs a packed release: make check-release"]
fn the_package_works_with_the_documented_commands() {
    let release = release();
    let Some(system) = Booted::start("bookworm") else { return };
    system.add_programs();
    let package = file_of(&release.join("out"), ".deb");
    std::fs::copy(&package, system.root().join("root").join(package.file_name().unwrap())).unwrap();
    let page = commands("docs/install.md", "Debian package");
    let [install, credentials, socket, ..] = page.as_slice() else { panic!("{page:?}") };
    let (apt, configure) = install.split_once('\n').unwrap();
    let in_root = |commands: &str| system.done(&format!("cd /root; {commands}"));

    // A client has the commands and the hook, but no running exporter.
    in_root(apt);
    assert_eq!(system.states(&UNITS), [IDLE; 3], "the service is not configured yet");
    system.done("nomad-exporter --version && test -x /usr/lib/nomad-exporter/lifecycle-hook.sh");

    system.will_edit("NOMAD_ADDR=http://127.0.0.1:1\n");
    in_root(configure);
    assert_eq!(system.states(&UNITS), ["enabled active", IDLE, IDLE]);
    assert!(system.done("nomad-exporter healthcheck").ends_with("healthy"));

    // Invalid settings fail the start, without restarts.
    system.done("sed -i s,http://127.0.0.1:1,nonsense, /etc/default/nomad-exporter");
    let (code, _, stderr) = system.run("systemctl restart nomad-exporter");
    assert!(code != Some(0) && stderr.contains("failed"), "{stderr}");
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(system.done("systemctl show --value --property NRestarts nomad-exporter"), "0");
    assert_eq!(system.states(&UNITS[..1]), ["enabled failed"]);
    system.done(
        "sed -i s,nonsense,http://127.0.0.1:1, /etc/default/nomad-exporter; systemctl restart nomad-exporter",
    );

    // The token is in a file of root.
    in_root(credentials);
    assert_eq!(system.states(&UNITS[..1]), ["enabled active"]);
    let line = system
        .done("tr '\\0' ' ' </proc/$(systemctl show --value --property MainPID nomad-exporter)/cmdline");
    assert!(line.contains("--nomad.token-file=/run/credentials/nomad-exporter.service/token"), "{line}");

    keys_of_root_need_credentials(&system);

    // An upgrade restarts running units, and keeps enabled units and edited files.
    let before = system.done("systemctl show --value --property MainPID nomad-exporter");
    in_root("dpkg --install ./nomad-exporter_*.deb");
    assert_eq!(system.states(&UNITS), ["enabled active", IDLE, IDLE]);
    assert_ne!(system.done("systemctl show --value --property MainPID nomad-exporter"), before);
    system.done("grep -q ^NOMAD_ADDR= /etc/default/nomad-exporter");

    // systemd listens.
    system.done("echo NOMAD_EXPORTER_WEB_SYSTEMD_SOCKET=true >>/etc/default/nomad-exporter");
    in_root(socket);
    assert_eq!(system.states(&UNITS), ["enabled active", "enabled active", IDLE]);
    system.done("nomad-exporter healthcheck");
    in_root("dpkg --install ./nomad-exporter_*.deb");
    assert_eq!(system.states(&UNITS), ["enabled active", "enabled active", IDLE], "an upgrade");

    // Only sockets in the listening state: recently closed connections are listed too.
    let listening = "cat /proc/net/tcp /proc/net/tcp6 | grep -cE ':24E1 [0-9A-F]+:0000 0A' || true";
    let listens = || system.done(listening) != "0";
    let links = || system.done("find /etc/systemd/system -name 'nomad-*' -path '*.wants/*' | wc -l");
    assert!(listens());
    system.done("dpkg --remove nomad-exporter");
    assert!(!listens(), "the socket is gone with its package");
    system.done("dpkg --purge nomad-exporter");
    assert_eq!((links(), system.states(&UNITS)), ("0".into(), vec!["inactive".to_owned(); 3]));
    assert!(!system.root().join("etc/default/nomad-exporter").exists());
    in_root("dpkg --install ./nomad-exporter_*.deb");
    assert_eq!((system.states(&UNITS), links(), listens()), (vec![IDLE.to_owned(); 3], "0".into(), false));
}

/// A key with mode 0600 is right, but the service can only read it as a credential.
fn keys_of_root_need_credentials(system: &Booted) {
    let authority = Authority::new();
    authority.write("server", "exporter.example");
    for (from, to) in [("server.crt", "server.crt"), ("server.key", "server.key")] {
        std::fs::copy(authority.path(from), system.root().join("etc/nomad-exporter").join(to)).unwrap();
    }
    let text = "tls_server_config: {cert_file: /etc/nomad-exporter/server.crt, key_file: KEY}\n";
    let write = |key: &str| {
        std::fs::write(system.root().join("etc/nomad-exporter/web.yml"), text.replace("KEY", key)).unwrap();
    };
    write("/etc/nomad-exporter/server.key");
    let file = "/etc/nomad-exporter/web.yml";
    system.done(&format!(
        "chmod 600 /etc/nomad-exporter/server.key {file}; chmod 644 {file}
         echo NOMAD_EXPORTER_WEB_CONFIG_FILE={file} >>/etc/default/nomad-exporter; nomad-exporter check-config {file}"
    ));
    let (code, _, stderr) = system.run(&format!("nomad-exporter check-config {file} --as-user 65534"));
    assert!(code == Some(1) && stderr.contains("server.key"), "{stderr}");
    assert_ne!(system.run("systemctl restart nomad-exporter").0, Some(0));
    // The lines of the drop-in for this.
    write("server.key");
    system.done(
        "sed -i /WEB_CONFIG_FILE/d /etc/default/nomad-exporter
         cd /etc/systemd/system/nomad-exporter.service.d
         sed -i -e 's,^#\\(LoadCredential=\\(web.yml\\|server.key\\):\\),\\1,' credentials.conf
         sed -i -e 's,^ExecStart=/.*,& --web.config.file=${CREDENTIALS_DIRECTORY}/web.yml,' credentials.conf
         systemctl daemon-reload; systemctl restart nomad-exporter",
    );
    assert!(system.done("nomad-exporter healthcheck --scheme https").starts_with("https://"));
    system.done(
        "cd /etc/systemd/system/nomad-exporter.service.d
         sed -i -e '/web.yml:/d' -e '/server.key:/d' -e 's, --web.config.file=.*,,' credentials.conf
         systemctl daemon-reload; systemctl restart nomad-exporter",
    );
}

/// The oldest systemd with credentials, and the commands of the tarball and the systemd page. The binary
/// needs a newer C library, so it brings its own.
#[test]
#[ignore = "needs a packed release: make check-release"]
fn the_units_run_under_the_oldest_systemd() {
    let release = release();
    let Some(system) = Booted::start("bullseye") else { return };
    system.add_programs();
    assert!(system.done("systemctl --version").starts_with("systemd 247 "));
    let (tarball, library) = (file_of(&release.join("out"), ".tar.gz"), system.root().join("opt/library"));
    std::fs::create_dir_all(&library).unwrap();
    let list = done(Command::new("ldd").arg(release.join("tarball/nomad-exporter")));
    let libraries: Vec<&str> = list.split_whitespace().filter(|word| word.starts_with('/')).collect();
    for library_file in &libraries {
        std::fs::copy(library_file, library.join(Path::new(library_file).file_name().unwrap())).unwrap();
    }
    let loader = libraries.iter().find(|file| file.contains("ld-linux")).unwrap().rsplit('/').next().unwrap();
    std::fs::copy(&tarball, system.root().join("root").join(tarball.file_name().unwrap())).unwrap();
    std::fs::copy(release.join("out/SHA256SUMS"), system.root().join("root/SHA256SUMS")).unwrap();

    let install = commands("docs/install.md", "Tarball").remove(0);
    let (unpack, enable) = install.split_once("sudo systemctl enable").unwrap();
    system.done(&format!("cd /root; {unpack}"));
    system.done(&format!(
        "mv /usr/bin/nomad-exporter /opt/nomad-exporter
         printf '#!/bin/sh\\nexec /opt/library/{loader} --library-path /opt/library /opt/nomad-exporter \"$@\"\\n' \
             >/usr/bin/nomad-exporter
         chmod 755 /usr/bin/nomad-exporter"
    ));
    system.done(&format!("sudo systemctl enable{enable}"));
    system.done("nomad-exporter healthcheck");
    let page = commands("deploy/systemd/README.md", "Credentials");
    system.done(&format!("cd /root/nomad-exporter-*/deploy/systemd; {}", page[0]));
    let line = system
        .done("tr '\\0' ' ' </proc/$(systemctl show --value --property MainPID nomad-exporter)/cmdline");
    assert!(line.contains("--nomad.token-file=/run/credentials/nomad-exporter.service/token"), "{line}");
    system.done("nomad-exporter healthcheck");
    system.done("echo NOMAD_ADDR=nonsense >>/etc/default/nomad-exporter");
    assert_ne!(system.run("systemctl restart nomad-exporter").0, Some(0), "Type=notify");
}

/// On Google Cloud, the hook ends by powering the machine off, from a sandboxed unit.
#[test]
#[ignore = "needs a packed release: make check-release"]
fn the_scale_in_unit_can_power_off_the_machine() {
    let release = release();
    let Some(mut system) = Booted::start("bookworm") else { return };
    let package = file_of(&release.join("out"), ".deb");
    std::fs::copy(&package, system.root().join("root/package.deb")).unwrap();
    system.done("dpkg --install /root/package.deb");
    // Without CLOUD it reports that, and is not restarted.
    system.run("systemctl start nomad-scale-in");
    wait_until(SOON, "the unit's end", || system.states(&UNITS[2..]) == ["disabled failed"]);
    assert!(system.done("journalctl --no-pager -u nomad-scale-in").contains("watch.sh aws | watch.sh gce"));
    // The metadata, the drain and curl are stubs; the unit and its last command are real.
    let stub = |name: &str, text: &str| {
        let file = system.root().join("usr/local/bin").join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        write_script(&file, text);
    };
    stub("curl", "case $* in *stop-state) echo PENDING_STOP ;; *) echo 6226113459112382201 ;; esac");
    stub("drained", "echo \"$*\" >&2");
    system.done(
        "printf 'CLOUD=gce\\nEXPORTER=/usr/local/bin/drained\\n' >>/etc/default/nomad-scale-in
         systemctl reset-failed nomad-scale-in; systemctl start nomad-scale-in",
    );
    wait_until(Duration::from_secs(180), "a machine that is off", || {
        system.unshare.try_wait().unwrap().is_some()
    });
}
