//! The metrics in docs/metrics.md.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Gauge,
    Counter,
    Histogram,
    GaugeHistogram,
}

pub(crate) struct Family {
    pub(crate) kind: Kind,
    pub(crate) labels: Vec<String>,
}

static FAMILIES: LazyLock<HashMap<String, Family>> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    let families: HashMap<_, _> = fs::read_to_string(path).unwrap().lines().filter_map(family).collect();
    assert!(families.len() > 50, "docs/metrics.md does not have the expected format");
    families
});

pub(crate) fn families() -> &'static HashMap<String, Family> {
    &FAMILIES
}

/// Returns the metric family of a series name, and whether the series is a part of it, such as a bucket.
pub(crate) fn find(metric: &str) -> Option<(&'static Family, bool)> {
    if let Some(family) = families().get(metric) {
        return Some((family, false));
    }
    let histogram = ["_bucket", "_sum", "_count"].iter().find_map(|part| metric.strip_suffix(part))?;
    let family = families().get(histogram)?;
    [Kind::Histogram, Kind::GaugeHistogram].contains(&family.kind).then_some((family, true))
}

fn family(line: &str) -> Option<(String, Family)> {
    let mut cells = line.strip_prefix("| `")?.split(" | ");
    let name = cells.next()?.trim_end_matches('`').to_owned();
    let kind = match cells.next()? {
        "counter" => Kind::Counter,
        "histogram" => Kind::Histogram,
        "gauge histogram" => Kind::GaugeHistogram,
        _ => Kind::Gauge,
    };
    let labels = cells.next()?.split(", ").map(|label| label.trim().to_owned()).collect();
    Some((name, Family { kind, labels }))
}
