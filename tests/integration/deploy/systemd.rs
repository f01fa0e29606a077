//! The systemd unit.

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use crate::support::process::{Exporter, exporter, run};
use crate::support::{path, read, tools};

/// systemd's exposure score of a service: 0 is the best, 10 the worst.
#[test]
#[ignore = "needs systemd-analyze: make check-deploy"]
fn the_systemd_unit_is_hardened() {
    let unit = path("deploy/systemd/nomad-exporter.service");
    let analyze = tools::find("systemd-analyze");
    let mut security = Command::new(analyze);
    security.args(["security", "--offline=true"]).arg(&unit);
    let (_, text, _) = run(security);
    let line = text.lines().rev().find_map(|line| line.split_once("exposure level for")).unwrap().1;
    let rating: f64 = line.split_whitespace().find_map(|word| word.parse().ok()).unwrap();
    assert!(rating < 2.0, "{line}");
}

/// Invalid settings fail the start, without restarts. `%d` needs systemd 251.
#[test]
fn the_service_notifies_systemd_and_stays_down_with_wrong_settings() {
    let unit = read("deploy/systemd/nomad-exporter.service");
    for line in ["Type=notify", "RestartPreventExitStatus=2"] {
        assert!(unit.lines().any(|found| found == line), "no {line}");
    }
    let drop_in = read("deploy/systemd/credentials.conf");
    assert!(drop_in.contains("${CREDENTIALS_DIRECTORY}/token") && !(unit + &drop_in).contains("%d"));
    // The notifications that systemd receives.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let hear = || {
        let mut said = [0; 64];
        let length = socket.recv(&mut said).unwrap();
        String::from_utf8_lossy(&said[..length]).into_owned()
    };
    let mut serve =
        exporter(&["--nomad.address", "http://127.0.0.1:1", "--web.listen-address", "127.0.0.1:0"]);
    serve.env("NOTIFY_SOCKET", &path);
    let mut running = Exporter::spawn(serve);
    assert_eq!(hear(), "READY=1\n");
    running.signal("TERM");
    assert_eq!(hear(), "STOPPING=1\n");
    assert_eq!(running.wait(Duration::from_secs(20)).code(), Some(0));
}

/// The program reads every variable in the units and their settings.
#[test]
fn variables_and_flags_of_the_units_exist() {
    let (_, help, _) = run(exporter(&["--help"]));
    let files =
        ["nomad-exporter.service", "nomad-exporter.default", "nomad-exporter.socket", "credentials.conf"];
    let text = files.map(|file| read(&format!("deploy/systemd/{file}"))).concat();
    // The flags of the drop-in.
    for flag in text.split_whitespace().filter_map(|word| word.strip_prefix("--")) {
        let flag = flag.split('=').next().unwrap();
        assert!(help.contains(&format!("--{flag} ")) || flag == "now", "the program has no flag --{flag}");
    }
    let is_part = |char: char| char.is_ascii_uppercase() || char == '_';
    let words = text.split(|char| !is_part(char)).filter(|word| word.starts_with("NOMAD_"));
    let names: Vec<&str> = words.filter(|word| *word != "NOMAD_EXPORTER_").collect();
    assert!(names.contains(&"NOMAD_EXPORTER_WEB_SYSTEMD_SOCKET"), "{names:?}");
    for name in names {
        assert!(help.contains(name), "the program has no variable {name}");
    }
}
