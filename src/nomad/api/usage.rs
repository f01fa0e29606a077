//! Response of `GET /v1/client/allocation/:id/stats`: the measured usage of an allocation.

use serde::Deserialize;

/// Usage of an allocation.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AllocationStats {
    resource_usage: Option<ResourceUsage>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct ResourceUsage {
    memory_stats: Option<MemoryStats>,
    cpu_stats: Option<CpuStats>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct MemoryStats {
    #[serde(rename = "RSS")]
    rss: Option<u64>,
    usage: Option<u64>,
    measured: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct CpuStats {
    total_ticks: Option<f64>,
    throttled_time: Option<u64>,
    measured: Option<Vec<String>>,
}

fn measures(measured: Option<&Vec<String>>, name: &str) -> bool {
    measured.is_some_and(|measured| measured.iter().any(|measure| measure == name))
}

impl AllocationStats {
    /// Returns the used MHz, if the driver measures CPU: ticks are derived from the percentage.
    pub fn cpu_mhz(&self) -> Option<f64> {
        let cpu = self.cpu()?;
        cpu.total_ticks.filter(|_| measures(cpu.measured.as_ref(), "Percent"))
    }

    /// Returns the total throttled time in seconds.
    pub fn throttled_seconds(&self) -> Option<f64> {
        let cpu = self.cpu()?;
        let nanos = cpu.throttled_time.filter(|_| measures(cpu.measured.as_ref(), "Throttled Time"))?;
        Some(nanos as f64 / 1e9)
    }

    /// Returns the used bytes: the kernel's usage, otherwise the resident set, as in Nomad's own command.
    pub fn memory_bytes(&self) -> Option<u64> {
        let memory = self.resource_usage.as_ref()?.memory_stats.as_ref()?;
        let measured = memory.measured.as_ref();
        let usage = memory.usage.filter(|usage| *usage > 0 && measures(measured, "Usage"));
        usage.or_else(|| memory.rss.filter(|_| measures(measured, "RSS")))
    }

    fn cpu(&self) -> Option<&CpuStats> {
        self.resource_usage.as_ref()?.cpu_stats.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_measured_is_read() {
        let stats = |cpu: &str, memory: &str| -> AllocationStats {
            serde_json::from_str(&format!(
                r#"{{"ResourceUsage":{{"CpuStats":{{"TotalTicks":120.5,"ThrottledTime":2000000000,"Measured":{cpu}}},
                    "MemoryStats":{{"RSS":7,"Usage":9,"Measured":{memory}}}}}}}"#
            ))
            .unwrap()
        };
        let all = stats(r#"["Percent","Throttled Time"]"#, r#"["RSS","Usage"]"#);
        assert_eq!(
            (all.cpu_mhz(), all.throttled_seconds(), all.memory_bytes()),
            (Some(120.5), Some(2.0), Some(9))
        );
        let some = stats(r#"["System Mode"]"#, r#"["RSS"]"#);
        assert_eq!((some.cpu_mhz(), some.throttled_seconds(), some.memory_bytes()), (None, None, Some(7)));
        let none = stats("null", "null");
        assert_eq!((none.cpu_mhz(), none.throttled_seconds(), none.memory_bytes()), (None, None, None));
    }
}
