//! Rows of `GET /v1/deployments`.

use serde::Deserialize;

use crate::terms::DeploymentStatus;

/// A deployment.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Deployment {
    /// Its job's namespace.
    pub namespace: Option<String>,
    /// Its status.
    pub status: DeploymentStatus,
}
