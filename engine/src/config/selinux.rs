//! The table `[selinux]`: which labels apps get where SELinux is enabled.

use pod::selinux::Context;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::selinux::Types;

/// What the table says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Selinux {
    enabled: Option<bool>,
    process_type: Option<Type>,
    file_type: Option<Type>,
}

impl Selinux {
    pub(super) fn overridden_by(self, later: Self) -> Self {
        Self {
            enabled: later.enabled.or(self.enabled),
            process_type: later.process_type.or(self.process_type),
            file_type: later.file_type.or(self.file_type),
        }
    }

    /// The types that it names; `None` if apps get no labels.
    pub(super) fn types(&self) -> Option<Types<'_>> {
        let types = Types {
            process: self.process_type.as_ref().map(|kind| &*kind.0),
            file: self.file_type.as_ref().map(|kind| &*kind.0),
        };
        self.enabled.unwrap_or(true).then_some(types)
    }
}

/// The name of a type.
#[derive(Debug)]
struct Type(String);

impl<'de> Deserialize<'de> for Type {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let label: Result<Context, _> = format!("u:r:{text}").parse();
        match label {
            Ok(label) if label.level().is_none() => Ok(Self(text)),
            _ => Err(D::Error::custom("it is a type, such as container_t")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_names_and_labels_can_be_switched_off() {
        let read = |text: &str| toml::from_str::<Selinux>(text).unwrap();
        let types = read("process-type = \"a_t\"");
        let types = types.types().map(|types| (types.process, types.file));
        assert_eq!(types, Some((Some("a_t"), None)));
        assert!(read("enabled = false").types().is_none());
        assert!(read("").types().is_some());
        for bad in [
            "process-type = \"\"",
            "file-type = \"a:s0\"",
            "file-type = \"a b\"",
            "type = 1",
        ] {
            toml::from_str::<Selinux>(bad).unwrap_err();
        }
    }
}
