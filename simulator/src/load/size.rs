//! Cluster sizes.

use std::str::FromStr;

/// Cluster size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// 50 nodes, 500 live and 5,000 dead jobs.
    S,
    /// 1,000 nodes, 5,000 live and 50,000 dead jobs.
    M,
    /// 10,000 nodes, 100,000 live and 500,000 dead jobs.
    L,
    /// HashiCorp's scale challenge: 6,100 nodes, 2,000,000 live allocations of 1,000 jobs.
    C2M,
}

impl Size {
    /// Every size, from the smallest.
    pub const ALL: [Size; 4] = [Size::S, Size::M, Size::L, Size::C2M];

    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Size::S => "S",
            Size::M => "M",
            Size::L => "L",
            Size::C2M => "C2M",
        }
    }

    /// Returns the number of nodes.
    pub fn nodes(self) -> u64 {
        match self {
            Size::S => 50,
            Size::M => 1_000,
            Size::L => 10_000,
            Size::C2M => 6_100,
        }
    }

    /// Returns the number of jobs that are not dead, without parents. One in twenty is pending, up to 500.
    pub fn live_jobs(self) -> u64 {
        match self {
            Size::S => 500,
            Size::M => 5_000,
            Size::L => 100_000,
            Size::C2M => 1_000,
        }
    }

    /// Returns the number of dead jobs.
    pub fn dead_jobs(self) -> u64 {
        match self {
            Size::S => 5_000,
            Size::M => 50_000,
            Size::L => 500_000,
            Size::C2M => 1_000,
        }
    }

    /// Returns the number of non-terminal allocations.
    pub fn live_allocations(self) -> u64 {
        match self {
            Size::S | Size::M | Size::L => self.live_jobs(),
            Size::C2M => 2_000_000,
        }
    }

    /// Returns the number of terminal allocations.
    pub fn terminal_allocations(self) -> u64 {
        self.dead_jobs()
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_meant = |size: &Size| size.name().eq_ignore_ascii_case(text);
        Size::ALL.into_iter().find(is_meant).ok_or_else(|| format!("`{text}` is none of s, m, l, c2m"))
    }
}
