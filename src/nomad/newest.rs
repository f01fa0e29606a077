//! The newest index of each list. A response with a lower index comes from a server that lags behind.
//!
//! Such a server may have recent contact with the leader. Using its response would bring back ended objects,
//! and count them again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::request::Request;

/// Number of consecutive rejections of a list after which the lower index is accepted, because the cluster
/// was rebuilt or restored from a snapshot. With the default interval, this takes half a minute.
const MAX_REJECTIONS: u32 = 6;
/// Maximum number of remembered lists. Some lists have one request per namespace, and namespaces come and go.
const MAX_LISTS: usize = 2_000;

/// The newest index of each list.
#[derive(Debug, Default)]
pub(super) struct Newest(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    lists: HashMap<String, List>,
    resets: u64,
}

#[derive(Debug, Default)]
struct List {
    raft: u64,
    rejections: u32,
}

impl Newest {
    /// Returns the minimum index of a response to this request, if it is for a list that was read before.
    pub(super) fn of(&self, request: &Request) -> Option<u64> {
        Some(self.state().lists.get(&key(request)?)?.raft)
    }

    /// Records that a list was read.
    pub(super) fn read(&self, request: &Request, raft: u64) {
        let Some(key) = key(request) else { return };
        let mut state = self.state();
        if state.lists.len() >= MAX_LISTS && !state.lists.contains_key(&key) {
            state.lists.clear();
        }
        state.lists.insert(key, List { raft, rejections: 0 });
    }

    /// Records that a response was rejected because of its index. Returns whether the known indexes were
    /// dropped because of that.
    pub(super) fn rejected(&self, request: &Request) -> bool {
        let Some(key) = key(request) else { return false };
        let mut state = self.state();
        let Some(list) = state.lists.get_mut(&key) else { return false };
        list.rejections += 1;
        let is_reset = list.rejections >= MAX_REJECTIONS;
        if is_reset {
            state.lists.clear();
            state.resets += 1;
        }
        is_reset
    }

    /// Returns how often the known indexes were dropped.
    pub(super) fn resets(&self) -> u64 {
        self.state().resets
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Only lists have an index that never decreases: that of their table.
fn key(request: &Request) -> Option<String> {
    (request.endpoint.is_table() && !request.is_part).then(|| format!("{}{:?}", request.path, request.query))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nomad::Endpoint;

    #[test]
    fn a_lower_index_is_accepted_after_consecutive_rejections() {
        let newest = Newest::default();
        let list = |filter: &str| Request::new(Endpoint::Jobs, "/v1/jobs").query("filter", filter);
        let (live, dead) = (list("live"), list("dead"));
        assert_eq!(newest.of(&live), None);
        newest.read(&live, 10);
        newest.read(&dead, 12);
        assert_eq!((newest.of(&live), newest.of(&dead)), (Some(10), Some(12)));
        for _ in 1..MAX_REJECTIONS {
            assert!(!newest.rejected(&live));
        }
        newest.read(&live, 11);
        for _ in 1..MAX_REJECTIONS {
            assert!(!newest.rejected(&live) && !newest.rejected(&dead));
        }
        assert!(newest.rejected(&live));
        assert_eq!((newest.of(&live), newest.of(&dead), newest.resets()), (None, None, 1));
        assert!(!newest.rejected(&dead), "it is forgotten already");
    }

    #[test]
    fn only_lists_are_remembered_up_to_a_limit() {
        let newest = Newest::default();
        for number in 0..2 * MAX_LISTS {
            let request = Request::new(Endpoint::Evaluations, "/v1/evaluations");
            newest.read(&request.query("namespace", number.to_string()), 5);
        }
        assert!(newest.state().lists.len() <= MAX_LISTS);
        let one_node = Request::new(Endpoint::Node, "/v1/node/a");
        newest.read(&one_node, 5);
        assert_eq!(newest.of(&one_node), None);
    }
}
