//! Labels of SELinux: which one a process or a file has, and which categories a pod has for itself.

mod category_pair;
mod context;

pub use self::category_pair::{CategoryPair, NotAPair};
pub use self::context::{Context, NotAContext};
