//! Names of pods and apps.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Longest pod or app name, in bytes: that of a DNS label (RFC 1123), since names become host names.
pub const NAME_MAX: usize = 63;

/// A text that is not the name or the UUID that it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// A name of a pod or an app is not well formed.
    #[error("`{name}` is not a valid name: {reason}")]
    Name {
        /// The name as given.
        name: String,
        /// The rule it breaks.
        reason: &'static str,
    },
    /// A UUID is not well formed.
    #[error("`{0}` is not a pod UUID")]
    Uuid(String),
}

/// A pod's identity, unique on every machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PodUuid(Uuid);

impl PodUuid {
    /// A new random UUID (version 4, RFC 9562).
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// A number below `count`, which is not 0: UUIDs are spread evenly over all of them.
    pub(crate) fn spread(self, count: u32) -> u32 {
        let (_, low) = self.0.as_u64_pair();
        let number = low.checked_rem(u64::from(count)).unwrap_or(0);
        u32::try_from(number).unwrap_or(0)
    }

    /// The first eight hexadecimal digits: what lists show.
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(8);
        text
    }
}

impl fmt::Display for PodUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl FromStr for PodUuid {
    type Err = InvalidId;

    /// Accepts the canonical form only: lower case, with hyphens.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uuid = Uuid::try_parse(text).map_err(|_| InvalidId::Uuid(text.to_owned()))?;
        let parsed = Self(uuid);
        if parsed.to_string() == text {
            Ok(parsed)
        } else {
            Err(InvalidId::Uuid(text.to_owned()))
        }
    }
}

/// Checks a DNS label (RFC 1123): lower-case letters, digits and inner hyphens.
fn check_label(name: &str) -> Result<(), &'static str> {
    let label = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    if name.is_empty() {
        Err("it is empty")
    } else if name.len() > NAME_MAX {
        Err("it is longer than 63 characters")
    } else if !name.bytes().all(label) {
        Err("only lower-case letters, digits and hyphens may be used")
    } else if name.starts_with('-') || name.ends_with('-') {
        Err("it begins or ends with a hyphen")
    } else {
        Ok(())
    }
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $extra:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let extra: fn(&str) -> Result<(), &'static str> = $extra;
                check_label(text)
                    .and_then(|()| extra(text))
                    .map_err(|reason| InvalidId::Name { name: text.to_owned(), reason })?;
                Ok(Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

name_type!(
    /// An app's name, unique within its pod. Becomes a directory and a cgroup.
    AppName,
    |_| Ok(())
);
name_type!(
    /// A pod's name, unique on its machine. It can't be mistaken for the beginning of a UUID.
    PodName,
    |name| {
        let hexadecimal = |c: u8| c.is_ascii_hexdigit() || c == b'-';
        if name.len() >= 6 && name.bytes().all(hexadecimal) {
            Err("it could be the beginning of a UUID")
        } else {
            Ok(())
        }
    }
);

impl AppName {
    /// The name an app gets from its image's repository when the user gives none:
    /// the last path component, with everything a DNS label can't hold replaced.
    pub fn from_repository(repository: &str) -> Self {
        let last = repository.rsplit('/').next().unwrap_or_default();
        let mut name: String = last
            .chars()
            .map(|c| c.to_ascii_lowercase())
            .map(|c| {
                if c.is_ascii_lowercase() || c.is_ascii_digit() {
                    c
                } else {
                    '-'
                }
            })
            .take(NAME_MAX)
            .collect();
        name = name.trim_matches('-').to_owned();
        if name.is_empty() {
            name.push_str("app");
        }
        Self(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuid_round_trips_and_refuses_other_spellings() {
        let uuid = PodUuid::random();
        assert_eq!(uuid.to_string().parse::<PodUuid>().unwrap(), uuid);
        for other in [
            uuid.to_string().to_uppercase(),
            uuid.to_string().replace('-', ""),
            "../../etc/passwd".to_owned(),
        ] {
            let error = other.parse::<PodUuid>().unwrap_err().to_string();
            assert_eq!(error, format!("`{other}` is not a pod UUID"));
        }
    }

    #[test]
    fn names_are_dns_labels() {
        for good in ["web", "a", "a-b", "0"] {
            assert!(good.parse::<AppName>().is_ok(), "{good}");
        }
        let long = "x".repeat(64);
        for (bad, reason) in [
            ("", "empty"),
            ("-a", "hyphen"),
            ("a-", "hyphen"),
            ("a.b", "lower-case letters"),
            ("A", "lower-case letters"),
            ("a/b", "lower-case letters"),
            ("..", "lower-case letters"),
            ("a b", "lower-case letters"),
            (long.as_str(), "longer than 63"),
        ] {
            let error = bad.parse::<AppName>().unwrap_err().to_string();
            assert!(error.contains(reason), "{bad}: {error}");
        }
        assert!("x".repeat(63).parse::<AppName>().is_ok());
    }

    #[test]
    fn a_pod_name_is_never_a_uuid_prefix() {
        for bad in ["deadbe", "deadbeef", "123456", "dead-beef"] {
            let error = bad.parse::<PodName>().unwrap_err().to_string();
            assert!(error.contains("beginning of a UUID"), "{bad}: {error}");
        }
        assert!("dead1".parse::<PodName>().is_ok());
        assert!("deadbeef-web".parse::<PodName>().is_ok());
    }

    #[test]
    fn app_names_come_from_the_last_component() {
        assert_eq!(
            AppName::from_repository("docker.io/library/nginx").as_str(),
            "nginx"
        );
        assert_eq!(
            AppName::from_repository("r.io/Some_App.v2").as_str(),
            "some-app-v2"
        );
        assert_eq!(AppName::from_repository("r.io/___").as_str(), "app");
    }
}
