//! Reloading of the file when it, or a file that it names, changes.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::File;
use super::{Access, AccessError, named};
use crate::files::{FileSet, Files, LastLoad, Reading, Reloader};

/// A file, with the settings of its last usable version.
#[derive(Clone, Debug)]
pub struct AccessFile(Arc<Reloader<WebConfig>>);

/// Path of the file.
#[derive(Debug)]
struct WebConfig {
    path: PathBuf,
}

impl AccessFile {
    /// Loads a file for the first time. Blocks.
    pub fn open(path: PathBuf) -> Result<Self, AccessError> {
        Ok(Self(Arc::new(Reloader::open(WebConfig { path })?)))
    }

    /// Returns the result of the last load, after reloading the files if they have changed. Blocks.
    pub fn last_load(&self) -> Option<LastLoad> {
        self.0.last_load()
    }

    /// Returns the current settings, after reloading the files if they have changed.
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

/// The settings in one line.
impl fmt::Display for AccessFile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.latest().value.fmt(out)
    }
}
