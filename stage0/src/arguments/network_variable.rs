//! What stands for `--net` where that is not given.

/// Environment variable: the networks of pods that name none.
pub(crate) const NET_VARIABLE: &str = "FAIRING_NET";
