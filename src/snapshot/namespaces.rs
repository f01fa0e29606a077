//! Namespaces.

use std::collections::BTreeSet;

/// The namespaces that exist, as far as the token may see them and the operator wants them read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// Their names.
    pub names: BTreeSet<String>,
}
