//! The exporter's own counters, in a separate registry. Only these metrics are updated in place.

use std::time::{Duration, SystemTime};

use prometheus::proto::{Metric, MetricFamily, MetricType};
use prometheus::{GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry};

use super::exporter::{
    API_BYTES, API_DURATION, API_REQUESTS, DURATION_BUCKETS, EVENT_CORRECTIONS, EVENT_STREAM_UP, EVENTS,
    FILE_SUCCESS_TIME, FILE_SUCCESSFUL,
};
use super::process::Process;
use super::sink::Samples;
use super::view::View;

/// The counters and their registry.
pub struct OwnMetrics {
    registry: Registry,
    requests: IntCounterVec,
    durations: HistogramVec,
    bytes: IntCounterVec,
    /// Only configured files have a value.
    file_successful: GaugeVec,
    file_success_time: GaugeVec,
    /// Without a value if the event stream is disabled.
    event_stream_up: GaugeVec,
    events: IntCounterVec,
    corrections: IntCounterVec,
}

impl OwnMetrics {
    /// Creates the counters.
    pub fn new() -> Result<Self, prometheus::Error> {
        let opts = |family: &super::Family| Opts::new(family.name, family.help);
        let requests = IntCounterVec::new(opts(API_REQUESTS), API_REQUESTS.labels)?;
        let bytes = IntCounterVec::new(opts(API_BYTES), API_BYTES.labels)?;
        let durations = HistogramVec::new(
            HistogramOpts::from(opts(API_DURATION)).buckets(DURATION_BUCKETS.to_vec()),
            API_DURATION.labels,
        )?;
        let file_successful = GaugeVec::new(opts(FILE_SUCCESSFUL), FILE_SUCCESSFUL.labels)?;
        let file_success_time = GaugeVec::new(opts(FILE_SUCCESS_TIME), FILE_SUCCESS_TIME.labels)?;
        let event_stream_up = GaugeVec::new(opts(EVENT_STREAM_UP), EVENT_STREAM_UP.labels)?;
        let events = IntCounterVec::new(opts(EVENTS), EVENTS.labels)?;
        let corrections = IntCounterVec::new(opts(EVENT_CORRECTIONS), EVENT_CORRECTIONS.labels)?;
        let registry = Registry::new();
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(bytes.clone()))?;
        registry.register(Box::new(durations.clone()))?;
        registry.register(Box::new(file_successful.clone()))?;
        registry.register(Box::new(file_success_time.clone()))?;
        registry.register(Box::new(event_stream_up.clone()))?;
        registry.register(Box::new(events.clone()))?;
        registry.register(Box::new(corrections.clone()))?;
        Ok(Self {
            registry,
            requests,
            durations,
            bytes,
            file_successful,
            file_success_time,
            event_stream_up,
            events,
            corrections,
        })
    }

    /// Counts a request to Nomad.
    pub fn request_done(&self, endpoint: &str, reason: &str, duration: Duration, bytes: u64) {
        self.requests.with_label_values(&[endpoint, reason]).inc();
        self.durations.with_label_values(&[endpoint]).observe(duration.as_secs_f64());
        self.bytes.with_label_values(&[endpoint]).inc_by(bytes);
    }

    /// Records whether the last load of some files succeeded, and the time of the last success.
    pub fn files_loaded(&self, file: &str, successful: bool, last_success: SystemTime) {
        let since_epoch = last_success.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.file_successful.with_label_values(&[file]).set(f64::from(successful));
        self.file_success_time.with_label_values(&[file]).set(since_epoch.as_secs_f64());
    }

    /// Sets the number of bytes received from an endpoint whose requests do not end.
    pub fn bytes_received(&self, endpoint: &str, bytes: u64) {
        raise(&self.bytes.with_label_values(&[endpoint]), bytes);
    }

    /// Sets whether the event stream is open, the number of events by topic, and the number of corrected rows by section.
    pub fn event_stream(
        &self,
        is_open: bool,
        events: impl Iterator<Item = (&'static str, u64)>,
        corrections: impl Iterator<Item = (&'static str, u64)>,
    ) {
        self.event_stream_up.with_label_values(&[] as &[&str]).set(f64::from(is_open));
        for (topic, count) in events {
            raise(&self.events.with_label_values(&[topic]), count);
        }
        for (section, count) in corrections {
            raise(&self.corrections.with_label_values(&[section]), count);
        }
    }

    /// Returns the current values.
    pub fn gather(&self) -> Own {
        Own { counters: self.registry.gather(), process: Process::now() }
    }
}

/// Increases a counter to a count that is kept elsewhere.
fn raise(counter: &IntCounter, count: u64) {
    counter.inc_by(count.saturating_sub(counter.get()));
}

/// Values of the exporter's own metrics at one time.
#[derive(Clone, Debug, Default)]
pub struct Own {
    counters: Vec<MetricFamily>,
    pub(super) process: Process,
}

/// Emits a metric of the registry.
pub(super) fn emit_own(view: &View<'_>, out: &mut Samples<'_, '_>, name: &str) {
    let Some(family) = view.own.counters.iter().find(|family| family.name() == name) else { return };
    for metric in family.get_metric() {
        let labels = label_values(metric, out.label_names());
        match family.get_field_type() {
            MetricType::COUNTER => out.add(&labels, metric.get_counter().get_value()),
            MetricType::GAUGE => out.add(&labels, metric.get_gauge().get_value()),
            MetricType::HISTOGRAM => {
                let histogram = metric.get_histogram();
                let buckets = histogram.get_bucket().iter();
                let cumulative = buckets.map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()));
                out.add_histogram(
                    &labels,
                    cumulative,
                    histogram.get_sample_count(),
                    histogram.get_sample_sum(),
                );
            }
            MetricType::SUMMARY | MetricType::UNTYPED => {}
        }
    }
}

/// Returns the values of these labels; the registry sorts labels by name.
fn label_values<'a>(metric: &'a Metric, names: &[&str]) -> Vec<&'a str> {
    let value = |name: &&str| metric.get_label().iter().find(|label| label.name() == *name);
    names.iter().map(|name| value(name).map_or("", |label| label.value())).collect()
}
