//! Settings of the collection.

use regex::RegexSet;

use super::args::EventMode;
use super::{Args, ConfigError, Env, NAMESPACE_FLAG, duration, labels};
use crate::collect::{Settings, UsageSettings};
use crate::snapshot::{CollectorId, Scope};
use crate::terms::JobType;

/// Share of their interval over which requests to clients are spread. The rest is for late responses.
const CLIENT_SPREAD: f64 = 0.8;
/// Nomad's own variable for `--nomad.namespace`.
const VARIABLE: &str = "NOMAD_NAMESPACE";
/// With a smaller share, a history collector would practically never run.
const MIN_DUTY_CYCLE: f64 = 0.001;

pub(super) fn settings(args: &Args, env: Env<'_>) -> Result<Settings, ConfigError> {
    let labels = labels::settings(args)?;
    let mut collectors = args.collectors;
    if !labels.needs_node_details() {
        collectors.remove(CollectorId::NodeDetails);
    }
    if collectors.is_empty() {
        return Err(ConfigError::new("--no-collector.*", "all collectors are disabled; enable at least one"));
    }
    let interval = duration("--collect.interval", args.collect.interval)?;
    let history_interval = duration("--collect.history-interval", args.collect.history_interval)?;
    if history_interval < interval {
        let problem = "it is shorter than --collect.interval; give at least the same interval";
        return Err(ConfigError::new("--collect.history-interval", problem));
    }
    let client_interval = duration("--collect.client-interval", args.collect.client_interval)?;
    let duty_cycle = args.collect.duty_cycle;
    if !(MIN_DUTY_CYCLE..=1.0).contains(&duty_cycle) {
        let problem = "it is out of range; give a ratio from 0.001 to 1, such as 0.05";
        return Err(ConfigError::new("--collect.duty-cycle", problem));
    }
    Ok(Settings {
        collectors,
        logged_changes: args.log.max_changes,
        interval,
        history_interval,
        duty_cycle,
        events: args.collect.events == EventMode::Auto,
        client_interval,
        client_spread: client_interval.mul_f64(CLIENT_SPREAD),
        max_age_intervals: args.collect.max_age_intervals,
        namespaces: namespaces(args, env),
        pending_jobs: args.collect.pending_jobs.into(),
        running_jobs: args.collect.running_jobs.into(),
        job_types: job_types(&args.collect.job_types)?,
        max_jobs: args.collect.max_jobs,
        max_specifications: args.collect.max_specifications,
        client_timeout: duration("--collect.client-timeout", args.collect.client_timeout)?,
        client_concurrency: args.collect.client_concurrency.into(),
        usage: UsageSettings {
            jobs: job_patterns(&args.collect.usage_jobs)?,
            max_allocations: args.collect.max_usage_allocations,
        },
        labels,
    })
}

/// Returns the namespaces to read.
fn namespaces(args: &Args, env: Env<'_>) -> Scope {
    match (&args.nomad.namespace[..], env(VARIABLE)) {
        ([], Some(name)) if task_namespace(args, env).is_none() => Scope::new(vec![name], VARIABLE),
        (names, _) => Scope::new(names.to_owned(), NAMESPACE_FLAG),
    }
}

/// Returns the namespace in `NOMAD_NAMESPACE` if it is ignored because the exporter runs in a Nomad task.
/// Nomad sets the variable to the namespace of the task's job, which is not a choice of what to read.
pub(super) fn task_namespace(args: &Args, env: Env<'_>) -> Option<String> {
    let is_chosen = !args.nomad.namespace.is_empty();
    env(VARIABLE).filter(|_| !is_chosen && env("NOMAD_ALLOC_ID").is_some())
}

fn job_types(words: &[String]) -> Result<Vec<JobType>, ConfigError> {
    let job_type = |word: &String| match JobType::from(word.trim()) {
        JobType::Other => {
            let problem = format!("`{word}` is not a job type; give service, batch, system or sysbatch");
            Err(ConfigError::new("--collect.job-types", problem))
        }
        job_type => Ok(job_type),
    };
    words.iter().filter(|word| !word.trim().is_empty()).map(job_type).collect()
}

fn job_patterns(patterns: &[String]) -> Result<RegexSet, ConfigError> {
    let whole = patterns.iter().map(|pattern| format!("^(?:{pattern})$"));
    RegexSet::new(whole).map_err(|error| {
        let problem = error.to_string().lines().last().unwrap_or_default().trim().to_owned();
        ConfigError::new("--collect.usage-jobs", format!("it is not a regular expression: {problem}"))
    })
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;
    use crate::collect::COLLECTORS;

    fn error(line: &[&str]) -> String {
        let args = parse(["nomad-exporter"].iter().chain(line)).unwrap();
        settings(&args, &|_| None).unwrap_err().to_string()
    }

    #[test]
    fn intervals_must_make_sense() {
        for wrong in ["0s", "25h", "9999y"] {
            assert!(error(&["--collect.interval", wrong]).starts_with("--collect.interval: "));
        }
        assert!(
            error(&["--collect.interval", "2m"]).starts_with("--collect.history-interval: it is shorter")
        );
        for ratio in ["0", "0.0001", "1.5", "NaN"] {
            assert!(error(&["--collect.duty-cycle", ratio]).contains("it is out of range"));
        }
        let off: Vec<String> =
            COLLECTORS.iter().map(|collector| format!("--no-collector.{}", collector.name())).collect();
        let off: Vec<&str> = off.iter().map(String::as_str).collect();
        assert!(error(&off).contains("all collectors are disabled"));
    }

    #[test]
    fn all_namespaces_are_read_unless_one_is_named() {
        let namespaces = |line: &[&str], env: Option<&str>| {
            let args = parse(["nomad-exporter"].iter().chain(line)).unwrap();
            let scope = settings(&args, &|name| env.filter(|_| name == VARIABLE).map(str::to_owned));
            let scope = scope.unwrap().namespaces;
            let setting =
                [NAMESPACE_FLAG, VARIABLE].into_iter().find(|setting| !scope.named_by(setting).is_all());
            (scope.names().join(","), setting)
        };
        assert_eq!(namespaces(&[], None), ("*".to_owned(), None));
        assert_eq!(namespaces(&[], Some("ci")), ("ci".to_owned(), Some(VARIABLE)));
        let several = ["--nomad.namespace", "web,apps", "--nomad.namespace", "apps"];
        assert_eq!(namespaces(&several, Some("ci")), ("apps,web".to_owned(), Some(NAMESPACE_FLAG)));
        assert_eq!(namespaces(&["--nomad.namespace", "apps,*"], None), ("*".to_owned(), None));
    }

    #[test]
    fn the_namespace_of_a_nomad_task_is_ignored() {
        let of_task = |name: &str| match name {
            "NOMAD_ALLOC_ID" => Some("8f4c".to_owned()),
            VARIABLE => Some("default".to_owned()),
            _ => None,
        };
        for (line, expected, ignored) in [
            (&[][..], "*", Some("default")),
            (&["--nomad.namespace", "ci"], "ci", None),
            (&["--nomad.namespace", "*"], "*", None),
        ] {
            let args = parse(["nomad-exporter"].iter().chain(line)).unwrap();
            assert_eq!(settings(&args, &of_task).unwrap().namespaces.names(), [expected]);
            assert_eq!(task_namespace(&args, &of_task).as_deref(), ignored, "{line:?}");
        }
        let args = parse(["nomad-exporter"]).unwrap();
        assert_eq!(task_namespace(&args, &|_| None), None);
    }

    #[test]
    fn job_types_and_patterns_are_checked() {
        assert!(
            error(&["--collect.job-types", "service,cron"])
                .starts_with("--collect.job-types: `cron` is not a job type")
        );
        assert!(
            error(&["--collect.usage-jobs", "("]).starts_with("--collect.usage-jobs: it is not a regular")
        );
    }
}
