//! Every flag with odd values: accepted, or rejected with an error that names the flag, never a panic.

use std::collections::BTreeSet;

use nomad_exporter::config::{self, Config};
use proptest::prelude::*;

use crate::support::collect::Collector;
use crate::support::{cases, panics, recordings};

/// Returns every flag with a value, as listed in the help.
fn flags() -> BTreeSet<String> {
    let help = config::parse(["nomad-exporter", "--help"]).unwrap_err().to_string();
    let is_flag = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let words = help.split(|c| !is_flag(c)).filter(|word| word.starts_with("--"));
    let flags: BTreeSet<String> = words.map(|word| word.trim_end_matches('.').to_owned()).collect();
    assert!(flags.len() > 50, "{flags:?}");
    // These flags exit the program.
    flags.into_iter().filter(|flag| !["--help", "--version"].contains(&flag.as_str())).collect()
}

/// Returns the configuration with one flag, or the error.
fn configured(flag: &str, value: &str) -> Result<Config, String> {
    let line = ["nomad-exporter".to_owned(), format!("{flag}={value}")];
    let args = config::parse(line).map_err(|error| error.to_string())?;
    Config::new(args, &|_| None).map_err(|error| error.to_string())
}

fn assert_names_its_flag(flag: &str, value: &str) {
    if let Err(sentence) = configured(flag, value) {
        assert!(sentence.contains(flag), "{flag}={value:.80?}: {sentence:.400}");
        assert!(sentence.len() > flag.len() + 20, "{flag}={value:.80?}: {sentence}");
    }
}

#[test]
fn odd_values_are_accepted_or_rejected_by_name() {
    let long = "x".repeat(64 << 10);
    let values = [
        "",
        "\0",
        "-1",
        "0",
        "1",
        "NaN",
        "inf",
        "1e-320",
        "1e999",
        "0.5",
        "18446744073709551615",
        "18446744073709551616",
        "1ns",
        "0s",
        "１５s",
        "999999999999y",
        "584942417355y",
        "-15s",
        "true",
        "maybe",
        "*",
        ",",
        "(",
        "[",
        "(?",
        "\\",
        "(?x)#",
        "a{1000}{1000}",
        "%00",
        "/",
        "/dev/null",
        "\u{202e}",
        "\u{1f980}",
        "=",
        "'",
        "\"",
        "http://",
        "http://[",
        "https://\u{1f980}.example",
        "unix:///\0",
        ":",
        ":0",
        ":99999",
        "[::1]",
        "127.0.0.1:0",
    ];
    for flag in flags() {
        for value in values.into_iter().chain([long.as_str()]) {
            assert_names_its_flag(&flag, value);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(600), ..ProptestConfig::default() })]

    #[test]
    fn any_value_is_accepted_or_rejected_by_name(
        flag in prop::sample::select(flags().into_iter().collect::<Vec<_>>()),
        value in prop_oneof![any::<String>(), "[0-9a-z.,*()\\[\\]/-]{0,12}"],
    ) {
        // A host name would be resolved.
        prop_assume!(!(flag == "--web.listen-address" && value.contains(':')));
        assert_names_its_flag(&flag, &value);
    }
}

/// Accepted extreme values work: neither the largest nor the smallest numbers cause a panic.
#[tokio::test(flavor = "multi_thread")]
async fn accepted_extreme_values_work() {
    panics::watch();
    let simulator = recordings::replay("2.0.5").await;
    let values = ["0", "1", "0.000000001", "1000", "18446744073709551615", "1ns", "500000000000y"];
    let mut run = 0;
    for flag in flags().iter().filter(|flag| {
        flag.starts_with("--collect.") || flag.starts_with("--nomad.") || flag.starts_with("--metrics.")
    }) {
        for value in values {
            let argument = format!("{flag}={value}");
            // Texts are not numbers, and the address is already set.
            if flag.ends_with("address") || configured(flag, value).is_err() {
                continue;
            }
            let collector = Collector::new(&simulator.url(), &["--no-collector.host_stats", &argument]);
            collector.refresh().await;
            collector.refresh().await;
            collector.text();
            assert_eq!(panics::seen(), [""; 0], "{argument}");
            run += 1;
        }
    }
    assert!(run > 40, "{run} configurations");
}
