//! Work of the servers for a response, as a number of rows. No time is measured.

use std::ops::AddAssign;

/// Rows that a server processes for a response. Recordings count nothing, because they have no tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Rows for which a filter expression was evaluated.
    pub filtered: u64,
    /// Rows that are compared with a parameter such as `status`, which is much cheaper.
    pub compared: u64,
    /// Rows that are sent. An event of the event stream counts as a row.
    pub sent: u64,
    /// Requests for single rows by their ID. A server looks them up in an index.
    pub single: u64,
}

impl AddAssign for Work {
    fn add_assign(&mut self, other: Self) {
        self.filtered += other.filtered;
        self.compared += other.compared;
        self.sent += other.sent;
        self.single += other.single;
    }
}
