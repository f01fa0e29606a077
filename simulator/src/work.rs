//! The work that responses would cause on real servers, counted in rows and not in time.

use std::ops::AddAssign;

/// Rows that a server processes for a response. Zero for recordings, which have no tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Rows that a filter expression is evaluated for.
    pub filtered: u64,
    /// Rows that are compared with a parameter such as `status`, which is much cheaper.
    pub compared: u64,
    /// Rows that are sent.
    pub sent: u64,
}

impl AddAssign for Work {
    fn add_assign(&mut self, other: Self) {
        self.filtered += other.filtered;
        self.compared += other.compared;
        self.sent += other.sent;
    }
}
