//! Rows of a list that is being decoded.

use std::sync::{Arc, Mutex};

use super::by_key::{ByKey, lock};
use super::{MAX_ROWS, Row};
use crate::collect::events::RowKey;

/// Rows of a list while it is decoded. They replace the rows that were known before one by one, so that two lists never
/// need memory at the same time.
pub(super) struct Listing<R: Row> {
    /// `None` if there are too many, or if one has no ID.
    rows: Option<ByKey<R>>,
    /// Rows known before that this list has not shown yet.
    before: Option<Arc<Mutex<ByKey<R>>>>,
    differing: Vec<u64>,
}

impl<R: Row> Listing<R> {
    pub(super) fn new(before: Option<Arc<Mutex<ByKey<R>>>>) -> Self {
        Self { rows: Some(ByKey::default()), before, differing: Vec::new() }
    }

    /// Keeps a row.
    pub(super) fn add(&mut self, row: R) {
        let Some(rows) = &mut self.rows else { return };
        let key = row.names().filter(|(namespace, id)| !namespace.is_empty() && !id.is_empty());
        let key = key.map(|(namespace, id)| RowKey::new(namespace, id));
        let Some(key) = key.filter(|_| rows.len() < MAX_ROWS) else {
            self.rows = None;
            return;
        };
        let row = rows.insert(&key.namespace, &key.id, row);
        if let Some(before) = &self.before
            && lock(before).take(&key.namespace, &key.id).as_deref() != Some(row)
        {
            self.differing.push(key.hash());
        }
    }

    /// Returns the rows, and hashes of the keys of those that differ from the rows known before.
    pub(super) fn finish(self) -> Option<(ByKey<R>, Vec<u64>)> {
        let Self { rows, before, mut differing } = self;
        if let Some(before) = before {
            differing.extend(lock(&before).keys().map(|key| key.hash()));
        }
        Some((rows?, differing))
    }
}

#[cfg(test)]
mod tests {
    use allocation_counter::measure;

    use super::*;
    use crate::nomad::api::{Allocation, Job};

    const ROWS: usize = 2_000;

    /// Adds different rows to a listing.
    fn list<R: Row>(
        json: fn(usize) -> serde_json::Value,
        before: Option<Arc<Mutex<ByKey<R>>>>,
    ) -> Listing<R> {
        let mut listing = Listing::new(before);
        (0..ROWS).for_each(|number| listing.add(serde_json::from_value(json(number)).unwrap()));
        listing
    }

    /// Checks the bytes per row of a list, and of the same list when it is read again.
    fn needs_little_memory<R: Row>(json: fn(usize) -> serde_json::Value) {
        let mut kept = None;
        let first = measure(|| kept = list::<R>(json, None).finish());
        let rows = |bytes: u64| bytes / ROWS as u64;
        let (by_key, _) = kept.expect("all rows are kept");
        assert_eq!(by_key.len(), ROWS);
        assert!(rows(first.bytes_current.unsigned_abs()) < 200, "{first:?}");

        let before = Arc::new(Mutex::new(by_key));
        let mut kept = None;
        let again = measure(|| kept = list(json, Some(before)).finish());
        let (by_key, differing) = kept.expect("all rows are kept");
        assert_eq!((by_key.len(), differing), (ROWS, Vec::<u64>::new()));
        assert!(rows(again.bytes_max) < 20, "two lists at the same time: {again:?}");
    }

    #[test]
    fn rows_need_little_memory() {
        needs_little_memory::<Job>(|number| {
            serde_json::json!({"ID": format!("build-{number:012}"), "Namespace": "ci", "Type": "batch",
                "Status": "running", "NodePool": "default", "Priority": 50, "CreateIndex": number,
                "JobModifyIndex": number, "SubmitTime": number,
                "JobSummary": {"Namespace": "ci", "ModifyIndex": number, "Summary": {"group": {"Complete": number}}}})
        });
        needs_little_memory::<Allocation>(|number| {
            let resources = serde_json::json!({"Tasks": {"main": {"Cpu": {"CpuShares": 100, "ReservedCores": [number]},
                "Memory": {"MemoryMB": 64}}}, "TaskLifecycles": {"main": null}, "Shared": {"DiskMB": 300}});
            serde_json::json!({"ID": format!("116a7537-1175-47e5-2790-{number:012}"), "Namespace": "ci",
                "JobID": format!("build-{number:012}"), "JobType": "batch", "TaskGroup": "group", "JobVersion": 0,
                "NodeID": format!("10e2c468-65e9-8746-14d7-{number:012}"), "ClientStatus": "running",
                "DesiredStatus": "run", "Name": format!("build-{number:012}.group[0]"), "CreateIndex": number,
                "CreateTime": number, "ModifyTime": number, "AllocatedResources": resources})
        });
    }

    #[test]
    fn rows_that_differ_from_those_before_are_told() {
        let list = |rows: &[(&str, &str)], before| {
            let mut listing = Listing::<Job>::new(before);
            for (id, status) in rows {
                let row = serde_json::json!({"ID": id, "Namespace": "ci", "Status": status});
                listing.add(serde_json::from_value(row).unwrap());
            }
            listing.finish().unwrap()
        };
        let (by_key, differing) =
            list(&[("same", "running"), ("other", "pending"), ("gone", "running")], None);
        assert!(differing.is_empty());
        let before = Some(Arc::new(Mutex::new(by_key)));
        let (by_key, differing) =
            list(&[("same", "running"), ("other", "running"), ("new", "running")], before);
        let hash = |id: &str| RowKey::new("ci", id).hash();
        assert_eq!(differing, ["other", "new", "gone"].map(hash));
        let mut ids = Vec::new();
        by_key.each(|job| ids.extend(job.id.clone()));
        assert_eq!(ids, ["new", "other", "same"]);
    }

    #[test]
    fn a_row_without_an_id_and_too_many_rows_are_not_kept() {
        let mut listing = Listing::<Job>::new(None);
        listing.add(Job::default());
        assert!(listing.finish().is_none());
        let mut listing = Listing::new(None);
        for number in 0..=MAX_ROWS {
            assert!(listing.rows.is_some());
            let row = serde_json::json!({"ID": number.to_string(), "Namespace": "ci"});
            listing.add(serde_json::from_value::<Job>(row).unwrap());
        }
        assert!(listing.finish().is_none());
    }
}
