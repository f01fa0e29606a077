//! Causes of failed allocations.

/// Cause of a failed allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// A task exits with this code.
    Exit(u8),
    /// A signal ends a task.
    Signal(u8),
    /// A task is killed because it exceeds its memory.
    OutOfMemory,
    /// The driver cannot start a task, for example because its image cannot be pulled.
    Driver,
    /// An artifact cannot be downloaded.
    Artifact,
    /// The configuration of a task is invalid.
    Validation,
    /// The client cannot set up the allocation.
    Setup,
    /// A hook of the client fails before a task starts.
    Hook,
    /// A task exceeds its disk.
    Disk,
    /// A health check of a task fails.
    Unhealthy,
}

impl Cause {
    /// Returns the label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::Exit(_) => "exit",
            Cause::Signal(_) => "signal",
            Cause::OutOfMemory => "oom",
            Cause::Driver => "driver",
            Cause::Artifact => "artifact",
            Cause::Validation => "validation",
            Cause::Setup | Cause::Hook => "setup",
            Cause::Disk => "disk",
            Cause::Unhealthy => "unhealthy",
        }
    }

    /// Returns whether the allocation fails before any task is prepared.
    pub(crate) fn prevents_setup(self) -> bool {
        self == Cause::Setup
    }

    /// Returns whether a task fails before it has started.
    pub fn prevents_start(self) -> bool {
        matches!(self, Cause::Driver | Cause::Artifact | Cause::Validation | Cause::Setup | Cause::Hook)
    }
}
