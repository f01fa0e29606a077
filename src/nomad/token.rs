//! ACL token.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::SecretString;

use crate::files::{FileSet, Files, Reading, Reloader};

/// Maximum size of a token from a pipe.
const MAX_PIPED_BYTES: u64 = 64 << 10;

/// Where the ACL token comes from.
#[derive(Debug)]
pub enum Token {
    /// No token: ACLs are disabled, or the anonymous policy is enough.
    None,
    /// Fixed, for example from `NOMAD_TOKEN`.
    Fixed(SecretString),
    /// Read from a file, and reloaded when it changes, so that rotating the token needs no restart.
    File(Arc<Reloader<TokenFile>>),
}

/// A file that contains only a token.
#[derive(Debug)]
pub struct TokenFile {
    path: PathBuf,
}

/// An unusable token file.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}: {problem}; give a file that contains the token", path.display())]
pub struct TokenFileError {
    path: PathBuf,
    problem: io::Error,
}

/// Token of one request.
#[derive(Clone, Debug, Default)]
pub(super) struct Current {
    pub(super) secret: Option<SecretString>,
    /// Number of previous tokens.
    pub(super) generation: u64,
}

impl Token {
    /// Loads a token file for the first time. Blocks.
    pub fn file(path: PathBuf) -> Result<Self, TokenFileError> {
        if fs::metadata(&path).is_ok_and(|metadata| !metadata.is_file()) {
            // A pipe can be read only once.
            return match piped(&path) {
                Ok(secret) => Ok(Self::Fixed(secret)),
                Err(problem) => Err(TokenFileError { path, problem }),
            };
        }
        Ok(Self::File(Arc::new(Reloader::open(TokenFile { path })?)))
    }

    /// Returns the token to send now.
    pub(super) async fn current(&self) -> Current {
        match self {
            Self::None => Current::default(),
            Self::Fixed(secret) => Current { secret: Some(secret.clone()), generation: 0 },
            Self::File(file) => {
                let loaded = file.current().await;
                Current { secret: Some(loaded.value.as_ref().clone()), generation: loaded.generation }
            }
        }
    }
}

impl Files for TokenFile {
    type Value = SecretString;
    type Error = TokenFileError;
    const SET: FileSet = FileSet::Token;

    fn load(&self, reading: &mut Reading, _: Option<&SecretString>) -> Result<SecretString, TokenFileError> {
        let token = reading.read(&self.path).and_then(|bytes| parse(&bytes));
        token.map_err(|problem| TokenFileError { path: self.path.clone(), problem })
    }
}

fn piped(path: &Path) -> io::Result<SecretString> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_PIPED_BYTES).read_to_end(&mut bytes)?;
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> io::Result<SecretString> {
    let invalid = |problem| Err(io::Error::new(ErrorKind::InvalidData, problem));
    match str::from_utf8(bytes).map(str::trim) {
        Ok("") => invalid("the file is empty"),
        Ok(token) if token.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(SecretString::from(token)),
        _ => invalid("the file contains more than one token"),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    async fn shown(token: &Token) -> (String, u64) {
        let current = token.current().await;
        (current.secret.unwrap().expose_secret().to_owned(), current.generation)
    }

    #[tokio::test]
    async fn a_token_file_is_reloaded_when_it_changes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "first\n").unwrap();
        let token = Token::file(path.clone()).unwrap();
        assert_eq!(shown(&token).await, ("first".to_owned(), 0));

        std::fs::write(&path, "second\n").unwrap();
        assert_eq!(shown(&token).await, ("second".to_owned(), 1));

        std::fs::remove_file(&path).unwrap();
        assert_eq!(shown(&token).await, ("second".to_owned(), 1), "the previous token stays in use");
        for unusable in ["", "two tokens\n"] {
            std::fs::write(&path, unusable).unwrap();
            assert_eq!(shown(&token).await, ("second".to_owned(), 1));
        }
        std::fs::write(&path, "third-one").unwrap();
        assert_eq!(shown(&token).await, ("third-one".to_owned(), 2));
    }

    #[test]
    fn an_empty_or_missing_file_is_an_error_at_first_and_no_token_is_ever_printed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        assert!(Token::file(path.clone()).is_err());
        assert!(Token::file(dir.path().to_owned()).is_err());
        std::fs::write(&path, " \n").unwrap();
        assert!(Token::file(path.clone()).is_err());
        std::fs::write(&path, "s3cr3t").unwrap();
        assert!(!format!("{:?}", Token::file(path).unwrap()).contains("s3cr3t"));
    }
}
