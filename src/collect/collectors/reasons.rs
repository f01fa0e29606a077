//! Maps the free text of placement failures to a fixed set of reasons.

use crate::nomad::api::{Evaluation, PlacementFailure};
use crate::terms::{BlockReason, TermSet};

/// Returns all reasons of an evaluation; only `other` if it has none. Before Nomad 1.1, blocked evaluations
/// do not contain their placement failures.
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

/// Returns the main reason for a waiting job: the first in the order of [`BlockReason`]. Constraints come
/// late in that order: if the nodes that meet them are full, the job waits because they are full.
pub(in crate::collect) fn main(reasons: TermSet<BlockReason>) -> BlockReason {
    reasons.iter().next().unwrap_or(BlockReason::Other)
}

/// Returns why the job of a blocked evaluation is waiting.
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

/// Returns the task groups whose constraints filtered out all evaluated nodes. More nodes of the same kind
/// would not help them.
pub(in crate::collect) fn constrained_groups(evaluation: &Evaluation) -> impl Iterator<Item = &str> {
    let groups = evaluation.failed_groups.iter().flatten();
    groups.filter(|(_, failure)| failure.as_ref().is_some_and(is_constrained)).map(|(name, _)| name.as_str())
}

fn is_constrained(failure: &PlacementFailure) -> bool {
    let Some(evaluated) = failure.nodes_evaluated.filter(|count| *count > 0) else { return false };
    failure.nodes_filtered.is_some_and(|filtered| filtered >= evaluated)
        && !failure.constraint_filtered.iter().flat_map(|keys| keys.keys()).any(|text| passes(text))
}

/// Returns whether a constraint depends on what else is running, so that another node of the same kind, or
/// waiting, can help.
fn passes(text: &str) -> bool {
    text.starts_with("distinct_") || text.starts_with("CSI ")
}

/// Returns whether no node in the job's node pool and datacenters is available.
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

/// Returns the reason for a filtered node. The scheduler also reports missing devices and networks as
/// constraints.
fn of_constraint(text: &str) -> BlockReason {
    match text {
        "missing devices" => BlockReason::Device,
        "missing network" => BlockReason::Network,
        // CSI and host volumes. CSI messages contain IDs.
        text if text.starts_with("missing") && text.contains("volume") => BlockReason::Volume,
        text if text.starts_with("CSI ") => BlockReason::Volume,
        _ => BlockReason::Constraint,
    }
}

/// Returns the reason for an exhausted node. Text after a colon contains port numbers and device names.
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
