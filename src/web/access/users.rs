//! Basic authentication. bcrypt is slow on purpose, so passwords are checked one at a time on blocking
//! threads. Once a password was right, a keyed hash of it is remembered.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::{Refusal, quoted};

/// Maximum number of concurrent password checks; further ones are rejected.
const WAITING: usize = 16;
/// Each step doubles the time of bcrypt. Beyond this one, a check would take many seconds.
const MAX_COST: u32 = 18;

/// Users by name.
pub(super) struct Users {
    users: BTreeMap<String, Arc<User>>,
    /// Its hash is calculated for unknown names, so that they take as long as known ones.
    stand_in: Arc<User>,
    key: hmac::Key,
    waiting: Semaphore,
    checking: Arc<Semaphore>,
}

/// The hash of a password, and a keyed hash of the password once it was given.
struct User {
    cost: u32,
    salt: [u8; 16],
    hash: [u8; 23],
    proven: OnceLock<hmac::Tag>,
}

impl Users {
    /// Applies the users of a file; `None` if there are none.
    pub(super) fn new(typed: &BTreeMap<String, SecretString>) -> Result<Option<Self>, String> {
        let user = |(name, hash): (&String, &SecretString)| match User::parse(hash.expose_secret()) {
            Ok(user) => Ok((name.clone(), Arc::new(user))),
            Err(problem) => Err(format!("basic_auth_users: the password of {} {problem}", quoted(name))),
        };
        let users = typed.iter().map(user).collect::<Result<BTreeMap<_, _>, _>>()?;
        let Some(stand_in) = users.values().max_by_key(|user| user.cost).cloned() else { return Ok(None) };
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &ring::rand::SystemRandom::new())
            .map_err(|_| "the system provides no random numbers".to_owned())?;
        let (waiting, checking) = (Semaphore::new(WAITING), Arc::new(Semaphore::new(1)));
        Ok(Some(Self { users, stand_in, key, waiting, checking }))
    }

    pub(super) fn count(&self) -> usize {
        self.users.len()
    }

    /// Checks the user name and password of a request.
    pub(super) async fn admit(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let (name, password) = headers.get(AUTHORIZATION).and_then(credentials).ok_or(Refusal::Unknown)?;
        let known = std::str::from_utf8(&name).ok().and_then(|name| self.users.get(name));
        let proven = known.and_then(|user| user.proven.get());
        if proven.is_some_and(|tag| hmac::verify(&self.key, &password, tag.as_ref()).is_ok()) {
            return Ok(());
        }
        let user = known.unwrap_or(&self.stand_in).clone();
        let tag = hmac::sign(&self.key, &password);
        let is_right = self.check(user.clone(), password).await?;
        if !is_right || known.is_none() {
            return Err(Refusal::Unknown);
        }
        // The first password stays; another one with the same bcrypt hash is checked each time.
        user.proven.get_or_init(|| tag);
        Ok(())
    }

    async fn check(&self, user: Arc<User>, password: Vec<u8>) -> Result<bool, Refusal> {
        let _waiting = self.waiting.try_acquire().map_err(|_| Refusal::Busy)?;
        let turn = self.checking.clone().acquire_owned().await.expect("the semaphore is never closed");
        let checked = spawn_blocking(move || {
            // Held until the check is complete, even if the client has disconnected.
            let _turn = turn;
            user.knows(&password)
        });
        checked.await.map_err(|error| {
            tracing::error!(%error, "the password check panicked; please report this");
            Refusal::Busy
        })
    }
}

impl User {
    /// Parses `$2y$COST$SALT+HASH`.
    fn parse(text: &str) -> Result<Self, String> {
        let malformed = || "is not a bcrypt hash; create one with `htpasswd -nBC 10 \"\"`".to_owned();
        let mut parts = text.split('$');
        let (Some(""), Some(version), Some(cost), Some(digest), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed());
        };
        if !matches!(version, "2a" | "2b" | "2x" | "2y")
            || cost.len() != 2
            || !digest.is_ascii()
            || digest.len() != 53
        {
            return Err(malformed());
        }
        let cost = cost.parse::<u32>().map_err(|_| malformed())?;
        if !(4..=MAX_COST).contains(&cost) {
            return Err(format!("has cost {cost}; give a cost from 4 to {MAX_COST}, usually 10"));
        }
        let (salt, hash) = digest.split_at(22);
        let mut user = Self { cost, salt: [0; 16], hash: [0; 23], proven: OnceLock::new() };
        bcrypt::BASE_64.decode_slice(salt, &mut user.salt).map_err(|_| malformed())?;
        bcrypt::BASE_64.decode_slice(hash, &mut user.hash).map_err(|_| malformed())?;
        Ok(user)
    }

    /// Returns whether the password is right. Blocks.
    fn knows(&self, password: &[u8]) -> bool {
        // bcrypt appends a zero byte to the password, and uses at most 72 bytes.
        let mut bytes = [0; 72];
        let length = password.len().min(bytes.len());
        bytes[..length].copy_from_slice(&password[..length]);
        let computed = bcrypt::bcrypt(self.cost, self.salt, &bytes[..(length + 1).min(72)]);
        // A bcrypt hash is stored without its last byte.
        self.hash.ct_eq(&computed[..self.hash.len()]).into()
    }
}

/// Parses name and password of `Basic BASE64`.
fn credentials(header: &http::HeaderValue) -> Option<(Vec<u8>, Vec<u8>)> {
    let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let mut name = STANDARD.decode(encoded.trim()).ok()?;
    let colon = name.iter().position(|byte| *byte == b':')?;
    let password = name.split_off(colon + 1);
    name.truncate(colon);
    Some((name, password))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    /// "fakepassword", hashed by another program.
    const HASH: &str = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";

    #[test]
    fn hashes_of_other_programs_are_accepted() {
        let user = User::parse(HASH).unwrap();
        assert!(user.knows(b"fakepassword"));
        assert!(!user.knows(b"fakepasswore") && !user.knows(b"") && !user.knows(&[b'x'; 500]));
        for version in ["2a", "2b", "2x"] {
            assert!(User::parse(&HASH.replace("2y", version)).unwrap().knows(b"fakepassword"));
        }
    }

    #[test]
    fn invalid_hashes_are_rejected() {
        for (hash, expected) in [
            ("", "is not a bcrypt hash"),
            ("password", "is not a bcrypt hash"),
            (&HASH[..59], "is not a bcrypt hash"),
            (&HASH.replace("2y", "2z"), "is not a bcrypt hash"),
            (&HASH.replace("QOau", "Q.!u"), "is not a bcrypt hash"),
            (&HASH.replace("$10$", "$03$"), "has cost 3"),
            (&HASH.replace("$10$", "$31$"), "has cost 31"),
        ] {
            let error = User::parse(hash).err().unwrap();
            assert!(error.starts_with(expected), "{hash}: {error}");
        }
    }

    #[test]
    fn credentials_are_parsed() {
        let of = |text: &str| credentials(&HeaderValue::from_str(text).unwrap());
        let pair = |name: &str, password: &str| Some((name.into(), password.into()));
        assert_eq!(of("Basic YWxpY2U6czNjcmV0"), pair("alice", "s3cret"));
        assert_eq!(of("bAsIc YTpiOmM="), pair("a", "b:c"));
        assert_eq!(of("Basic Og=="), pair("", ""));
        for wrong in ["", "Basic", "Basic ", "Basic YWxpY2U=", "Basic !", "Bearer YWxpY2U6czNjcmV0"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_header_and_no_hash_causes_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in ".{0,80}") {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                drop(credentials(&value));
            }
            if let Ok(value) = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(&bytes))) {
                let (name, password) = credentials(&value).unwrap_or_default();
                prop_assert!(name.len() + password.len() <= bytes.len());
            }
            drop(User::parse(&text));
        }
    }
}
