//! Images as the kernel mounts them, and as `fsck.erofs` judges them. As root.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failure here is a failure of a test"
)]

mod kinds;
mod mounted;
mod random;
mod tree;
