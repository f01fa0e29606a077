//! What answers would make the servers do: rows, counted and not timed.

use std::ops::AddAssign;

/// What a server does with the rows of its tables for an answer. Recordings count nothing: they are not made of tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Rows that a filter expression looked at.
    pub filtered: u64,
    /// Rows that were compared with a parameter such as `status`, which costs a server far less.
    pub compared: u64,
    /// Rows that were sent.
    pub sent: u64,
}

impl AddAssign for Work {
    fn add_assign(&mut self, other: Self) {
        self.filtered += other.filtered;
        self.compared += other.compared;
        self.sent += other.sent;
    }
}
