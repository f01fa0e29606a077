//! Files that may change while the program runs: the token, certificates, the web configuration.
//!
//! Each use checks whether a file has changed, on a blocking thread, and reloads all files of the set if so.
//! No lock is held meanwhile. If the new version is unusable, the previous one stays in use.

mod reading;
mod reloader;

pub use reading::Reading;
pub use reloader::{FileSet, Files, LastLoad, Loaded, Reloader};
