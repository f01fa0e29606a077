//! JSON output. docs/commands.schema.json describes it.

use std::time::SystemTime;

use serde::{Serialize, Serializer};

use super::Error;
use super::terminal::print;
use crate::snapshot::{Level, Levels, NamespaceCoverage};
use crate::terms::Term;

/// A time in RFC 3339 in UTC, with seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeJson(pub(super) SystemTime);

impl Serialize for TimeJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_rfc3339_seconds(self.0))
    }
}

/// A word of an enumeration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word<T>(pub(super) T);

impl<T: Term> Serialize for Word<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

/// Used and total amount of a resource.
#[derive(Debug, Serialize)]
pub(super) struct LevelJson {
    amount: f64,
    total: f64,
}

/// Usage of a node, or of all nodes.
#[derive(Debug, Serialize)]
pub(super) struct LevelsJson {
    allocated_cpu_hertz: Option<LevelJson>,
    allocated_memory_bytes: Option<LevelJson>,
    host_cpu_hertz: Option<LevelJson>,
    host_memory_bytes: Option<LevelJson>,
}

/// Whether all namespaces are read.
#[derive(Debug, Serialize)]
pub(super) struct NamespacesJson {
    /// Absent if unknown.
    pub(super) all: Option<bool>,
    /// Why not all are read, or why that is unknown.
    pub(super) reason: Option<String>,
}

impl From<&NamespaceCoverage> for NamespacesJson {
    fn from(coverage: &NamespaceCoverage) -> Self {
        Self { all: coverage.sees_all(), reason: coverage.reason().map(str::to_owned) }
    }
}

impl From<Level> for LevelJson {
    fn from(level: Level) -> Self {
        Self { amount: level.amount, total: level.total }
    }
}

impl From<&Levels> for LevelsJson {
    fn from(levels: &Levels) -> Self {
        Self {
            allocated_cpu_hertz: levels.cpu.map(LevelJson::from),
            allocated_memory_bytes: levels.memory.map(LevelJson::from),
            host_cpu_hertz: levels.host_cpu.map(LevelJson::from),
            host_memory_bytes: levels.host_memory.map(LevelJson::from),
        }
    }
}

/// Prints one value on one line.
pub(super) fn print_json(value: &impl Serialize) -> Result<(), Error> {
    let line = serde_json::to_string(value).expect("it is made of text and numbers");
    print(&format!("{line}\n"))
}
