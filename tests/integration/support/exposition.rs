//! A simple parser of format 0.0.4, shared with the fuzz targets.

use std::collections::BTreeMap;

/// Samples by metric name and labels.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    samples: Vec<Sample>,
}

#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

impl Exposition {
    pub(crate) fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        Self { samples: lines.map(Sample::parse).collect() }
    }

    pub(crate) fn samples(&self) -> &[Sample] {
        &self.samples
    }
}

impl Sample {
    fn parse(line: &str) -> Self {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
        let Some((name, labels)) = series.split_once('{') else {
            return Self { name: series.into(), labels: BTreeMap::new(), value };
        };
        Self { name: name.into(), labels: parse_labels(labels), value }
    }
}

/// Parses `a="x",b="y"}`.
fn parse_labels(text: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once("=\"") {
        let (mut value, mut after) = (String::new(), after);
        // Copies text between quotes and backslashes in blocks, because values may be long.
        loop {
            let at = after.find(['"', '\\']).expect("the value ends");
            value.push_str(&after[..at]);
            if after[at..].starts_with('"') {
                rest = &after[at + 1..];
                break;
            }
            let letter = after[at + 1..].chars().next().expect("something is escaped");
            value.push(if letter == 'n' { '\n' } else { letter });
            after = &after[at + 1 + letter.len_utf8()..];
        }
        labels.insert(name.trim_start_matches(',').to_owned(), value);
    }
    assert_eq!(rest, "}", "labels end with a brace");
    labels
}
