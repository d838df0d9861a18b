//! When an app comes into its pod.

/// Whether an app is one that the pod begins with, or joins it later. Only the former get the user's input and
/// terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joining {
    AtStart,
    Later,
    /// It has begun with the pod, and starts again.
    Again,
}
