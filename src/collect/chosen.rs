//! Labels from metadata and attributes that the operator selected.

use crate::labels::{KeyLabels, shortened};
use crate::nomad::api::{Job, Map};
use crate::snapshot::{Chosen, NamedJobs};

/// Metadata and attributes that become labels.
#[derive(Clone, Debug, Default)]
pub struct LabelSettings {
    /// Metadata of jobs.
    pub job_meta: KeyLabels,
    /// Metadata of nodes.
    pub node_meta: KeyLabels,
    /// Attributes of nodes.
    pub node_attributes: KeyLabels,
    /// Maximum length of a label value in bytes. Longer values are truncated before they are stored.
    pub max_length: usize,
}

impl LabelSettings {
    /// Returns the keys whose labels have a number appended because their names would be the same.
    pub fn clashing(&self) -> impl Iterator<Item = (&str, &str)> {
        let kinds = [&self.job_meta, &self.node_meta, &self.node_attributes];
        kinds.into_iter().flat_map(KeyLabels::clashing)
    }

    /// Returns whether each node must be requested individually.
    pub fn needs_node_details(&self) -> bool {
        !self.node_meta.is_empty() || !self.node_attributes.is_empty()
    }
}

/// Returns the values of the selected keys, or `None` if all are empty.
pub(super) fn chosen(keys: &KeyLabels, max_length: usize, all: Option<&Map<String>>) -> Option<Chosen> {
    let all = all?;
    let mut is_shortened = false;
    let value = |key: &String| {
        let value = all.get(key).and_then(Option::as_deref).unwrap_or_default();
        is_shortened |= value.len() > max_length;
        Box::from(&*shortened(value, max_length))
    };
    let values: Box<[Box<str>]> = keys.keys().iter().map(value).collect();
    let is_any = values.iter().any(|value| !value.is_empty());
    is_any.then_some(Chosen { values, is_shortened })
}

/// Stores the selected metadata of a job with series of its own. Ignores children, because the metadata that
/// they were dispatched with is not their parent's.
pub(super) fn add_job_meta(named: &mut NamedJobs, job: &Job, settings: &LabelSettings) {
    if settings.job_meta.is_empty() || job.parent().is_some() {
        return;
    }
    let Some(meta) = chosen(&settings.job_meta, settings.max_length, job.meta.as_ref()) else { return };
    let jobs = named.by_namespace.get_mut(job.namespace());
    if let Some(entry) = jobs.and_then(|jobs| jobs.get_mut(job.id.as_deref().unwrap_or_default())) {
        entry.meta = Some(Box::new(meta));
        if named.meta_labels.is_empty() {
            named.meta_labels = settings.job_meta.labels().to_vec();
        }
    }
}
