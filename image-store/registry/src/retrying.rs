//! What one command has otherwise than the configuration.

use std::time::Duration;

/// How what failed is tried again, where one command has it otherwise than the configuration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retrying {
    /// Further attempts.
    pub retries: Option<u32>,
    /// The pause before each of them; otherwise the pauses grow.
    pub pause: Option<Duration>,
    /// Whether a registry that can't be reached may be there another time: while a machine boots, the network comes late.
    pub may_come_late: bool,
}
