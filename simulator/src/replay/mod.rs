//! Playback of recorded responses of real agents.

mod derive;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use crate::answer::Answer;
use crate::request::{Query, Request, decode};
use crate::version::Version;
use crate::work::Work;

/// Parameters that do not change a recorded response.
const IGNORED: &[&str] = &["stale", "region", "wait", "index", "pretty"];

/// The recorded responses of one cluster.
///
/// In the folder, `index.json` maps each request to the file of its body, its status and its headers.
#[derive(Debug)]
pub struct Recording {
    version: Version,
    answers: BTreeMap<Key, Answer>,
}

/// A request, independent of the order and encoding of its parameters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    path: String,
    query: String,
}

impl Key {
    fn new(path: &str, query: &Query) -> Key {
        Key { path: decode(path), query: format!("{:?}", query.without(IGNORED)) }
    }
}

/// A row of `index.json`.
#[derive(Deserialize)]
struct Entry {
    request: String,
    file: String,
    status: u16,
    headers: BTreeMap<String, String>,
}

impl Recording {
    /// Reads a folder of recorded responses.
    ///
    /// # Errors
    /// Fails if a file is missing or does not match the index.
    pub fn load(dir: &Path) -> io::Result<Recording> {
        let entries: Vec<Entry> = serde_json::from_slice(&fs::read(dir.join("index.json"))?)?;
        let mut answers = BTreeMap::new();
        for entry in entries {
            let (path, query) = entry.request.split_once('?').unwrap_or((&entry.request, ""));
            let key = Key::new(path, &Query::parse(query));
            answers.insert(key, entry.read(dir)?);
        }
        let version = version(dir, &answers).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("no Nomad version recorded in {}", dir.display()),
            )
        })?;
        Ok(Recording { version, answers })
    }

    /// Returns the version of the recorded cluster.
    pub fn version(&self) -> Version {
        self.version
    }

    pub(crate) fn answer(&self, request: &Request) -> Answer {
        if request.method != Method::GET {
            return Answer::error(StatusCode::METHOD_NOT_ALLOWED, "Invalid method");
        }
        self.find(&request.path, &request.query)
            .cloned()
            .or_else(|| self.derive(&request.path, &request.query))
            .unwrap_or_else(|| Answer::error(StatusCode::NOT_FOUND, "not recorded"))
    }

    fn find(&self, path: &str, query: &Query) -> Option<&Answer> {
        self.answers.get(&Key::new(path, query))
    }
}

impl Entry {
    fn read(&self, dir: &Path) -> io::Result<Answer> {
        let invalid = |error: &dyn std::fmt::Display| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", self.request))
        };
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let name: HeaderName = name.parse().map_err(|error| invalid(&error))?;
            headers.insert(name, HeaderValue::from_str(value).map_err(|error| invalid(&error))?);
        }
        Ok(Answer {
            status: StatusCode::from_u16(self.status).map_err(|error| invalid(&error))?,
            headers,
            body: fs::read(dir.join(&self.file))?.into(),
            rows: None,
            follow: None,
            events: None,
            work: Work::default(),
        })
    }
}

/// Returns the version that the servers report, or the one in the folder's name if the token could not read
/// it.
fn version(dir: &Path, answers: &BTreeMap<Key, Answer>) -> Option<Version> {
    let recorded = |path: &str, pointer: &str| {
        let answer =
            answers.get(&Key::new(path, &Query::default())).filter(|answer| answer.status.is_success())?;
        let body: Value = serde_json::from_slice(&answer.body).ok()?;
        body.pointer(pointer)?.as_str()?.parse().ok()
    };
    let folder = || dir.file_name()?.to_str()?.parse().ok();
    recorded("/v1/agent/members", "/Members/0/Tags/build")
        .or_else(|| recorded("/v1/agent/self", "/config/Version/Version"))
        .or_else(folder)
}
