//! Values read from files, and reloaded when the files change.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tokio::task::spawn_blocking;

use super::reading::Reading;

/// A set of files: the values of the `file` label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSet {
    /// `--nomad.token-file`.
    Token,
    /// CA certificates, client certificate and key for connections to Nomad.
    ApiTls,
    /// `--web.config.file` and the certificates that it names.
    WebConfig,
}

impl FileSet {
    /// Returns the label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::ApiTls => "api_tls",
            Self::WebConfig => "web_config",
        }
    }
}

/// A set of files, and how to load it.
pub trait Files: Send + Sync + 'static {
    /// The loaded value.
    type Value: Send + Sync + 'static;
    /// Why the files are unusable, as a sentence that names the file.
    type Error: std::error::Error + Send + Sync + 'static;
    /// The label value of this set.
    const SET: FileSet;

    /// Loads all files through `reading`. May reject a new version because of `previous`, the version in use.
    fn load(&self, reading: &mut Reading, previous: Option<&Self::Value>)
    -> Result<Self::Value, Self::Error>;

    /// Describes a version for the log, without secrets.
    fn summary(_: &Self::Value) -> Option<String> {
        None
    }
}

/// Files with the version in use.
pub struct Reloader<F: Files> {
    files: F,
    /// Locked only to copy or replace the pointer, never while files are read.
    latest: Mutex<Arc<Loaded<F::Value>>>,
}

/// A version in use, and the result of the last attempt to replace it.
pub struct Loaded<V> {
    /// The loaded value.
    pub value: Arc<V>,
    /// Number of previous versions.
    pub generation: u64,
    reading: Reading,
    last_load: LastLoad,
}

/// The result of the last attempt to load files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastLoad {
    /// The set of files.
    pub set: FileSet,
    /// Whether it succeeded; otherwise the previous version stays in use.
    pub successful: bool,
    /// Time of the last success.
    pub last_success: SystemTime,
}

impl<F: Files> Reloader<F> {
    /// Loads the files for the first time. Blocks.
    pub fn open(files: F) -> Result<Self, F::Error> {
        let mut reading = Reading::default();
        let value = Arc::new(files.load(&mut reading, None)?);
        let last_load = LastLoad { set: F::SET, successful: true, last_success: SystemTime::now() };
        let loaded = Loaded { value, generation: 0, reading, last_load };
        Ok(Self { files, latest: Mutex::new(Arc::new(loaded)) })
    }

    /// Returns the version in use, after reloading the files if they have changed.
    pub async fn current(self: &Arc<Self>) -> Arc<Loaded<F::Value>> {
        let latest = self.latest();
        if latest.reading.is_empty() {
            return latest;
        }
        // Even checking for changes may block, for example on a network file system.
        let reloader = self.clone();
        spawn_blocking(move || reloader.refresh()).await.unwrap_or_else(|error| {
            tracing::error!(file = F::SET.as_str(), %error, "reading files panicked; please report this");
            latest
        })
    }

    /// Returns the version in use, without checking for changes.
    pub fn latest(&self) -> Arc<Loaded<F::Value>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the result of the last load, after reloading the files if they have changed; `None` if there
    /// are no files. Blocks.
    pub fn last_load(&self) -> Option<LastLoad> {
        let loaded = self.refresh();
        (!loaded.reading.is_empty()).then_some(loaded.last_load)
    }

    fn refresh(&self) -> Arc<Loaded<F::Value>> {
        loop {
            let previous = self.latest();
            if previous.reading.is_current() {
                return previous;
            }
            let mut reading = Reading::default();
            let result = self.files.load(&mut reading, Some(&previous.value));
            let (next, problem) = previous.followed_by(reading, result);
            // If another thread was faster, its version decides whether this one may follow.
            if self.replace(&previous, &next) {
                log::<F>(&next, problem);
                return next;
            }
        }
    }

    /// Replaces the version in use, unless another version has already replaced it.
    fn replace(&self, previous: &Arc<Loaded<F::Value>>, next: &Arc<Loaded<F::Value>>) -> bool {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let follows = Arc::ptr_eq(&latest, previous);
        if follows {
            *latest = next.clone();
        }
        follows
    }
}

impl<V> Loaded<V> {
    /// Returns the version in use after an attempt to load a new one, and the error if that failed.
    fn followed_by<E>(&self, reading: Reading, result: Result<V, E>) -> (Arc<Self>, Option<E>) {
        let LastLoad { set, last_success, .. } = self.last_load;
        let (value, generation, last_load, problem) = match result {
            Ok(value) => {
                let last_load = LastLoad { set, successful: true, last_success: SystemTime::now() };
                (Arc::new(value), self.generation + 1, last_load, None)
            }
            Err(error) => {
                let last_load = LastLoad { set, successful: false, last_success };
                (self.value.clone(), self.generation, last_load, Some(error))
            }
        };
        (Arc::new(Self { value, generation, reading, last_load }), problem)
    }
}

/// Logs one line for each change.
fn log<F: Files>(loaded: &Loaded<F::Value>, problem: Option<F::Error>) {
    let file = F::SET.as_str();
    match problem.map(anyhow::Error::new) {
        None => {
            let now = F::summary(&loaded.value);
            tracing::info!(file, now, "reloaded files that have changed");
        }
        Some(problem) => tracing::warn!(
            file,
            problem = format!("{problem:#}"),
            "cannot reload files that have changed; the previous version stays in use"
        ),
    }
}

/// Omits the value, which may be secret.
impl<F: Files + fmt::Debug> fmt::Debug for Reloader<F> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Reloader").field("files", &self.files).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::PathBuf;
    use std::sync::mpsc;

    use tokio::sync::mpsc as events;

    use super::*;

    /// A non-empty text file.
    struct Text {
        path: PathBuf,
        /// Delays the next reload: sends when it starts, and waits until it may finish.
        hold: Mutex<Option<(events::UnboundedSender<()>, mpsc::Receiver<()>)>>,
    }

    impl Files for Text {
        type Value = String;
        type Error = io::Error;
        const SET: FileSet = FileSet::Token;

        fn load(&self, reading: &mut Reading, _: Option<&String>) -> io::Result<String> {
            let text = String::from_utf8(reading.read(&self.path)?).unwrap();
            let held = self.hold.lock().unwrap().take();
            if let Some((begun, may_end)) = held {
                begun.send(()).unwrap();
                may_end.recv().unwrap();
            }
            match text.is_empty() {
                true => Err(io::Error::other("it is empty")),
                false => Ok(text),
            }
        }
    }

    struct World {
        _folder: tempfile::TempDir,
        path: PathBuf,
        reloader: Arc<Reloader<Text>>,
    }

    impl World {
        /// Creates a file with this text, and loads it.
        fn new(text: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("file");
            std::fs::write(&path, text).unwrap();
            let files = Text { path: path.clone(), hold: Mutex::default() };
            Self { _folder: folder, path, reloader: Arc::new(Reloader::open(files).unwrap()) }
        }

        fn write(&self, text: &str) {
            std::fs::write(&self.path, text).unwrap();
        }

        /// Delays the next reload. Returns a receiver that reports its start, and a sender that lets it
        /// finish.
        fn hold(&self) -> (events::UnboundedReceiver<()>, mpsc::Sender<()>) {
            let ((begun, has_begun), (end, may_end)) = (events::unbounded_channel(), mpsc::channel());
            *self.reloader.files.hold.lock().unwrap() = Some((begun, may_end));
            (has_begun, end)
        }

        /// Returns the text in use, and its generation.
        fn text(&self) -> (String, u64) {
            let loaded = self.reloader.refresh();
            (loaded.value.to_string(), loaded.generation)
        }
    }

    #[test]
    fn an_unusable_version_leaves_the_previous_version_in_use() {
        let world = World::new("first");
        let first = world.reloader.last_load().unwrap();
        assert!(first.successful);
        for broken in [|path: &PathBuf| std::fs::write(path, ""), |path: &PathBuf| std::fs::remove_file(path)]
        {
            broken(&world.path).unwrap();
            assert_eq!(world.text(), ("first".to_owned(), 0));
            assert_eq!(world.reloader.last_load(), Some(LastLoad { successful: false, ..first }));
        }
        world.write("second");
        assert_eq!(world.text(), ("second".to_owned(), 1));
        let second = world.reloader.last_load().unwrap();
        assert!(second.successful && second.last_success > first.last_success);
    }

    #[test]
    fn the_first_version_must_be_usable() {
        let files = Text { path: "/nowhere".into(), hold: Mutex::default() };
        assert!(Reloader::open(files).is_err());
    }

    /// All tasks share one thread here, so reading files on it, or holding the lock meanwhile, would
    /// deadlock.
    #[tokio::test]
    async fn reading_files_blocks_neither_tasks_nor_the_lock() {
        let world = World::new("first");
        let (mut has_begun, end) = world.hold();
        world.write("second");
        let others = async {
            has_begun.recv().await.unwrap();
            assert_eq!(*world.reloader.latest().value, "first");
            end.send(()).unwrap();
        };
        let (loaded, ()) = tokio::join!(world.reloader.current(), others);
        assert_eq!(*loaded.value, "second");
    }

    #[tokio::test]
    async fn a_slow_reader_does_not_bring_back_an_older_version() {
        let world = World::new("first");
        let (mut has_begun, end) = world.hold();
        world.write("second");
        let others = async {
            has_begun.recv().await.unwrap();
            world.write("the third");
            assert_eq!(world.text(), ("the third".to_owned(), 1));
            end.send(()).unwrap();
        };
        let (loaded, ()) = tokio::join!(world.reloader.current(), others);
        assert_eq!((loaded.value.as_str(), loaded.generation), ("the third", 1));
    }
}
