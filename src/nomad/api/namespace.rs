//! Rows of `GET /v1/namespaces`.

use serde::Deserialize;

/// A namespace. The list holds those in which the token may do anything at all.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Namespace {
    /// Its name.
    pub name: Option<String>,
}
