//! Whether a web configuration can be used.

use std::io::Write;
use std::path::Path;

use super::Error;
use crate::web::AccessFile;

/// Reads a file as serving would, certificates included, and says in one sentence what it does.
pub(super) fn run(file: &Path) -> Result<(), Error> {
    let access = AccessFile::open(file.to_owned())?;
    writeln!(std::io::stdout(), "{} can be used: {access}", file.display()).map_err(Error::Output)
}
