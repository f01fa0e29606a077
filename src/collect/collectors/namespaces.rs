//! Names of namespaces.

use std::sync::Arc;

use crate::collect::collector::{Collect, Newest, Refresh, reads};
use crate::collect::context::Context;
use crate::collect::list;
use crate::collect::observers::Observers;
use crate::collect::report::FetchError;
use crate::nomad::api::Namespace;
use crate::nomad::{Endpoint, Request};
use crate::snapshot::{Namespaces, Sections};

/// Collector of the selected namespaces that the token may list.
pub(in crate::collect) struct NamespacesCollector;

reads!(NamespacesCollector:);

impl Collect for NamespacesCollector {
    fn new(_: &Observers) -> Self {
        Self
    }

    async fn collect(&mut self, context: &Arc<Context>, _: &Newest<'_, Self>) -> Result<Refresh, FetchError> {
        let request = Request::new(Endpoint::Namespaces, "/v1/namespaces");
        let add = |fold: &mut Namespaces, namespace: Namespace| fold.names.extend(namespace.name);
        let folded = list::fold(&context.client, vec![request], Namespaces::default(), add).await?;
        Ok(folded.refresh(|mut fold| {
            fold.names.retain(|name| context.settings.namespaces.includes(name));
            Sections { namespaces: Some(Arc::new(fold)), ..Sections::default() }
        }))
    }
}
