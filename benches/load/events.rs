//! Cost of some minutes for Nomad's servers, with lists and with the event stream, while builds start and end.

use std::thread;
use std::time::{Duration, Instant};

use nomad_simulator::Size;

use super::estimate::Work;
use super::process::{self, Exporter, Nomad};

/// Time after the start until lists, probes and the event stream are in a steady state.
const WARM_UP: Duration = Duration::from_secs(120);
/// Measured time: the exporter requests its lists every ten to twelve minutes although it reads events.
const MEASURED: Duration = Duration::from_secs(720);

/// Builds per minute, and whether events are read.
const CASES: [(u64, bool); 6] =
    [(0, false), (300, false), (3_000, false), (0, true), (300, true), (3_000, true)];

/// Means per minute.
struct Row {
    builds: u64,
    events: bool,
    work: Work,
    requests: f64,
    bytes: f64,
    own_cpu: f64,
    /// `None` without events.
    corrections: Option<f64>,
    peak_mib: f64,
}

/// Measures all cases of a size at the same time, because rows and bytes do not depend on the speed of the machine.
#[expect(clippy::print_stdout, reason = "the table is the output of the benchmark")]
pub(crate) fn print(size: Size) {
    let cases: Vec<_> = CASES.into_iter().map(|case| thread::spawn(move || measure(size, case))).collect();
    println!("\n{}, per minute, with the default flags:\n", size.name());
    println!(
        "| builds | source | requests | single rows | rows that filters look at | rows and events sent | a server's CPU, \
         estimated, s | MB received | the exporter's CPU, s | corrections | peak memory, MiB |"
    );
    println!("|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    for case in cases {
        let Row { builds, events, work, requests, bytes, own_cpu, corrections, peak_mib } =
            case.join().expect("a measurement");
        let source = if events { "events" } else { "lists" };
        let corrections = corrections.map_or("–".to_owned(), |rows| format!("{rows:.0}"));
        println!(
            "| {builds} | {source} | {requests:.0} | {:.0} | {:.0} | {:.0} | {:.3} | {:.1} | {own_cpu:.2} | {corrections} | {peak_mib:.0} |",
            work.single,
            work.filtered,
            work.sent,
            work.cpu(),
            bytes / 1e6,
        );
    }
}

fn measure(size: Size, (builds, events): (u64, bool)) -> Row {
    let per_minute = builds.to_string();
    let changes: &[&str] = if builds > 0 { &["--builds", &per_minute] } else { &["--quiet"] };
    let nomad = Nomad::start(size, changes);
    let mode = format!("--collect.events={}", if events { "auto" } else { "off" });
    let exporter = Exporter::start(&nomad, &[mode]);
    thread::sleep(WARM_UP);
    let (started, before, cpu) = (Instant::now(), moment(&nomad, &exporter), exporter.cpu_seconds());
    thread::sleep(MEASURED);
    let (minutes, after) = (started.elapsed().as_secs_f64() / 60.0, moment(&nomad, &exporter));
    let text = exporter.wait_for(|_| true);
    Row {
        builds,
        events,
        work: after.0.since(before.0, minutes),
        requests: (after.1 - before.1) / minutes,
        bytes: (after.2 - before.2) / minutes,
        own_cpu: (exporter.cpu_seconds() - cpu) / minutes,
        corrections: process::sum(&text, "nomad_exporter_event_corrections_total"),
        peak_mib: exporter.peak_mib(),
    }
}

/// Returns the work of the servers, the requests and the received bytes so far.
fn moment(nomad: &Nomad, exporter: &Exporter) -> (Work, f64, f64) {
    let (requests, bytes) = process::traffic(&exporter.wait_for(|_| true));
    (Work::so_far(nomad.address()), requests, bytes)
}
