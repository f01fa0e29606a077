//! Usage of allocations.

/// Usage of running allocations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usage {
    /// One entry per allocation whose client responded.
    pub allocations: Vec<AllocationUsage>,
    /// Number of allocations beyond the limit.
    pub dropped: u64,
}

/// Usage of one allocation; values that its driver does not measure are absent.
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
    /// Allocated CPU in hertz.
    pub cpu_allocated_hertz: Option<f64>,
    /// Allocated memory in bytes.
    pub memory_allocated_bytes: Option<f64>,
    /// Used CPU in hertz.
    pub cpu_used_hertz: Option<f64>,
    /// Used memory in bytes.
    pub memory_used_bytes: Option<f64>,
    /// Total throttled time in seconds.
    pub cpu_throttled_seconds: Option<f64>,
}
