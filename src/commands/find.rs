//! Lookup of nodes and jobs by what the user typed, with suggestions if it is unknown or ambiguous.

use strsim::normalized_damerau_levenshtein;

use super::Error;
use crate::human::plain;
use crate::nomad::api::{INSTANCE_ATTRIBUTES, Job, Node, fold_rows};
use crate::nomad::{Client, Endpoint, Request};
use crate::terms::{JobStatus, NodeStatus};

/// Maximum number of listed matches of an ambiguous name.
const MAX_MATCHES: usize = 10;
/// Maximum number of suggestions for an unknown name.
const MAX_OFFERS: usize = 3;
/// Minimum similarity of a suggestion: 1 is equal, 0 has nothing in common.
const NEAR: f64 = 0.5;
/// The namespace parameter for all namespaces.
const ALL: &str = "*";

/// An unknown or ambiguous name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// Nothing has this name.
    #[error("there is no {what} `{}`{}", plain(name), offer(nearest))]
    Unknown {
        /// Kind of object: `node`, or `job` and its namespace.
        what: String,
        /// The typed name.
        name: String,
        /// The most similar names, best first.
        nearest: Vec<String>,
    },
    /// Several objects match.
    #[error("`{}` is ambiguous; it matches {count} {what}:\n{}", plain(name), list(matches, *count))]
    Ambiguous {
        /// Kind of object.
        what: &'static str,
        /// The typed name.
        name: String,
        /// Number of matches.
        count: usize,
        /// The first matches, one per line.
        matches: Vec<String>,
    },
    /// The job is in another namespace.
    #[error(
        "there is no job `{}` in namespace {asked}, but there is one in {}; give --namespace {}",
        plain(id), plain(&found.join(", ")), plain(&found[0])
    )]
    Elsewhere {
        /// The typed ID.
        id: String,
        /// The searched namespaces.
        asked: String,
        /// The namespaces that have such a job.
        found: Vec<String>,
    },
    /// There is no client on this machine.
    #[error(
        "--self: no Nomad client responds on this machine at {}; set --agent-address to the client's HTTP address, \
         or give the node's name",
        plain(&asked.join(", "))
    )]
    NoClient {
        /// The addresses that were tried.
        asked: Vec<String>,
    },
}

fn offer(nearest: &[String]) -> String {
    let quoted: Vec<String> = nearest.iter().map(|name| format!("`{}`", plain(name))).collect();
    if quoted.is_empty() { String::new() } else { format!("; did you mean {}?", quoted.join(", ")) }
}

fn list(matches: &[String], count: usize) -> String {
    let mut lines: Vec<String> = matches.iter().map(|line| format!("  {}", plain(line))).collect();
    if count > matches.len() {
        lines.push(format!("  and {} more", count - matches.len()));
    }
    lines.join("\n")
}

/// Search for an ID or name: an exact match, otherwise an ID prefix.
#[derive(Debug)]
struct Search<T> {
    wanted: String,
    exact: Matches<T>,
    prefixed: Matches<T>,
    nearest: Nearest,
}

#[derive(Debug)]
struct Matches<T> {
    found: Vec<T>,
    count: usize,
}

/// The names that are most similar to the wanted one.
#[derive(Debug, Default)]
struct Nearest(Vec<(f64, String)>);

impl Nearest {
    fn add(&mut self, wanted: &str, name: &str) {
        // A name with the typed prefix is similar, however long it is.
        let begins = !wanted.is_empty() && name.starts_with(wanted);
        let likeness = if begins { 1.0 } else { normalized_damerau_levenshtein(wanted, name) };
        let is_new = |(_, known): &(f64, String)| known != name;
        if likeness >= NEAR && self.0.iter().all(is_new) {
            self.0.push((likeness, name.to_owned()));
            self.0.sort_by(|one, other| other.0.total_cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
            self.0.truncate(MAX_OFFERS);
        }
    }

    fn names(self) -> Vec<String> {
        self.0.into_iter().map(|(_, name)| name).collect()
    }
}

impl<T> Matches<T> {
    fn new() -> Self {
        Self { found: Vec::new(), count: 0 }
    }

    fn add(&mut self, found: T) {
        self.count += 1;
        if self.found.len() < MAX_MATCHES {
            self.found.push(found);
        }
    }
}

impl<T> Search<T> {
    fn new(wanted: &str) -> Self {
        Self {
            wanted: wanted.to_owned(),
            exact: Matches::new(),
            prefixed: Matches::new(),
            nearest: Nearest::default(),
        }
    }

    /// Compares one object.
    fn add(&mut self, id: &str, name: &str, found: impl FnOnce() -> T) {
        if self.wanted == id || self.wanted == name {
            self.exact.add(found());
        } else if id.starts_with(&self.wanted) {
            self.prefixed.add(found());
        } else {
            self.nearest.add(&self.wanted, name);
        }
    }

    /// Returns the match.
    fn end(self, what: &'static str, line: impl Fn(&T) -> String) -> Result<T, FindError> {
        let Self { wanted, exact, prefixed, nearest } = self;
        let Matches { mut found, count } = if exact.count > 0 { exact } else { prefixed };
        match count {
            0 => Err(FindError::Unknown { what: what.to_owned(), name: wanted, nearest: nearest.names() }),
            1 => Ok(found.remove(0)),
            _ => {
                let matches = found.iter().map(line).collect();
                let what = if what == "node" { "nodes" } else { "jobs" };
                Err(FindError::Ambiguous { what, name: wanted, count, matches })
            }
        }
    }
}

/// A found node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FoundNode {
    /// Its full ID.
    pub(super) id: String,
    /// Its name.
    pub(super) name: String,
}

/// Finds a node by ID, ID prefix, name, or cloud instance ID.
pub(super) async fn node(client: &Client, wanted: &str) -> Result<FoundNode, Error> {
    let request = Request::new(Endpoint::Nodes, "/v1/nodes");
    let add = |search: &mut Search<FoundNode>, row: Node| {
        let (id, name) = (row.id.unwrap_or_default(), row.name.unwrap_or_default());
        search.add(&id, &name, || FoundNode { id: id.clone(), name: name.clone() });
    };
    let ((mut search, _), _) = client.fetch(request, fold_rows(Search::new(wanted), add)).await?;
    if search.exact.count + search.prefixed.count == 0 {
        search.exact = node_of_instance(client, wanted).await?;
    }
    Ok(search.end("node", |node| format!("{} {}", node.id, node.name))?)
}

/// Finds nodes by the attribute with the instance ID. Lists contain no attributes, so each candidate is read.
async fn node_of_instance(client: &Client, instance: &str) -> Result<Matches<FoundNode>, Error> {
    let (mut alive, mut down) = (Matches::new(), Matches::new());
    // Prevents injection into the filter expression.
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "-_.".contains(char);
    if instance.is_empty() || !instance.chars().all(is_plain) {
        return Ok(alive);
    }
    let equal = INSTANCE_ATTRIBUTES.map(|name| format!(r#"Attributes["{name}"] == "{instance}""#));
    let request = Request::new(Endpoint::Nodes, "/v1/nodes").query("filter", equal.join(" or "));
    let add = |all: &mut Vec<String>, row: Node| all.extend(row.id);
    let ((ids, _), _) = client.fetch(request, fold_rows(Vec::new(), add)).await?;
    // Servers before Nomad 1.3 do not filter and send all nodes; limit the number of requests.
    for id in ids.into_iter().take(MAX_MATCHES) {
        let request = Request::new(Endpoint::Node, format!("/v1/node/{}", Request::escape(&id)));
        let (node, _) = client.object::<Node>(request).await?;
        if node.is_instance(instance) {
            let matches = if node.status == NodeStatus::Down { &mut down } else { &mut alive };
            matches.add(FoundNode { id, name: node.name.unwrap_or_default() });
        }
    }
    // A client that lost its data directory is a new node; its old node stays down.
    Ok(if alive.count > 0 { alive } else { down })
}

/// A found job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FoundJob {
    /// Its namespace.
    pub(super) namespace: String,
    /// Its full ID.
    pub(super) id: String,
    /// Its status.
    pub(super) status: JobStatus,
    /// Whether it is periodic or parameterized, and only starts child jobs.
    pub(super) is_template: bool,
}

/// Finds a job by ID, or by a unique ID prefix, in these namespaces; `*` is all. If the job exists in other
/// namespaces only, the error lists them.
pub(super) async fn job(client: &Client, namespaces: &[String], wanted: &str) -> Result<FoundJob, Error> {
    let mut search = Search::new(wanted);
    for namespace in namespaces {
        search = search_jobs(client, namespace, Some(wanted), search).await?;
    }
    if search.exact.count + search.prefixed.count == 0 {
        let asked = namespaces.join(", ");
        if !namespaces.iter().any(|name| name == ALL) {
            let everywhere = search_jobs(client, ALL, Some(wanted), Search::new(wanted)).await?;
            if everywhere.exact.count > 0 {
                let found = everywhere.exact.found.into_iter().map(|job| job.namespace).collect();
                return Err(FindError::Elsewhere { id: wanted.to_owned(), asked, found }.into());
            }
        }
        // All jobs are read only for suggestions.
        for namespace in namespaces {
            search = search_jobs(client, namespace, None, search).await?;
        }
    }
    Ok(search.end("job", |job| format!("{} in namespace {}", job.id, job.namespace))?)
}

async fn search_jobs(
    client: &Client,
    namespace: &str,
    prefix: Option<&str>,
    search: Search<FoundJob>,
) -> Result<Search<FoundJob>, Error> {
    let mut request = Request::new(Endpoint::Jobs, "/v1/jobs").query("namespace", namespace);
    if let Some(prefix) = prefix {
        request = request.query("prefix", prefix);
    }
    let add = |search: &mut Search<FoundJob>, row: Job| {
        let id = row.id.as_deref().unwrap_or_default();
        search.add(id, id, || FoundJob {
            namespace: row.namespace().to_owned(),
            id: id.to_owned(),
            status: row.status,
            is_template: row.template().is_some(),
        });
    };
    let ((search, _), _) = client.fetch(request, fold_rows(search, add)).await?;
    Ok(search)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(wanted: &str, all: &[(&str, &str)]) -> Result<String, FindError> {
        let mut search = Search::new(wanted);
        all.iter().for_each(|(id, name)| search.add(id, name, || (*id).to_owned()));
        search.end("node", String::clone)
    }

    #[test]
    fn an_exact_name_takes_precedence_over_an_id_prefix() {
        let all = [("abcd", "one"), ("abce", "two"), ("f00d", "ab"), ("f00e", "three")];
        assert_eq!(end("abcd", &all).as_deref(), Ok("abcd"));
        assert_eq!(end("ab", &all).as_deref(), Ok("f00d"));
        assert_eq!(end("f00e", &all).as_deref(), Ok("f00e"));
        let error = end("abc", &all).unwrap_err().to_string();
        assert_eq!(error, "`abc` is ambiguous; it matches 2 nodes:\n  abcd\n  abce");
    }

    #[test]
    fn only_similar_names_are_suggested() {
        let all = [("1", "client-a"), ("2", "client-b"), ("3", "cleint-c"), ("4", "client-d"), ("5", "zzz")];
        let error = end("client-c", &all).unwrap_err().to_string();
        assert_eq!(error, "there is no node `client-c`; did you mean `cleint-c`, `client-a`, `client-b`?");
        let error = end("cl", &[("1", "client-with-a-long-name"), ("2", "web")]).unwrap_err().to_string();
        assert_eq!(error, "there is no node `cl`; did you mean `client-with-a-long-name`?");
        assert_eq!(end("qqqqqqqq", &all).unwrap_err().to_string(), "there is no node `qqqqqqqq`");
        assert_eq!(end("\u{1b}[2J", &[]).unwrap_err().to_string(), r"there is no node `\u{1b}[2J`");
    }

    #[test]
    fn the_list_of_matches_is_limited() {
        let ids: Vec<String> = (0..30).map(|number| format!("a{number:02}")).collect();
        let all: Vec<(&str, &str)> = ids.iter().map(|id| (id.as_str(), "same")).collect();
        let error = end("same", &all).unwrap_err().to_string();
        assert!(error.ends_with("  a09\n  and 20 more"), "{error}");
        assert_eq!(error.lines().count(), 12);
    }
}
