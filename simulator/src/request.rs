//! A request: its path in decoded segments, its parameters, its token.

use bytes::Bytes;
use http::Method;
use http::request::Parts;
use percent_encoding::percent_decode_str;

/// A request for the backends.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// The path as sent, still encoded.
    pub(crate) path: String,
    /// The query as sent, without the question mark.
    pub(crate) raw_query: String,
    pub(crate) query: Query,
    pub(crate) token: Option<String>,
    pub(crate) accept_encoding: Option<String>,
    /// Empty unless it is a write.
    pub(crate) body: Bytes,
}

impl Request {
    pub(crate) fn new(parts: &Parts) -> Request {
        let header =
            |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        // A header that is sent twice is one list.
        let all = |name: &str| {
            let values = parts.headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
            let values: Vec<&str> = values.collect();
            (!values.is_empty()).then(|| values.join(", "))
        };
        let bearer =
            || header("authorization").and_then(|value| value.strip_prefix("Bearer ").map(str::to_owned));
        let raw_query = parts.uri.query().unwrap_or_default().to_owned();
        Request {
            method: parts.method.clone(),
            path: parts.uri.path().to_owned(),
            query: Query::parse(&raw_query),
            raw_query,
            token: header("x-nomad-token").or_else(bearer),
            accept_encoding: all("accept-encoding"),
            body: Bytes::new(),
        }
    }

    /// Returns whether it is a write.
    pub(crate) fn is_write(&self) -> bool {
        matches!(self.method, Method::PUT | Method::POST)
    }

    /// Returns path and query as sent.
    pub(crate) fn target(&self) -> String {
        if self.raw_query.is_empty() {
            self.path.clone()
        } else {
            format!("{}?{}", self.path, self.raw_query)
        }
    }
}

/// The parameters of a request, decoded, in the order sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(raw: &str) -> Query {
        let pairs = raw.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(&name.replace('+', " ")), decode(&value.replace('+', " ")))
        });
        Query(pairs.collect())
    }

    /// Returns the first value of a parameter; an empty one counts as absent, as in Nomad.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// Returns all values of a parameter, decoded, in the order sent.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns whether the parameter was sent, with or without a value.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// Returns whether the parameter is a word that Go parses as true.
    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| matches!(value, "1" | "t" | "T" | "true" | "TRUE" | "True"))
    }

    /// Returns the requested namespace; Nomad's default without one.
    pub(crate) fn namespace(&self) -> &str {
        self.get("namespace").unwrap_or("default")
    }

    /// Returns the parameters without the named ones, sorted, so that equal requests are equal.
    pub(crate) fn without(&self, names: &[&str]) -> Query {
        let mut pairs: Vec<_> =
            self.0.iter().filter(|(key, _)| !names.contains(&key.as_str())).cloned().collect();
        pairs.sort();
        Query(pairs)
    }

    /// Returns the parameters with one value replaced, sorted.
    pub(crate) fn with(&self, name: &str, value: &str) -> Query {
        let mut query = self.without(&[name]);
        query.0.push((name.to_owned(), value.to_owned()));
        query.0.sort();
        query
    }
}

/// Decodes percent escapes; invalid ones stay unchanged.
pub(crate) fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
