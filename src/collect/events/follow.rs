//! Keeps the event stream open while it saves the servers work.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::time::{Instant, sleep};

use super::Unclear;
use crate::collect::context::Context;
use crate::collect::report::Lines;
use crate::collect::store::Store;
use crate::nomad::{Client, Endpoint, Index, Request, StreamEnd};
use crate::snapshot::CollectorId;

/// Shortest and longest pause after a broken stream.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];
/// After a stream of this duration, pauses start again with the shortest one.
const GOOD: Duration = Duration::from_secs(300);
/// Interval between checks of whether the stream is still valid. It is shorter than that of heartbeats.
const LOOK: Duration = Duration::from_secs(5);
/// Pause after a stream that was rejected or did not save work.
const LONG_PAUSE: Duration = Duration::from_secs(600);

/// Why a stream is closed.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error(transparent)]
    Stream(#[from] StreamEnd),
    #[error(transparent)]
    Unclear(#[from] Unclear),
    #[error("the token changed")]
    Token,
    /// A server subscribes to the namespaces that exist at the start of the stream.
    #[error("the namespaces changed")]
    Namespaces,
    #[error("so many rows change that lists cost the servers less")]
    InVain,
    /// Nomad before 1.3 cannot return single rows.
    #[error("the servers are older than Nomad 1.3")]
    TooOld,
    /// Up to Nomad 1.9.5, the stream contains more than such a token may read.
    #[error("the token is not permitted to read all namespaces")]
    Partial,
}

/// Reads the stream forever, if a collector uses it. The index of a table increases with the changes of all namespaces, so
/// only a stream of all namespaces shows whether an event is missing.
pub(in crate::collect) async fn follow(context: Arc<Context>, store: Arc<Store>) {
    let has_use = context.settings.events && context.events.has_use();
    if !has_use || !context.settings.namespaces.is_all() {
        return;
    }
    let mut lines = Lines::new(context.settings.logged_changes);
    let pauses = ExponentialBuilder::default()
        .with_min_delay(PAUSES[0])
        .with_max_delay(PAUSES[1])
        .with_jitter()
        .without_max_times();
    let (mut next_pauses, mut last) = (pauses.build(), String::new());
    loop {
        let began = Instant::now();
        let opened = || {
            if !std::mem::take(&mut last).is_empty()
                && let Some(left_out) = lines.one_more()
            {
                tracing::info!(left_out, "the event stream of Nomad is used again");
            }
        };
        let Err(end) = read(&context, &store, opened).await;
        context.events.close();
        let why = end.to_string();
        // Another message reports that Nomad cannot be reached.
        let is_outage =
            matches!(end, End::Stream(StreamEnd::Broken(_))) && !context.client.is_reachable().await;
        if !is_outage && why != last {
            if let Some(left_out) = lines.one_more() {
                tracing::info!(
                    reason = why,
                    left_out,
                    "the event stream of Nomad is not used, lists are requested instead"
                );
            }
            last = why;
        }
        if began.elapsed() >= GOOD {
            next_pauses = pauses.build();
        }
        sleep(match &end {
            End::Token => Duration::ZERO,
            End::InVain | End::TooOld | End::Partial => LONG_PAUSE,
            End::Stream(end) if end.is_rejection() => LONG_PAUSE,
            End::Stream(_) | End::Unclear(_) | End::Namespaces => next_pauses.next().unwrap_or(PAUSES[1]),
        })
        .await;
    }
}

/// Reads a stream until it ends or is no longer useful. Calls `opened` after its first line.
async fn read(context: &Context, store: &Store, opened: impl FnOnce()) -> Result<Infallible, End> {
    let servers = store.newest(CollectorId::Servers).await.servers.unwrap_or_default();
    if !servers.filter_lists {
        return Err(End::TooOld);
    }
    let coverage = store.newest(CollectorId::Token).await.coverage;
    if coverage.is_some_and(|coverage| coverage.partial().is_some()) {
        return Err(End::Partial);
    }
    let namespaces = self::namespaces(&context.client).await;
    let mut stream = context.client.events("*").await?;
    let (mut opened, mut looked) = (Some(opened), Instant::now());
    loop {
        let sent = stream.next().await?;
        context.events.received(stream.take_received());
        if let Some(opened) = opened.take() {
            context.events.open(namespaces);
            opened();
        }
        if let Some(transaction) = sent {
            context.events.take(&transaction)?;
        }
        if looked.elapsed() < LOOK {
            continue;
        }
        looked = Instant::now();
        if !stream.has_current_token().await {
            return Err(End::Token);
        }
        if context.events.is_in_vain() {
            return Err(End::InVain);
        }
        // If the request fails, so do the refreshes.
        let now = self::namespaces(&context.client).await;
        if now.is_some() && now != namespaces {
            return Err(End::Namespaces);
        }
    }
}

/// Requests the index of the namespaces: it increases if one is created, changed or deleted.
pub(super) async fn namespaces(client: &Client) -> Option<Index> {
    // No name begins with `*`, so the response is empty.
    let request = Request::new(Endpoint::Namespaces, "/v1/namespaces").query("prefix", "*");
    // The next list reports the error.
    client.meta(request).await.ok()?.index
}
