//! Nomad's version, and its features.

use std::fmt;
use std::str::FromStr;

/// Nomad version; suffixes such as `-beta.1` or `+ent` are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u32,
    minor: u32,
    patch: u32,
}

impl Version {
    /// Creates a version from its parts.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }

    /// Returns whether lists support `filter` (1.3; before, it is silently ignored).
    pub fn filters_lists(self) -> bool {
        self >= Self::new(1, 3, 0)
    }

    /// Returns whether `filter` supports task states (seen with 1.4.14 and later).
    pub fn filters_task_states(self) -> bool {
        self >= Self::new(1, 4, 14)
    }

    /// Returns whether evaluations can be listed for all namespaces and by status (1.2.4; before, the
    /// namespace `*` is silently treated as the name of an empty namespace).
    pub fn lists_evaluations_of_all_namespaces(self) -> bool {
        self >= Self::new(1, 2, 4)
    }
}

impl FromStr for Version {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let numbers = text.trim_start_matches('v').split(['-', '+']).next().unwrap_or_default();
        let mut parts = numbers.splitn(3, '.').map(|part| part.parse::<u32>().map_err(|_| ()));
        let mut next = || parts.next().unwrap_or(Err(()));
        Ok(Self { major: next()?, minor: next()?, patch: next()? })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        let version = |text: &str| text.parse::<Version>();
        assert!(version("1.10.2").unwrap() > version("1.9.10").unwrap());
        assert_eq!(version("1.7.7-beta.1+ent"), Ok(Version::new(1, 7, 7)));
        assert_eq!(version("v2.0.5"), Ok(Version::new(2, 0, 5)));
        for wrong in ["", "1", "1.2", "one.two.three", "1.2.x"] {
            assert_eq!(version(wrong), Err(()), "{wrong}");
        }
    }
}
