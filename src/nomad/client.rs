//! The client: every request to Nomad goes through [`Client::fetch`].

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
use super::transport::Compression;
use crate::files::{LastLoad, Reloader};

/// How much of an answer that is known already is read before its connection is given up instead.
const PASSED_OVER_BYTES: u64 = 1 << 20;
/// And how long.
const PASS_OVER: Duration = Duration::from_secs(1);
/// How long the first address may take to show that it is well again.
const LOOK: Duration = Duration::from_secs(2);
/// The pauses before it is looked whether any address answers.
const LOOK_PAUSES: [Duration; 3] = [Duration::ZERO, Duration::from_millis(100), Duration::from_millis(200)];
/// A body that comes more slowly than this is given up: it would be old before it is whole.
const MIN_BYTES_PER_SECOND: u64 = 10 << 10;

/// A client of Nomad's HTTP API. It can only read; [`Drainer`](super::Drainer) can write.
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
    /// A client from its settings. Nothing is asked yet.
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

    /// The settings that it was made of.
    pub fn into_settings(self) -> ClientSettings {
        self.settings
    }

    /// The region that is asked about, if it is not the agent's own.
    pub fn region(&self) -> Option<&str> {
        self.settings.region.as_deref()
    }

    /// Returns how the last load of the token file and of the TLS files went, as far as there are any. Blocking work.
    pub fn last_loads(&self) -> impl Iterator<Item = LastLoad> {
        let token = match &self.settings.token {
            Token::File(file) => file.last_load(),
            Token::None | Token::Fixed(_) => None,
        };
        token.into_iter().chain(self.pools.last_load())
    }

    /// Returns how often Nomad's indexes fell for good, so that nothing that was remembered of it holds: it was rebuilt,
    /// or restored from a snapshot.
    pub fn resets(&self) -> u64 {
        self.newest.resets()
    }

    /// Returns when an answer last began, whatever it was.
    pub fn last_answer(&self) -> Option<Instant> {
        *self.last_answer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for one JSON value.
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

    /// Asks for something and decodes the answer, on a thread of its own, while it arrives.
    pub async fn fetch<T>(
        &self,
        request: Request,
        decode: impl FnOnce(Body) -> serde_json::Result<T> + Send + 'static,
    ) -> Result<(T, Meta), Error>
    where
        T: Send + 'static,
    {
        let (value, meta) = self.fetch_unless_known(request, None, decode).await?;
        Ok((value.expect("nothing is known of it"), meta))
    }

    /// The same unless the answer has the index that is `known`: then it is not decoded, and there is no value.
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
            Err(Error::Behind { endpoint, index, newest, .. }) if self.newest.refused(&request) => {
                let endpoint = endpoint.as_str();
                tracing::warn!(
                    endpoint,
                    index,
                    newest,
                    "the indexes of Nomad fell: it was rebuilt or restored, and what was remembered of it is forgotten"
                );
            }
            _ => {}
        }
        count.reason = result.as_ref().err().map_or(Reason::Ok, Error::reason);
        result
    }

    /// Asks for what the headers of an answer tell.
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
        self.look_at_first().await;
        let (server, response) = self.send(request).await?;
        let served = response.extensions().get().map_or(Duration::ZERO, |Served(served)| *served);
        let meta = Meta { last_contact: last_contact(&response), index: index(&response), served };
        if known.is_some() && meta.index == known {
            self.pass_over(response, meter).await;
            return Ok((None, meta));
        }
        let (limit, flag) = self.cap(request);
        let (feed, chunks) = body::channel();
        let (is_gzip, counted) = (body::is_gzip(&response), meter.clone());
        let decoding =
            tokio::task::spawn_blocking(move || decode(Body::new(chunks, is_gzip, limit, counted)));
        let fed = self.feed(server, request, response, feed).await;
        // A panicking decoder is a bug; the request then fails like an answer that cannot be read.
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

    /// Goes back to the first address once it answers again. A short question shows that, so that a server that hangs
    /// does not take the time of a long one.
    async fn look_at_first(&self) {
        let Some(first) = self.servers.first_to_look_at() else { return };
        if let Some(Ok(())) = self.look_at(first).await {
            self.servers.return_to_first();
        }
    }

    /// Asks every address something short until one answers, whatever it answers. Returns whether one did, or anything
    /// else was answered meanwhile. A server that refuses connections because there are too many may break one off before
    /// it says so, so each is asked again after a short pause.
    pub async fn is_reachable(&self) -> bool {
        let Ok(_permit) = tokio::time::timeout(LOOK, self.permits.acquire()).await else { return false };
        let began = Instant::now();
        for pause in LOOK_PAUSES {
            tokio::time::sleep(pause).await;
            let mut hangs = false;
            for server in self.servers.all() {
                match self.look_at(server).await {
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

    /// Asks something short; `None` if there was no answer in time.
    async fn look_at(&self, server: &Connections) -> Option<Result<(), Error>> {
        let request = Request::new(Endpoint::Leader, "/v1/status/leader");
        let mut count = Count::new(&self.on_request, request.endpoint);
        let limit = LOOK.min(self.limit(&request));
        let answer = tokio::time::timeout(limit, self.send_once(server, &request)).await.ok()?;
        count.reason = answer.as_ref().err().map_or(Reason::Ok, Error::reason);
        Some(answer.map(drop))
    }

    /// Sends the request until an answer begins, trying again and elsewhere while the time limit lasts.
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
                // Whoever comes next starts with the next address, also when our own time is up.
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
        let mut builder = server.current().await.get(self.url(server, request)).query(&request.query);
        if self.settings.allow_stale {
            builder = builder.query(&[("stale", "true")]);
        }
        self.send_as_us(server, request, builder).await
    }

    /// Sends what was built, in our region and with our token, and returns an answer that is to be read.
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
            // Nomad compresses for this very word alone.
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
            self.refuse_old(server, request, &response)?;
            self.refuse_behind(server, request, &response)?;
            return Ok(response);
        }
        Err(Error::Status {
            address: server.address.to_string(),
            endpoint: request.endpoint,
            status,
            message: body::message(response).await,
        })
    }

    /// Refuses an answer from a server that is cut off from its leader: old data in a fresh dress. Endpoints that
    /// do not read the servers' state say nothing about it, and pass.
    fn refuse_old(
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

    /// Refuses an answer from a server that is behind what was read before.
    fn refuse_behind(
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

    /// Opens an answer that is read while it comes. It counts as done once it has begun.
    pub(super) async fn open(&self, request: &Request) -> Result<(&Connections, reqwest::Response), Error> {
        let mut count = Count::new(&self.on_request, request.endpoint);
        let opened = self.send(request).await;
        count.reason = opened.as_ref().err().map_or(Reason::Ok, Error::reason);
        opened
    }

    /// The address to ask now.
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

    /// Reads a short rest, so that the connection can be used again; the rest of a long one is cheaper to cut off.
    async fn pass_over(&self, mut response: reqwest::Response, meter: &Meter) {
        let reading = async {
            while let Ok(Some(chunk)) = response.chunk().await
                && meter.add(chunk.len()) < PASSED_OVER_BYTES
            {}
        };
        // What it would have said is known, however this ends.
        drop(tokio::time::timeout(PASS_OVER, reading).await);
    }

    /// How many bytes an answer may have, and the flag that says so.
    fn cap(&self, request: &Request) -> (u64, &'static str) {
        match request.endpoint.is_list() {
            true => (self.settings.max_list_bytes, "--nomad.max-list-bytes"),
            false => (self.settings.max_object_bytes, "--nomad.max-object-bytes"),
        }
    }

    /// Passes the body on to its decoder, without long pauses and not at a crawl. The decoder knows its cap; what
    /// is compressed has one of its own, since there is no end to what yields nothing.
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
                // The decoder gave up; its error tells why.
                return Ok(());
            }
        }
    }

    pub(super) fn limit(&self, request: &Request) -> Duration {
        request.timeout.unwrap_or(self.settings.timeout)
    }

    pub(super) fn broken(&self, server: &Connections, request: &Request, error: reqwest::Error) -> Error {
        let address = server.address.to_string();
        // The URL is ours and long; the address names the peer well enough.
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

/// Which token a response was asked for with.
#[derive(Clone, Copy)]
struct TokenGeneration(u64);

/// How long it took until a response began.
#[derive(Clone, Copy)]
struct Served(Duration);

fn index(response: &reqwest::Response) -> Option<Index> {
    let raft = response.headers().get("X-Nomad-Index")?.to_str().ok()?.parse().ok()?;
    let TokenGeneration(token) = *response.extensions().get()?;
    // 0 is what a table has before anything was ever written, and tells nothing.
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

fn is_tls(error: &reqwest::Error) -> bool {
    let causes = std::iter::successors(std::error::Error::source(error), |error| error.source());
    causes.into_iter().any(holds_rustls_error)
}

/// rustls wraps its errors in I/O errors, perhaps twice, whose own source skips what they hold.
fn holds_rustls_error(error: &(dyn std::error::Error + 'static)) -> bool {
    let held = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    error.is::<rustls::Error>() || held.is_some_and(|held| holds_rustls_error(held))
}
