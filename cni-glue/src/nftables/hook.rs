//! Where the kernel hands packets to a chain.

pub(super) const PREROUTING: u32 = 0;
pub(super) const FORWARD: u32 = 2;
pub(super) const OUTPUT: u32 = 3;
pub(super) const POSTROUTING: u32 = 4;

pub(super) const PRIORITY_RAW: i32 = -300;
pub(super) const PRIORITY_DSTNAT: i32 = -100;
pub(super) const PRIORITY_FILTER: i32 = 0;
pub(super) const PRIORITY_SRCNAT: i32 = 100;

/// A chain that packets come through by themselves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hook {
    /// `filter` or `nat`.
    pub(super) kind: &'static str,
    pub(super) number: u32,
    pub(super) priority: i32,
}
