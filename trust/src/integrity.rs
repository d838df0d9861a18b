//! How sure a start must be that an image's unpacked files are the ones that were verified.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a start checks of an image's unpacked layers, once its manifest is verified. A rule says it
/// with `integrity = "seal"`, `"full"` or `"off"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Integrity {
    /// The seal that the store put on each layer when it unpacked it.
    #[default]
    Seal,
    /// Every file, read and hashed at each start.
    Full,
    /// Nothing: the store's directory is trusted as it is.
    Off,
}

impl Integrity {
    /// Whether this is what a rule asks for that says nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The word that a policy file uses for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Seal => "seal",
            Self::Full => "full",
            Self::Off => "off",
        }
    }
}

impl fmt::Display for Integrity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_has_one_word_and_the_seal_is_what_is_asked_for_if_nothing_is_said() {
        for (integrity, word, is_default) in [
            (Integrity::Seal, "seal", true),
            (Integrity::Full, "full", false),
            (Integrity::Off, "off", false),
        ] {
            assert_eq!(
                (integrity.word(), integrity.is_default()),
                (word, is_default)
            );
            assert_eq!(format!("{integrity:<6}|"), format!("{word:<6}|"));
            assert_eq!(serde_json::to_value(integrity).unwrap(), word);
        }
    }
}
