//! API client: all requests to Nomad go through [`Client::fetch`].

use std::io::BufReader;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use http::header::{ACCEPT_ENCODING, CONTENT_TYPE};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

use super::body::{self, Body, Meter};
use super::connections::{Connections, Pools};
use super::done::{Count, OnRequest};
use super::endpoint::Endpoint;
use super::error::{ClientError, Error, Reason};
use super::newest::Newest;
use super::request::{Index, Meta, Request};
use super::servers::ServerAddresses;
use super::settings::ClientSettings;
use super::token::Token;
use super::transport::{Compression, is_tls};
use crate::files::{LastLoad, Reloader};

/// Maximum size of the rest of an unchanged response that is read; otherwise its connection is closed.
const DISCARD_BYTES: u64 = 1 << 20;
/// Maximum time for that.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(1);
/// Timeout for checking whether the first address has recovered.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// Pauses before checking whether any address responds.
const PROBE_PAUSES: [Duration; 3] = [Duration::ZERO, Duration::from_millis(100), Duration::from_millis(200)];
/// Minimum rate of a body. A slower one would be outdated before it is complete.
const MIN_BYTES_PER_SECOND: u64 = 10 << 10;

/// Client of Nomad's HTTP API. It can only read; [`Drainer`](super::Drainer) can write.
pub struct Client {
    settings: ClientSettings,
    servers: ServerAddresses,
    newest: Newest,
    last_answer: Mutex<Option<Instant>>,
    pools: Arc<Reloader<Pools>>,
    permits: Semaphore,
    on_request: OnRequest,
}

impl Client {
    /// Creates a client. Sends no requests yet.
    pub fn new(settings: ClientSettings, on_request: OnRequest) -> Result<Self, ClientError> {
        let pools = Pools {
            addresses: settings.addresses.clone(),
            tls: settings.tls.clone(),
            timeout: settings.timeout,
            max_idle: settings.max_connections,
        };
        let (servers, pools) = pools.open()?;
        let permits = Semaphore::new(settings.max_connections.max(1));
        let (newest, last_answer) = (Newest::default(), Mutex::new(None));
        let servers = ServerAddresses::new(servers);
        Ok(Self { settings, servers, newest, last_answer, pools, permits, on_request })
    }

    /// Returns its settings.
    pub fn into_settings(self) -> ClientSettings {
        self.settings
    }

    /// Returns the requested region, if it is not the agent's own.
    pub fn region(&self) -> Option<&str> {
        self.settings.region.as_deref()
    }

    /// Returns the results of the last loads of the token file and the TLS files, if there are any. Blocks.
    pub fn last_loads(&self) -> impl Iterator<Item = LastLoad> {
        let token = match &self.settings.token {
            Token::File(file) => file.last_load(),
            Token::None | Token::Fixed(_) => None,
        };
        token.into_iter().chain(self.pools.last_load())
    }

    /// Returns how often Nomad's indexes were reset because the cluster was rebuilt or restored from a
    /// snapshot. All cached data is then invalid.
    pub fn resets(&self) -> u64 {
        self.newest.resets()
    }

    /// Returns when the last response of any kind started.
    pub fn last_answer(&self) -> Option<Instant> {
        *self.last_answer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests one JSON value.
    pub async fn object<T>(&self, request: Request) -> Result<(T, Meta), Error>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let decode = |body| {
            let mut json = serde_json::Deserializer::from_reader(BufReader::new(body));
            let value = T::deserialize(&mut json)?;
            json.end()?;
            Ok(value)
        };
        self.fetch(request, decode).await
    }

    /// Sends a request and decodes the response while it arrives, on a separate thread.
    pub async fn fetch<T>(
        &self,
        request: Request,
        decode: impl FnOnce(Body) -> serde_json::Result<T> + Send + 'static,
    ) -> Result<(T, Meta), Error>
    where
        T: Send + 'static,
    {
        let (value, meta) = self.fetch_unless_known(request, None, decode).await?;
        Ok((value.expect("no index is known"), meta))
    }

    /// Like [`Client::fetch`], but returns no value if the response has the index `known`.
    pub async fn fetch_unless_known<T>(
        &self,
        mut request: Request,
        known: Option<Index>,
        decode: impl FnOnce(Body) -> serde_json::Result<T> + Send + 'static,
    ) -> Result<(Option<T>, Meta), Error>
    where
        T: Send + 'static,
    {
        let mut count = Count::new(&self.on_request, request.endpoint);
        request.newest = self.newest.of(&request);
        let result = self.fetch_uncounted(&request, known, decode, &count.meter).await;
        match &result {
            Ok((_, Meta { index: Some(index), .. })) => self.newest.read(&request, index.raft()),
            Err(Error::Behind { endpoint, index, newest, .. }) if self.newest.rejected(&request) => {
                let endpoint = endpoint.as_str();
                tracing::warn!(
                    endpoint,
                    index,
                    newest,
                    "the Raft indexes of Nomad went back, so the cluster was rebuilt or restored; cached data was dropped"
                );
            }
            _ => {}
        }
        count.reason = result.as_ref().err().map_or(Reason::Ok, Error::reason);
        result
    }

    /// Requests an object only for the headers of the response.
    pub async fn meta(&self, request: Request) -> Result<Meta, Error> {
        let read = |mut body: Body| {
            std::io::copy(&mut body, &mut std::io::sink()).map(drop).map_err(serde_json::Error::io)
        };
        Ok(self.fetch(request, read).await?.1)
    }

    async fn fetch_uncounted<T: Send + 'static>(
        &self,
        request: &Request,
        known: Option<Index>,
        decode: impl FnOnce(Body) -> serde_json::Result<T> + Send + 'static,
        meter: &Arc<Meter>,
    ) -> Result<(Option<T>, Meta), Error> {
        let _permit = self.permits.acquire().await.expect("the semaphore is never closed");
        self.check_first().await;
        let (server, response) = self.send(request).await?;
        let served = response.extensions().get().map_or(Duration::ZERO, |Served(served)| *served);
        let meta = Meta { last_contact: last_contact(&response), index: index(&response), served };
        if known.is_some() && meta.index == known {
            self.discard_rest(response, meter).await;
            return Ok((None, meta));
        }
        let (limit, flag) = self.cap(request);
        let (feed, chunks) = body::channel();
        let (is_gzip, counted) = (body::is_gzip(&response), meter.clone());
        let decoding =
            tokio::task::spawn_blocking(move || decode(Body::new(chunks, is_gzip, limit, counted)));
        let fed = self.feed(server, request, response, feed).await;
        // If the decoder panics, the request fails like one with an invalid response.
        let decoded = decoding
            .await
            .unwrap_or_else(|panic| Err(serde_json::Error::io(std::io::Error::other(panic.to_string()))));
        fed?;
        let (address, endpoint) = (|| server.address.to_string(), request.endpoint);
        if meter.is_cut() {
            return Err(Error::TooLarge { address: address(), endpoint, flag, limit });
        }
        let value = decoded.map_err(|source| Error::Decode { address: address(), endpoint, source })?;
        Ok((Some(value), meta))
    }

    /// Switches back to the first address once it responds. Checks with a short request, so that a hanging
    /// server does not use up the time of a long one.
    async fn check_first(&self) {
        let Some(first) = self.servers.first_if_due() else { return };
        if let Some(Ok(())) = self.probe(first).await {
            self.servers.return_to_first();
        }
    }

    /// Sends a short request to every address until one responds in any way. Returns whether one did, or
    /// whether there was another response meanwhile. A server with too many connections may close one before
    /// it reports that, so each address is tried again after a short pause.
    pub async fn is_reachable(&self) -> bool {
        let Ok(_permit) = tokio::time::timeout(PROBE_TIMEOUT, self.permits.acquire()).await else {
            return false;
        };
        let began = Instant::now();
        for pause in PROBE_PAUSES {
            tokio::time::sleep(pause).await;
            let mut hangs = false;
            for server in self.servers.all() {
                match self.probe(server).await {
                    None | Some(Err(Error::Timeout { .. })) => hangs = true,
                    Some(Err(error)) if error.is_of_connection() => {}
                    Some(_) => return true,
                }
            }
            if self.last_answer().is_some_and(|answered| answered >= began) {
                return true;
            }
            if hangs {
                break;
            }
        }
        false
    }

    /// Sends a short request; `None` if there is no response in time.
    async fn probe(&self, server: &Connections) -> Option<Result<(), Error>> {
        let request = Request::new(Endpoint::Leader, "/v1/status/leader");
        let mut count = Count::new(&self.on_request, request.endpoint);
        let limit = PROBE_TIMEOUT.min(self.limit(&request));
        let answer = tokio::time::timeout(limit, self.send_once(server, &request)).await.ok()?;
        count.reason = answer.as_ref().err().map_or(Reason::Ok, Error::reason);
        Some(answer.map(drop))
    }

    /// Sends the request until a response starts, with retries and other addresses until the timeout.
    async fn send(&self, request: &Request) -> Result<(&Connections, reqwest::Response), Error> {
        let limit = self.limit(request);
        let deadline = Instant::now() + limit;
        let retries = self.servers.count().max(3) - 1;
        let mut delays = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(100))
            .with_jitter()
            .with_max_times(retries)
            .build();
        loop {
            let (position, server) = self.servers.current();
            let error = match tokio::time::timeout_at(deadline, self.send_once(server, request)).await {
                Ok(Ok(response)) => {
                    self.servers.answered(position);
                    return Ok((server, response));
                }
                Ok(Err(error)) => error,
                Err(_) => Error::Timeout { address: server.address.to_string(), limit },
            };
            if request.once {
                return Err(error);
            }
            if error.is_transient() || error.reason() == Reason::Timeout {
                // The next caller starts with the next address, even if this request has timed out.
                self.servers.failed(position);
            }
            match delays.next() {
                Some(delay) if error.is_transient() && Instant::now() + delay < deadline => {
                    tokio::time::sleep(delay).await;
                }
                _ => return Err(error),
            }
        }
    }

    async fn send_once(&self, server: &Connections, request: &Request) -> Result<reqwest::Response, Error> {
        let mut builder =
            server.current(request.endpoint).await.get(self.url(server, request)).query(&request.query);
        if self.settings.allow_stale {
            builder = builder.query(&[("stale", "true")]);
        }
        self.send_as_us(server, request, builder).await
    }

    /// Sends a request with the region and the token, and checks the response.
    pub(super) async fn send_as_us(
        &self,
        server: &Connections,
        request: &Request,
        mut builder: reqwest::RequestBuilder,
    ) -> Result<reqwest::Response, Error> {
        if let Some(region) = &self.settings.region {
            builder = builder.query(&[("region", region)]);
        }
        if request.endpoint.is_stream() {
            builder = builder.header(ACCEPT_ENCODING, "identity");
        } else if self.settings.compression == Compression::Gzip {
            // Nomad compresses only for this exact value.
            builder = builder.header(ACCEPT_ENCODING, "gzip");
        }
        let token = self.settings.token.current().await;
        if let Some(secret) = &token.secret {
            builder = builder.header("X-Nomad-Token", secret.expose_secret());
        }
        if let Some(auth) = &self.settings.http_auth {
            let (user, password) = match auth.expose_secret().split_once(':') {
                Some((user, password)) => (user, Some(password)),
                None => (auth.expose_secret(), None),
            };
            builder = builder.basic_auth(user, password);
        }
        let sent = Instant::now();
        let mut response = builder.send().await.map_err(|error| self.broken(server, request, error))?;
        *self.last_answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        response.extensions_mut().insert(TokenGeneration(token.generation));
        response.extensions_mut().insert(Served(sent.elapsed()));
        let status = response.status().as_u16();
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_json = content_type.is_some_and(|value| value.starts_with("application/json"));
        if request.endpoint.accepts(status, is_json) {
            self.reject_stale(server, request, &response)?;
            self.reject_behind(server, request, &response)?;
            return Ok(response);
        }
        Err(Error::Status {
            address: server.address.to_string(),
            endpoint: request.endpoint,
            status,
            message: body::message(response).await,
        })
    }

    /// Rejects a response from a server without recent contact with the leader, because its data may be old.
    /// Responses that do not come from the servers' state have no such header and are accepted.
    fn reject_stale(
        &self,
        server: &Connections,
        request: &Request,
        response: &reqwest::Response,
    ) -> Result<(), Error> {
        let Some(limit) = self.settings.max_last_contact else { return Ok(()) };
        let (address, endpoint) = (|| server.address.to_string(), request.endpoint);
        if response.headers().get("X-Nomad-KnownLeader").is_some_and(|known| known == "false") {
            return Err(Error::NoLeader { address: address(), endpoint });
        }
        match last_contact(response) {
            Some(age) if age > limit => Err(Error::Stale { address: address(), endpoint, age, limit }),
            _ => Ok(()),
        }
    }

    /// Rejects a response with an older index than one that was read before.
    fn reject_behind(
        &self,
        server: &Connections,
        request: &Request,
        response: &reqwest::Response,
    ) -> Result<(), Error> {
        match (index(response), request.newest) {
            (Some(index), Some(newest)) if index.raft() < newest => {
                let (address, endpoint) = (server.address.to_string(), request.endpoint);
                Err(Error::Behind { address, endpoint, index: index.raft(), newest })
            }
            _ => Ok(()),
        }
    }

    /// Opens a streamed response. The request counts as complete once the response has started.
    pub(super) async fn open(&self, request: &Request) -> Result<(&Connections, reqwest::Response), Error> {
        let mut count = Count::new(&self.on_request, request.endpoint);
        let opened = self.send(request).await;
        count.reason = opened.as_ref().err().map_or(Reason::Ok, Error::reason);
        opened
    }

    /// Returns the address in use.
    pub(super) fn server(&self) -> &Connections {
        self.servers.current().1
    }

    pub(super) fn url(&self, server: &Connections, request: &Request) -> String {
        let url = server.address.join(&request.path);
        match (&self.settings.tls.server_name, server.address.is_https()) {
            (Some(name), true) => with_host(&url, name).unwrap_or(url),
            _ => url,
        }
    }

    /// Reads a short rest, so that the connection can be reused. For a long rest, closing it is cheaper.
    async fn discard_rest(&self, mut response: reqwest::Response, meter: &Meter) {
        let reading = async {
            while let Ok(Some(chunk)) = response.chunk().await
                && meter.add(chunk.len()) < DISCARD_BYTES
            {}
        };
        // The result does not matter, because the content is known.
        drop(tokio::time::timeout(DISCARD_TIMEOUT, reading).await);
    }

    /// Returns the size limit of a response, and its flag.
    fn cap(&self, request: &Request) -> (u64, &'static str) {
        match request.endpoint.is_list() {
            true => (self.settings.max_list_bytes, "--nomad.max-list-bytes"),
            false => (self.settings.max_object_bytes, "--nomad.max-object-bytes"),
        }
    }

    /// Passes the body to its decoder, and fails on long pauses or a low rate. The decoder has a limit of its
    /// own; the compressed size has another one, because a compressed body may decompress to nothing forever.
    async fn feed(
        &self,
        server: &Connections,
        request: &Request,
        mut response: reqwest::Response,
        feed: mpsc::Sender<bytes::Bytes>,
    ) -> Result<(), Error> {
        let limit = if body::is_gzip(&response) { self.settings.max_compressed_bytes } else { u64::MAX };
        let (pause, began, mut sent) = (self.limit(request), Instant::now(), 0);
        loop {
            let allowed = pause + Duration::from_secs(sent / MIN_BYTES_PER_SECOND);
            let until = (Instant::now() + pause).min(began + allowed);
            let chunk = match tokio::time::timeout_at(until, response.chunk()).await {
                Ok(chunk) => chunk.map_err(|error| self.broken(server, request, error))?,
                Err(_) if until < began + allowed => {
                    return Err(Error::Timeout { address: server.address.to_string(), limit: pause });
                }
                Err(_) => {
                    let address = server.address.to_string();
                    return Err(Error::Crawl { address, minimum: MIN_BYTES_PER_SECOND });
                }
            };
            let Some(chunk) = chunk else { return Ok(()) };
            sent += chunk.len() as u64;
            if sent > limit {
                let (address, flag) = (server.address.to_string(), "--nomad.max-compressed-bytes");
                return Err(Error::TooLarge { address, endpoint: request.endpoint, flag, limit });
            }
            if feed.send(chunk).await.is_err() {
                // The decoder has failed; its error says why.
                return Ok(());
            }
        }
    }

    /// Returns the number of tokens that were in use before the current one.
    pub(super) async fn token_generation(&self) -> u64 {
        self.settings.token.current().await.generation
    }

    pub(super) fn limit(&self, request: &Request) -> Duration {
        request.timeout.unwrap_or(self.settings.timeout)
    }

    pub(super) fn broken(&self, server: &Connections, request: &Request, error: reqwest::Error) -> Error {
        let address = server.address.to_string();
        // The URL is long; the address is enough to identify the server.
        let source = error.without_url();
        if source.is_timeout() {
            Error::Timeout { address, limit: self.limit(request) }
        } else if is_tls(&source) {
            Error::Tls { address, source }
        } else {
            Error::Connect { address, source }
        }
    }
}

/// Generation of the token that was used for a request.
#[derive(Clone, Copy)]
pub(super) struct TokenGeneration(pub(super) u64);

/// Time until a response started.
#[derive(Clone, Copy)]
struct Served(Duration);

fn index(response: &reqwest::Response) -> Option<Index> {
    let raft = response.headers().get("X-Nomad-Index")?.to_str().ok()?.parse().ok()?;
    let TokenGeneration(token) = *response.extensions().get()?;
    // An empty table has index 0, which says nothing about changes.
    (raft > 0).then_some(Index { raft, token })
}

fn last_contact(response: &reqwest::Response) -> Option<Duration> {
    let millis = response.headers().get("X-Nomad-LastContact")?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_millis(millis))
}

fn with_host(url: &str, host: &str) -> Option<String> {
    let mut url = reqwest::Url::parse(url).ok()?;
    url.set_host(Some(host)).ok()?;
    Some(url.into())
}
