//! What devices bring to an app.

use pod::manifest::{Device, Mount};

/// What devices bring to an app.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Edits {
    /// Device nodes; no two in one place.
    pub(crate) devices: Vec<Device>,
    /// Variables, `KEY=VALUE` each.
    pub(crate) env: Vec<String>,
    /// Groups beside those of the app's user.
    pub(crate) groups: Vec<u32>,
    /// Mounts of the host's files.
    pub(crate) mounts: Vec<Mount>,
}
