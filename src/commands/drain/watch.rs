//! Looking at a node again and again, at little cost, through whatever happens to Nomad's servers.

use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep};

use super::state::Seen;
use crate::commands::Error;
use crate::commands::find::FoundNode;
use crate::nomad::api::{Instance, Node, fold_rows};
use crate::nomad::{self, Client, Endpoint, Index, Reason, Request};
use crate::snapshot::Scope;
use crate::terms::ClientStatus;

/// How long a question waits for a change of the node, at most; it must be well below the time limit of requests.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// The pauses between attempts while Nomad does not answer.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A node that is looked at.
pub(super) struct Watch<'a> {
    client: &'a Client,
    node: &'a FoundNode,
    /// The namespaces whose allocations count.
    scope: &'a Scope,
    /// How long a question waits for a change.
    wait: Duration,
    /// The index of the node as it was last seen.
    index: Option<u64>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(client: &'a Client, node: &'a FoundNode, scope: &'a Scope, timeout: Duration) -> Self {
        Self { client, node, scope, wait: LONGEST_WAIT.min(timeout / 2), index: None }
    }

    /// Looks once, at once. `None` if Nomad does not know the node.
    pub(super) async fn look(&self) -> Result<Option<Seen>, Error> {
        Ok(self.try_look(None).await?.map(|(seen, _)| seen))
    }

    /// Looks again once the node has changed or some seconds have passed. While Nomad's servers are away, or between
    /// leaders, it keeps asking; `on_outage` is told once why, and once that it is over.
    pub(super) async fn next(&mut self, on_outage: impl Fn(Option<String>)) -> Result<Option<Seen>, Error> {
        let (mut pause, mut is_out) = (FIRST_PAUSE, false);
        loop {
            let started = Instant::now();
            match self.try_look(self.index).await {
                Ok(seen) => {
                    let index = seen.as_ref().and_then(|(_, index)| *index);
                    // A server that does not wait for changes is not to be asked all the time.
                    if self.index.is_some() && index == self.index {
                        sleep(self.wait.saturating_sub(started.elapsed())).await;
                    }
                    // One that was built anew counts from the beginning: then the next question does not wait either.
                    self.index = index.filter(|index| self.index.is_none_or(|known| *index >= known));
                    if is_out {
                        on_outage(None);
                    }
                    return Ok(seen.map(|(seen, _)| seen));
                }
                Err(error) if passes(&error) => {
                    if !is_out {
                        on_outage(Some(error.sentence()));
                    }
                    is_out = true;
                    self.index = None;
                    sleep(pause).await;
                    pause = (2 * pause).min(LONGEST_PAUSE);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn try_look(&self, after: Option<u64>) -> Result<Option<(Seen, Option<u64>)>, nomad::Error> {
        let mut request =
            Request::new(Endpoint::Node, format!("/v1/node/{}", Request::escape(&self.node.id)));
        if let Some(index) = after {
            let wait = format!("{}ms", self.wait.as_millis());
            request = request.query("index", index.to_string()).query("wait", wait);
        }
        let (node, meta) = match self.client.object::<Node>(request).await {
            Ok(answer) => answer,
            Err(error) if error.reason() == Reason::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some((Seen { node, live: self.live().await? }, meta.index.map(Index::raft))))
    }

    /// What runs on the node, of all namespaces that may be read.
    async fn live(&self) -> Result<Vec<Instance>, nomad::Error> {
        let path = format!("/v1/node/{}/allocations", Request::escape(&self.node.id));
        let (now, scope) = (SystemTime::now(), self.scope.clone());
        let add = move |all: &mut Vec<Instance>, row: Instance| {
            let counts = row.namespace.as_deref().is_none_or(|name| scope.includes(name));
            if counts && (row.client_status.is_live() || row.lingers(now)) {
                all.push(row);
            }
        };
        let request = Request::new(Endpoint::NodeAllocations, path);
        let ((mut all, _), _) = self.client.fetch(request, fold_rows(Vec::new(), add)).await?;
        all.sort_by(|one, other| one.created().cmp(&other.created()).then_with(|| one.id().cmp(other.id())));
        Ok(all)
    }
}

/// Whether it may be well again by itself: the servers are away, overloaded, between leaders, or an answer was cut off.
pub(super) fn passes(error: &nomad::Error) -> bool {
    error.is_transient() || matches!(error.reason(), Reason::Timeout | Reason::Decode)
}

/// How many of these have not even started.
pub(super) fn unstarted<'a>(all: impl Iterator<Item = &'a Instance>) -> usize {
    all.filter(|it| it.client_status == ClientStatus::Pending).count()
}
