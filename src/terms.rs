//! Nomad's enumerations: the words that may become label values.
//!
//! If the set is defined by Nomad, the last member is `Other`: unknown words of a newer Nomad count as
//! `other`. They are neither dropped nor passed through.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

/// Returns a hash that is stable while the process runs, for values that are only compared.
pub(crate) fn hash_of(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Returns the value of a key, and inserts the default if it is missing. Copies the key only if it is new.
pub(crate) fn at<'m, V: Default>(map: &'m mut BTreeMap<String, V>, key: &str) -> &'m mut V {
    if !map.contains_key(key) {
        map.insert(key.to_owned(), V::default());
    }
    map.get_mut(key).expect("it was just put there")
}

/// A job, by the hash of its namespace and ID, which needs less memory than names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobKey(u64);

impl JobKey {
    /// Returns the key of a job.
    pub fn new(namespace: &str, id: &str) -> Self {
        Self(hash_of((namespace, id)))
    }
}

/// A word of an enumeration.
pub trait Term: Copy + Eq + fmt::Debug + 'static {
    /// All members; `Other` is the last, if there is one.
    const ALL: &'static [Self];
    /// Returns the label value.
    fn as_str(self) -> &'static str;
    /// Returns the position in [`Term::ALL`].
    fn index(self) -> usize;
    /// Returns whether this is the member for unknown words.
    fn is_other(self) -> bool {
        self.as_str() == "other"
    }
}

/// Declares an enumeration. With `else Other`, unknown words become that member.
macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$vdoc])* #[doc = concat!("`", $word, "`")] $variant),+ }

        impl $crate::terms::Term for $name {
            const ALL: &'static [Self] = &[$(Self::$variant),+];
            fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
            fn index(self) -> usize {
                self as usize
            }
        }
    };
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? } else $other:ident) => {
        vocabulary! {
            $(#[$doc])*
            $name {
                $($(#[$vdoc])* $variant = $word,)+
                /// A word that this version of the exporter does not know, or no word:
                $other = "other"
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                match word { $($word => Self::$variant,)+ _ => Self::$other }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::$other
            }
        }

        /// Deserializes the word without allocating; `null` becomes the default.
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl serde::de::Visitor<'_> for Visitor {
                    type Value = $name;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("a word or null")
                    }
                    fn visit_str<E>(self, word: &str) -> Result<$name, E> {
                        Ok($name::from(word))
                    }
                    fn visit_unit<E>(self) -> Result<$name, E> {
                        Ok($name::default())
                    }
                }
                deserializer.deserialize_any(Visitor)
            }
        }
    };
}

pub(crate) use vocabulary;

vocabulary! {
    /// Job type (`sysbatch` since Nomad 1.2).
    JobType { Service = "service", Batch = "batch", System = "system", Sysbatch = "sysbatch" } else Other
}
vocabulary! {
    /// Job status as calculated by Nomad: `running` once an allocation is placed, `pending` if none is placed
    /// and an evaluation is waiting, `dead` if there is nothing left to do, whatever the outcome.
    JobStatus { Pending = "pending", Running = "running", Dead = "dead" } else Other
}
vocabulary! {
    /// Kind of a parent job, which only starts child jobs.
    TemplateKind { Periodic = "periodic", Parameterized = "parameterized" }
}
vocabulary! {
    /// Outcome of a dead job or of an allocation.
    Outcome {
        /// All tasks succeeded:
        Complete = "complete",
        /// A task failed:
        Failed = "failed",
        /// The client was lost:
        Lost = "lost",
        /// Stopped at a drain deadline:
        Drained = "drained",
        /// Preempted by a job of higher priority:
        Preempted = "preempted",
        /// Exceeded its `max_run_duration` (Nomad 2.0):
        Timeout = "timeout",
        /// Stopped by a user or by its job:
        Stopped = "stopped",
        /// Nomad retains no allocation that shows it:
        Unknown = "unknown",
    }
}

impl Outcome {
    /// Returns the worse of two outcomes: a job's outcome is the worst of its allocations.
    pub fn worse(self, other: Self) -> Self {
        let badness = |outcome| match outcome {
            Self::Failed => 7,
            Self::Lost => 6,
            Self::Timeout => 5,
            Self::Preempted => 4,
            Self::Drained => 3,
            Self::Stopped => 2,
            Self::Complete => 1,
            Self::Unknown => 0,
        };
        if badness(other) > badness(self) { other } else { self }
    }
}
vocabulary! {
    /// Cause of a failed allocation.
    FailureCause {
        /// A task exited:
        Exit = "exit",
        /// A task was ended by a signal:
        Signal = "signal",
        /// A task was OOM-killed:
        Oom = "oom",
        /// The driver could not start a task, for example because its image cannot be pulled:
        Driver = "driver",
        /// An artifact could not be downloaded:
        Artifact = "artifact",
        /// The configuration of a task is invalid:
        Validation = "validation",
        /// The client could not set up a task: directory, network, volume, template or secret:
        Setup = "setup",
        /// A task exceeded its disk:
        Disk = "disk",
        /// A health check of a task failed:
        Unhealthy = "unhealthy",
        /// Unknown:
        Other = "other",
    }
}

impl FailureCause {
    /// Returns whether the allocation never started. The cause is then the platform or the configuration, not
    /// the program.
    pub fn prevents_start(self) -> bool {
        matches!(self, Self::Driver | Self::Artifact | Self::Validation | Self::Setup)
    }
}
vocabulary! {
    /// Allocation status as reported by its client (`unknown` since Nomad 1.3).
    ClientStatus {
        Pending = "pending", Running = "running", Unknown = "unknown",
        Complete = "complete", Failed = "failed", Lost = "lost",
    } else Other
}
vocabulary! {
    /// Desired status of an allocation, set by the servers.
    DesiredStatus { Run = "run", Stop = "stop", Evict = "evict" } else Other
}
vocabulary! {
    /// Evaluation status.
    EvalStatus {
        Blocked = "blocked", Pending = "pending", Complete = "complete", Failed = "failed", Canceled = "canceled",
    } else Other
}
vocabulary! {
    /// Node status according to the servers (`disconnected` since Nomad 1.3).
    NodeStatus {
        Initializing = "initializing", Ready = "ready", Down = "down", Disconnected = "disconnected",
    } else Other
}
vocabulary! {
    /// Scheduling eligibility of a node.
    Eligibility { Eligible = "eligible", Ineligible = "ineligible" } else Other
}
vocabulary! {
    /// Status of a node's last drain (Nomad 1.1 and later).
    DrainStatus { Draining = "draining", Complete = "complete", Canceled = "canceled" } else Other
}
vocabulary! {
    /// State of a node: the first match in this order. `active` is a ready and eligible node.
    NodeState {
        Down = "down", Disconnected = "disconnected", Initializing = "initializing",
        Draining = "draining", Ineligible = "ineligible", Active = "active",
    } else Other
}
vocabulary! {
    /// Deployment status. Nomad spells it `cancelled` here and `canceled` elsewhere.
    DeploymentStatus {
        Running = "running", Paused = "paused", Failed = "failed", Successful = "successful",
        Cancelled = "cancelled", Initializing = "initializing", Pending = "pending", Blocked = "blocked",
        Unblocking = "unblocking",
    } else Other
}
vocabulary! {
    /// Server state according to gossip.
    ServerState {
        Alive = "alive", Leaving = "leaving", Left = "left", Failed = "failed", None = "none",
    } else Other
}
vocabulary! {
    /// Reason why a job waits. Most are reasons of a blocked evaluation; the job of a pending evaluation
    /// waits for a scheduler.
    BlockReason {
        Quota = "quota", NoNodes = "no_nodes", Device = "device", Cores = "cores", Memory = "memory", Cpu = "cpu",
        Disk = "disk", Network = "network", Volume = "volume", Constraint = "constraint",
        /// No scheduler has processed the evaluation yet:
        Scheduling = "scheduling",
        /// Nomad delays the next attempt:
        Delayed = "delayed",
        Other = "other",
    }
}

impl BlockReason {
    /// Returns whether an evaluation can be blocked for this reason.
    pub fn blocks(self) -> bool {
        !matches!(self, Self::Scheduling | Self::Delayed)
    }
}

impl EvalStatus {
    /// Returns whether the evaluation is still to be processed.
    pub fn waits(self) -> bool {
        matches!(self, Self::Blocked | Self::Pending)
    }

    /// Returns whether it will not be processed again. Excludes unknown statuses.
    pub fn is_processed(self) -> bool {
        matches!(self, Self::Complete | Self::Failed | Self::Canceled)
    }
}

impl JobStatus {
    /// Returns whether the job is not dead. Includes unknown statuses.
    pub fn is_live(self) -> bool {
        self != Self::Dead
    }
}

impl ClientStatus {
    /// Returns whether the allocation is non-terminal, so that the client still reserves its resources: all
    /// but complete, failed and lost (as in Nomad's scheduler since 1.4). Includes unknown statuses.
    pub fn is_live(self) -> bool {
        !matches!(self, Self::Complete | Self::Failed | Self::Lost)
    }
}

/// A value for each member of an enumeration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByTerm<K, V> {
    values: Box<[V]>,
    key: PhantomData<K>,
}

impl<K: Term, V: Default> Default for ByTerm<K, V> {
    fn default() -> Self {
        Self { values: K::ALL.iter().map(|_| V::default()).collect(), key: PhantomData }
    }
}

impl<K: Term, V> Index<K> for ByTerm<K, V> {
    type Output = V;
    fn index(&self, key: K) -> &V {
        &self.values[key.index()]
    }
}

impl<K: Term, V> IndexMut<K> for ByTerm<K, V> {
    fn index_mut(&mut self, key: K) -> &mut V {
        &mut self.values[key.index()]
    }
}

impl<K: Term, V> ByTerm<K, V> {
    /// Returns all members with their values.
    pub fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        K::ALL.iter().copied().zip(self.values.iter())
    }
}

impl<K: Term, V: Default + PartialEq> ByTerm<K, V> {
    /// Returns the members to expose: known ones always, so that queries can test for 0, and `other` only if
    /// it was counted.
    pub fn shown(&self) -> impl Iterator<Item = (K, &V)> {
        self.iter().filter(|(key, value)| !key.is_other() || **value != V::default())
    }
}

/// A set of members of an enumeration with at most 64 members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TermSet<K>(u64, PhantomData<K>);

impl<K> Default for TermSet<K> {
    fn default() -> Self {
        Self(0, PhantomData)
    }
}

impl<K> TermSet<K> {
    /// Creates a set from bits at the positions in [`Term::ALL`], for constants.
    pub(crate) const fn of_bits(bits: u64) -> Self {
        Self(bits, PhantomData)
    }
}

impl<K: Term> TermSet<K> {
    /// Adds a member.
    pub fn insert(&mut self, key: K) {
        self.0 |= 1 << key.index();
    }
    /// Removes a member.
    pub fn remove(&mut self, key: K) {
        self.0 &= !(1 << key.index());
    }
    /// Returns whether the set is empty.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// Returns whether the set contains a member.
    pub fn contains(self, key: K) -> bool {
        self.0 & (1 << key.index()) != 0
    }
    /// Returns whether the set contains all of these members.
    pub fn contains_all(self, keys: Self) -> bool {
        self.0 & keys.0 == keys.0
    }
    /// Returns the intersection of two sets.
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0, PhantomData)
    }
    /// Returns the number of members.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }
    /// Returns the members, in the order of the enumeration.
    pub fn iter(self) -> impl Iterator<Item = K> {
        K::ALL.iter().copied().filter(move |key| self.contains(*key))
    }
}

impl<K: Term> FromIterator<K> for TermSet<K> {
    fn from_iter<I: IntoIterator<Item = K>>(keys: I) -> Self {
        let mut set = Self::default();
        keys.into_iter().for_each(|key| set.insert(key));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_words_and_null_become_other() {
        assert_eq!(JobStatus::from("paused"), JobStatus::Other);
        assert_eq!(serde_json::from_str::<JobStatus>("null").unwrap(), JobStatus::Other);
        assert_eq!(serde_json::from_str::<JobStatus>("\"dead\"").unwrap(), JobStatus::Dead);
        assert!(serde_json::from_str::<JobStatus>("7").is_err());
    }

    #[test]
    fn other_is_shown_only_when_counted() {
        let mut counts = ByTerm::<JobStatus, u64>::default();
        assert_eq!(counts.shown().count(), 3);
        counts[JobStatus::Other] += 1;
        assert_eq!(counts.shown().last(), Some((JobStatus::Other, &1)));
    }

    #[test]
    fn sets_list_their_members_in_order() {
        let mut reasons = TermSet::default();
        reasons.insert(BlockReason::Cpu);
        reasons.insert(BlockReason::Quota);
        assert_eq!(reasons.iter().collect::<Vec<_>>(), [BlockReason::Quota, BlockReason::Cpu]);
    }
}
