//! Bodies of the fuzz targets. The integration tests run them on stable Rust with a few thousand inputs.

use std::io::Read;

use nomad_exporter::config::{self, Config};
use nomad_exporter::exposition::{Encoding, Format, OpenMetrics, Text, encoding, format};
use nomad_exporter::metrics::{Exposition as _, Family, Kind, SamplePart};
use nomad_exporter::nomad::{Address, Version, api};
use serde::de::{DeserializeOwned, IgnoredAny};

use super::exposition::Exposition;

/// Returns a limited number of bytes at a time.
struct Dripping<'a>(&'a [u8], usize);

impl Read for Dripping<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.1.min(buffer.len()).min(self.0.len());
        let (now, later) = self.0.split_at(length);
        buffer[..length].copy_from_slice(now);
        self.0 = later;
        Ok(length)
    }
}

/// Decodes a list of any kind, in pieces of any size. The rows must be the same as those of serde_json, and all derived
/// values must be computable. The first byte is the size of the pieces.
pub fn lists(data: &[u8]) {
    let Some((size, list)) = data.split_first() else { return };
    let step = usize::from(*size) + 1;
    let rows = api::each_row(Dripping(list, step), |_: IgnoredAny| {});
    let whole = serde_json::from_slice::<Option<Vec<Option<IgnoredAny>>>>(list);
    let expected = whole.map(|rows| rows.into_iter().flatten().flatten().count() as u64);
    assert_eq!(rows.ok(), expected.ok());

    each(list, step, |job: api::Job| {
        job.submitted();
        job.parent();
        assert!(
            job.sum(|group| group.queued)
                >= job.groups().map(|(_, group)| api::count(group.queued)).max().unwrap_or(0)
        );
        pack(job);
    });
    each(list, step, |allocation: api::Allocation| {
        allocation.created();
        pack(allocation);
    });
    each(list, step, |evaluation: api::Evaluation| {
        evaluation.created();
    });
    each(list, step, |_: api::Node| {});
    each(list, step, |_: api::Deployment| {});
    each(list, step, |_: api::Namespace| {});
}

fn each<T: DeserializeOwned>(list: &[u8], step: usize, row: impl FnMut(T)) {
    // An error is a valid result.
    drop(api::each_row(Dripping(list, step), row));
}

/// Packs a row. Unpacked and packed again, it must be the same.
fn pack<R: api::Pack>(row: R) {
    let mut common = api::Common::default();
    let packed = row.pack(&mut common);
    assert!(R::unpack(&"id".into(), &packed).pack(&mut common) == packed);
}

/// Decodes an object of any kind.
pub fn objects(data: &[u8]) {
    object(data, |members: api::Members| {
        members.oldest_version(None);
        for member in members.of_region(Some("global")) {
            member.rpc_address();
        }
    });
    object(data, |health: api::AutopilotHealth| {
        let servers = health.servers.into_iter().flatten().flatten();
        for server in servers {
            server.last_contact();
        }
    });
    object(data, |job: api::JobSpecification| {
        for group in job.task_groups.iter().flatten().flatten() {
            group.requests_cores();
            group.total();
        }
    });
    object(data, |stats: api::HostStats| {
        stats.booted();
    });
    object(data, |stats: api::AllocationStats| {
        stats.cpu_mhz();
        stats.throttled_seconds();
        stats.memory_bytes();
    });
    object(data, |_: api::Node| {});
    object(data, |_: api::Agent| {});
    object(data, |_: api::SchedulerConfiguration| {});
}

fn object<T: DeserializeOwned>(data: &[u8], with: impl FnOnce(T)) {
    if let Ok(value) = serde_json::from_slice(data) {
        with(value);
    }
}

/// Negotiates by any header: only formats that it names may be chosen.
pub fn negotiation(data: &[u8]) {
    let header = String::from_utf8_lossy(data);
    let lower = header.to_ascii_lowercase();
    if format(Some(&header)) == Format::OpenMetrics {
        assert!(lower.contains("application/openmetrics-text"), "{header:?}");
    }
    if encoding(Some(&header)) == Encoding::Gzip {
        assert!(lower.contains("gzip") || lower.contains('*'), "{header:?}");
    }
    assert_eq!(format(Some(&header)), format(Some(&lower)), "{header:?}: case matters");
}

/// Parses a command line with one argument per line: it is accepted, or rejected with an error.
pub fn flags(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(address) = text.parse::<Address>() {
        let shown = address.to_string();
        assert_eq!(shown.parse::<Address>().map(|address| address.to_string()), Ok(shown));
    }
    text.parse::<Version>().ok();
    let args = match config::parse(std::iter::once("nomad-exporter").chain(text.lines())) {
        Ok(args) => args,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    // These would resolve names or read files.
    let reads_files = args.nomad.token_file.is_some() || args.web.config_file.is_some();
    if args.web.listen_address != [":9441"] || reads_files {
        return;
    }
    if let Err(error) = Config::new(args, &|_| None) {
        assert!(error.to_string().starts_with("--"), "{error}");
    }
}

const FAMILY: Family = Family {
    name: "odd",
    help: "Odd \\ \"labels\"\nof a family.",
    kind: Kind::Gauge,
    labels: &["one", "two"],
    collectors: &[],
    emit: |_, _| {},
};

/// Renders any label values: both formats must be parsable, with the same result.
pub fn labels(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let middle = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
    let (one, two) = text.split_at(middle);
    let (mut plain, mut openmetrics) = (Text::new(Vec::new()), OpenMetrics::new(Vec::new()));
    plain.family(&FAMILY);
    openmetrics.family(&FAMILY);
    plain.sample(&FAMILY, SamplePart::Value, FAMILY.labels, &[one, two], 1.5);
    openmetrics.sample(&FAMILY, SamplePart::Value, FAMILY.labels, &[one, two], 1.5);
    for written in [plain.finish(), openmetrics.finish()] {
        let written = String::from_utf8(written.unwrap()).unwrap();
        let read = Exposition::parse(&written);
        let [sample] = read.samples() else { panic!("not exactly one sample: {written:?}") };
        assert_eq!((sample.name.as_str(), sample.value), ("odd", 1.5), "{written:?}");
        let labels = sample.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        assert!(labels.eq([("one", one), ("two", two)]), "{written:?}");
    }
}
