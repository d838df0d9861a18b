//! Protections that users give up by name.

use serde::{Deserialize, Serialize};

/// A protection that the user gave up by name. An isolator refuses a pod with one that it doesn't
/// know: what it means could as well be a protection more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InsecureOption {
    /// Images run without a signature or a rule.
    Image,
    /// Registries are spoken to in plain HTTP where they have no TLS.
    Http,
    /// The certificates of registries are not checked.
    Tls,
    /// Apps may make every system call.
    Seccomp,
    /// The root user of an app keeps the capabilities of the host's.
    Capabilities,
    /// No part of `/proc` and `/sys` is hidden from apps or guarded against writing.
    Paths,
}

impl InsecureOption {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Image,
        Self::Http,
        Self::Tls,
        Self::Seccomp,
        Self::Capabilities,
        Self::Paths,
    ];

    /// Its name, as users write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Http => "http",
            Self::Tls => "tls",
            Self::Seccomp => "seccomp",
            Self::Capabilities => "capabilities",
            Self::Paths => "paths",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protection_has_one_word_for_users_and_in_records() {
        for option in InsecureOption::ALL {
            assert_eq!(serde_json::to_value(option).unwrap(), option.word());
        }
        let words = InsecureOption::ALL.map(InsecureOption::word);
        assert_eq!(
            words,
            ["image", "http", "tls", "seccomp", "capabilities", "paths"]
        );
    }
}
