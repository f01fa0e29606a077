//! Faults of the machine: clock steps, no more descriptors, a full disk.

use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use nomad_simulator::Fault;
use procfs::net::{TcpNetEntry, TcpState};
use procfs::process::FDTarget;

use super::driver::{QUICK, SOON, blocking, is_well};
use crate::support::collect::Collector;
use crate::support::process::{Exporter, Running, exporter, wait_until};
use crate::support::recordings;
use crate::support::scrape::{ask, metrics, status};

static STEP_SECONDS: AtomicI64 = AtomicI64::new(0);

fn stepping() -> SystemTime {
    let now = crate::support::collect::now();
    let step = STEP_SECONDS.load(Ordering::Relaxed);
    let by = Duration::from_secs(step.unsigned_abs());
    if step < 0 { now - by } else { now + by }
}

/// The age of data is measured with a clock that cannot be set.
#[tokio::test]
async fn the_clock_steps() {
    const DAY: i64 = 86_400;
    let simulator = recordings::replay("2.0.5").await;
    let collector = Collector::with_clock(&simulator.url(), &["--nomad.timeout", "60s"], stepping);
    collector.refresh().await;
    let shown = collector.exposition();
    assert!(is_well(&shown));
    let series = shown.samples().len();
    for step in [-DAY, DAY, -400 * DAY, 0] {
        STEP_SECONDS.store(step, Ordering::Relaxed);
        assert!(is_well(&collector.exposition()), "{step} s withdraw nothing");
        collector.refresh().await;
        let shown = collector.exposition();
        let now = stepping().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
        let last =
            shown.value("nomad_exporter_collector_last_success_timestamp_seconds", &[("collector", "jobs")]);
        assert_eq!(last, Some(now), "the last success is reported by the new clock");
        assert!(
            shown.samples().iter().all(|sample| sample.value >= 0.0),
            "a clock step of {step} s makes values negative"
        );
        assert!(
            shown.samples().len().abs_diff(series) < 20,
            "a clock step of {step} s adds or removes series"
        );
    }
    // Stale data is dropped, whatever the clock says.
    simulator.faults().set("", Fault::Close);
    STEP_SECONDS.store(-DAY, Ordering::Relaxed);
    collector.refresh().await;
    assert!(collector.exposition().find("nomad_jobs", &[]).count() > 0, "it is not stale yet");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(3600)).await;
    tokio::time::resume();
    assert_eq!(collector.exposition().find("nomad_jobs", &[]).count(), 0);
    simulator.faults().clear();
    collector.refresh().await;
    assert!(is_well(&collector.exposition()));
}

/// 60 scrapers with descriptors for 40: some log lines, and recovery after they are gone.
#[tokio::test(flavor = "multi_thread")]
async fn descriptors_run_out() {
    let simulator = recordings::replay("2.0.5").await;
    let nomad = simulator.url();
    blocking(move || {
        let fixed = ["--nomad.address", &nomad, "--web.listen-address", "127.0.0.1:0"];
        let wanted = exporter(&[&fixed[..], &QUICK[..]].concat());
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -n 40 && exec \"$0\" \"$@\""]);
        command.arg(wanted.get_program()).args(wanted.get_args());
        wanted.get_envs().filter(|(_, value)| value.is_none()).for_each(|(name, _)| {
            command.env_remove(name);
        });
        let mut exporter = Exporter::spawn(command);
        wait_until(SOON, "all collectors", || is_well(&metrics(&exporter.url)));

        let address = exporter.url.trim_start_matches("http://").to_owned();
        let flood: Vec<_> = (0..60).map(|_| TcpStream::connect(&address).unwrap()).collect();
        exporter.wait_for_log("cannot accept connections", SOON);
        // It keeps trying in the meantime.
        std::thread::sleep(Duration::from_secs(2));
        // One line whenever accepting starts to fail, as connections to Nomad close and free a descriptor.
        let lines = exporter.log().matches("cannot accept connections").count();
        assert!(lines <= 10, "{}", exporter.log());
        drop(flood);
        let ended = std::time::Instant::now();
        wait_until(SOON, "all collectors after the flood", || is_well(&metrics(&exporter.url)));
        eprintln!(
            "| descriptors run out (40) | 1 line in the log; well {:.1?} after the flood |",
            ended.elapsed()
        );
        exporter.signal("TERM");
        assert_eq!(exporter.wait(SOON).code(), Some(0));
        assert!(!exporter.log().contains("panicked"), "{}", exporter.log());
    })
    .await;
}

/// Returns the address on which a process listens. An exporter that cannot write its log cannot tell.
fn listener(id: u32) -> Option<SocketAddr> {
    let files = procfs::process::Process::new(id.try_into().unwrap()).ok()?.fd().ok()?;
    let sockets: Vec<u64> = files
        .filter_map(|file| match file.ok()?.target {
            FDTarget::Socket(inode) => Some(inode),
            _ => None,
        })
        .collect();
    let is_its = |entry: &TcpNetEntry| entry.state == TcpState::Listen && sockets.contains(&entry.inode);
    procfs::net::tcp().ok()?.into_iter().find(is_its).map(|entry| entry.local_address)
}

/// The exporter writes only its log; if that fails, everything else continues.
#[tokio::test(flavor = "multi_thread")]
async fn the_disk_is_full() {
    for format in ["logfmt", "json"] {
        let simulator = recordings::replay("2.0.5").await;
        let nomad = simulator.url();
        blocking(move || {
            let fixed =
                ["--nomad.address", &nomad, "--web.listen-address", "127.0.0.1:0", "--log.format", format];
            let mut command = exporter(&[&fixed[..], &QUICK[..]].concat());
            let full = || Stdio::from(std::fs::File::options().write(true).open("/dev/full").unwrap());
            let mut running = Running(command.stdout(full()).stderr(full()).spawn().unwrap());
            let mut listens = None;
            wait_until(SOON, "it to listen", || {
                listens = listener(running.0.id());
                listens.is_some()
            });
            let url = format!("http://{}", listens.unwrap());
            wait_until(SOON, "all collectors", || is_well(&metrics(&url)));
            assert_eq!(status(&url, "/-/ready"), "200");
            assert!(ask(&url, "GET", "/", "").0.starts_with("http/1.1 200"));
            let id = running.0.id().to_string();
            assert!(Command::new("kill").args(["-s", "TERM", &id]).status().unwrap().success());
            assert_eq!(running.0.wait().unwrap().code(), Some(0), "{format}");
        })
        .await;
    }
}

/// Before logging has started, the exit code remains.
#[test]
fn errors_that_cannot_be_written_have_their_exit_code() {
    let full = || Stdio::from(std::fs::File::options().write(true).open("/dev/full").unwrap());
    for (arguments, code) in [
        (&["--nomad.address", "nowhere"][..], 2),
        (&["check", "--nomad.address", "http://127.0.0.1:1", "--nomad.timeout", "100ms"], 1),
    ] {
        let status = exporter(arguments).stdout(full()).stderr(full()).status().unwrap();
        assert_eq!(status.code(), Some(code), "{arguments:?}");
    }
}
