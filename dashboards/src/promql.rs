//! Building blocks of queries.

/// Labels that identify a node across metrics of the same exporter.
pub(crate) const NODE_KEY: &str = "on (cluster, region, instance, node_id)";

/// Returns a query for Grafana: every selector gets the matchers of the variables `cluster` and `region`, and `%ns`,
/// `%pool`, `%node` and `%instance` become the matchers of the other variables.
pub(crate) fn scoped(query: &str) -> String {
    const SCOPE: &str = r#"{cluster=~"$cluster", region=~"$region""#;
    let query = query
        .replace("%ns", r#"namespace=~"$namespace""#)
        .replace("%pool", r#"node_pool=~"$node_pool""#)
        .replace("%node", r#"node=~"$node""#)
        .replace("%job", r#"job_id=~"$job""#)
        .replace("%instance", r#"instance=~"$instance""#);
    let mut scoped = String::new();
    let mut rest = query.as_str();
    while let Some(start) = rest.find(is_word) {
        let (before, word) = rest.split_at(start);
        let (word, after) = word.split_at(word.find(|c| !is_word(c)).unwrap_or(word.len()));
        scoped.push_str(before);
        scoped.push_str(word);
        rest = after;
        let is_metric =
            word.starts_with("nomad_") || word.starts_with("process_") || word.contains(":nomad_");
        if !is_metric {
            continue;
        }
        scoped.push_str(SCOPE);
        match after.strip_prefix('{') {
            Some(matchers) => {
                scoped.push_str(", ");
                rest = matchers;
            }
            None => scoped.push('}'),
        }
    }
    scoped + rest
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

fn comma(by: &str) -> String {
    if by.is_empty() { String::new() } else { format!(", {by}") }
}

/// Returns the sum per exporter by these labels; of replicas, the largest counts. Clusters and regions stay separate.
pub(crate) fn each(by: &str, metric: &str) -> String {
    let by = comma(by);
    format!("max by (cluster, region{by}) (sum by (cluster, region, instance{by}) ({metric}))")
}

/// Returns the same sum over all clusters and regions.
pub(crate) fn all(by: &str, metric: &str) -> String {
    let clause = if by.is_empty() { String::new() } else { format!(" by ({by}) ") };
    format!("sum{clause}({})", each(by, metric))
}

/// Returns the largest value of all replicas, by these labels in addition to cluster and region.
pub(crate) fn largest(by: &str, metric: &str) -> String {
    format!("max by (cluster, region{}) ({metric})", comma(by))
}

/// Returns the rate of a counter over all clusters and regions.
pub(crate) fn rate(by: &str, counter: &str) -> String {
    all(by, &format!("rate({counter}[$__rate_interval])"))
}

/// Legend of a node pool.
pub(crate) const POOL: &str = "{{cluster}} {{region}} {{node_pool}}";

/// Returns the free amount of a resource (as in `cpu_hertz`) on the active nodes of each pool.
pub(crate) fn free(resource: &str) -> String {
    let of = |kind: &str| largest("node_pool", &format!("nomad_pool_{kind}_{resource}{{%pool}}"));
    format!("{} - {}", of("allocatable"), of("allocated"))
}

/// Returns the amount of a resource that the queued allocations of each pool request.
pub(crate) fn demand(resource: &str) -> String {
    each("node_pool", &format!("nomad_queued_{resource}{{%ns, %pool}}"))
}

/// A quantile of a histogram over time, of all clusters and regions together.
pub(crate) fn quantile(quantile: f64, histogram: &str, matchers: &str, by: &str) -> String {
    format!("histogram_quantile({quantile}, {})", rate(by, &format!("{histogram}_bucket{matchers}")))
}
