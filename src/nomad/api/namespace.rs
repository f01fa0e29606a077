//! Rows of `GET /v1/namespaces`.

use serde::Deserialize;

/// A namespace. The list contains those for which the token has any capability.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Namespace {
    /// Its name.
    pub name: Option<String>,
}
