//! The file as it is now: read again when it or a file that it names changes.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::File;
use super::{Access, AccessError, named};
use crate::files::{FileSet, Files, LastLoad, Reading, Reloader};

/// A file, and what its last usable version says.
#[derive(Clone, Debug)]
pub struct AccessFile(Arc<Reloader<WebConfig>>);

/// Where the file is.
#[derive(Debug)]
struct WebConfig {
    path: PathBuf,
}

impl AccessFile {
    /// Reads a file for the first time. Blocking work.
    pub fn open(path: PathBuf) -> Result<Self, AccessError> {
        Ok(Self(Arc::new(Reloader::open(WebConfig { path })?)))
    }

    /// Returns how the last load went, after reading the files again if they have changed. Blocking work.
    pub fn last_load(&self) -> Option<LastLoad> {
        self.0.last_load()
    }

    /// Returns the settings in force, after reading the files again if they have changed.
    pub(in crate::web) async fn current(&self) -> Arc<Access> {
        self.0.current().await.value.clone()
    }
}

impl Files for WebConfig {
    type Value = Access;
    type Error = AccessError;
    const SET: FileSet = FileSet::WebConfig;

    fn load(&self, reading: &mut Reading, previous: Option<&Access>) -> Result<Access, AccessError> {
        let access = load(&self.path, reading).and_then(|access| {
            match previous.and_then(|previous| previous.lost_in(&access)) {
                Some(guard) => Err(format!("it would disable {guard}, which needs a restart")),
                None => Ok(access),
            }
        });
        access.map_err(|problem| AccessError { path: self.path.clone(), problem })
    }

    fn summary(access: &Access) -> Option<String> {
        Some(access.to_string())
    }
}

fn load(path: &Path, reading: &mut Reading) -> Result<Access, String> {
    let bytes = reading.read(path).map_err(|error| format!("cannot read {}: {error}", named(path)))?;
    let text = str::from_utf8(&bytes).map_err(|_| "it is not UTF-8 text".to_owned())?;
    Access::new(&File::parse(text)?, path.parent().unwrap_or(Path::new("")), reading)
}

/// What it does, in a line.
impl fmt::Display for AccessFile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.latest().value.fmt(out)
    }
}
