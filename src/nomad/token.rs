//! The secret that the exporter shows to Nomad.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use secrecy::SecretString;

use super::error::Error;

/// Where the ACL token comes from.
#[derive(Debug)]
pub enum Token {
    /// ACLs are off, or the anonymous policy is enough.
    None,
    /// Given once, for instance by `NOMAD_TOKEN`.
    Fixed(SecretString),
    /// Read from a file, and again whenever the file changes: whoever rotates the token need not restart us.
    File(TokenFile),
}

/// A token file and what it last held.
#[derive(Debug)]
pub struct TokenFile {
    path: PathBuf,
    last: Mutex<(SystemTime, SecretString)>,
}

impl Token {
    /// Reads a token file for the first time.
    pub fn file(path: PathBuf) -> std::io::Result<Self> {
        let read = read(&path)?;
        Ok(Self::File(TokenFile { path, last: Mutex::new(read) }))
    }

    /// The token to send now.
    pub(super) fn current(&self) -> Result<Option<SecretString>, Error> {
        match self {
            Self::None => Ok(None),
            Self::Fixed(secret) => Ok(Some(secret.clone())),
            Self::File(file) => file
                .current()
                .map(Some)
                .map_err(|source| Error::TokenFile { path: file.path.clone(), source }),
        }
    }
}

impl TokenFile {
    fn current(&self) -> std::io::Result<SecretString> {
        let metadata = std::fs::metadata(&self.path)?;
        let modified = metadata.modified()?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // A pipe gives its token once.
        if metadata.is_file() && last.0 != modified {
            *last = read(&self.path)?;
        }
        Ok(last.1.clone())
    }
}

fn read(path: &Path) -> std::io::Result<(SystemTime, SecretString)> {
    let modified = std::fs::metadata(path)?.modified()?;
    let text = std::fs::read_to_string(path)?;
    match text.trim() {
        "" => Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "the file is empty")),
        token if !token.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "the file holds more than one token"))
        }
        token => Ok((modified, SecretString::from(token))),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn shown(token: &Token) -> String {
        token.current().unwrap().unwrap().expose_secret().to_owned()
    }

    #[test]
    fn a_token_file_is_read_again_when_it_changes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "first\n").unwrap();
        let token = Token::file(path.clone()).unwrap();
        assert_eq!(shown(&token), "first");

        std::fs::write(&path, "second\n").unwrap();
        let later = SystemTime::now() + std::time::Duration::from_secs(5);
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
        assert_eq!(shown(&token), "second");

        std::fs::remove_file(&path).unwrap();
        assert!(matches!(token.current(), Err(Error::TokenFile { .. })));
    }

    #[test]
    fn an_empty_or_missing_file_is_an_error_and_no_token_is_ever_printed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        assert!(Token::file(path.clone()).is_err());
        std::fs::write(&path, " \n").unwrap();
        assert!(Token::file(path.clone()).is_err());
        std::fs::write(&path, "s3cr3t").unwrap();
        assert!(!format!("{:?}", Token::file(path).unwrap()).contains("s3cr3t"));
    }
}
