//! Watching of a node with few requests. Survives server restarts and leader elections.

use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep};

use super::state::Seen;
use crate::commands::Error;
use crate::commands::find::FoundNode;
use crate::nomad::api::{AllocationSummary, Node, fold_rows};
use crate::nomad::{self, Client, Endpoint, Index, Reason, Request};
use crate::snapshot::Scope;
use crate::terms::ClientStatus;

/// Maximum time that a request waits for a change of the node; must be well below the request timeout.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Pauses between attempts while Nomad does not respond.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A watched node.
pub(super) struct Watch<'a> {
    client: &'a Client,
    node: &'a FoundNode,
    /// Namespaces whose allocations count.
    scope: &'a Scope,
    /// Time that a request waits for a change.
    wait: Duration,
    /// Index of the node when it was last read.
    index: Option<u64>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(client: &'a Client, node: &'a FoundNode, scope: &'a Scope, timeout: Duration) -> Self {
        Self { client, node, scope, wait: LONGEST_WAIT.min(timeout / 2), index: None }
    }

    /// Reads the node once. `None` if it does not exist.
    pub(super) async fn read(&self) -> Result<Option<Seen>, Error> {
        Ok(self.try_read(None).await?.map(|(seen, _)| seen))
    }

    /// Reads the node after it has changed or after some seconds. Retries while servers do not respond or
    /// have no leader; calls `on_outage` once with the reason, and once when it is over.
    pub(super) async fn next(&mut self, on_outage: impl Fn(Option<String>)) -> Result<Option<Seen>, Error> {
        let (mut pause, mut is_out) = (FIRST_PAUSE, false);
        loop {
            let started = Instant::now();
            match self.try_read(self.index).await {
                Ok(seen) => {
                    let index = seen.as_ref().and_then(|(_, index)| *index);
                    // Do not poll a server that does not wait for changes.
                    if self.index.is_some() && index == self.index {
                        sleep(self.wait.saturating_sub(started.elapsed())).await;
                    }
                    // The index of a rebuilt cluster starts again; do not wait for the old one.
                    self.index = index.filter(|index| self.index.is_none_or(|known| *index >= known));
                    if is_out {
                        on_outage(None);
                    }
                    return Ok(seen.map(|(seen, _)| seen));
                }
                Err(error) if is_temporary(&error) => {
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

    async fn try_read(&self, after: Option<u64>) -> Result<Option<(Seen, Option<u64>)>, nomad::Error> {
        let mut request =
            Request::new(Endpoint::Node, format!("/v1/node/{}", Request::escape(&self.node.id)));
        if let Some(index) = after {
            let wait = format!("{}ms", self.wait.as_millis());
            request = request.query("index", index.to_string()).query("wait", wait);
        }
        let Some((node, meta)) = nomad::found(self.client.object::<Node>(request).await)? else {
            return Ok(None);
        };
        Ok(Some((Seen { node, live: self.live().await? }, meta.index.map(Index::raft))))
    }

    /// Reads the running allocations of the node, in all readable namespaces.
    async fn live(&self) -> Result<Vec<AllocationSummary>, nomad::Error> {
        let path = format!("/v1/node/{}/allocations", Request::escape(&self.node.id));
        let (now, scope) = (SystemTime::now(), self.scope.clone());
        let add = move |all: &mut Vec<AllocationSummary>, row: AllocationSummary| {
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

/// Returns whether the error may pass: servers do not respond, are overloaded or have no leader, or a
/// response was aborted.
pub(super) fn is_temporary(error: &nomad::Error) -> bool {
    error.is_transient() || matches!(error.reason(), Reason::Timeout | Reason::Decode)
}

/// Returns how many of these have not started.
pub(super) fn unstarted<'a>(all: impl Iterator<Item = &'a AllocationSummary>) -> usize {
    all.filter(|it| it.client_status == ClientStatus::Pending).count()
}
