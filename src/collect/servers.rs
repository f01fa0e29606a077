//! Servers of the region.

use std::sync::Arc;

use super::context::Context;
use super::report::FetchError;
use super::store::{Refresh, Section};
use crate::nomad::api::Members;
use crate::nomad::{Endpoint, Request, Version};
use crate::snapshot::Servers;

/// Reads the servers. What they can do goes by the oldest of them, since any may answer.
pub(super) async fn fetch(context: Arc<Context>) -> Result<Refresh, FetchError> {
    let request = Request::new(Endpoint::Members, "/v1/agent/members");
    let (members, meta) = context.client.object::<Members>(request).await?;
    let oldest = members.oldest_version(context.client.region());
    let servers = Servers {
        filter_lists: oldest.is_none_or(Version::filters_lists),
        list_evaluations_of_all_namespaces: oldest.is_none_or(Version::lists_evaluations_of_all_namespaces),
    };
    Ok(Refresh { sections: vec![Section::Servers(servers)], objects: members.count(), meta })
}
