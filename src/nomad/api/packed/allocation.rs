//! Allocations in little memory.

use std::sync::Arc;

use super::uuid::Uuid;
use super::{Common, Pack};
use crate::nomad::api::{Allocation, NameHash};

/// An allocation without its ID.
#[derive(Debug, PartialEq)]
pub struct PackedAllocation {
    /// The rest, the same for most allocations of a task group.
    rest: Arc<Allocation>,
    job_id: Option<Box<str>>,
    node_id: Option<Uuid>,
    name: NameHash,
    create_index: Option<u64>,
    create_time: i64,
    modify_time: i64,
}

impl Pack for Allocation {
    type Id = Uuid;
    type Packed = PackedAllocation;

    fn pack(mut self, common: &mut Common<Self>) -> PackedAllocation {
        self.id = None;
        PackedAllocation {
            job_id: self.job_id.take().map(Box::from),
            node_id: self.node_id.take().map(|id| Uuid::from(&*id)),
            name: std::mem::take(&mut self.name),
            create_index: self.create_index.take(),
            create_time: self.create_time.take().unwrap_or_default(),
            modify_time: self.modify_time.take().unwrap_or_default(),
            rest: common.share(self),
        }
    }

    fn unpack(id: &Uuid, packed: &PackedAllocation) -> Self {
        let PackedAllocation { rest, job_id, node_id, name, create_index, create_time, modify_time } = packed;
        Self {
            id: Some(id.to_string()),
            job_id: job_id.as_deref().map(str::to_owned),
            node_id: node_id.as_ref().map(Uuid::to_string),
            name: *name,
            create_index: *create_index,
            create_time: Some(*create_time),
            modify_time: Some(*modify_time),
            ..Self::clone(rest)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nomad::api::packed::assert_returns;

    #[test]
    fn allocations_are_unpacked_as_they_were() {
        let mut common = Common::<Allocation>::default();
        for (id, json) in [
            (
                "116a7537-1175-47e5-2790-5a1d00000000",
                r#"{"ID":"116a7537-1175-47e5-2790-5a1d00000000","Namespace":"ci","JobID":"build","TaskGroup":"group",
                    "NodeID":"10e2c468-65e9-8746-14d7-973c00000000","JobType":"batch","DesiredStatus":"stop",
                    "ClientStatus":"running","Name":"build.group[0]","JobVersion":3,"CreateIndex":7,
                    "DesiredDescription":"alloc is being migrated","ClientDescription":"exceeded max_run_duration",
                    "AllocatedResources":{"Shared":{"DiskMB":300},"Tasks":{"main":{"Cpu":{"CpuShares":100,
                    "ReservedCores":[1,2]},"Memory":{"MemoryMB":64},"Devices":[{"Vendor":"nvidia","Type":"gpu",
                    "Name":"t4","DeviceIDs":["a","b"]}]}}},"CreateTime":1795700162629605261,
                    "ModifyTime":1795700164134464696}"#,
            ),
            ("x", r#"{"ID":"x","CreateTime":0,"ModifyTime":0}"#),
        ] {
            assert_returns(id, json, &mut common);
        }
    }

    #[test]
    fn allocations_of_a_group_share_most_of_their_data() {
        let mut common = Common::default();
        let mut pack = |json: &str| serde_json::from_str::<Allocation>(json).unwrap().pack(&mut common);
        let one =
            pack(r#"{"ID":"a","TaskGroup":"group","NodeID":"n1","Name":"job.group[0]","CreateIndex":7}"#);
        let other = pack(r#"{"ID":"b","TaskGroup":"group","NodeID":"n2","Name":"job.group[1]"}"#);
        assert!(one != other && Arc::ptr_eq(&one.rest, &other.rest));
    }
}
