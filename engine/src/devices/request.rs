//! What is asked for.

use std::path::PathBuf;

use pod::manifest::DeviceAccess;

use super::cdi::DeviceName;

/// A device that an app is to get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceRequest {
    /// A device of the host, or all in a directory and below it.
    Node {
        /// Its path on the host.
        host: PathBuf,
        /// Where the app sees it, if elsewhere.
        place: Option<String>,
        /// What the app may do with it.
        access: DeviceAccess,
    },
    /// What a vendor describes by this name (Container Device Interface).
    Named(DeviceName),
}

/// Everything.
pub const ALL_ACCESS: DeviceAccess = DeviceAccess {
    read: true,
    write: true,
    mknod: true,
};
