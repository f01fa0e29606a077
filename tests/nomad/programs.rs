//! Nomad programs that the tests run.

use std::fmt;
use std::path::PathBuf;
use std::process::Command;

/// A Nomad program and its version.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) version: Version,
}

/// Major, minor and patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(pub(crate) u64, pub(crate) u64, pub(crate) u64);

impl Program {
    /// Returns the program at this path, after reading its version.
    pub(crate) fn at(path: &str) -> Self {
        let path = std::fs::canonicalize(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let text = Self { path: path.clone(), version: Version(0, 0, 0) }.output(&["version"]);
        let version = Version::in_text(&text);
        Self {
            version: version.unwrap_or_else(|| panic!("{}: no version in {text:?}", path.display())),
            path,
        }
    }

    /// Returns a command line of it, without Nomad's variables.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("NOMAD") {
                command.env_remove(name);
            }
        }
        command
    }

    /// Returns its output.
    pub(crate) fn output(&self, arguments: &[&str]) -> String {
        let output = self.command().args(arguments).output();
        let output = output.unwrap_or_else(|error| panic!("{}: {error}", self.path.display()));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{} {arguments:?}: {text}{}",
            self.path.display(),
            String::from_utf8_lossy(&output.stderr)
        );
        text
    }
}

impl Version {
    /// Parses `Nomad v1.11.3-dev`.
    fn in_text(text: &str) -> Option<Self> {
        let word = text.split_whitespace().find_map(|word| word.strip_prefix('v'))?;
        let mut numbers = word.split(['.', '-', '+']).map(|part| part.parse().ok());
        Some(Self(numbers.next()??, numbers.next()??, numbers.next()??))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.0, self.1, self.2)
    }
}
