//! Connections to all addresses. They are replaced when their certificate files change.

use std::sync::Arc;
use std::time::Duration;

use super::address::Address;
use super::endpoint::Endpoint;
use super::transport::{Certificates, Tls, TransportError, build};
use crate::files::{FileSet, Files, Reading, Reloader};

/// An address and its connections.
pub(super) struct Connections {
    pub(super) address: Address,
    position: usize,
    pools: Arc<Reloader<Pools>>,
}

/// Creates connection pools. A renewed certificate needs no restart.
pub(super) struct Pools {
    pub(super) addresses: Vec<Address>,
    pub(super) tls: Tls,
    pub(super) timeout: Duration,
    pub(super) max_idle: usize,
}

impl Connections {
    /// Returns the current pool for requests to an endpoint.
    pub(super) async fn current(&self, endpoint: Endpoint) -> reqwest::Client {
        let Pool { requests, events } = &self.pools.current().await.value[self.position];
        if endpoint == Endpoint::EventStream { events } else { requests }.clone()
    }
}

/// The connections to one address.
pub(super) struct Pool {
    requests: reqwest::Client,
    /// For the event stream, which pauses between heartbeats for longer than other responses may.
    events: reqwest::Client,
}

impl Pools {
    /// Creates the pools of all addresses, in their order. Blocks, because it reads certificates.
    pub(super) fn open(self) -> Result<(Vec<Connections>, Arc<Reloader<Self>>), TransportError> {
        let addresses = self.addresses.clone();
        let pools = Arc::new(Reloader::open(self)?);
        let connections = |(position, address)| Connections { address, position, pools: pools.clone() };
        Ok((addresses.into_iter().enumerate().map(connections).collect(), pools))
    }
}

impl Files for Pools {
    type Value = Vec<Pool>;
    type Error = TransportError;
    const SET: FileSet = FileSet::ApiTls;

    fn load(&self, reading: &mut Reading, _: Option<&Vec<Pool>>) -> Result<Vec<Pool>, TransportError> {
        let certificates = match self.addresses.iter().any(Address::is_https) {
            true => Certificates::load(&self.tls, reading)?,
            false => Certificates::default(),
        };
        let build = |address, read_timeout| {
            build(address, &self.tls, &certificates, self.timeout, read_timeout, self.max_idle)
        };
        let pool = |address| {
            Ok(Pool { requests: build(address, Some(self.timeout))?, events: build(address, None)? })
        };
        self.addresses.iter().map(pool).collect()
    }
}
