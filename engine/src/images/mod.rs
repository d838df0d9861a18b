//! Images: which one is meant, how it comes, which ones pods need, and how the rest goes.

pub mod accounts;
pub mod choice;
pub mod collection;
pub mod commit;
pub mod fetch;
pub mod in_use;
pub mod look_up;
pub mod mend;
pub mod registries;
pub mod unchanged;
