//! Benchmark of the release binary against clusters of each size, with the CPU that serde_json and a static server need
//! for the same bytes, in one run. `make bench SIZES="S M"` runs some sizes only, and `--quick` runs fewer refreshes,
//! enough to see that it works. `--events` measures what lists and the event stream cost the servers instead.
//!
//! CPU is the CPU time of the exporter's process, never wall time. The simulated Nomad is a separate process, so its
//! cost is not included.

mod estimate;
mod events;
mod marks;
mod process;
mod scrape;

use std::time::Instant;

use nomad_exporter::collect::COLLECTORS;
use nomad_simulator::{Load, Size};

use estimate::Work;
use process::{Exporter, Nomad};

/// Collectors that are not part of a live refresh.
const NOT_LIVE: [&str; 5] =
    ["finished_jobs", "finished_allocations", "task_states", "host_stats", "allocation_usage"];
/// Collectors of a history refresh.
const HISTORY: [&str; 3] = ["servers", "finished_jobs", "finished_allocations"];
/// Collectors for host statistics.
const CLIENTS: [&str; 2] = ["nodes", "host_stats"];

/// Returns flags that enable only these collectors.
fn only(is_on: impl Fn(&str) -> bool) -> Vec<String> {
    let off = COLLECTORS.iter().filter(|collector| !is_on(collector.name()));
    off.map(|collector| format!("--no-collector.{}", collector.name())).collect()
}

/// Number of concurrent scrapers.
const SCRAPERS: usize = 50;

/// Measurements of one size.
struct Row {
    size: Size,
    live_cpu: f64,
    /// In a cluster without changes.
    quiet_cpu: f64,
    /// With gzipped responses.
    gzip_cpu: f64,
    /// Of the simulated Nomad.
    sender_cpu: f64,
    gzip_sender_cpu: f64,
    /// With ten times the dead jobs and terminal allocations.
    old_cpu: f64,
    live_bytes: f64,
    live_requests: f64,
    live_work: Work,
    quiet_work: Work,
    history_work: Work,
    quiet_history_work: Work,
    history_cpu: f64,
    history_bytes: f64,
    /// Host statistics requests per CPU second, including the start and the list of nodes.
    clients_per_cpu: f64,
    skim: f64,
    decode: f64,
    peak_mib: f64,
    first_scrape: f64,
    series: f64,
    plain_bytes: usize,
    gzip_bytes: usize,
    scrapes: scrape::Percentiles,
    served: scrape::Percentiles,
}

#[expect(clippy::print_stdout, reason = "the table is the output of the benchmark")]
fn main() {
    let quick = std::env::args().any(|arg| arg == "--quick");
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let is_wanted =
        |size: &Size| wanted.is_empty() || wanted.iter().any(|name| name.eq_ignore_ascii_case(size.name()));
    if std::env::args().any(|arg| arg == "--events") {
        Size::ALL.into_iter().filter(is_wanted).for_each(events::print);
        return;
    }
    let rows: Vec<Row> = Size::ALL.into_iter().filter(is_wanted).map(|size| measure(size, quick)).collect();
    print!("| measurement |");
    rows.iter().for_each(|row| print!(" {} |", row.size.name()));
    print!("\n|---|");
    rows.iter().for_each(|_| print!("---:|"));
    println!();
    line(&rows, "live refresh: CPU, s", |row| format!("{:.3}", row.live_cpu));
    line(&rows, "decoding the same bytes from a reader: CPU, s", |row| format!("{:.4}", row.decode));
    line(&rows, "live refresh ÷ decoding", |row| format!("{:.2}", row.live_cpu / row.decode));
    line(&rows, "live refresh without changes: CPU, s", |row| format!("{:.3}", row.quiet_cpu));
    line(&rows, "live refresh with gzipped responses: CPU, s", |row| format!("{:.3}", row.gzip_cpu));
    line(&rows, "sender's CPU, plain responses, s", |row| format!("{:.3}", row.sender_cpu));
    line(&rows, "sender's CPU, gzipped responses, s", |row| format!("{:.3}", row.gzip_sender_cpu));
    line(&rows, "live refresh with ten times the dead jobs: CPU, s", |row| format!("{:.3}", row.old_cpu));
    line(&rows, "skimming the same bytes (`IgnoredAny`): CPU, s", |row| format!("{:.4}", row.skim));
    line(&rows, "live refresh: MB received", |row| format!("{:.1}", row.live_bytes / 1e6));
    line(&rows, "live refresh: requests", |row| format!("{:.0}", row.live_requests));
    line(&rows, "live refresh: rows that filters look at", |row| format!("{:.0}", row.live_work.filtered));
    line(&rows, "live refresh: rows compared with a status", |row| format!("{:.0}", row.live_work.compared));
    line(&rows, "live refresh: rows sent", |row| format!("{:.0}", row.live_work.sent));
    line(&rows, "live refresh when nothing changed: rows sent", |row| format!("{:.0}", row.quiet_work.sent));
    line(&rows, "history refresh: rows that filters look at", |row| {
        format!("{:.0}", row.history_work.filtered)
    });
    line(&rows, "history refresh: rows sent", |row| format!("{:.0}", row.history_work.sent));
    line(&rows, "a server's CPU, estimated, s a minute", |row| {
        format!("{:.2}", 4.0 * row.live_work.cpu() + row.history_work.cpu())
    });
    line(&rows, "a server's CPU when nothing changed, estimated, s a minute", |row| {
        format!("{:.4}", 4.0 * row.quiet_work.cpu() + row.quiet_history_work.cpu())
    });
    line(&rows, "history refresh: CPU, s", |row| format!("{:.3}", row.history_cpu));
    line(&rows, "history refresh: MB received", |row| format!("{:.1}", row.history_bytes / 1e6));
    line(&rows, "host statistics requests per CPU second", |row| format!("{:.0}", row.clients_per_cpu));
    line(&rows, "peak memory, MiB", |row| format!("{:.0}", row.peak_mib));
    line(&rows, "start to first full scrape, s", |row| format!("{:.1}", row.first_scrape));
    line(&rows, "series", |row| format!("{:.0}", row.series));
    line(&rows, "exposition, MB", |row| format!("{:.2}", row.plain_bytes as f64 / 1e6));
    line(&rows, "exposition gzipped, MB", |row| format!("{:.2}", row.gzip_bytes as f64 / 1e6));
    line(&rows, "50 concurrent scrapes: p50, ms", |row| format!("{:.1}", row.scrapes.p50 * 1e3));
    line(&rows, "50 concurrent scrapes: p99, ms", |row| format!("{:.1}", row.scrapes.p99 * 1e3));
    line(&rows, "static server, same bytes: p50, ms", |row| format!("{:.1}", row.served.p50 * 1e3));
    line(&rows, "static server, same bytes: p99, ms", |row| format!("{:.1}", row.served.p99 * 1e3));
    line(&rows, "scrape p99 ÷ static server p99", |row| format!("{:.2}", row.scrapes.p99 / row.served.p99));
}

#[expect(clippy::print_stdout, reason = "the table is the output of the benchmark")]
fn line(rows: &[Row], what: &str, value: fn(&Row) -> String) {
    print!("| {what} |");
    rows.iter().for_each(|row| print!(" {} |", value(row)));
    println!();
}

#[expect(clippy::print_stderr, reason = "progress, because this takes minutes")]
fn measure(size: Size, quick: bool) -> Row {
    eprintln!("measuring {}", size.name());
    let nomad = Nomad::start(size, &[]);
    let lists = marks::Lists::new(Load::new(size, 1));
    let (skim, decode) = (lists.skim(), lists.decode());

    let collectors = only(|collector| !NOT_LIVE.contains(&collector));
    let live = cost(&nomad, &collectors, size, quick);
    let at_rest = Nomad::start(size, &["--quiet"]);
    let quiet_cost = cost(&at_rest, &collectors, size, quick);
    let history = only(|collector| HISTORY.contains(&collector));
    let quiet_history = cost(&at_rest, &history, size, quick);
    let old = cost(&Nomad::start(size, &["--dead-factor", "10"]), &collectors, size, quick);
    let zipped = [&collectors[..], &["--nomad.accept-encoding=gzip".to_owned()]].concat();
    let zipped = cost(&nomad, &zipped, size, quick);
    let history = cost(&nomad, &history, size, quick);
    let clients = Exporter::start(&nomad, &only(|collector| CLIENTS.contains(&collector)));
    clients.wait_for(|text| text.contains("nomad_exporter_collector_up{collector=\"host_stats\"} 1"));
    // Less than a tick of the system's clock counts as one tick.
    let clients_per_cpu = size.nodes() as f64 / clients.cpu_seconds().max(0.01);
    drop(clients);

    let started = Instant::now();
    let exporter = Exporter::start(&nomad, &[]);
    let full = |text: &str| {
        text.contains("nomad_exporter_collector_up{collector=\"finished_jobs\"} 1")
            && text.contains("nomad_exporter_collector_up{collector=\"finished_allocations\"} 1")
            && text.contains("nomad_exporter_collector_up{collector=\"host_stats\"} 1")
            && text.contains("\nnomad_up 1\n")
    };
    let text = exporter.wait_for(full);
    let first_scrape = started.elapsed().as_secs_f64();
    let gzip = exporter.scrape(true);
    // Two more live refreshes, while it is scraped.
    let refreshes = exporter.refreshes("members");
    exporter.wait_for(|text| process::value(text, &process::requests("members")) >= refreshes + 2.0);
    let [scrapes, served] = scrape::compare([exporter.address(), scrape::serve(gzip.clone())], SCRAPERS);
    Row {
        size,
        live_cpu: live.cpu,
        quiet_cpu: quiet_cost.cpu,
        gzip_cpu: zipped.cpu,
        sender_cpu: live.sender_cpu,
        gzip_sender_cpu: zipped.sender_cpu,
        old_cpu: old.cpu,
        live_bytes: live.bytes,
        live_requests: live.requests,
        live_work: live.work,
        quiet_work: quiet_cost.work,
        history_work: history.work,
        quiet_history_work: quiet_history.work,
        history_cpu: history.cpu,
        history_bytes: history.bytes,
        clients_per_cpu,
        skim,
        decode,
        peak_mib: exporter.peak_mib(),
        first_scrape,
        series: process::value(&text, "nomad_exporter_series"),
        plain_bytes: text.len(),
        gzip_bytes: gzip.len(),
        scrapes,
        served,
    }
}

/// Number of refreshes after which the exporter knows for which lists a probe is worth its request.
const SETTLED: f64 = 5.0;

/// Cost of one refresh.
struct Cost {
    cpu: f64,
    /// Of the simulated Nomad, which is not part of the exporter's.
    sender_cpu: f64,
    bytes: f64,
    requests: f64,
    /// Estimated work of a real Nomad server.
    work: Work,
}

/// Returns the mean cost of several refreshes, including rendering for one scraper.
fn cost(nomad: &Nomad, collectors: &[String], size: Size, quick: bool) -> Cost {
    let (interval, refreshes) = match size {
        Size::S | Size::M if quick => ("1s", 3.0),
        Size::S | Size::M => ("1s", 15.0),
        Size::L => ("4s", 4.0),
        Size::C2M => ("20s", 2.0),
    };
    let clocks = ["--collect.interval", interval, "--collect.history-interval", interval];
    let patience = ["--collect.duty-cycle", "1", "--nomad.timeout", "60s"];
    let flags = clocks.into_iter().chain(patience).map(str::to_owned);
    let exporter = Exporter::start(nomad, &collectors.iter().cloned().chain(flags).collect::<Vec<_>>());
    // The list of servers is requested once in each refresh, however long the others take.
    let ok = process::requests("members");
    let moment = |at_least: f64| {
        let text = exporter.wait_for(|text| process::value(text, &ok) >= at_least);
        let (cpu, done) = (exporter.cpu_seconds(), process::value(&text, &ok));
        let (requests, bytes) = process::traffic(&text);
        ([done, cpu, bytes, requests, nomad.cpu_seconds()], Work::so_far(nomad.address()))
    };
    let (before, work_before) = moment(SETTLED);
    let (after, work_after) = moment(before[0] + refreshes);
    let per_refresh = |at: usize| (after[at] - before[at]) / (after[0] - before[0]);
    Cost {
        cpu: per_refresh(1),
        sender_cpu: per_refresh(4),
        bytes: per_refresh(2),
        requests: per_refresh(3),
        work: work_after.since(work_before, after[0] - before[0]),
    }
}
