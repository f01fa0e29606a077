//! The file as it is now: read again when it or what it names changes.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tokio::task::spawn_blocking;

use super::file::File;
use super::{Access, AccessError, read};

/// A file, and what its last good version says. What is wrong with a newer one is logged once.
pub struct AccessFile {
    path: PathBuf,
    last: Mutex<Last>,
}

struct Last {
    marks: Marks,
    access: Arc<Access>,
    load: LastLoad,
}

/// How the newest version of a file fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastLoad {
    /// Whether it is in use.
    pub successful: bool,
    /// When a version last came into use.
    pub last_success: SystemTime,
}

/// Files and what tells their versions apart: which file it is, its size, and when it was changed.
type Marks = Vec<(PathBuf, Option<[i64; 4]>)>;

impl AccessFile {
    /// Reads a file for the first time.
    pub fn open(path: PathBuf) -> Result<Self, AccessError> {
        let (marks, access) = load(&path);
        let access = Arc::new(access.map_err(|problem| AccessError { path: path.clone(), problem })?);
        let load = LastLoad { successful: true, last_success: SystemTime::now() };
        Ok(Self { path, last: Mutex::new(Last { marks, access, load }) })
    }

    /// How the newest version fared. Reads it if it is not known yet: blocking work.
    pub fn last_load(&self) -> LastLoad {
        self.refresh();
        self.last.lock().unwrap_or_else(PoisonError::into_inner).load
    }

    /// What holds now. Whether the files changed is asked of the system here, which takes some microseconds; to read
    /// them is left to a thread that may take its time.
    pub(in crate::web) async fn current(self: &Arc<Self>) -> Arc<Access> {
        if let Some(access) = self.unchanged() {
            return access;
        }
        let file = self.clone();
        if let Err(error) = spawn_blocking(move || file.refresh()).await {
            tracing::error!(%error, "reading --web.config.file ended in a bug");
        }
        self.last.lock().unwrap_or_else(PoisonError::into_inner).access.clone()
    }

    fn unchanged(&self) -> Option<Arc<Access>> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.marks.iter().all(|(path, seen)| mark(path) == *seen).then(|| last.access.clone())
    }

    /// Reads the file again if it changed. One that cannot be used leaves the one before in use.
    fn refresh(&self) {
        if self.unchanged().is_some() {
            return;
        }
        let (marks, loaded) = load(&self.path);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.marks == marks {
            // Somebody else was faster.
            return;
        }
        last.marks = marks;
        let usable = loaded.and_then(|access| match last.access.lost_in(&access) {
            Some(guard) => Err(format!("it would switch {guard} off, which takes a restart")),
            None => Ok(access),
        });
        last.load.successful = usable.is_ok();
        match usable {
            Ok(access) => {
                tracing::info!(file = %self.path.display(), %access, "read the changed --web.config.file");
                last.access = Arc::new(access);
                last.load.last_success = SystemTime::now();
            }
            Err(problem) => tracing::error!(
                file = %self.path.display(), %problem,
                "the changed --web.config.file cannot be used; the version before stays in use"
            ),
        }
    }
}

/// What a file says, and the marks of all files that were read. They were taken before the reading: what changes
/// meanwhile is read again.
fn load(path: &Path) -> (Marks, Result<Access, String>) {
    let marked = |path: PathBuf| {
        let mark = mark(&path);
        (path, mark)
    };
    let mut marks = vec![marked(path.to_owned())];
    let text = read(path)
        .and_then(|bytes| String::from_utf8(bytes).map_err(|_| "it is not text in UTF-8".to_owned()));
    let file = text.and_then(|text| File::parse(&text));
    let access = file.and_then(|file| {
        let folder = path.parent().unwrap_or(Path::new(""));
        let named = file.tls_server_config.iter().flat_map(|tls| tls.files(folder));
        marks.extend(named.map(marked));
        Access::new(&file, folder)
    });
    (marks, access)
}

fn mark(path: &Path) -> Option<[i64; 4]> {
    let metadata = std::fs::metadata(path).ok()?;
    let (inode, size) = (metadata.ino().cast_signed(), metadata.size().cast_signed());
    Some([inode, size, metadata.ctime(), metadata.ctime_nsec()])
}

/// What it does, in a line.
impl fmt::Display for AccessFile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).access.fmt(out)
    }
}

/// Without what it holds: that may be secret.
impl fmt::Debug for AccessFile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("AccessFile").field("path", &self.path).finish_non_exhaustive()
    }
}
