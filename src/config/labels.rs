//! Which metadata and attributes become labels.

use super::{Args, ConfigError};
use crate::collect::LabelSettings;
use crate::labels::KeyLabels;

/// How many keys of a kind become labels at most. Each is a label of many series.
const MAX_KEYS: usize = 50;
/// Bytes of a key at most: it becomes the name of a label.
const MAX_KEY_BYTES: usize = 128;

pub(super) fn settings(args: &Args) -> Result<LabelSettings, ConfigError> {
    Ok(LabelSettings {
        job_meta: labels("--metrics.job-meta", "meta", &args.metrics.job_meta)?,
        node_meta: labels("--metrics.node-meta", "meta", &args.metrics.node_meta)?,
        node_attributes: labels("--metrics.node-attributes", "attr", &args.metrics.node_attributes)?,
        max_length: usize::try_from(args.metrics.max_label_length).unwrap_or(usize::MAX),
    })
}

fn labels(flag: &str, prefix: &str, keys: &[String]) -> Result<KeyLabels, ConfigError> {
    let keys: Vec<String> =
        keys.iter().map(|key| key.trim().to_owned()).filter(|key| !key.is_empty()).collect();
    if keys.len() > MAX_KEYS {
        let problem =
            format!("{} keys were given; give at most {MAX_KEYS}, since each becomes a label", keys.len());
        return Err(ConfigError::new(flag, problem));
    }
    if let Some(long) = keys.iter().find(|key| key.len() > MAX_KEY_BYTES) {
        let begin = &long[..long.floor_char_boundary(40)];
        let problem =
            format!("the key `{begin}…` is longer than {MAX_KEY_BYTES} bytes, too long for a label's name");
        return Err(ConfigError::new(flag, problem));
    }
    Ok(KeyLabels::new(prefix, &keys))
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn of(line: &[&str]) -> Result<LabelSettings, String> {
        let args = parse(["nomad-exporter"].iter().chain(line)).unwrap();
        settings(&args).map_err(|error| error.to_string())
    }

    #[test]
    fn keys_are_trimmed_and_named_by_their_kind() {
        let labels =
            of(&["--metrics.job-meta", "team, cost-center,", "--metrics.node-attributes", "os.name"])
                .unwrap();
        assert_eq!(labels.job_meta.keys(), ["cost-center", "team"]);
        assert_eq!(labels.node_attributes.labels(), ["attr_os_name"]);
        assert!(labels.node_meta.is_empty() && labels.needs_node_details());
        assert!(!of(&["--metrics.job-meta", "team"]).unwrap().needs_node_details());
    }

    #[test]
    fn too_many_and_too_long_keys_are_refused() {
        let many = (0..10_000).map(|number| format!("key-{number}")).collect::<Vec<_>>().join(",");
        let error = of(&["--metrics.node-meta", &many]).unwrap_err();
        assert_eq!(
            error,
            "--metrics.node-meta: 10000 keys were given; give at most 50, since each becomes a label"
        );
        let error = of(&["--metrics.job-meta", &"k".repeat(65_536)]).unwrap_err();
        assert!(error.starts_with("--metrics.job-meta: the key `kkkk") && error.len() < 200, "{error}");
    }
}
