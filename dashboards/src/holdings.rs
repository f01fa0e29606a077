//! Who uses the cluster.

use crate::panel::{Panel, timeseries};

/// What is allocated, by namespace and job type.
pub(crate) fn panels() -> [Panel; 2] {
    let by_user = |title, what: &str, unit, family: &str| {
        let description = format!(
            "{what} allocated to the running allocations of each namespace and job type: what Nomad reserves for them, \
             and not what they use."
        );
        timeseries(title, &description, unit)
            .query(
                &format!("sum by (namespace, job_type) ({family}{{%ns}}) > 0"),
                "{{namespace}} {{job_type}}",
            )
            .stacked()
    };
    [
        by_user("Allocated CPU by namespace", "CPU", "hertz", "nomad_allocated_cpu_hertz"),
        by_user("Allocated memory by namespace", "Memory", "bytes", "nomad_allocated_memory_bytes"),
    ]
}
