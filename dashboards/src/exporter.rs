//! The exporters themselves: what they read, how old that is, and what it costs.

use serde_json::Value;

use crate::board::{Board, Variable};
use crate::panel::{Panel, Words, YES, stat, timeseries, yes_or_no};
use crate::table::{Column, table};

const SUCCESS: &str = "nomad_exporter_collector_last_success_timestamp_seconds{%instance}";
const INTERVAL: &str = "nomad_exporter_collector_interval_seconds{%instance}";
const REQUESTS: &str = "nomad_exporter_api_requests_total";
const DURATION: &str = "nomad_exporter_api_request_duration_seconds";
/// Each exporter has a line of its own.
const EXPORTER: &str = "{{cluster}} {{region}} {{instance}}";
const BY_EXPORTER: &str = "cluster, region, instance";

pub(crate) fn dashboard() -> Value {
    Board::new(
        "nomad-exporter",
        "Nomad / Exporter",
        "The exporters themselves: what they read from Nomad, how old that is, and what it costs.",
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
            "Whether the last refresh of every required collector succeeded, at every exporter.",
            up,
            "min(nomad_up{%instance})",
        ),
        stat(
            "Failing collectors",
            "Collectors whose last refresh failed, of all exporters.",
            "none",
            "sum(1 - nomad_exporter_collector_up{%instance})",
        )
        .thresholds("green", &[(1.0, "red")]),
        stat(
            "Oldest collector",
            "The longest time since a collector last succeeded, in intervals of that collector. After its maximum age, four \
             intervals by default, its metrics are dropped.",
            "none",
            &format!("max((time() - {SUCCESS}) / {INTERVAL})"),
        )
        .default("decimals", 1.into())
        .thresholds("green", &[(2.0, "yellow"), (4.0, "red")]),
        stat("Failing requests", "Share of the requests to Nomad that failed.", "percentunit", &errors)
            .thresholds("green", &[(0.01, "yellow"), (0.1, "red")]),
        stat(
            "Last contact",
            "The longest time since an answering server last heard its leader: how old stale reads may be.",
            "s",
            "max(nomad_exporter_last_contact_seconds{%instance})",
        ),
        stat(
            "Series",
            "Series in the last exposition of the exporter that has most.",
            "short",
            "max(nomad_exporter_series{%instance})",
        )
        .size(2, 4),
        stat("Dropped series", "Series that a cap cut.", "short", dropped)
            .size(2, 4)
            .thresholds("green", &[(1.0, "yellow")]),
        stat(
            "Uptime",
            "For how long the exporter runs that was started last.",
            "s",
            "min(time() - process_start_time_seconds{%instance} and on (instance) nomad_up{%instance})",
        )
        .size(2, 4),
        table(
            "Build",
            "What the exporters were built from.",
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
            "What the exporters read from Nomad: whether they may and can, how old it is, and how much it is.",
            "No collector is known",
            &[("cluster", "Cluster"), ("region", "Region"), ("instance", "Exporter"), ("collector", "Collector")],
            &[
                Column::words("Up", YES, of("nomad_exporter_collector_up{%instance}")),
                Column::new("Age", "s", of(&age)),
                Column::new("Interval", "s", of(INTERVAL)),
                Column::new("Refresh took", "s", of(duration)),
                Column::new("Objects", "short", of(objects)),
            ],
        )
        .size(24, 9),
        line(
            "Age of the last success",
            "Rises to the interval, and beyond it if a collector fails.",
            "s",
            &age,
        ),
        line("Refresh duration", "How long the last refresh of a collector took.", "s", duration),
        line("Objects", "Rows that the last successful refresh of a collector read.", "short", objects),
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
        panel("Requests by endpoint", "Requests to Nomad, of all exporters.", "reqps")
            .query(&rate("endpoint", REQUESTS), "{{endpoint}}")
            .stacked(),
        panel("Requests by result", "Requests to Nomad, by how they ended.", "reqps")
            .query(&rate("reason", REQUESTS), "{{reason}}")
            .stacked(),
        panel("Failed requests", "Requests to Nomad that failed, by endpoint.", "reqps")
            .query(&format!("{failed} or 0 * {}", rate("endpoint", REQUESTS)), "{{endpoint}}"),
        panel("Request duration", "How long requests to Nomad took, decoding included.", "s")
            .query(&quantile(0.5, "le"), "median")
            .query(&quantile(0.95, "le"), "95 %")
            .query(&quantile(0.99, "le"), "99 %"),
        panel("Request duration by endpoint", "What 95 % of the requests to an endpoint took at most.", "s")
            .query(&quantile(0.95, "le, endpoint"), "{{endpoint}}"),
        panel("Response bytes by endpoint", "Nomad's answers, after decompression.", "Bps")
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
        panel("Series", "Series in the exposition, and those that a cap cut, by metric.", "short")
            .query(&of("nomad_exporter_series{%instance}"), EXPORTER)
            .query("max by (family) (nomad_exporter_series_dropped{%instance})", "dropped {{family}}"),
        panel("CPU", "Cores that the exporter uses.", "short")
            .query(&own("rate(process_cpu_seconds_total{%instance}[$__rate_interval])"), EXPORTER),
        panel("Memory", "Resident memory of the exporter.", "bytes")
            .query(&own("process_resident_memory_bytes{%instance}"), EXPORTER),
        panel(
            "File descriptors",
            "Share of the file descriptors that the exporter may have open.",
            "percentunit",
        )
        .query(&own("process_open_fds{%instance} / process_max_fds{%instance}"), EXPORTER),
        panel("Threads", "Threads of the exporter.", "short")
            .query(&own("process_threads{%instance}"), EXPORTER),
        panel("Last contact", "The longest time since an answering server last heard its leader.", "s")
            .query(&of("nomad_exporter_last_contact_seconds{%instance}"), EXPORTER),
    ]
}
