//! Permissions of the token.

use std::sync::Arc;

use crate::collect::collector::{Collect, Newest, Refresh, reads};
use crate::collect::context::Context;
use crate::collect::observers::Observers;
use crate::collect::reach::{TokenReach, token_reach};
use crate::collect::report::FetchError;
use crate::snapshot::Sections;

/// Collector of whether the token may read all namespaces.
pub(in crate::collect) struct TokenCollector;

reads!(TokenCollector:);

impl Collect for TokenCollector {
    fn new(_: &Observers) -> Self {
        Self
    }

    async fn collect(&mut self, context: &Arc<Context>, _: &Newest<'_, Self>) -> Result<Refresh, FetchError> {
        let TokenReach { reach, policies, meta } = token_reach(&context.client).await?;
        let sections = Sections { reach: Some(Arc::new(reach)), ..Sections::default() };
        Ok(Refresh { sections, objects: policies, meta })
    }
}
