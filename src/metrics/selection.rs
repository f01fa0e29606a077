//! Selection of exposed metrics, and their limits.

use regex::RegexSet;

use super::{Family, families};

/// Exposed metrics, and their limits.
#[derive(Clone, Debug)]
pub struct Selection {
    allow: Option<RegexSet>,
    deny: RegexSet,
    pub(super) limits: Limits,
}

/// Limits of a metric.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Maximum number of series per metric.
    pub series_per_family: usize,
    /// Maximum length of a label value in bytes.
    pub label_length: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { series_per_family: 200_000, label_length: 256 }
    }
}

/// An unusable pattern.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SelectionError {
    /// It is not a regular expression.
    #[error("`{pattern}` is not a regular expression: {problem}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// The problem, on one line.
        problem: String,
    },
    /// It matches no metric.
    #[error("`{0}` matches no family; `nomad-exporter metrics` lists them all")]
    NoFamily(String),
}

impl Default for Selection {
    fn default() -> Self {
        Self { allow: None, deny: RegexSet::empty(), limits: Limits::default() }
    }
}

impl Selection {
    /// Selects all metrics, or the allowed ones, except the denied ones. Patterns match whole names.
    pub fn new(allow: &[String], deny: &[String], limits: Limits) -> Result<Self, SelectionError> {
        let allow = if allow.is_empty() { None } else { Some(patterns(allow)?) };
        Ok(Self { allow, deny: patterns(deny)?, limits })
    }

    /// Returns the exposed metrics, in their order.
    pub fn families(&self) -> impl Iterator<Item = &'static Family> {
        families().filter(|family| self.selects(family.name))
    }

    /// Returns whether a metric is exposed.
    fn selects(&self, family: &str) -> bool {
        self.allow.as_ref().is_none_or(|allow| allow.is_match(family)) && !self.deny.is_match(family)
    }
}

fn patterns(given: &[String]) -> Result<RegexSet, SelectionError> {
    let error = |pattern: &str, error: &regex::Error| SelectionError::Pattern {
        pattern: pattern.to_owned(),
        problem: error.to_string().lines().last().unwrap_or_default().trim().to_owned(),
    };
    let mut whole = Vec::new();
    for pattern in given {
        let anchored = format!("^(?:{pattern})$");
        let regex = regex::Regex::new(&anchored).map_err(|cause| error(pattern, &cause))?;
        if !families().any(|family| regex.is_match(family.name)) {
            return Err(SelectionError::NoFamily(pattern.clone()));
        }
        whole.push(anchored);
    }
    RegexSet::new(whole).map_err(|cause| error(&given.join(", "), &cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(allow: &[&str], deny: &[&str]) -> Result<Selection, String> {
        let owned =
            |patterns: &[&str]| patterns.iter().map(|pattern| (*pattern).to_owned()).collect::<Vec<_>>();
        Selection::new(&owned(allow), &owned(deny), Limits::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn names_and_patterns_select_metrics() {
        let all = selection(&[], &[]).unwrap();
        assert!(families().all(|family| all.selects(family.name)));
        let some = selection(&["nomad_jobs", "nomad_node_.*"], &["nomad_node_host_.*"]).unwrap();
        assert!(some.selects("nomad_jobs") && some.selects("nomad_node_info"));
        assert!(!some.selects("nomad_jobs_finished") && !some.selects("nomad_node_host_stats_up"));
    }

    #[test]
    fn patterns_without_a_match_are_rejected() {
        assert!(selection(&["nomad_job"], &[]).unwrap_err().starts_with("`nomad_job` matches no family"));
        assert!(selection(&[], &["("]).unwrap_err().starts_with("`(` is not a regular expression: "));
    }
}
