//! What each app may use of what all of the machine share, where nothing is said of it.

use serde::{Deserialize, Serialize};

use super::limit::Limit;

/// The bounds of a pod. They come from the configuration and are no promise that the host can keep them: one without the
/// cgroup controller that counts processes runs the pod all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Bounds {
    /// Most processes and threads of an app whose own limits don't say.
    pub pids: Limit,
    /// Most pseudo-terminals of an app at a time.
    pub terminals: u32,
    /// Most files of each filesystem in memory: the `/dev` of an app, and the `/dev/shm` of the pod.
    pub memory_files: u32,
    /// Size at which a log begins a new file, in bytes; the file before it is kept.
    pub log_size: u64,
    /// How fast an app may write for longer than two seconds, in bytes of log a second.
    pub log_rate: u64,
}

impl Bounds {
    /// The least [`Bounds::log_size`]: more than the monitor writes at once.
    pub const LOG_SIZE_MIN: u64 = 256 << 10;
    /// The least [`Bounds::log_rate`]: a few reads a second.
    pub const LOG_RATE_MIN: u64 = 64 << 10;
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            pids: Limit::At(2048),
            terminals: 256,
            memory_files: 16_384,
            log_size: 16 << 20,
            log_rate: 8 << 20,
        }
    }
}
