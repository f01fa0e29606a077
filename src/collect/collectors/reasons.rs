//! Why an evaluation is blocked, from free text to a closed set.

use crate::nomad::api::{Evaluation, PlacementFailure};
use crate::terms::{BlockReason, TermSet};

/// Every reason that occurs in an evaluation; `other` alone where none is told (before Nomad 1.1 the blocked
/// evaluation does not carry its failures).
pub(in crate::collect) fn all(evaluation: &Evaluation) -> TermSet<BlockReason> {
    let mut reasons = TermSet::default();
    if evaluation.quota_limit_reached.as_deref().is_some_and(|quota| !quota.is_empty()) {
        reasons.insert(BlockReason::Quota);
    }
    let groups = evaluation.failed_groups.iter().flat_map(|groups| groups.values().flatten());
    groups.for_each(|failure| of_group(failure, &mut reasons));
    if reasons.is_empty() {
        reasons.insert(BlockReason::Other);
    }
    reasons
}

/// The one reason to name for a job that waits: the first in the order of the vocabulary. A constraint comes
/// late: where nodes that meet it exist and are full, being full is why the job waits.
pub(in crate::collect) fn main(reasons: TermSet<BlockReason>) -> BlockReason {
    reasons.iter().next().unwrap_or(BlockReason::Other)
}

/// Why the job of a blocked evaluation waits.
pub fn block_reason(evaluation: &Evaluation) -> BlockReason {
    main(all(evaluation))
}

fn of_group(failure: &PlacementFailure, reasons: &mut TermSet<BlockReason>) {
    if failure.quota_exhausted.as_ref().is_some_and(|quotas| !quotas.is_empty()) {
        reasons.insert(BlockReason::Quota);
    }
    if nobody_was_asked(failure) {
        reasons.insert(BlockReason::NoNodes);
    }
    let constraints = failure.constraint_filtered.iter().flat_map(|keys| keys.keys());
    constraints.for_each(|text| reasons.insert(of_constraint(text)));
    if more_than_none(failure.nodes_filtered)
        && failure.constraint_filtered.as_ref().is_none_or(|c| c.is_empty())
    {
        reasons.insert(BlockReason::Constraint);
    }
    let dimensions = failure.dimension_exhausted.iter().flat_map(|keys| keys.keys());
    dimensions.for_each(|text| reasons.insert(of_dimension(text)));
    if more_than_none(failure.nodes_exhausted)
        && failure.dimension_exhausted.as_ref().is_none_or(|d| d.is_empty())
    {
        reasons.insert(BlockReason::Other);
    }
}

/// The task groups for which constraints ruled out every node that was looked at, so that more nodes of the same kind do
/// not help.
pub(in crate::collect) fn constrained_groups(evaluation: &Evaluation) -> impl Iterator<Item = &str> {
    let groups = evaluation.failed_groups.iter().flatten();
    groups.filter(|(_, failure)| failure.as_ref().is_some_and(is_constrained)).map(|(name, _)| name.as_str())
}

fn is_constrained(failure: &PlacementFailure) -> bool {
    let Some(evaluated) = failure.nodes_evaluated.filter(|count| *count > 0) else { return false };
    failure.nodes_filtered.is_some_and(|filtered| filtered >= evaluated)
        && !failure.constraint_filtered.iter().flat_map(|keys| keys.keys()).any(|text| passes(text))
}

/// Whether a constraint depends on what else runs: another node of the same kind, or time, would do.
fn passes(text: &str) -> bool {
    text.starts_with("distinct_") || text.starts_with("CSI ")
}

/// No node of the job's pool and datacenters takes work.
fn nobody_was_asked(failure: &PlacementFailure) -> bool {
    let none_available = || {
        let available = failure.nodes_available.iter().flat_map(|nodes| nodes.values());
        available.flatten().all(|count| *count <= 0)
    };
    !more_than_none(failure.nodes_evaluated) && (failure.nodes_in_pool == Some(0) || none_available())
}

fn more_than_none(count: Option<i64>) -> bool {
    count.is_some_and(|count| count > 0)
}

/// What ruled a node out. The scheduler's own words for devices and ports come as constraints too.
fn of_constraint(text: &str) -> BlockReason {
    match text {
        "missing devices" => BlockReason::Device,
        "missing network" => BlockReason::Network,
        // CSI and host volumes; texts of CSI carry IDs.
        text if text.starts_with("missing") && text.contains("volume") => BlockReason::Volume,
        text if text.starts_with("CSI ") => BlockReason::Volume,
        _ => BlockReason::Constraint,
    }
}

/// In which way a node was full. Texts after a colon carry port numbers and device names.
fn of_dimension(text: &str) -> BlockReason {
    match text.split(':').next().unwrap_or_default().trim() {
        "cpu" => BlockReason::Cpu,
        "memory" => BlockReason::Memory,
        "disk" => BlockReason::Disk,
        "cores" | "numa-cores" => BlockReason::Cores,
        "network" | "bandwidth exceeded" => BlockReason::Network,
        "devices" | "device oversubscribed" => BlockReason::Device,
        other if other.contains("port") => BlockReason::Network,
        _ => BlockReason::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_of_placement_failures() {
        use BlockReason::*;
        for (group, expected) in [
            (r#"{"NodesEvaluated":2,"NodesExhausted":2,"DimensionExhausted":{"memory":2}}"#, vec![Memory]),
            (
                r#"{"NodesEvaluated":2,"NodesExhausted":2,"DimensionExhausted":{"cpu":1,"memory":1}}"#,
                vec![Memory, Cpu],
            ),
            (r#"{"NodesEvaluated":2,"DimensionExhausted":{"numa-cores":1,"disk":1}}"#, vec![Cores, Disk]),
            (
                r#"{"NodesEvaluated":1,"DimensionExhausted":{"network: reserved port collision http=80":1}}"#,
                vec![Network],
            ),
            (
                r#"{"NodesEvaluated":1,"DimensionExhausted":{"reserved port collision http=80":1}}"#,
                vec![Network],
            ),
            (
                r#"{"NodesEvaluated":1,"DimensionExhausted":{"devices: no devices match request":1}}"#,
                vec![Device],
            ),
            (r#"{"NodesEvaluated":1,"DimensionExhausted":{"max allocation exceeded":1}}"#, vec![Other]),
            (
                r#"{"NodesEvaluated":2,"NodesFiltered":2,"ConstraintFiltered":{"${attr.kernel.name} = windows":2}}"#,
                vec![Constraint],
            ),
            (r#"{"NodesEvaluated":2,"NodesFiltered":2,"ConstraintFiltered":null}"#, vec![Constraint]),
            (
                r#"{"NodesEvaluated":2,"NodesFiltered":1,"ConstraintFiltered":{"missing devices":1},"DimensionExhausted":{"cpu":1}}"#,
                vec![Device, Cpu],
            ),
            (
                r#"{"NodesEvaluated":2,"NodesFiltered":2,"ConstraintFiltered":{"missing compatible host volumes":2}}"#,
                vec![Volume],
            ),
            (
                r#"{"NodesEvaluated":1,"NodesFiltered":1,"ConstraintFiltered":{"CSI plugin org.a is unhealthy on client 7":1}}"#,
                vec![Volume],
            ),
            (r#"{"NodesEvaluated":3,"NodesExhausted":3,"DimensionExhausted":null}"#, vec![Other]),
            (r#"{"NodesEvaluated":0,"NodesInPool":0,"NodesAvailable":null}"#, vec![NoNodes]),
            (r#"{"NodesEvaluated":0,"NodesInPool":3,"NodesAvailable":{"dc1":0}}"#, vec![NoNodes]),
            (r#"{"NodesEvaluated":0,"NodesInPool":3,"NodesAvailable":{"dc1":3}}"#, vec![Other]),
            (r#"{"NodesEvaluated":1,"QuotaExhausted":["team"]}"#, vec![Quota]),
            ("null", vec![Other]),
        ] {
            let evaluation: Evaluation =
                serde_json::from_str(&format!(r#"{{"FailedTGAllocs":{{"group":{group}}}}}"#)).unwrap();
            assert_eq!(all(&evaluation).iter().collect::<Vec<_>>(), expected, "{group}");
        }
    }

    #[test]
    fn an_evaluation_without_failures_waits_for_other_reasons() {
        assert_eq!(main(all(&Evaluation::default())), BlockReason::Other);
        let evaluation = serde_json::from_str(r#"{"QuotaLimitReached":"team"}"#).unwrap();
        assert_eq!(main(all(&evaluation)), BlockReason::Quota);
    }

    #[test]
    fn a_group_is_constrained_if_no_node_of_any_number_would_do() {
        for (group, expected) in [
            (
                r#"{"NodesEvaluated":2,"NodesFiltered":2,"ConstraintFiltered":{"${attr.kernel.name} = windows":2}}"#,
                true,
            ),
            (r#"{"NodesEvaluated":2,"NodesFiltered":2,"ConstraintFiltered":{"missing devices":2}}"#, true),
            (r#"{"NodesEvaluated":2,"NodesFiltered":2,"ConstraintFiltered":null}"#, true),
            (r#"{"NodesEvaluated":2,"NodesFiltered":1,"ConstraintFiltered":{"a = b":1}}"#, false),
            (r#"{"NodesEvaluated":2,"NodesFiltered":2,"ConstraintFiltered":{"distinct_hosts":2}}"#, false),
            (
                r#"{"NodesEvaluated":1,"NodesFiltered":1,"ConstraintFiltered":{"CSI plugin a is unhealthy":1}}"#,
                false,
            ),
            (r#"{"NodesEvaluated":0,"NodesFiltered":0,"ConstraintFiltered":null}"#, false),
            (r#"{"NodesEvaluated":null,"NodesFiltered":null}"#, false),
            ("null", false),
        ] {
            let text = format!(r#"{{"FailedTGAllocs":{{"group":{group}}}}}"#);
            let evaluation: Evaluation = serde_json::from_str(&text).unwrap();
            assert_eq!(constrained_groups(&evaluation).count() == 1, expected, "{group}");
        }
    }

    #[test]
    fn a_full_node_outweighs_a_constraint() {
        let mut reasons = TermSet::default();
        reasons.insert(BlockReason::Constraint);
        reasons.insert(BlockReason::Cpu);
        assert_eq!(main(reasons), BlockReason::Cpu);
    }
}
