//! Servers of the region.

/// What the servers are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Servers {
    /// Whether every one of them honours `filter` on lists. Any may be the one that answers.
    pub filter_lists: bool,
    /// Whether every one of them can list evaluations over all namespaces.
    pub list_evaluations_of_all_namespaces: bool,
}
