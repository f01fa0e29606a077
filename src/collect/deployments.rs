//! Deployments.

use std::sync::Arc;

use super::context::Context;
use super::report::FetchError;
use super::store::{Refresh, Section};
use super::{at, list};
use crate::nomad::Endpoint;
use crate::nomad::api::Deployment;
use crate::snapshot::Deployments;

/// Reads the deployments that Nomad retains.
pub(super) async fn fetch(context: Arc<Context>) -> Result<Refresh, FetchError> {
    let requests = context.over_known_namespaces(Endpoint::Deployments, "/v1/deployments").await?;
    let add = |fold: &mut Deployments, deployment: Deployment| {
        let namespace = deployment.namespace.as_deref().unwrap_or_default();
        at(&mut fold.by_namespace, namespace)[deployment.status] += 1;
    };
    let folded = list::fold(&context.client, requests, Deployments::default(), add).await?;
    Ok(folded.refresh(|deployments| vec![Section::Deployments(deployments)]))
}
