//! Names that go into paths, environment variables and the kernel: checked once, on their way in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is no such name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a valid {what}: {rule}")]
pub struct InvalidName {
    what: &'static str,
    text: String,
    rule: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::try_from(text.to_owned())
            }
        }

        impl TryFrom<String> for $type {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                let check: fn(&str) -> bool = $check;
                if check(&text) {
                    Ok(Self(text))
                } else {
                    Err(InvalidName { what: $what, text, rule: $rule })
                }
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

name!(
    /// What CNI calls a container: a pod, by its UUID.
    ContainerId,
    "container ID",
    "it must begin with a letter or digit and continue with letters, digits, '_', '.' and '-', 128 at most",
    is_cni_name
);

name!(
    /// The name of a network.
    NetworkName,
    "network name",
    "it must begin with a letter or digit and continue with letters, digits, '_', '.' and '-', 128 at most",
    is_cni_name
);

name!(
    /// The name of a network interface.
    InterfaceName,
    "interface name",
    "it must have at most 15 bytes and no '/', ':' or blanks",
    |text| {
        !matches!(text, "" | "." | "..")
            && text.len() <= 15
            && text
                .bytes()
                .all(|b| b.is_ascii_graphic() && b != b'/' && b != b':')
    }
);

/// As the specification has it, bounded so that three of them fit into a file name.
fn is_cni_name(text: &str) -> bool {
    text.len() <= 128
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

impl InterfaceName {
    /// The name of a pod's interface number `n`.
    pub fn eth(n: usize) -> Self {
        Self(format!("eth{n}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_within_their_folder() {
        for good in ["a", "0", "a.b-c_d", &"x".repeat(128)] {
            assert!(good.parse::<ContainerId>().is_ok(), "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            "-a",
            "a b",
            "a\n",
            "ä",
            &"x".repeat(129),
        ] {
            assert!(bad.parse::<ContainerId>().is_err(), "{bad}");
            assert!(bad.parse::<NetworkName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn interface_names_are_the_kernels() {
        for good in ["eth0", "br-lan.5", "a@b", "fairing01234567"] {
            assert!(good.parse::<InterfaceName>().is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a:b", "a b", "0123456789abcdef"] {
            assert!(bad.parse::<InterfaceName>().is_err(), "{bad}");
        }
        assert_eq!(InterfaceName::eth(3).as_str(), "eth3");
    }
}
