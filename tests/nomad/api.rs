//! Nomad's HTTP API, as plain JSON.

use serde_json::Value;
use tokio::runtime::Runtime;

/// API of an agent.
pub(crate) struct Api {
    pub(crate) url: String,
    client: reqwest::Client,
    runtime: Runtime,
}

impl Api {
    pub(crate) fn new(url: String) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { url, client, runtime: Runtime::new().unwrap() }
    }

    /// Returns the response, or the error.
    pub(crate) fn try_get(&self, path: &str) -> Result<Value, String> {
        self.send(self.client.get(format!("{}{path}", self.url)))
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        self.try_get(path).unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    /// Returns a list; Nomad sends `null` for some empty ones.
    pub(crate) fn list(&self, path: &str) -> Vec<Value> {
        match self.get(path) {
            Value::Array(rows) => rows,
            Value::Null => Vec::new(),
            other => panic!("GET {path} is no list: {other}"),
        }
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Value {
        let request = self.client.put(format!("{}{path}", self.url)).body(body.to_string());
        self.send(request).unwrap_or_else(|error| panic!("PUT {path} {body}: {error}"))
    }

    pub(crate) fn delete(&self, path: &str) {
        let request = self.client.delete(format!("{}{path}", self.url));
        self.send(request).unwrap_or_else(|error| panic!("DELETE {path}: {error}"));
    }

    /// Returns the text of another page, such as the exporter's metrics.
    pub(crate) fn page(&self, url: &str) -> String {
        let text = async { self.client.get(url).send().await?.error_for_status()?.text().await };
        self.runtime.block_on(text).unwrap_or_else(|error| panic!("GET {url}: {error}"))
    }

    fn send(&self, request: reqwest::RequestBuilder) -> Result<Value, String> {
        let answer = async {
            let answer = request.send().await?;
            let status = answer.status();
            Ok::<_, reqwest::Error>((status, answer.text().await?))
        };
        let (status, text) = self.runtime.block_on(answer).map_err(|error| error.to_string())?;
        if !status.is_success() {
            return Err(format!("{status}: {text}"));
        }
        match text.as_str() {
            "" => Ok(Value::Null),
            _ => serde_json::from_str(&text).map_err(|error| format!("{error}: {text}")),
        }
    }
}
