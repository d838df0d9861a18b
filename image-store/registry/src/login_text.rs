//! Logins that are given as a text, and that no file has.

use std::fmt;

/// A login: what a file of podman's or docker's would hold.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    from: String,
    text: Vec<u8>,
}

impl Login {
    /// One that messages call `from`.
    pub fn new(from: String, text: Vec<u8>) -> Self {
        Self { from, text }
    }

    pub(super) fn from(&self) -> &str {
        &self.from
    }

    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}
