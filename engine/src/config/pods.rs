//! The table `[pods]`: what pods are where nothing is said of it.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// What the table says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Pods {
    stage1: Option<Name>,
}

/// The name of an isolator, its directory, or the reference of its image.
#[derive(Debug)]
struct Name(String);

impl Pods {
    pub(super) fn overridden_by(self, later: Self) -> Self {
        Self {
            stage1: later.stage1.or(self.stage1),
        }
    }

    pub(super) fn stage1(&self) -> Option<&str> {
        self.stage1.as_ref().map(|name| name.0.as_str())
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        // Where a relative one leads depends on who asks.
        match name.is_empty() || name.starts_with('.') {
            true => Err(D::Error::custom(
                "it is the name of an isolator, its directory from / on, or its image",
            )),
            false => Ok(Self(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_isolator_has_a_name_a_place_or_an_image() {
        let read = |text: &str| toml::from_str::<Pods>(text);
        assert_eq!(read("").unwrap().stage1(), None);
        for name in ["kvm", "/opt/isolator", "registry.lan/isolator:1"] {
            let table = read(&format!("stage1 = \"{name}\"")).unwrap();
            assert_eq!(table.stage1(), Some(name));
        }
        for bad in ["stage1 = \"\"", "stage1 = \"./here\"", "isolator = \"kvm\""] {
            read(bad).unwrap_err();
        }
        let both = read("stage1 = \"fly\"").unwrap();
        let both = both.overridden_by(read("stage1 = \"kvm\"").unwrap());
        assert_eq!(both.stage1(), Some("kvm"));
    }
}
