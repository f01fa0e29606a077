//! Nomad's closed vocabularies: the words that may become label values.
//!
//! Each is an enum whose last member, where the set is Nomad's own, is `Other`: a word of a newer Nomad is
//! counted as `other`, never dropped and never passed through.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

/// A hash that is the same as long as the process runs, for what is compared and never shown.
pub(crate) fn hash_of(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// The value of a key, made if it is not there; the key is only copied when it is new.
pub(crate) fn at<'m, V: Default>(map: &'m mut BTreeMap<String, V>, key: &str) -> &'m mut V {
    if !map.contains_key(key) {
        map.insert(key.to_owned(), V::default());
    }
    map.get_mut(key).expect("it was just put there")
}

/// A job, by the hash of its namespace and ID: what is remembered of many jobs needs no names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobKey(u64);

impl JobKey {
    /// The key of the job of this ID.
    pub fn new(namespace: &str, id: &str) -> Self {
        Self(hash_of((namespace, id)))
    }
}

/// A word of a closed vocabulary.
pub trait Term: Copy + Eq + fmt::Debug + 'static {
    /// Every member, `Other` last where there is one.
    const ALL: &'static [Self];
    /// The label value.
    fn as_str(self) -> &'static str;
    /// The member's place in [`Term::ALL`].
    fn index(self) -> usize;
    /// Whether this is the member for words that we do not know.
    fn is_other(self) -> bool {
        self.as_str() == "other"
    }
}

/// Declares a vocabulary. With `else Other`, unknown words read as that member.
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
                /// Whatever word this version of the exporter does not know, or none at all:
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

        /// Reads the word without allocating; `null` reads as the default.
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl serde::de::Visitor<'_> for Visitor {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
    /// A job's scheduler (`sysbatch` since Nomad 1.2).
    JobType { Service = "service", Batch = "batch", System = "system", Sysbatch = "sysbatch" } else Other
}
vocabulary! {
    /// A job's status as Nomad computes it: `running` as soon as one instance is placed, `pending` while none is
    /// and an evaluation waits, `dead` when nothing is left to do, whatever the outcome.
    JobStatus { Pending = "pending", Running = "running", Dead = "dead" } else Other
}
vocabulary! {
    /// Why a job is a template and not work of its own.
    TemplateKind { Periodic = "periodic", Parameterized = "parameterized" }
}
vocabulary! {
    /// How a dead job ended, or one of its allocations.
    Outcome {
        /// All of its tasks ended well:
        Complete = "complete",
        /// A task failed:
        Failed = "failed",
        /// The client went away:
        Lost = "lost",
        /// A drain's deadline stopped it:
        Drained = "drained",
        /// A job of higher priority took its place:
        Preempted = "preempted",
        /// It ran for longer than its `max_run_duration` (Nomad 2.0):
        Timeout = "timeout",
        /// Somebody stopped it, or its job wanted it no more:
        Stopped = "stopped",
        /// Nomad retains no allocation that tells:
        Unknown = "unknown",
    }
}

impl Outcome {
    /// The worse of two: a job ended as badly as the worst of its allocations.
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
    /// What made an allocation fail.
    FailureCause {
        /// A task exited:
        Exit = "exit",
        /// A signal ended a task:
        Signal = "signal",
        /// A task exceeded its memory:
        Oom = "oom",
        /// The driver could not start a task, for instance because its image cannot be pulled:
        Driver = "driver",
        /// An artifact could not be downloaded:
        Artifact = "artifact",
        /// The configuration of a task is invalid:
        Validation = "validation",
        /// The client could not prepare a task: a directory, a network, a volume, a template, a secret:
        Setup = "setup",
        /// A task exceeded its disk:
        Disk = "disk",
        /// A health check of a task failed:
        Unhealthy = "unhealthy",
        /// Nothing that is known tells:
        Other = "other",
    }
}

impl FailureCause {
    /// Whether the allocation never started, which is the platform's fault or its configuration's, and not the program's.
    pub fn prevents_start(self) -> bool {
        matches!(self, Self::Driver | Self::Artifact | Self::Validation | Self::Setup)
    }
}
vocabulary! {
    /// An allocation's status as its client reports it (`unknown` since Nomad 1.3).
    ClientStatus {
        Pending = "pending", Running = "running", Unknown = "unknown",
        Complete = "complete", Failed = "failed", Lost = "lost",
    } else Other
}
vocabulary! {
    /// What the servers want of an allocation.
    DesiredStatus { Run = "run", Stop = "stop", Evict = "evict" } else Other
}
vocabulary! {
    /// An evaluation's status.
    EvalStatus {
        Blocked = "blocked", Pending = "pending", Complete = "complete", Failed = "failed", Canceled = "canceled",
    } else Other
}
vocabulary! {
    /// A node's status as the servers see it (`disconnected` since Nomad 1.3).
    NodeStatus {
        Initializing = "initializing", Ready = "ready", Down = "down", Disconnected = "disconnected",
    } else Other
}
vocabulary! {
    /// Whether the scheduler may place work on a node.
    Eligibility { Eligible = "eligible", Ineligible = "ineligible" } else Other
}
vocabulary! {
    /// How the last drain of a node stands (Nomad 1.1 and later).
    DrainStatus { Draining = "draining", Complete = "complete", Canceled = "canceled" } else Other
}
vocabulary! {
    /// A node's one state, the first that holds in this order; `active` is a ready node that takes work.
    NodeState {
        Down = "down", Disconnected = "disconnected", Initializing = "initializing",
        Draining = "draining", Ineligible = "ineligible", Active = "active",
    } else Other
}
vocabulary! {
    /// A deployment's status. Nomad spells it `cancelled` here and `canceled` elsewhere.
    DeploymentStatus {
        Running = "running", Paused = "paused", Failed = "failed", Successful = "successful",
        Cancelled = "cancelled", Initializing = "initializing", Pending = "pending", Blocked = "blocked",
        Unblocking = "unblocking",
    } else Other
}
vocabulary! {
    /// What gossip says of a server.
    ServerState {
        Alive = "alive", Leaving = "leaving", Left = "left", Failed = "failed", None = "none",
    } else Other
}
vocabulary! {
    /// Why a job waits. Most are why an evaluation is blocked; the job of one that is pending waits for a
    /// scheduler.
    BlockReason {
        Quota = "quota", NoNodes = "no_nodes", Device = "device", Cores = "cores", Memory = "memory", Cpu = "cpu",
        Disk = "disk", Network = "network", Volume = "volume", Constraint = "constraint",
        /// No scheduler has looked at it yet:
        Scheduling = "scheduling",
        /// Nomad waits before it tries again:
        Delayed = "delayed",
        Other = "other",
    }
}

impl BlockReason {
    /// Whether an evaluation can be blocked for it.
    pub fn blocks(self) -> bool {
        !matches!(self, Self::Scheduling | Self::Delayed)
    }
}

impl EvalStatus {
    /// Whether something is still to come of it.
    pub fn waits(self) -> bool {
        matches!(self, Self::Blocked | Self::Pending)
    }
}

impl JobStatus {
    /// Whether this job still wants something of the cluster; an unknown status does.
    pub fn is_live(self) -> bool {
        self != Self::Dead
    }
}

impl ClientStatus {
    /// Whether the client holds resources for such an allocation: all but complete, failed and lost (the rule of
    /// Nomad's scheduler since 1.4). An unknown status does.
    pub fn is_live(self) -> bool {
        !matches!(self, Self::Complete | Self::Failed | Self::Lost)
    }
}

/// A value for each member of a vocabulary.
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
    /// Every member with its value.
    pub fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        K::ALL.iter().copied().zip(self.values.iter())
    }
}

impl<K: Term, V: Default + PartialEq> ByTerm<K, V> {
    /// The members that an exposition shows: the known ones always, so that `== 0` can be asked, `other` only
    /// when something was counted there.
    pub fn shown(&self) -> impl Iterator<Item = (K, &V)> {
        self.iter().filter(|(key, value)| !key.is_other() || **value != V::default())
    }
}

/// A set of members of a vocabulary of at most 64 words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TermSet<K>(u64, PhantomData<K>);

impl<K> Default for TermSet<K> {
    fn default() -> Self {
        Self(0, PhantomData)
    }
}

impl<K> TermSet<K> {
    /// A set of the members whose places in [`Term::ALL`] are given as bits, for constants.
    pub(crate) const fn of_bits(bits: u64) -> Self {
        Self(bits, PhantomData)
    }
}

impl<K: Term> TermSet<K> {
    /// Adds one member.
    pub fn insert(&mut self, key: K) {
        self.0 |= 1 << key.index();
    }
    /// Removes one member.
    pub fn remove(&mut self, key: K) {
        self.0 &= !(1 << key.index());
    }
    /// Whether nothing is in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// Whether a member is in it.
    pub fn contains(self, key: K) -> bool {
        self.0 & (1 << key.index()) != 0
    }
    /// Whether all of these are in it.
    pub fn contains_all(self, keys: Self) -> bool {
        self.0 & keys.0 == keys.0
    }
    /// What is in both.
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0, PhantomData)
    }
    /// How many are in it.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }
    /// Its members, in the vocabulary's order.
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
    fn unknown_words_and_null_read_as_other() {
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
