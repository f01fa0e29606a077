//! What to collect, and how often.

use std::time::Duration;

use super::{Args, ConfigError, Env};
use crate::collect::Settings;

pub(super) fn settings(args: &Args, env: Env<'_>) -> Result<Settings, ConfigError> {
    let positive = |flag: &str, duration: Duration| match duration.is_zero() {
        true => Err(ConfigError::new(flag, "0 s is no interval; give a duration such as 15s")),
        false => Ok(duration),
    };
    if args.sources.is_empty() {
        return Err(ConfigError::new(
            "--no-collector.*",
            "every source is switched off; leave at least one on",
        ));
    }
    let interval = positive("--collect.interval", args.collect_interval)?;
    let history_interval = positive("--collect.history-interval", args.collect_history_interval)?;
    if history_interval < interval {
        let problem =
            "it is shorter than --collect.interval; history is read at most as often as what is live";
        return Err(ConfigError::new("--collect.history-interval", problem));
    }
    let namespace = args.nomad_namespace.clone().or_else(|| env("NOMAD_NAMESPACE"));
    Ok(Settings {
        sources: args.sources.clone(),
        interval,
        history_interval,
        max_age_intervals: args.collect_max_age_intervals,
        namespace: namespace.unwrap_or_else(|| "*".to_owned()),
        pending_jobs: args.collect_pending_jobs.into(),
        host_stats_timeout: positive("--collect.host-stats-timeout", args.collect_host_stats_timeout)?,
        host_stats_concurrency: args.collect_host_stats_concurrency.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;
    use crate::collect::SOURCES;

    fn error(line: &[&str]) -> String {
        let args = parse(["nomad-exporter"].iter().chain(line)).unwrap();
        settings(&args, &|_| None).unwrap_err().to_string()
    }

    #[test]
    fn intervals_must_make_sense() {
        assert!(error(&["--collect.interval", "0s"]).starts_with("--collect.interval: "));
        assert!(
            error(&["--collect.interval", "2m"]).starts_with("--collect.history-interval: it is shorter")
        );
        let off: Vec<String> =
            SOURCES.iter().map(|source| format!("--no-collector.{}", source.name)).collect();
        let off: Vec<&str> = off.iter().map(String::as_str).collect();
        assert!(error(&off).contains("every source is switched off"));
    }

    #[test]
    fn all_namespaces_are_read_unless_one_is_named() {
        let namespace = |line: &[&str], env: Option<&str>| {
            let args = parse(["nomad-exporter"].iter().chain(line)).unwrap();
            settings(&args, &|name| env.filter(|_| name == "NOMAD_NAMESPACE").map(str::to_owned))
                .unwrap()
                .namespace
        };
        assert_eq!(namespace(&[], None), "*");
        assert_eq!(namespace(&[], Some("ci")), "ci");
        assert_eq!(namespace(&["--nomad.namespace", "apps"], Some("ci")), "apps");
    }
}
