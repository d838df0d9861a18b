//! Credentials, and what they are for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What is known for a registry. No `Debug`, so that it gets into no message.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// User and password, joined by a colon and encoded as the header wants it.
    Basic(String),
    /// A refresh token that the token server changes for an access token.
    Refresh(String),
    /// An access token.
    Bearer(String),
}

/// Credentials, and where they are from.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) credentials: Credentials,
    pub(crate) from: String,
}

impl Credentials {
    pub(crate) fn basic(user: &str, password: &str) -> Self {
        Self::Basic(STANDARD.encode(format!("{user}:{password}")))
    }

    /// The user's name, where there is one.
    pub(crate) fn user(&self) -> Option<String> {
        let Self::Basic(encoded) = self else {
            return None;
        };
        let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
        text.split_once(':').map(|(user, _)| user.to_owned())
    }
}
