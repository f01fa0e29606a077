//! What queries are made of.

/// What names a node across families, with the exporter that says so.
pub(crate) const NODE_KEY: &str = "on (job, instance, node_id)";

/// A query as Grafana takes it: every selector gets the matchers of the variables `job` and `instance`, and `%ns`,
/// `%pool` and `%node` stand for the matchers of the other variables.
pub(crate) fn scoped(query: &str) -> String {
    const SCOPE: &str = r#"{job=~"$job", instance=~"$instance""#;
    let query = query
        .replace("%ns", r#"namespace=~"$namespace""#)
        .replace("%pool", r#"node_pool=~"$node_pool""#)
        .replace("%node", r#"node=~"$node""#);
    let mut scoped = String::new();
    let mut rest = query.as_str();
    while let Some(start) = rest.find(is_word) {
        let (before, word) = rest.split_at(start);
        let (word, after) = word.split_at(word.find(|c| !is_word(c)).unwrap_or(word.len()));
        scoped.push_str(before);
        scoped.push_str(word);
        rest = after;
        if !word.starts_with("nomad_") && !word.starts_with("process_") {
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
    c.is_ascii_alphanumeric() || c == '_'
}

/// How old the oldest is, by a point in time that is absent where nothing waits: then 0, as long as `counted`, which
/// is never absent otherwise, is there. `by` is empty or a clause.
pub(crate) fn age(oldest: &str, counted: &str, by: &str) -> String {
    format!("time() - min{by}({oldest}{{%ns}}) or 0 * sum{by}({counted}{{%ns}})")
}

/// The nodes of the selected pools, those that take work only.
fn active_nodes() -> String {
    format!(r#"(nomad_node_info{{%pool}} and {NODE_KEY} nomad_node_state{{state="active"}} == 1)"#)
}

/// A family of nodes, aggregated over the active nodes of each pool.
pub(crate) fn by_pool(aggregation: &str, family: &str) -> String {
    format!("{aggregation} by (node_pool) ({family} * {NODE_KEY} group_left (node_pool) {})", active_nodes())
}

/// How much of a resource (as in `cpu_hertz`) the active nodes of each pool have left.
pub(crate) fn free(resource: &str) -> String {
    let left = format!("(nomad_node_allocatable_{resource} - nomad_node_allocated_{resource})");
    by_pool("sum", &left)
}

/// How much of a resource the queued instances of each pool ask for.
pub(crate) fn demand(resource: &str) -> String {
    format!("sum by (node_pool) (nomad_queued_{resource}{{%ns, %pool}})")
}

/// How many clients each pool lacks, by one resource. A pool without active nodes has nothing left, and its usual
/// size is that of its other nodes.
pub(crate) fn missing_clients(resource: &str) -> String {
    let (demand, free) = (demand(resource), free(resource));
    let family = format!("nomad_node_allocatable_{resource}");
    let size = by_pool("avg", &family);
    let other_size =
        format!("avg by (node_pool) ({family} * {NODE_KEY} group_left (node_pool) nomad_node_info{{%pool}})");
    format!("clamp_min(ceil(({demand} - ({free} or 0 * {demand})) / ({size} or {other_size})), 0)")
}

/// A quantile of a histogram over time.
pub(crate) fn quantile(quantile: f64, histogram: &str, matchers: &str, by: &str) -> String {
    format!(
        "histogram_quantile({quantile}, sum by ({by}) (rate({histogram}_bucket{matchers}[$__rate_interval])))"
    )
}
