//! Labels of SELinux, where it is enabled: which ones apps and their files get, and giving them to files that are there.

mod asked;
mod containers;
mod kernel;
mod relabel;
mod system_paths;

pub use self::asked::LabelOption;
pub(crate) use self::containers::{ContainerLabels, Types};
pub use self::kernel::is_enabled;
pub(crate) use self::kernel::{
    given_by, knows, label_containers, label_store, labels_are_known, shared_label,
};
pub(crate) use self::relabel::{relabel, relabel_mounts};
