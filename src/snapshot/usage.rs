//! What allocations use of what they were promised.

/// Usage of running allocations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usage {
    /// One for each allocation that was asked about and answered.
    pub allocations: Vec<AllocationUsage>,
    /// Allocations that a cap cut.
    pub dropped: u64,
}

/// What one allocation uses; a field is absent where its driver does not measure it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AllocationUsage {
    /// Its ID.
    pub id: String,
    /// Its job's namespace.
    pub namespace: String,
    /// Its job.
    pub job_id: String,
    /// Its task group.
    pub task_group: String,
    /// The node that it runs on.
    pub node_id: String,
    /// CPU promised, in hertz.
    pub cpu_allocated_hertz: Option<f64>,
    /// Memory promised, in bytes.
    pub memory_allocated_bytes: Option<f64>,
    /// CPU in use, in hertz.
    pub cpu_used_hertz: Option<f64>,
    /// Memory in use, in bytes.
    pub memory_used_bytes: Option<f64>,
    /// How long it was throttled, ever.
    pub cpu_throttled_seconds: Option<f64>,
}
