//! Metadata and attributes that are exposed as labels.

use std::collections::HashMap;

/// Values of the selected keys, truncated to the label limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// In the order of the keys; empty if the key is missing.
    pub values: Box<[Box<str>]>,
    /// Whether a value was truncated.
    pub is_shortened: bool,
}

/// Data from the detail responses of nodes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeDetails {
    /// By node ID.
    pub by_node: HashMap<String, NodeDetail>,
    /// Label names of the selected metadata.
    pub meta_labels: Vec<String>,
    /// Label names of the selected attributes.
    pub attribute_labels: Vec<String>,
}

/// Details of one node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeDetail {
    /// Metadata, if it has a selected key.
    pub meta: Option<Chosen>,
    /// Attributes, if it has a selected one.
    pub attributes: Option<Chosen>,
    /// Maximum number of allocations, if it is limited (Nomad 1.10.2 and later).
    pub max_allocations: Option<u64>,
}
