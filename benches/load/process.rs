//! The measured processes, and their statistics.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nomad_simulator::Size;

use crate::scrape;

/// Timeout of all waits.
const PATIENCE: Duration = Duration::from_secs(600);

/// A process that is killed on drop.
struct Process(Child);

impl Process {
    /// Returns user and system time.
    fn cpu_seconds(&self) -> f64 {
        let stat = self.proc("stat");
        let after_name = stat.rsplit(") ").next().unwrap_or_default();
        let ticks: f64 =
            after_name.split(' ').skip(11).take(2).filter_map(|tick| tick.parse::<f64>().ok()).sum();
        // USER_HZ is 100 on every Linux.
        ticks / 100.0
    }

    fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.0.id())).expect("the process runs")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may already have exited.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The simulator in a separate process.
pub(crate) struct Nomad {
    process: Process,
    address: SocketAddr,
}

impl Nomad {
    pub(crate) fn start(size: Size, arguments: &[&str]) -> Self {
        let address = free_address();
        let mut child = Command::new(program("nomad-simulator"))
            .args(["--load", size.name(), "--listen", &address.to_string()])
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the simulator must be built first: run `make bench`");
        let mut said = String::new();
        let stderr = child.stderr.take().expect("it is piped");
        BufReader::new(stderr).read_line(&mut said).expect("the simulator announces itself");
        assert!(said.contains("is simulated at"), "{said}");
        Self { process: Process(child), address }
    }
}

impl Nomad {
    pub(crate) fn cpu_seconds(&self) -> f64 {
        self.process.cpu_seconds()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// The measured exporter.
pub(crate) struct Exporter {
    process: Process,
    address: SocketAddr,
}

impl Exporter {
    pub(crate) fn start(nomad: &Nomad, arguments: &[String]) -> Self {
        let address = free_address();
        let child = Command::new(program("nomad-exporter"))
            .args([
                "--nomad.address",
                &format!("http://{}", nomad.address),
                "--web.listen-address",
                &address.to_string(),
            ])
            .args(["--log.level", "error"])
            .args(arguments)
            .spawn()
            .expect("the exporter must be built first: run `make bench`");
        Self { process: Process(child), address }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Scrapes once, gzipped like Prometheus, or plain.
    pub(crate) fn scrape(&self, gzip: bool) -> Vec<u8> {
        scrape::get(self.address, gzip).expect("the exporter answers")
    }

    /// Scrapes, gzipped like Prometheus, until the metrics are as wanted.
    pub(crate) fn wait_for(&self, is_wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < deadline, "the exporter never showed the expected state");
            std::thread::sleep(Duration::from_millis(200));
            let Ok(page) = scrape::get(self.address, true) else { continue };
            let mut text = String::new();
            let mut plain = flate2::read::GzDecoder::new(page.as_slice());
            std::io::Read::read_to_string(&mut plain, &mut text).expect("gzipped text");
            if is_wanted(&text) {
                return text;
            }
        }
    }

    /// Returns how often a list was read.
    pub(crate) fn refreshes(&self, endpoint: &str) -> f64 {
        value(&self.wait_for(|_| true), &requests(endpoint))
    }

    pub(crate) fn cpu_seconds(&self) -> f64 {
        self.process.cpu_seconds()
    }

    /// Returns the peak memory.
    pub(crate) fn peak_mib(&self) -> f64 {
        let status = self.process.proc("status");
        let line =
            status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux reports the peak");
        line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number of KiB") / 1024.0
    }
}

/// Returns the series of successful requests to an endpoint.
pub(crate) fn requests(endpoint: &str) -> String {
    format!("nomad_exporter_api_requests_total{{endpoint=\"{endpoint}\",reason=\"ok\"}}")
}

/// Returns the value of a series; 0 if it does not exist yet.
pub(crate) fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).unwrap_or_default()
}

/// Returns the sum of a metric, or `None` if it has no series.
pub(crate) fn sum(text: &str, family: &str) -> Option<f64> {
    let values = text.lines().filter(|line| line.starts_with(family));
    values.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).reduce(|sum, value| sum + value)
}

/// Returns the number of requests to Nomad and the number of received bytes so far.
pub(crate) fn traffic(text: &str) -> (f64, f64) {
    let count = |family: &str| sum(text, family).expect("the exporter counts requests and bytes");
    (count("nomad_exporter_api_requests_total"), count("nomad_exporter_api_response_bytes_total"))
}

/// Returns the path of a program that was built together with this one, with the same settings.
fn program(name: &str) -> PathBuf {
    std::env::current_exe().expect("Linux reports the path of this program").with_file_name(name)
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port")
}
