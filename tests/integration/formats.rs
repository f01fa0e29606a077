//! Both formats before judges of other makers.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use nomad_exporter::collect::collector;
use nomad_exporter::exposition::{Encoding, Format};
use nomad_exporter::metrics::{Exposition, Family, Kind, SamplePart, families};
use prometheus::Encoder;
use prometheus::proto;

use crate::support::collect::Collector;
use crate::support::{recordings, tools};

/// What promtool complains of, and why it stays. Each is the beginning of a complaint.
const ACCEPTED_COMPLAINTS: [&str; 0] = [];

async fn collected(name: &str) -> Collector {
    let simulator = recordings::replay(name).await;
    let collector = Collector::new(&simulator.url(), &[]);
    collector.refresh().await;
    collector
}

/// Runs a judge with the text on its stdin; returns whether it was content, and what it said.
pub(crate) fn judge(command: &mut Command, text: &[u8]) -> (bool, String) {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs promtool: make test"]
async fn promtool_has_no_complaint() {
    has_no_complaint(&tools::find("promtool")).await;
}

/// The same with this promtool.
pub(crate) async fn has_no_complaint(promtool: &Path) {
    for name in recordings::ALL {
        let text = collected(name).await.text();
        let (_, said) = judge(Command::new(promtool).args(["check", "metrics"]), text.as_bytes());
        let complaints: Vec<&str> = said
            .lines()
            .filter(|line| !ACCEPTED_COMPLAINTS.iter().any(|accepted| line.starts_with(accepted)))
            .collect();
        assert!(complaints.is_empty(), "{name}: {complaints:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Python's prometheus_client: make check-formats"]
async fn pythons_openmetrics_parser_reads_every_family() {
    let Some(python) =
        tools::find_optional("openmetrics-python", "parsing OpenMetrics with prometheus_client")
    else {
        return;
    };
    const SCRIPT: &str = "\
import sys
from prometheus_client.openmetrics.parser import text_fd_to_metric_families as parse
for family in parse(sys.stdin):
    print(family.name, family.type, len(family.samples))
";
    for name in recordings::ALL {
        let collector = collected(name).await;
        let bytes = collector.render().bytes(Format::OpenMetrics, Encoding::Identity);
        assert!(bytes.ends_with(b"\n# EOF\n"), "{name}");
        let (content, said) = judge(Command::new(&python).args(["-c", SCRIPT]), &bytes);
        assert!(content, "{name}: {said}");
        let samples: usize =
            said.lines().map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap()).sum();
        assert_eq!(samples, collector.exposition().samples().len(), "{name}");
    }
}

/// The prometheus crate's own encoder writes the same bytes, but for the bounds of buckets (`10` where we write
/// `10.0`, as OpenMetrics wants).
#[tokio::test(flavor = "multi_thread")]
async fn the_prometheus_crate_writes_the_same_bytes() {
    for name in recordings::ALL {
        let collector = collected(name).await;
        let mut proto = Proto::default();
        let own = nomad_exporter::metrics::Own::default();
        let snapshot = collector.snapshot();
        let view = nomad_exporter::metrics::View::new(&snapshot, &own);
        let mut text = nomad_exporter::exposition::Text::new(Vec::new());
        let all = nomad_exporter::metrics::Selection::default();
        for format in [&mut proto as &mut dyn Exposition, &mut text] {
            nomad_exporter::metrics::emit(&view, format, &all);
        }
        let text = String::from_utf8(text.finish().unwrap()).unwrap();
        let mut theirs = Vec::new();
        prometheus::TextEncoder::new().encode(&proto.families(), &mut theirs).unwrap();
        let normal = |text: &str| text.replace(".0\"}", "\"}");
        let (theirs, ours) = (normal(std::str::from_utf8(&theirs).unwrap()), normal(&text));
        let difference = theirs.lines().zip(ours.lines()).find(|(theirs, ours)| theirs != ours);
        assert_eq!(difference, None, "{name}");
        assert_eq!(theirs.len(), ours.len(), "{name}");
    }
}

/// Samples as the prometheus crate models them. Parts of a histogram come in the order of the text format.
#[derive(Default)]
struct Proto {
    families: Vec<proto::MetricFamily>,
    open: Option<proto::Metric>,
    buckets: Vec<proto::Bucket>,
    histogram: proto::Histogram,
}

impl Proto {
    fn families(self) -> Vec<proto::MetricFamily> {
        self.families
    }

    fn push(&mut self, metric: proto::Metric) {
        let family = self.families.last_mut().unwrap();
        let mut metrics = family.take_metric();
        metrics.push(metric);
        family.set_metric(metrics);
    }
}

impl Exposition for Proto {
    fn family(&mut self, family: &Family) {
        let mut proto = proto::MetricFamily::default();
        proto.set_name(family.name.to_owned());
        proto.set_help(family.help.to_owned());
        proto.set_field_type(match family.kind {
            Kind::Gauge | Kind::Info => proto::MetricType::GAUGE,
            Kind::Counter => proto::MetricType::COUNTER,
            Kind::Histogram | Kind::GaugeHistogram => proto::MetricType::HISTOGRAM,
        });
        self.families.push(proto);
    }

    fn sample(&mut self, family: &Family, part: SamplePart, names: &[&str], labels: &[&str], value: f64) {
        let pairs = names.iter().zip(labels).map(|(name, value)| {
            let mut pair = proto::LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        });
        let mut metric = proto::Metric::from_label(pairs.collect());
        match part {
            SamplePart::Value if family.kind == Kind::Counter => {
                let mut counter = proto::Counter::default();
                counter.set_value(value);
                metric.set_counter(counter);
                self.push(metric);
            }
            SamplePart::Value => {
                let mut gauge = proto::Gauge::default();
                gauge.set_value(value);
                metric.set_gauge(gauge);
                self.push(metric);
            }
            SamplePart::Bucket(bound) => {
                self.open.get_or_insert(metric);
                // The crate adds the last bucket itself.
                if bound.is_infinite() {
                    return;
                }
                let mut bucket = proto::Bucket::default();
                bucket.set_upper_bound(bound);
                bucket.set_cumulative_count(value as u64);
                self.buckets.push(bucket);
            }
            SamplePart::Sum => self.histogram.set_sample_sum(value),
            SamplePart::Count => {
                self.histogram.set_sample_count(value as u64);
                let mut histogram = std::mem::take(&mut self.histogram);
                histogram.set_bucket(std::mem::take(&mut self.buckets));
                let mut metric = self.open.take().unwrap();
                metric.set_histogram(histogram);
                self.push(metric);
            }
        }
    }
}

/// Names and labels follow the conventions, and no family stands twice.
#[test]
fn families_follow_the_conventions() {
    let mut names = std::collections::BTreeSet::new();
    for family in families() {
        assert!(names.insert(family.name), "{} stands twice", family.name);
        assert!(family.name.starts_with("nomad_") || family.name.starts_with("process_"), "{}", family.name);
        for taken in ["nomad_nomad_", "nomad_client_", "nomad_raft_", "nomad_runtime_", "nomad_agent_"] {
            assert!(!family.name.starts_with(taken), "{} is Nomad's own", family.name);
        }
        assert!(family.help.ends_with('.') && !family.help.contains("  "), "help of {}", family.name);
        assert_eq!(family.kind == Kind::Counter, family.name.ends_with("_total"), "{}", family.name);
        assert_eq!(family.kind == Kind::Info, family.name.ends_with("_info"), "{}", family.name);
        for label in family.labels {
            assert!(!["job", "instance", "le", "eval_id"].contains(label), "{label} of {}", family.name);
            // One series for each allocation: only for those who ask for it.
            let is_default = family.collectors.iter().any(|id| collector(*id).default_on);
            assert!(*label != "alloc_id" || !is_default, "{label} of {}", family.name);
        }
    }
}
