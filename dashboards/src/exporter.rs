//! The exporters: what they read, the age of their data, and their resource usage.

use serde_json::Value;

use crate::board::{Board, Variable};
use crate::panel::{Panel, Words, YES, stat, timeseries, yes_or_no};
use crate::table::{Column, table};

const SUCCESS: &str = "nomad_exporter_collector_last_success_timestamp_seconds{%instance}";
const INTERVAL: &str = "nomad_exporter_collector_interval_seconds{%instance}";
const REQUESTS: &str = "nomad_exporter_api_requests_total";
const DURATION: &str = "nomad_exporter_api_request_duration_seconds";
/// Legend with one line per exporter.
const EXPORTER: &str = "{{cluster}} {{region}} {{instance}}";
const BY_EXPORTER: &str = "cluster, region, instance";

pub(crate) fn dashboard() -> Value {
    Board::new(
        "nomad-exporter",
        "Nomad / Exporter",
        "The exporters themselves: what they read from Nomad, the age of their data, and their resource usage.",
        &[Variable::Instance],
    )
    .row("Now", now())
    .row("Collectors", collectors())
    .row("Nomad's API", api())
    .row("Series and process", process())
    .build()
}

fn now() -> [Panel; 9] {
    let up = Words { no: ("no", "red"), yes: ("up", "green") };
    let requests = |matchers: &str| format!("sum(rate({REQUESTS}{{{matchers}}}[$__rate_interval]))");
    let failing = requests(r#"%instance, reason!="ok""#);
    let all = requests("%instance");
    let errors = format!("({failing} or 0 * {all}) / {all}");
    let dropped =
        "sum(nomad_exporter_series_dropped{%instance}) or 0 * sum(nomad_exporter_series{%instance})";
    [
        yes_or_no(
            "Nomad",
            "Whether the last refresh of every required collector succeeded on every exporter.",
            up,
            "min(nomad_up{%instance})",
        ),
        stat(
            "Failing collectors",
            "Number of collectors of all exporters whose last refresh failed.",
            "none",
            "sum(1 - nomad_exporter_collector_up{%instance})",
        )
        .thresholds("green", &[(1.0, "red")]),
        stat(
            "Oldest collector",
            "Longest time since the last success of a collector, in multiples of its interval. After the maximum \
             age, by default four intervals, the metrics of the collector are dropped.",
            "none",
            &format!("max((time() - {SUCCESS}) / {INTERVAL})"),
        )
        .default("decimals", 1.into())
        .thresholds("green", &[(2.0, "yellow"), (4.0, "red")]),
        stat("Failing requests", "Share of the requests to Nomad that failed.", "percentunit", &errors)
            .thresholds("green", &[(0.01, "yellow"), (0.1, "red")]),
        stat(
            "Last contact",
            "Longest time since a server that responded was last in contact with the leader. Data from stale reads \
             can be this old.",
            "s",
            "max(nomad_exporter_last_contact_seconds{%instance})",
        ),
        stat(
            "Series",
            "Number of series of the exporter that has the most.",
            "short",
            "max(nomad_exporter_series{%instance})",
        )
        .size(2, 4),
        stat("Dropped series", "Series that were dropped because of a limit.", "short", dropped)
            .size(2, 4)
            .thresholds("green", &[(1.0, "yellow")]),
        stat(
            "Uptime",
            "Time since the start of the exporter that was started last.",
            "s",
            "min(time() - process_start_time_seconds{%instance} and on (instance) nomad_up{%instance})",
        )
        .size(2, 4),
        table(
            "Build",
            "Version, commit and Rust version of each exporter.",
            "No exporter is known",
            &[("instance", "Exporter"), ("version", "Version"), ("revision", "Revision"), ("rustversion", "Rust")],
            &[Column::hidden(
                "max by (instance, version, revision, rustversion) (nomad_exporter_build_info{%instance})",
            )],
        )
        .size(4, 4),
    ]
}

fn collectors() -> [Panel; 4] {
    let of = |query: &str| format!("max by ({BY_EXPORTER}, collector) ({query})");
    let duration = "nomad_exporter_collector_refresh_duration_seconds{%instance}";
    let objects = "nomad_exporter_collector_objects{%instance}";
    let age = format!("time() - {SUCCESS}");
    let line = |title, description, unit, query: &str| {
        timeseries(title, description, unit).size(8, 8).query(&of(query), "{{instance}} {{collector}}")
    };
    [
        table(
            "Collectors",
            "What each exporter reads from Nomad: whether the last refresh succeeded, the age of the data, and the \
             number of objects.",
            "No collector is known",
            &[("cluster", "Cluster"), ("region", "Region"), ("instance", "Exporter"), ("collector", "Collector")],
            &[
                Column::words("Up", YES, of("nomad_exporter_collector_up{%instance}")),
                Column::new("Age", "s", of(&age)),
                Column::new("Interval", "s", of(INTERVAL)),
                Column::new("Refresh duration", "s", of(duration)),
                Column::new("Objects", "short", of(objects)),
            ],
        )
        .size(24, 9),
        line(
            "Age of the last success",
            "Time since the last success of each collector. It rises up to the interval, and above it if the \
             collector fails.",
            "s",
            &age,
        ),
        line("Refresh duration", "How long the last refresh of a collector took.", "s", duration),
        line("Objects", "Number of objects that the last successful refresh of a collector read.", "short", objects),
    ]
}

fn api() -> [Panel; 6] {
    let rate =
        |by: &str, metric: &str| format!("sum by ({by}) (rate({metric}{{%instance}}[$__rate_interval]))");
    let quantile =
        |q: f64, by: &str| format!("histogram_quantile({q}, {})", rate(by, &format!("{DURATION}_bucket")));
    let panel = |title, description, unit| timeseries(title, description, unit).size(8, 8);
    let failed =
        format!(r#"sum by (endpoint) (rate({REQUESTS}{{%instance, reason!="ok"}}[$__rate_interval]))"#);
    [
        panel("Requests by endpoint", "Requests of all exporters to Nomad.", "reqps")
            .query(&rate("endpoint", REQUESTS), "{{endpoint}}")
            .stacked(),
        panel(
            "Requests by result",
            "Requests to Nomad by result: ok, or the reason of the failure.",
            "reqps",
        )
        .query(&rate("reason", REQUESTS), "{{reason}}")
        .stacked(),
        panel("Failed requests", "Requests to Nomad that failed, by endpoint.", "reqps")
            .query(&format!("{failed} or 0 * {}", rate("endpoint", REQUESTS)), "{{endpoint}}"),
        panel("Request duration", "Duration of requests to Nomad, including decoding.", "s")
            .query(&quantile(0.5, "le"), "median")
            .query(&quantile(0.95, "le"), "95 %")
            .query(&quantile(0.99, "le"), "99 %"),
        panel(
            "Request duration by endpoint",
            "95th percentile of the duration of requests to each endpoint.",
            "s",
        )
        .query(&quantile(0.95, "le, endpoint"), "{{endpoint}}"),
        panel("Response bytes by endpoint", "Size of Nomad's responses, after decompression.", "Bps")
            .query(&rate("endpoint", "nomad_exporter_api_response_bytes_total"), "{{endpoint}}")
            .stacked(),
    ]
}

fn process() -> [Panel; 6] {
    let panel = |title, description, unit| timeseries(title, description, unit).size(8, 8);
    let of = |metric: &str| format!("max by ({BY_EXPORTER}) ({metric})");
    // Other programs have these metrics too.
    let own =
        |metric: &str| of(&format!("{metric} and on ({BY_EXPORTER}) nomad_exporter_series{{%instance}}"));
    [
        panel(
            "Series",
            "Series in the exposition, and series that were dropped because of a limit, by metric.",
            "short",
        )
        .query(&of("nomad_exporter_series{%instance}"), EXPORTER)
        .query("max by (family) (nomad_exporter_series_dropped{%instance})", "dropped {{family}}"),
        panel("CPU", "CPU cores used by the exporter.", "short")
            .query(&own("rate(process_cpu_seconds_total{%instance}[$__rate_interval])"), EXPORTER),
        panel("Memory", "Resident memory of the exporter.", "bytes")
            .query(&own("process_resident_memory_bytes{%instance}"), EXPORTER),
        panel(
            "File descriptors",
            "Open file descriptors of the exporter, as a share of the maximum.",
            "percentunit",
        )
        .query(&own("process_open_fds{%instance} / process_max_fds{%instance}"), EXPORTER),
        panel("Threads", "Threads of the exporter.", "short")
            .query(&own("process_threads{%instance}"), EXPORTER),
        panel(
            "Last contact",
            "Longest time since a server that responded was last in contact with the leader.",
            "s",
        )
        .query(&of("nomad_exporter_last_contact_seconds{%instance}"), EXPORTER),
    ]
}
