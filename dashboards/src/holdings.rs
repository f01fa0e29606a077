//! Who uses the cluster.

use crate::panel::{Panel, timeseries};
use crate::promql::all;

/// What is allocated, by namespace and job type.
pub(crate) fn panels() -> [Panel; 2] {
    let by_user = |title, what: &str, unit, family: &str| {
        let description = format!(
            "{what} allocated to the non-terminal allocations of each namespace and job type. This is what Nomad reserves \
             for them, not what they use."
        );
        timeseries(title, &description, unit)
            .query(
                &format!("{} > 0", all("namespace, job_type", &format!("{family}{{%ns}}"))),
                "{{namespace}} {{job_type}}",
            )
            .stacked()
    };
    [
        by_user("Allocated CPU by namespace", "CPU", "hertz", "nomad_allocated_cpu_hertz"),
        by_user("Allocated memory by namespace", "Memory", "bytes", "nomad_allocated_memory_bytes"),
    ]
}
