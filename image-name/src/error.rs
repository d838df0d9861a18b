//! Why a text is no name.

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It is no image reference.
    #[error("invalid image reference {text:?}: {reason}")]
    Reference {
        /// The text, cut.
        text: String,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// It is no repository.
    #[error("repository {text:?} is not valid: {reason}")]
    Repository {
        /// The text, cut.
        text: String,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// It is no registry or part of one.
    #[error("{text:?} is not a HOST[:PORT][/PATH]: {reason}")]
    Location {
        /// The text, cut.
        text: String,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// It is no prefix of a rule.
    #[error("prefix {text:?} is not valid: {reason}")]
    Prefix {
        /// The text, cut.
        text: String,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// It is no prefix of a registry's settings.
    #[error("{text:?} is not a prefix of image names: {reason}")]
    RegistryPrefix {
        /// The text, cut.
        text: String,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// It is no SHA-256 digest.
    #[error("invalid digest {text:?}: {reason}")]
    Digest {
        /// The text, cut.
        text: String,
        /// Which rule it breaks.
        reason: &'static str,
    },
}

impl NameError {
    pub(crate) fn reference(text: &str, reason: &'static str) -> Self {
        let text = cut(text);
        Self::Reference { text, reason }
    }

    pub(crate) fn repository(text: &str, reason: &'static str) -> Self {
        let text = cut(text);
        Self::Repository { text, reason }
    }

    pub(crate) fn location(text: &str, reason: &'static str) -> Self {
        let text = cut(text);
        Self::Location { text, reason }
    }

    pub(crate) fn prefix(text: &str, reason: &'static str) -> Self {
        let text = cut(text);
        Self::Prefix { text, reason }
    }

    pub(crate) fn registry_prefix(text: &str, reason: &'static str) -> Self {
        let text = cut(text);
        Self::RegistryPrefix { text, reason }
    }

    pub(crate) fn digest(text: &str, reason: &'static str) -> Self {
        let text = cut(text);
        Self::Digest { text, reason }
    }
}

/// A text cut so that an error about it stays one short line; the message escapes it.
fn cut(text: &str) -> String {
    const MAX_SHOWN: usize = 120;
    let cut: String = text.chars().take(MAX_SHOWN).collect();
    let dots = if cut.len() < text.len() { "..." } else { "" };
    format!("{cut}{dots}")
}

/// Serialises a type as its text, and parses that.
macro_rules! serde_as_text {
    ($name:ident) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use serde_as_text;
