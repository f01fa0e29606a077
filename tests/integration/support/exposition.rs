//! Reading format 0.0.4, in the plainest way. The fuzz targets do it too.

use std::collections::BTreeMap;

/// Samples by family name and labels.
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

/// `a="x",b="y"}` to pairs.
fn parse_labels(text: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once("=\"") {
        let (mut value, mut after) = (String::new(), after);
        // Text between quotes and backslashes is taken as it is: values may be long.
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
