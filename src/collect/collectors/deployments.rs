//! Deployments.

use std::sync::Arc;

use crate::collect::collector::{Collect, Newest, Refresh, reads};
use crate::collect::context::Context;
use crate::collect::list;
use crate::collect::observers::Observers;
use crate::collect::report::FetchError;
use crate::nomad::Endpoint;
use crate::nomad::api::Deployment;
use crate::snapshot::{Deployments, LiveJobs, Namespaces, Sections, Servers};
use crate::terms::at;

/// Collector of the deployments that Nomad retains.
pub(in crate::collect) struct DeploymentsCollector;

reads!(DeploymentsCollector: Servers, Namespaces, LiveJobs);

impl Collect for DeploymentsCollector {
    fn new(_: &Observers) -> Self {
        Self
    }

    async fn collect(
        &mut self,
        context: &Arc<Context>,
        upstream: &Newest<'_, Self>,
    ) -> Result<Refresh, FetchError> {
        let requests =
            context.over_known_namespaces(upstream, Endpoint::Deployments, "/v1/deployments").await?;
        let add = |fold: &mut Deployments, deployment: Deployment| {
            let namespace = deployment.namespace.as_deref().unwrap_or_default();
            at(&mut fold.by_namespace, namespace)[deployment.status] += 1;
        };
        let folded = list::fold(&context.client, requests, Deployments::default(), add).await?;
        Ok(folded.refresh(|fold| Sections { deployments: Some(Arc::new(fold)), ..Sections::default() }))
    }
}
