//! Names of any kind, as label values and in HELP: both formats say what was meant.

use nomad_exporter::exposition::{OpenMetrics, Text};
use nomad_exporter::metrics::{Exposition as _, Family, Kind, SamplePart};
use proptest::prelude::*;

use crate::formats::judge;
use crate::support::exposition::Exposition;
use crate::support::tools;

/// A family with this HELP text.
fn family(help: &str) -> Family {
    Family {
        name: "odd_names",
        // A family lives as long as the program.
        help: String::leak(help.to_owned()),
        kind: Kind::Gauge,
        labels: &["one", "two"],
        collectors: &[],
        emit: |_, _| {},
    }
}

fn written(family: &Family, names: &[(String, String)]) -> [String; 2] {
    let (mut text, mut openmetrics) = (Text::new(Vec::new()), OpenMetrics::new(Vec::new()));
    text.family(family);
    openmetrics.family(family);
    for (one, two) in names {
        text.sample(family, SamplePart::Value, family.labels, &[one, two], 2.0);
        openmetrics.sample(family, SamplePart::Value, family.labels, &[one, two], 2.0);
    }
    [text.finish(), openmetrics.finish()].map(|bytes| String::from_utf8(bytes.unwrap()).unwrap())
}

/// The HELP text, as a parser reads it.
fn help(written: &str, escapes_quotes: bool) -> String {
    let line = written.split('\n').find_map(|line| line.strip_prefix("# HELP odd_names ")).unwrap();
    let (mut text, mut letters) = (String::new(), line.chars());
    while let Some(letter) = letters.next() {
        text.push(match letter {
            '\\' => match letters.next().unwrap() {
                'n' => '\n',
                '"' => {
                    assert!(escapes_quotes);
                    '"'
                }
                other => other,
            },
            letter => letter,
        });
    }
    text
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        prop::collection::vec(
            prop::sample::select(vec!["\\", "\"", "\n", "\r", "\0", "n", "{", "}", ",", "=", " 1", "#"]),
            0..12
        )
        .prop_map(|parts| parts.concat()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn names_and_help_come_out_as_they_went_in(told in name(), one in name(), two in name()) {
        let family = family(&told);
        for (written, escapes_quotes) in written(&family, &[(one.clone(), two.clone())]).iter().zip([false, true]) {
            let read = Exposition::parse(written);
            prop_assert_eq!(read.samples().len(), 1);
            prop_assert_eq!(read.value("odd_names", &[("one", &one), ("two", &two)]), Some(2.0));
            prop_assert_eq!(help(written, escapes_quotes), told.as_str());
        }
    }
}

/// Names that no sensible cluster has.
fn odd_names() -> Vec<(String, String)> {
    let odd = [
        "",
        " ",
        "\\",
        "\"",
        "\n",
        "\r\n",
        "\t",
        "\u{1}\u{1b}[31m\u{7f}",
        "\\n",
        "\\\\\"",
        "a=\"b\"} 1\nevil 1",
        "# EOF",
        "\u{202e}right to left",
        "\u{200f}\u{feff}",
        "\u{1f980}",
        "e\u{301}",
        "\u{fffd}",
    ];
    let long = "\u{fc}".repeat(32 << 10);
    odd.iter()
        .map(|text| ((*text).to_owned(), "x".to_owned()))
        .chain([(long.clone(), "y".to_owned()), ("z".to_owned(), long)])
        .collect()
}

/// Those names as Prometheus text and as OpenMetrics.
fn odd_expositions() -> [String; 2] {
    written(&family("Odd \\ \"names\"\nof two lines."), &odd_names())
}

#[test]
#[ignore = "needs promtool: make test"]
fn promtool_reads_odd_names() {
    let [text, _] = odd_expositions();
    let mut check = std::process::Command::new(tools::find("promtool"));
    let (content, said) = judge(check.args(["check", "metrics"]), text.as_bytes());
    assert!(content && said.is_empty(), "{said:.2000}");
}

#[test]
#[ignore = "needs Python's prometheus_client: make check-formats"]
fn pythons_openmetrics_parser_reads_odd_names() {
    let [_, openmetrics] = odd_expositions();
    if let Some(python) = tools::find_optional("openmetrics-python", "odd names before prometheus_client") {
        const SCRIPT: &str = "\
import sys, io
from prometheus_client.openmetrics.parser import text_fd_to_metric_families as parse
text = io.TextIOWrapper(sys.stdin.buffer, encoding='utf-8', newline='\\n')
print(sum(len(family.samples) for family in parse(text)))
";
        let (content, said) =
            judge(std::process::Command::new(python).args(["-c", SCRIPT]), openmetrics.as_bytes());
        assert!(content && said.trim() == odd_names().len().to_string(), "{said:.2000}");
    }
}
