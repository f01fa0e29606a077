//! Permissions of the token.

use std::sync::Arc;

use crate::collect::collector::{Collect, Newest, Refresh, reads};
use crate::collect::context::Context;
use crate::collect::observers::Observers;
use crate::collect::report::FetchError;
use crate::collect::token_permissions::{TokenPermissions, token_permissions};
use crate::snapshot::Sections;

/// Collector of whether the token may read all namespaces.
pub(in crate::collect) struct TokenCollector;

reads!(TokenCollector:);

impl Collect for TokenCollector {
    fn new(_: &Observers) -> Self {
        Self
    }

    async fn collect(&mut self, context: &Arc<Context>, _: &Newest<'_, Self>) -> Result<Refresh, FetchError> {
        let TokenPermissions { coverage, policies, meta } = token_permissions(&context.client).await?;
        let sections = Sections { coverage: Some(Arc::new(coverage)), ..Sections::default() };
        Ok(Refresh { sections, objects: policies, meta })
    }
}
