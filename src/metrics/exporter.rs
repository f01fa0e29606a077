//! Metrics of the exporter itself.

use super::family::{Family, Kind};
use super::own;
use super::sink::{Emitted, Samples};
use super::view::View;
use crate::snapshot::{CollectorId, CollectorState};
use crate::terms::Term;

/// Bucket bounds of request durations, in seconds.
pub(super) const DURATION_BUCKETS: [f64; 8] = [0.005, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 60.0];

pub(super) const API_REQUESTS: &Family = &Family {
    name: "nomad_exporter_api_requests_total",
    help: "Total number of requests to Nomad by result: ok, or the reason of the failure.",
    kind: Kind::Counter,
    labels: &["endpoint", "reason"],
    collectors: &[],
    emit: |view, out| own::emit_own(view, out, API_REQUESTS.name),
};

pub(super) const API_DURATION: &Family = &Family {
    name: "nomad_exporter_api_request_duration_seconds",
    help: "Duration of requests to Nomad, including decoding.",
    kind: Kind::Histogram,
    labels: &["endpoint"],
    collectors: &[],
    emit: |view, out| own::emit_own(view, out, API_DURATION.name),
};

pub(super) const API_BYTES: &Family = &Family {
    name: "nomad_exporter_api_response_bytes_total",
    help: "Total size of Nomad's responses in bytes, after decompression.",
    kind: Kind::Counter,
    labels: &["endpoint"],
    collectors: &[],
    emit: |view, out| own::emit_own(view, out, API_BYTES.name),
};

pub(super) const FILE_SUCCESSFUL: &Family = &Family {
    name: "nomad_exporter_file_last_reload_successful",
    help: "1 if the last reload of the files succeeded, 0 if the previous version is still in use. The label file is \
           token (--nomad.token-file), api_tls (CA and client certificates for Nomad's API) or web_config \
           (--web.config.file and the certificates that it names). Absent for files that are not configured.",
    kind: Kind::Gauge,
    labels: &["file"],
    collectors: &[],
    emit: |view, out| own::emit_own(view, out, FILE_SUCCESSFUL.name),
};

pub(super) const FILE_SUCCESS_TIME: &Family = &Family {
    name: "nomad_exporter_file_last_reload_success_timestamp_seconds",
    help: "Unix time of the last successful reload of the files.",
    kind: Kind::Gauge,
    labels: &["file"],
    collectors: &[],
    emit: |view, out| own::emit_own(view, out, FILE_SUCCESS_TIME.name),
};

pub(super) const EVENT_STREAM_UP: &Family = &Family {
    name: "nomad_exporter_event_stream_up",
    help: "1 if Nomad's event stream is open and shows which jobs and allocations change, 0 if their lists are \
           requested instead. Absent with --collect.events=off.",
    kind: Kind::Gauge,
    labels: &[],
    collectors: &[],
    emit: |view, out| own::emit_own(view, out, EVENT_STREAM_UP.name),
};

pub(super) const EVENTS: &Family = &Family {
    name: "nomad_exporter_events_total",
    help: "Total number of events read from Nomad's event stream by topic.",
    kind: Kind::Counter,
    labels: &["topic"],
    collectors: &[],
    emit: |view, out| own::emit_own(view, out, EVENTS.name),
};

pub(super) const EVENT_CORRECTIONS: &Family = &Family {
    name: "nomad_exporter_event_corrections_total",
    help: "Total number of objects that differed between a list requested from Nomad and the data \
           that the exporter kept, although the event stream had not shown a change.",
    kind: Kind::Counter,
    labels: &["section"],
    collectors: &[],
    emit: |view, out| own::emit_own(view, out, EVENT_CORRECTIONS.name),
};

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "nomad_up",
        help: "1 if the last refresh of every required collector (jobs, nodes, allocations, evaluations) succeeded, 0 \
               otherwise.",
        kind: Kind::Gauge,
        labels: &[],
        collectors: &[],
        emit: |view, out| out.add(&[], f64::from(view.is_up)),
    },
    Family {
        name: "nomad_exporter_collector_up",
        help: "1 if the last refresh of the collector succeeded, 0 otherwise.",
        kind: Kind::Gauge,
        labels: &["collector"],
        collectors: &[],
        emit: |view, out| of_collector(view, out, |collector| collector.up.map(f64::from)),
    },
    Family {
        name: "nomad_exporter_collector_last_success_timestamp_seconds",
        help: "Unix time of the last successful refresh of the collector. If it fails for longer than its maximum \
               age, its metrics are dropped.",
        kind: Kind::Gauge,
        labels: &["collector"],
        collectors: &[],
        emit: |view, out| {
            for collector in view.collectors {
                out.add_time(&[collector.id.as_str()], collector.last_success);
            }
        },
    },
    Family {
        name: "nomad_exporter_collector_refresh_duration_seconds",
        help: "Duration of the last refresh of the collector.",
        kind: Kind::Gauge,
        labels: &["collector"],
        collectors: &[],
        emit: |view, out| of_collector(view, out, |collector| Some(collector.duration?.as_secs_f64())),
    },
    Family {
        name: "nomad_exporter_collector_objects",
        help: "Number of objects that the last successful refresh of the collector read.",
        kind: Kind::Gauge,
        labels: &["collector"],
        collectors: &[],
        emit: |view, out| of_collector(view, out, |collector| collector.objects.map(|count| count as f64)),
    },
    Family {
        name: "nomad_exporter_collector_interval_seconds",
        help: "Interval between refreshes of the collector. Longer than the configured interval if the collector \
               would otherwise take more than --collect.duty-cycle (by default 5 %) of the time.",
        kind: Kind::Gauge,
        labels: &["collector"],
        collectors: &[],
        emit: |view, out| of_collector(view, out, |collector| Some(collector.interval.as_secs_f64())),
    },
    Family {
        name: "nomad_exporter_collector_panics_total",
        help: "Total number of panics of the collector. It is restarted after each.",
        kind: Kind::Counter,
        labels: &["collector"],
        collectors: &[],
        emit: |view, out| of_collector(view, out, |collector| Some(collector.panics as f64)),
    },
    Family { ..*API_REQUESTS },
    Family { ..*API_DURATION },
    Family { ..*API_BYTES },
    Family { ..*FILE_SUCCESSFUL },
    Family { ..*FILE_SUCCESS_TIME },
    Family { ..*EVENT_STREAM_UP },
    Family { ..*EVENTS },
    Family { ..*EVENT_CORRECTIONS },
    Family {
        name: "nomad_exporter_last_contact_seconds",
        help: "Maximum staleness of the data: the longest time since the last contact with \
               the leader, among the servers that responded.",
        kind: Kind::Gauge,
        labels: &[],
        collectors: &[],
        emit: |view, out| {
            let contacts = view.collectors.iter().filter_map(|collector| collector.last_contact);
            out.add_some(&[], contacts.max().map(|contact| contact.as_secs_f64()));
        },
    },
    Family {
        name: "nomad_exporter_sees_all_namespaces",
        help: "1 if the jobs and allocations of all namespaces are read. 0 if --nomad.namespace, NOMAD_NAMESPACE or \
               the permissions of the token exclude some: metrics that sum over the allocations of a node are then \
               absent. Absent if Nomad does not report the permissions of the token.",
        kind: Kind::Gauge,
        labels: &[],
        collectors: &[CollectorId::Token],
        emit: |view, out| out.add_some(&[], view.joins().coverage.sees_all().map(f64::from)),
    },
    Family {
        name: "nomad_exporter_build_info",
        help: "Version, commit and Rust version of the exporter, as labels.",
        kind: Kind::Info,
        labels: &["version", "revision", "rustversion"],
        collectors: &[],
        emit: |_, out| {
            let (version, revision) = (env!("CARGO_PKG_VERSION"), env!("NOMAD_EXPORTER_REVISION"));
            out.add(&[version, revision, env!("NOMAD_EXPORTER_RUSTC")], 1.0);
        },
    },
    Family {
        name: "nomad_exporter_series_dropped",
        help: "Number of series dropped from this exposition because of a limit, by metric.",
        kind: Kind::Gauge,
        labels: &["family"],
        collectors: &[],
        emit: |_, out| of_families(out, |emitted| emitted.dropped),
    },
    Family {
        name: "nomad_exporter_samples_with_shortened_labels",
        help: "Number of samples in this exposition with label values that were truncated to \
               --metrics.max-label-length, by metric. A truncated value ends with `…` and a checksum.",
        kind: Kind::Gauge,
        labels: &["family"],
        collectors: &[],
        emit: |_, out| of_families(out, |emitted| emitted.shortened),
    },
    // Must be the last metric, because it counts all others.
    Family {
        name: "nomad_exporter_series",
        help: "Number of series in this exposition.",
        kind: Kind::Gauge,
        labels: &[],
        collectors: &[],
        emit: |_, out| out.add_count(&[], out.series_so_far() + 1),
    },
];

/// Emits a count for each metric with a count above zero.
fn of_families(out: &mut Samples<'_, '_>, count: fn(&Emitted) -> u64) {
    for (family, emitted) in out.families_so_far().iter().filter(|(_, emitted)| count(emitted) > 0) {
        out.add_count(&[family], count(emitted));
    }
}

fn of_collector(view: &View<'_>, out: &mut Samples<'_, '_>, value: fn(&CollectorState) -> Option<f64>) {
    for collector in view.collectors {
        out.add_some(&[collector.id.as_str()], value(collector));
    }
}
