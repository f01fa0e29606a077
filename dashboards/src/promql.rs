//! What queries are made of.

/// What names a node across metrics, with the exporter that says so.
pub(crate) const NODE_KEY: &str = "on (cluster, region, instance, node_id)";

/// A query as Grafana takes it: every selector gets the matchers of the variables `cluster` and `region`, and `%ns`, `%pool`,
/// `%node` and `%instance` stand for the matchers of the other variables.
pub(crate) fn scoped(query: &str) -> String {
    const SCOPE: &str = r#"{cluster=~"$cluster", region=~"$region""#;
    let query = query
        .replace("%ns", r#"namespace=~"$namespace""#)
        .replace("%pool", r#"node_pool=~"$node_pool""#)
        .replace("%node", r#"node=~"$node""#)
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

/// The sum at each exporter, by these labels; of replicas, the largest counts. Clusters and regions stay apart.
pub(crate) fn each(by: &str, metric: &str) -> String {
    let by = comma(by);
    format!("max by (cluster, region{by}) (sum by (cluster, region, instance{by}) ({metric}))")
}

/// The same of all clusters and regions together.
pub(crate) fn all(by: &str, metric: &str) -> String {
    let clause = if by.is_empty() { String::new() } else { format!(" by ({by}) ") };
    format!("sum{clause}({})", each(by, metric))
}

/// The largest value of replicas, by these labels beside cluster and region.
pub(crate) fn largest(by: &str, metric: &str) -> String {
    format!("max by (cluster, region{}) ({metric})", comma(by))
}

/// How much a counter grows each second, of all clusters and regions together.
pub(crate) fn rate(by: &str, counter: &str) -> String {
    all(by, &format!("rate({counter}[$__rate_interval])"))
}

/// Of which node pool a legend speaks.
pub(crate) const POOL: &str = "{{cluster}} {{region}} {{node_pool}}";

/// How much of a resource (as in `cpu_hertz`) the active nodes of each pool have left.
pub(crate) fn free(resource: &str) -> String {
    format!(
        "pool:nomad_node_allocatable_{resource}:sum{{%pool}} - pool:nomad_node_allocated_{resource}:sum{{%pool}}"
    )
}

/// How much of a resource is requested by the queued allocations of each pool.
pub(crate) fn demand(resource: &str) -> String {
    each("node_pool", &format!("nomad_queued_{resource}{{%ns, %pool}}"))
}

/// How many clients each pool lacks, by one resource, of the size that its active ones have on average.
pub(crate) fn missing_clients(resource: &str) -> String {
    let (demand, free) = (demand(resource), free(resource));
    let size = format!(
        "(pool:nomad_node_allocatable_{resource}:sum{{%pool}} / (pool:nomad_nodes_active:sum{{%pool}} > 0))"
    );
    format!("clamp_min(ceil(({demand} - ({free})) / {size}), 0)")
}

/// A quantile of a histogram over time, of all clusters and regions together.
pub(crate) fn quantile(quantile: f64, histogram: &str, matchers: &str, by: &str) -> String {
    format!("histogram_quantile({quantile}, {})", rate(by, &format!("{histogram}_bucket{matchers}")))
}
