//! Names of namespaces.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::context::Context;
use super::report::FetchError;
use super::store::{Refresh, Section};
use crate::nomad::api::{Namespace, each_row};
use crate::nomad::{Endpoint, Request};

/// Reads the namespaces that the token may see.
pub(super) async fn fetch(context: Arc<Context>) -> Result<Refresh, FetchError> {
    let only = Some(context.settings.namespace.clone()).filter(|namespace| namespace != "*");
    let request = Request::new(Endpoint::Namespaces, "/v1/namespaces");
    let decode = move |json: &mut _| {
        let mut names = BTreeSet::new();
        let objects = each_row(json, |namespace: Namespace| names.extend(namespace.name))?;
        names.retain(|name| only.as_ref().is_none_or(|only| only == name));
        Ok((names, objects))
    };
    let ((names, objects), meta) = context.client.fetch(request, decode).await?;
    Ok(Refresh { sections: vec![Section::Namespaces(names)], objects, meta })
}
