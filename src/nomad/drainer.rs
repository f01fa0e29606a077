//! The only client that can write: it starts and cancels drains.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use serde::Serialize;

use super::client::Client;
use super::done::OnRequest;
use super::endpoint::Endpoint;
use super::error::{ClientError, Error};
use super::request::Request;
use super::settings::ClientSettings;

/// Client that drains nodes. Only the drain command creates one; all other code has a [`Client`].
pub struct Drainer {
    client: Client,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DrainRequest {
    drain_spec: Option<DrainSpec>,
    mark_eligible: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DrainSpec {
    /// In nanoseconds; 0 means none.
    deadline: u64,
    ignore_system_jobs: bool,
}

impl Drainer {
    /// Creates a drainer. Sends no requests yet. It reads from the leader, because stale data cannot show
    /// that a machine is safe to terminate.
    pub fn new(settings: ClientSettings, on_request: OnRequest) -> Result<Self, ClientError> {
        let client = Client::new(ClientSettings { allow_stale: false, ..settings }, on_request)?;
        Ok(Self { client })
    }

    /// Returns the client for reading.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Starts a drain. This would change the settings and restart the deadline of an active drain, so check
    /// the node first. The request is sent once, because only the node shows whether a request with a lost
    /// response was applied.
    pub async fn drain(
        &self,
        node: &str,
        deadline: Option<Duration>,
        ignore_system_jobs: bool,
    ) -> Result<(), Error> {
        let deadline = deadline.map_or(0, |it| u64::try_from(it.as_nanos()).unwrap_or(u64::MAX));
        let spec = DrainSpec { deadline, ignore_system_jobs };
        self.put(node, &DrainRequest { drain_spec: Some(spec), mark_eligible: false }).await
    }

    /// Cancels a drain, or reverts a completed one: the node is eligible again.
    pub async fn cancel(&self, node: &str) -> Result<(), Error> {
        self.put(node, &DrainRequest { drain_spec: None, mark_eligible: true }).await
    }

    async fn put(&self, node: &str, change: &DrainRequest) -> Result<(), Error> {
        let request = Request::new(Endpoint::Drain, format!("/v1/node/{}/drain", Request::escape(node)));
        let body = serde_json::to_vec(change).expect("plain values are JSON");
        let server = self.client.server();
        let builder = server.current(request.endpoint).await.put(self.client.url(server, &request));
        let builder = builder.header(CONTENT_TYPE, "application/json").body(body);
        let sent = self.client.send_as_us(server, &request, builder);
        let limit = self.client.limit(&request);
        match tokio::time::timeout(limit, sent).await {
            Ok(answer) => answer.map(drop),
            Err(_) => Err(Error::Timeout { address: server.address.to_string(), limit }),
        }
    }
}
