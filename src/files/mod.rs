//! Files that may change while the program runs: the token, the certificates, the web configuration.
//!
//! Every use asks the file system whether a file has changed, on a thread that may block, and reads all files of the
//! set again if one has. No lock is held meanwhile. While a new version cannot be used, the previous version stays in
//! use.

mod reading;
mod reloader;

pub use reading::Reading;
pub use reloader::{FileSet, Files, LastLoad, Loaded, Reloader};
