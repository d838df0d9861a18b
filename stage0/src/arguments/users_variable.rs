//! What stands for `--userns` where that is not given.

/// Environment variable: `--userns` of pods that don't say.
pub(crate) const USERS_VARIABLE: &str = "FAIRING_USERNS";
