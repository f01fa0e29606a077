//! The exporter itself: what it reads, how old that is, and what it costs.

use serde_json::Value;

use crate::board::Board;
use crate::panel::{Panel, Words, YES, stat, timeseries, yes_or_no};
use crate::promql::quantile;
use crate::table::{Column, table};

const AGE: &str = "time() - nomad_exporter_collector_last_success_timestamp_seconds";
const REQUESTS: &str = "nomad_exporter_api_requests_total";
const DURATION: &str = "nomad_exporter_api_request_duration_seconds";

pub(crate) fn dashboard() -> Value {
    Board::new(
        "nomad-exporter",
        "Nomad / Exporter",
        "The exporter itself: what it reads from Nomad, how old that is, and what it costs.",
        &[],
    )
    .row("Now", now())
    .row("Collectors", collectors())
    .row("Nomad's API", api())
    .row("Series and process", process())
    .build()
}

fn now() -> [Panel; 9] {
    let up = Words { no: ("no", "red"), yes: ("up", "green") };
    let errors = format!(r#"{REQUESTS}{{reason!="ok"}}"#);
    let errors = format!(
        "(sum(rate({errors}[$__rate_interval])) or 0 * min(nomad_up)) / sum(rate({REQUESTS}[$__rate_interval]))"
    );
    let dropped = "sum(nomad_exporter_series_dropped) or 0 * sum(nomad_exporter_series)";
    [
        yes_or_no("Nomad", "Whether the last refresh of every required collector succeeded.", up, "min(nomad_up)"),
        stat("Failing collectors", "Collectors whose last refresh failed.", "none", "sum(1 - nomad_exporter_collector_up)")
            .thresholds("green", &[(1.0, "red")]),
        stat(
            "Oldest collector",
            "The longest time since a collector last succeeded, in intervals of that collector. After its maximum age, four \
             intervals by default, its families vanish.",
            "none",
            &format!("max(({AGE}) / nomad_exporter_collector_interval_seconds)"),
        )
        .default("decimals", 1.into())
        .thresholds("green", &[(2.0, "yellow"), (4.0, "red")]),
        stat("Failing requests", "Share of the requests to Nomad that failed.", "percentunit", &errors)
            .thresholds("green", &[(0.01, "yellow"), (0.1, "red")]),
        stat(
            "Last contact",
            "The longest time since an answering server last heard its leader: how old stale reads may be.",
            "s",
            "max(nomad_exporter_last_contact_seconds)",
        ),
        stat("Series", "Series in the last exposition.", "short", "sum(nomad_exporter_series)").size(2, 4),
        stat("Dropped series", "Series that a cap cut.", "short", dropped).size(2, 4).thresholds("green", &[(1.0, "yellow")]),
        stat("Uptime", "Since when the exporter runs.", "s", "min(time() - process_start_time_seconds)").size(2, 4),
        table(
            "Build",
            "What this exporter was built from.",
            "No exporter is known",
            &[("version", "Version"), ("revision", "Revision"), ("rustversion", "Rust")],
            &[Column::hidden("max by (version, revision, rustversion) (nomad_exporter_build_info)")],
        )
        .size(4, 4),
    ]
}

fn collectors() -> [Panel; 4] {
    let of = |query: &str| format!("max by (collector) ({query})");
    let duration = "nomad_exporter_collector_refresh_duration_seconds";
    let objects = "nomad_exporter_collector_objects";
    let line = |title, description, unit, query: &str| {
        timeseries(title, description, unit).size(8, 8).query(&of(query), "{{collector}}")
    };
    [
        table(
            "Collectors",
            "What the exporter reads from Nomad: whether it may and can, how old it is, and how much it is.",
            "No collector is known",
            &[("collector", "Collector")],
            &[
                Column::words("Up", YES, "min by (collector) (nomad_exporter_collector_up)"),
                Column::new("Age", "s", of(AGE)),
                Column::new("Interval", "s", of("nomad_exporter_collector_interval_seconds")),
                Column::new("Refresh took", "s", of(duration)),
                Column::new("Objects", "short", of(objects)),
            ],
        )
        .size(24, 9),
        line(
            "Age of the last success",
            "Rises to the interval, and beyond it when a collector fails.",
            "s",
            AGE,
        ),
        line("Refresh duration", "How long the last refresh of a collector took.", "s", duration),
        line("Objects", "Rows that the last successful refresh of a collector read.", "short", objects),
    ]
}

fn api() -> [Panel; 6] {
    let rate = |by: &str, family: &str| format!("sum by ({by}) (rate({family}[$__rate_interval]))");
    let all = |q| quantile(q, DURATION, "", "le");
    let panel = |title, description, unit| timeseries(title, description, unit).size(8, 8);
    let failed = format!(r#"{REQUESTS}{{reason!="ok"}}"#);
    [
        panel("Requests by endpoint", "Requests to Nomad.", "reqps")
            .query(&rate("endpoint", REQUESTS), "{{endpoint}}")
            .stacked(),
        panel("Requests by result", "Requests to Nomad, by how they ended.", "reqps")
            .query(&rate("reason", REQUESTS), "{{reason}}")
            .stacked(),
        panel("Failed requests", "Requests to Nomad that failed, by endpoint.", "reqps").query(
            &format!("{} or 0 * {}", rate("endpoint", &failed), rate("endpoint", REQUESTS)),
            "{{endpoint}}",
        ),
        panel("Request duration", "How long requests to Nomad took, decoding included.", "s")
            .query(&all(0.5), "median")
            .query(&all(0.95), "95 %")
            .query(&all(0.99), "99 %"),
        panel("Request duration by endpoint", "What 95 % of the requests to an endpoint took at most.", "s")
            .query(&quantile(0.95, DURATION, "", "le, endpoint"), "{{endpoint}}"),
        panel("Response bytes by endpoint", "Nomad's answers, after decompression.", "Bps")
            .query(&rate("endpoint", "nomad_exporter_api_response_bytes_total"), "{{endpoint}}")
            .stacked(),
    ]
}

fn process() -> [Panel; 6] {
    let panel = |title, description, unit| timeseries(title, description, unit).size(8, 8);
    [
        panel("Series", "Series in the exposition, and those that a cap cut, by family.", "short")
            .query("sum by (instance) (nomad_exporter_series)", "{{instance}}")
            .query("sum by (family) (nomad_exporter_series_dropped)", "dropped {{family}}"),
        panel("CPU", "Cores that the exporter uses.", "short")
            .query("sum by (instance) (rate(process_cpu_seconds_total[$__rate_interval]))", "{{instance}}"),
        panel("Memory", "Resident memory of the exporter.", "bytes")
            .query("sum by (instance) (process_resident_memory_bytes)", "{{instance}}"),
        panel(
            "File descriptors",
            "Share of the file descriptors that the exporter may have open.",
            "percentunit",
        )
        .query("max by (instance) (process_open_fds / process_max_fds)", "{{instance}}"),
        panel("Threads", "Threads of the exporter.", "short")
            .query("sum by (instance) (process_threads)", "{{instance}}"),
        panel("Last contact", "The longest time since an answering server last heard its leader.", "s")
            .query("max by (instance) (nomad_exporter_last_contact_seconds)", "{{instance}}"),
    ]
}
