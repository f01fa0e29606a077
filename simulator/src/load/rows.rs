//! Rows of a list, generated chunk by chunk from templates.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use serde_json::Value;

use super::DIGITS;

/// Minimum size of a chunk.
const CHUNK_BYTES: usize = 64 << 10;

/// ID and name of a node in its allocations.
#[derive(Debug)]
pub(super) struct NodeCopy {
    id: Box<[u8]>,
    name: Box<[u8]>,
}

impl NodeCopy {
    /// Returns a copy of a row of the list of nodes.
    pub(super) fn new(row: &Value, copy: u64) -> Self {
        let numbered = |text: &Value| {
            let text = text.as_str().unwrap_or_default().as_bytes();
            let stem = text.len().saturating_sub(DIGITS);
            [&text[..stem], &digits(copy)].concat().into()
        };
        Self { id: numbered(&row["ID"]), name: numbered(&row["Name"]) }
    }
}

/// Number of copies of a row, and of its job.
#[derive(Clone, Copy, Debug)]
pub(super) struct Copies {
    pub(super) copies: u64,
    pub(super) job_copies: u64,
}

/// A row with holes where copies differ.
#[derive(Clone, Debug)]
pub(super) struct Template {
    parts: Vec<(Bytes, Hole)>,
    tail: Bytes,
    copies: Copies,
}

/// A part that differs between copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hole {
    /// The digits of its own number.
    Own,
    /// The digits of its job's number.
    Job,
    /// Its node's ID.
    NodeId,
    /// Its node's name.
    NodeName,
}

impl Template {
    /// Creates a template from the text of a row, and the parts that belong to the row, its job and its node.
    pub(super) fn new(
        text: &str,
        copies: Copies,
        own: &[&str],
        job: &str,
        node_id: &str,
        node_name: &str,
    ) -> Self {
        let mut holes: Vec<(usize, usize, Hole)> = Vec::new();
        let mut find = |what: &str, whole: bool, hole: Hole| {
            if what.len() < DIGITS {
                return;
            }
            for (at, found) in text.match_indices(what) {
                let begin = if whole { at } else { at + found.len() - DIGITS };
                holes.push((begin, at + found.len(), hole));
            }
        };
        if copies.copies > 1 {
            own.iter().for_each(|own| find(own, false, Hole::Own));
            if copies.job_copies > 1 {
                find(job, false, Hole::Job);
            }
            find(node_id, true, Hole::NodeId);
            find(node_name, true, Hole::NodeName);
        }
        holes.sort_unstable_by_key(|(begin, ..)| *begin);
        let mut from = 0;
        let mut parts = Vec::new();
        for (begin, end, hole) in holes {
            parts.push((Bytes::copy_from_slice(&text.as_bytes()[from..begin]), hole));
            from = end;
        }
        Self { parts, tail: Bytes::copy_from_slice(&text.as_bytes()[from..]), copies }
    }

    /// A row that exists once.
    pub(super) fn of_one(text: &str) -> Self {
        Self::new(text, Copies { copies: 1, job_copies: 1 }, &[], "", "", "")
    }

    /// Number of rows made from this template.
    pub(super) fn copies(&self) -> u64 {
        self.copies.copies
    }

    fn write(&self, out: &mut BytesMut, copy: u64, node: &NodeCopy) {
        for (text, hole) in &self.parts {
            out.put_slice(text);
            match hole {
                Hole::Own => out.put_slice(&digits(copy)),
                Hole::Job => out.put_slice(&digits(copy % self.copies.job_copies)),
                Hole::NodeId => out.put_slice(&node.id),
                Hole::NodeName => out.put_slice(&node.name),
            }
        }
        out.put_slice(&self.tail);
    }
}

/// The chunks of a list.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    templates: Arc<[Template]>,
    nodes: Arc<[NodeCopy]>,
    /// How far copies have moved to other nodes.
    moved: usize,
    template: usize,
    copy: u64,
    written: u64,
    /// Maximum number of rows to write.
    at_most: u64,
    ended: bool,
}

impl Rows {
    pub(super) fn new(templates: Vec<Template>, nodes: Arc<[NodeCopy]>, moved: usize) -> Self {
        let (templates, at_most) = (templates.into(), u64::MAX);
        Self { templates, nodes, moved, template: 0, copy: 0, written: 0, at_most, ended: false }
    }

    /// Limits the number of rows.
    pub(super) fn at_most(self, at_most: u64) -> Self {
        Self { at_most, ..self }
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> u64 {
        self.templates.iter().map(Template::copies).sum::<u64>().min(self.at_most)
    }
}

impl Iterator for Rows {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        let mut out = BytesMut::with_capacity(CHUNK_BYTES + (CHUNK_BYTES >> 2));
        while out.len() < CHUNK_BYTES {
            let is_full = self.written == self.at_most;
            let Some(template) = self.templates.get(self.template).filter(|_| !is_full) else {
                out.put_slice(if self.written == 0 { b"[]" } else { b"]" });
                self.ended = true;
                break;
            };
            if self.copy == template.copies.copies {
                (self.template, self.copy) = (self.template + 1, 0);
                continue;
            }
            out.put_u8(if self.written == 0 { b'[' } else { b',' });
            // Each representative starts at another node, so that allocations are spread over all nodes; and
            // each moves at a different pace, so that the allocated resources of a node change.
            let begin = self.template * 7919 + self.moved * (self.template + 1);
            let node = (self.copy as usize + begin) % self.nodes.len();
            template.write(&mut out, self.copy, &self.nodes[node]);
            self.copy += 1;
            self.written += 1;
        }
        Some(out.freeze())
    }
}

/// Returns the last digits of an ID, which distinguish copies.
fn digits(copy: u64) -> [u8; DIGITS] {
    let mut digits = [0; DIGITS];
    for (position, digit) in digits.iter_mut().rev().enumerate() {
        *digit = b"0123456789abcdef"[(copy >> (4 * position)) as usize & 15];
    }
    digits
}
