//! Reading of files, and detection of later changes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Maximum size of a file. Tokens, certificates and configurations are far smaller.
const MAX_BYTES: u64 = 1 << 20;

/// The files and directories that were read, each with its version from just before. If a file changes while it
/// is read, its version differs afterwards.
#[derive(Debug, Default)]
pub struct Reading(BTreeMap<PathBuf, Option<FileVersion>>);

/// Attributes that differ between two versions of a file or directory. Symbolic links are followed, so a link
/// to another file is another version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileVersion {
    inode: u64,
    size: u64,
    /// Change time (ctime) in seconds and nanoseconds. Unlike the modification time, nobody can set it back.
    changed: (i64, i64),
}

impl FileVersion {
    /// Returns the version of a path, or `None` if it does not exist.
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        Some(Self { inode: metadata.ino(), size: metadata.size(), changed })
    }
}

impl Reading {
    /// Reads a regular file.
    pub fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        self.note(path);
        // Reading a device or a pipe might never end, or block until somebody writes to it.
        if !fs::metadata(path)?.is_file() {
            let problem = "it is a directory or a device, not a file";
            return Err(io::Error::new(ErrorKind::InvalidInput, problem));
        }
        let mut bytes = Vec::new();
        match File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)? as u64 > MAX_BYTES {
            true => Err(io::Error::new(ErrorKind::FileTooLarge, "it is larger than 1 MiB")),
            false => Ok(bytes),
        }
    }

    /// Lists the files of a directory, sorted by name.
    pub fn list(&mut self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        self.note(directory);
        let entries = fs::read_dir(directory)?.map(|entry| Ok(entry?.path()));
        let mut paths = entries.collect::<io::Result<Vec<_>>>()?;
        // A dangling link may point to a file later, without a change of the directory.
        paths.iter().for_each(|path| self.note(path));
        paths.retain(|path| path.is_file());
        paths.sort();
        Ok(paths)
    }

    fn note(&mut self, path: &Path) {
        self.0.entry(path.to_owned()).or_insert_with(|| FileVersion::of(path));
    }

    /// Returns whether nothing was read, so that nothing can change.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether everything that was read is unchanged.
    pub(super) fn is_current(&self) -> bool {
        self.0.iter().all(|(path, version)| FileVersion::of(path) == *version)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Reads the file, changes it, and returns whether the change is detected.
    fn notices(path: &Path, change: impl FnOnce()) -> bool {
        let mut reading = Reading::default();
        reading.read(path).unwrap();
        assert!(reading.is_current());
        change();
        !reading.is_current()
    }

    #[test]
    fn detects_written_replaced_and_removed_files() {
        let folder = tempfile::tempdir().unwrap();
        let (path, next) = (folder.path().join("file"), folder.path().join("next"));
        fs::write(&path, "first").unwrap();
        assert!(notices(&path, || fs::write(&path, "longer than before").unwrap()));
        fs::write(&next, "of the same size..").unwrap();
        assert!(notices(&path, || fs::rename(&next, &path).unwrap()));
        let mut reading = Reading::default();
        assert!(notices(&path, || fs::remove_file(&path).unwrap()));
        reading.read(&path).unwrap_err();
        assert!(reading.is_current(), "it is still missing");
        fs::write(&path, "again").unwrap();
        assert!(!reading.is_current());
    }

    /// kubelet updates a mounted secret this way: files are links into `..data`, which is a link that is
    /// replaced.
    #[test]
    fn detects_a_link_to_another_folder() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for version in ["..1", "..2"] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("token"), version).unwrap();
        }
        symlink("..1", at("..data")).unwrap();
        symlink("..data/token", at("token")).unwrap();
        assert!(notices(&at("token"), || {
            symlink("..2", at("..data_tmp")).unwrap();
            fs::rename(at("..data_tmp"), at("..data")).unwrap();
        }));
        assert_eq!(Reading::default().read(&at("token")).unwrap(), b"..2");
    }

    #[test]
    fn detects_changes_in_a_directory() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a.pem"), "a").unwrap();
        fs::create_dir(at("folder")).unwrap();
        symlink("elsewhere/b.pem", at("dangling")).unwrap();
        let notices = |change: &dyn Fn()| {
            let mut reading = Reading::default();
            let files = reading.list(folder.path()).unwrap();
            assert!(reading.is_current());
            change();
            (!reading.is_current(), files.len())
        };
        assert_eq!(notices(&|| fs::write(at("a.pem"), "more").unwrap()), (true, 1));
        assert_eq!(notices(&|| fs::write(at("b.pem"), "b").unwrap()), (true, 1));
        assert_eq!(notices(&|| fs::remove_file(at("a.pem")).unwrap()), (true, 2));
        fs::create_dir(at("elsewhere")).unwrap();
        assert_eq!(notices(&|| fs::write(at("elsewhere/b.pem"), "b").unwrap()), (true, 1));
        assert_eq!(notices(&|| ()), (false, 2));
    }

    #[test]
    fn devices_and_pipes_are_rejected() {
        let mut reading = Reading::default();
        let error = reading.read(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(error.to_string(), "it is a directory or a device, not a file");
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(MAX_BYTES + 1).unwrap();
        assert_eq!(reading.read(file.path()).unwrap_err().to_string(), "it is larger than 1 MiB");
    }
}
