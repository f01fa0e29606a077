//! Names of namespaces.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::context::Context;
use super::list;
use super::report::FetchError;
use super::store::{Refresh, Section};
use crate::nomad::api::Namespace;
use crate::nomad::{Endpoint, Request};

/// Reads the namespaces that the token may see, of those that are wanted.
pub(super) async fn fetch(context: Arc<Context>) -> Result<Refresh, FetchError> {
    let request = Request::new(Endpoint::Namespaces, "/v1/namespaces");
    let add = |names: &mut BTreeSet<String>, namespace: Namespace| names.extend(namespace.name);
    let folded = list::fold(&context.client, vec![request], BTreeSet::new(), add).await?;
    Ok(folded.refresh(|mut names| {
        names.retain(|name| context.settings.wants_namespace(name));
        vec![Section::Namespaces(names)]
    }))
}
