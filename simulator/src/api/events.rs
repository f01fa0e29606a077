//! `/v1/event/stream`: authorization of subscriptions, and their lines.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};

use crate::answer::{Answer, Refusal};
use crate::cluster::Cluster;
use crate::cluster::events::{Next, Published, ReaderId, Transaction};
use crate::request::Request;
use crate::version::{Version, since};

use super::access::{Access, Capability};
use super::{Call, Reply, view};

/// Size at which a batch of rendered lines is complete.
const CHUNK_BYTES: usize = 64 << 10;
/// Last message to a reader that is too slow, in versions that can still send one.
const DROPPED: &str = "event dropped from buffer";
/// The same if the token no longer permits the subscription.
const CLOSED: &str = "subscription closed by server, client should resubscribe";
const ALL: &str = "*";

/// A subscription to the event stream.
#[derive(Clone, Debug)]
pub(crate) struct Subscription {
    version: Version,
    topics: BTreeMap<String, Vec<String>>,
    /// The requested namespace.
    namespace: String,
    /// The covered namespaces, fixed when the stream starts; `None` in versions that also cover namespaces
    /// created later.
    namespaces: Option<BTreeSet<String>>,
    token: Option<String>,
    index: u64,
    reader: Option<ReaderId>,
}

/// What to send next on a stream.
#[derive(Debug)]
pub(crate) enum Lines {
    /// These lines without their line feeds, and their total number of events. Empty if there is nothing new.
    Some { lines: Vec<Bytes>, events: u64 },
    /// The server ends the stream, with this last message in versions that can still send one.
    End(&'static str),
}

impl Lines {
    /// Returns no lines.
    pub(crate) fn none() -> Self {
        Self::Some { lines: Vec::new(), events: 0 }
    }
}

impl Call<'_> {
    pub(super) fn event_stream(&self) -> Reply {
        let bad = |message: String| Refusal::new(StatusCode::BAD_REQUEST, message);
        let (version, query) = (self.version(), &self.request.query);
        let index = query.get("index").unwrap_or("0");
        let invalid =
            || bad(format!("Unable to parse index: strconv.Atoi: parsing {index:?}: invalid syntax"));
        let subscription = Subscription {
            version,
            topics: topics(self.request).map_err(|error| bad(format!("Invalid topic query: {error}")))?,
            namespace: query.namespace().to_owned(),
            namespaces: self.namespaces_now(),
            token: self.request.token.clone(),
            index: index.parse().map_err(|_| invalid())?,
            reader: None,
        };
        let allowed = subscription.check(self.cluster).and_then(|()| self.check_stream());
        match allowed {
            Ok(()) => Ok(answer().streaming(subscription)),
            // The connection is already hijacked when the servers refuse, so the status is 200.
            Err(_) if version >= since::HIJACKED_STREAM => Ok(answer().refusing()),
            Err(refusal) => Err(refusal),
        }
    }

    fn namespaces_now(&self) -> Option<BTreeSet<String>> {
        let known = || self.cluster.namespaces.keys().cloned().collect();
        (self.version() >= since::STREAM_OF_ALL_NAMESPACES).then(|| match self.request.query.namespace() {
            ALL => known(),
            one => BTreeSet::from([one.to_owned()]),
        })
    }

    fn check_stream(&self) -> Result<(), Refusal> {
        let failed = |message: &str| Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message));
        match self.request.query.get("region") {
            Some(region) if region != self.cluster.settings.region => failed("No path to region"),
            _ if !self.cluster.broker.is_on() => failed("EventBroker not configured"),
            _ => Ok(()),
        }
    }
}

fn answer() -> Answer {
    let mut answer = Answer::new(StatusCode::OK, Some("application/json"), Bytes::new());
    answer.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    answer
}

/// Returns the requested keys by topic.
fn topics(request: &Request) -> Result<BTreeMap<String, Vec<String>>, String> {
    let mut topics: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for topic in request.query.all("topic") {
        let (topic, key) = match topic.split(':').collect::<Vec<_>>()[..] {
            [topic] => (topic, ALL),
            [topic, key] => (topic, key),
            _ => {
                let problem = "Invalid key value pair for topic, topic";
                return Err(format!("error parsing topics: {problem}: {topic}"));
            }
        };
        topics.entry(topic.to_owned()).or_default().push(key.to_owned());
    }
    if topics.is_empty() {
        topics.insert(ALL.to_owned(), vec![ALL.to_owned()]);
    }
    Ok(topics)
}

impl Subscription {
    /// Checks whether the token permits the subscription. The error depends on the version.
    fn check(&self, cluster: &Cluster) -> Result<(), Refusal> {
        let version = self.version;
        let access = Access::of(cluster, self.token.as_deref());
        if matches!(access, Access::UnknownToken) && version >= since::UNIFORM_DENIAL {
            return Err(Refusal::forbidden());
        }
        let all = || self.namespaces.iter().flatten().all(|namespace| self.allows(access, namespace));
        let allowed = match &self.namespaces {
            Some(_) => all(),
            None => self.allows(access, &self.namespace),
        };
        match allowed {
            true => Ok(()),
            false if version >= since::STREAM_OF_ALL_NAMESPACES => Err(Refusal::forbidden()),
            false => Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "Permission denied")),
        }
    }

    fn allows(&self, access: Access<'_>, namespace: &str) -> bool {
        let version = self.version;
        self.topics.keys().all(|topic| match topic.as_str() {
            // In older versions, permission in any one namespace is enough for all namespaces.
            "Job" | "Allocation" | "Evaluation" | "Deployment" | "Service" if namespace == ALL => {
                access.sees_any(Capability::ReadJob)
            }
            "Job" | "Allocation" | "Evaluation" | "Deployment" | "Service" => {
                access.sees(Capability::ReadJob, namespace)
            }
            "Node" => access.require(version, |policy| policy.node).is_ok(),
            "Operator" => access.require(version, |policy| policy.operator).is_ok(),
            _ => matches!(access, Access::Full),
        })
    }

    /// Registers the subscription as a reader.
    pub(crate) fn begin(&mut self, cluster: &mut Cluster) {
        cluster.commit();
        self.reader = Some(cluster.broker.subscribe(self.index));
    }

    /// Removes the subscription from the readers.
    pub(crate) fn leave(&mut self, cluster: &mut Cluster) {
        if let Some(reader) = self.reader.take() {
            cluster.broker.unsubscribe(reader);
        }
    }

    /// Returns whether the stream starts with a heartbeat.
    pub(crate) fn greets(&self) -> bool {
        self.version.has(since::FIRST_HEARTBEAT)
    }

    /// Returns the lines since the last call.
    pub(crate) fn next(&mut self, cluster: &mut Cluster) -> Lines {
        cluster.commit();
        let Some(reader) = self.reader else { return Lines::End(CLOSED) };
        if self.check(cluster).is_err() {
            return Lines::End(CLOSED);
        }
        let mut lines = Vec::new();
        let (mut bytes, mut events) = (0, 0);
        while bytes < CHUNK_BYTES {
            match cluster.broker.next(reader) {
                Next::Transaction(transaction) => {
                    if let Some((line, of_line)) = self.line(&transaction, cluster) {
                        bytes += line.len();
                        events += of_line;
                        lines.push(line);
                    }
                }
                Next::Wait => break,
                Next::Dropped if lines.is_empty() => return Lines::End(DROPPED),
                Next::Dropped => break,
            }
        }
        Lines::Some { lines, events }
    }

    /// Returns the line of a transaction and its number of events; `None` if no event matches the
    /// subscription.
    fn line(&self, transaction: &Transaction, cluster: &Cluster) -> Option<(Bytes, u64)> {
        let events: Vec<_> = transaction
            .events
            .iter()
            .flat_map(|event| std::iter::repeat_n(event, self.matches(event)))
            .map(|event| view::event(event, transaction, cluster))
            .collect();
        let count = events.len() as u64;
        (count > 0).then(|| (view::line(transaction.index, events).into(), count))
    }

    /// Returns how often an event is sent: once for a wildcard, once per requested key that matches it, or 0
    /// if nothing matches.
    fn matches(&self, event: &Published) -> usize {
        let namespace = event.payload.namespace();
        let seen = match &self.namespaces {
            Some(namespaces) => namespaces.contains(namespace),
            None => self.namespace == ALL || self.namespace == namespace,
        };
        if !namespace.is_empty() && !seen {
            return 0;
        }
        let none = Vec::new();
        let of_all = self.topics.get(ALL).unwrap_or(&none);
        let of_topic = self.topics.get(event.payload.topic().as_str()).unwrap_or(&none);
        let keys: Vec<&String> = of_all.iter().chain(of_topic).collect();
        // `*` is a wildcard only if it is the only key.
        if of_all[..] == [ALL] || keys[..] == [ALL] {
            return 1;
        }
        let (own, others) = (event.payload.key(), event.payload.filter_keys().unwrap_or_default());
        keys.into_iter().filter(|key| **key == own || others.contains(key)).count()
    }
}
