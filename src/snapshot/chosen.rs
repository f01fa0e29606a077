//! Metadata and attributes that the operator chose as labels.

use std::collections::HashMap;

/// The values of the chosen keys, within the limit of a label.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// In the order of the keys; empty for a key that is not there.
    pub values: Box<[Box<str>]>,
    /// Whether a value was longer than its label may be.
    pub is_shortened: bool,
}

/// What is read of each node alone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeDetails {
    /// By node ID.
    pub by_node: HashMap<String, NodeDetail>,
    /// Names of the labels of chosen metadata.
    pub meta_labels: Vec<String>,
    /// Names of the labels of chosen attributes.
    pub attribute_labels: Vec<String>,
}

/// What is read of one node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeDetail {
    /// Its metadata, if any chosen key is there.
    pub meta: Option<Chosen>,
    /// Its attributes, if any chosen one is there.
    pub attributes: Option<Chosen>,
    /// How many allocations it takes, if that is limited (Nomad 1.10.2 and later).
    pub max_allocations: Option<u64>,
}
