//! Namespaces.

use std::collections::BTreeSet;

/// Existing namespaces that the token can see and that are configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// Their names.
    pub names: BTreeSet<String>,
}
