//! Namespaces and node pools.

use serde_json::{Value, json};

use crate::cluster::Registered;
use crate::version::{Version, since};

/// A day, in nanoseconds.
const IDENTITY_TTL: u64 = 86_400_000_000_000;

pub(crate) fn namespace(name: &str, namespace: &Registered, version: Version) -> Value {
    let mut row = json!({
        "Name": name,
        "Description": namespace.description,
        "Quota": "",
        "Hash": "C7UbjDwBK0dK8wQq7Izg7SJIzaV+lIo2X7wRtzY3pSw=",
        "CreateIndex": namespace.index,
        "ModifyIndex": namespace.index,
    });
    if version >= since::V1_3 {
        row["Capabilities"] = Value::Null;
        row["Meta"] = Value::Null;
    }
    if version >= since::NODE_POOLS {
        row["NodePoolConfiguration"] = Value::Null;
    }
    if version >= since::WORKLOAD_IDENTITY {
        row["VaultConfiguration"] = Value::Null;
        row["ConsulConfiguration"] = Value::Null;
    }
    if version >= since::V1_11 {
        row["OptionalExtraClaims"] = Value::Null;
        row["RequiredExtraClaims"] = Value::Null;
    }
    row
}

pub(crate) fn node_pool(name: &str, pool: &Registered, version: Version) -> Value {
    let mut row = json!({
        "Name": name,
        "Description": pool.description,
        "Meta": null,
        "SchedulerConfiguration": null,
        "Hash": null,
        "CreateIndex": pool.index,
        "ModifyIndex": pool.index,
    });
    if version >= since::V1_11 {
        row["NodeIdentityTTL"] = json!(IDENTITY_TTL);
    }
    row
}
