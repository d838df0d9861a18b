//! Keys as rules carry them: text, and the time in which they count.

use crate::fingerprint::Fingerprint;
use crate::key::PublicKey;
use crate::key_error::KeyError;
use crate::timestamp::Timestamp;

/// From when to when a key counts. Both ends are part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Validity {
    /// The first second.
    pub not_before: Option<Timestamp>,
    /// The last second.
    pub not_after: Option<Timestamp>,
}

impl Validity {
    /// Whether the key always counts.
    pub fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }
}

/// A public key as a rule carries it: PEM text, decoded only when the rule decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyText {
    pem: String,
    validity: Validity,
}

impl KeyText {
    /// Takes a text as it stands, without decoding it; white space around it is dropped.
    pub fn new(text: &str) -> Self {
        Self {
            pem: text.trim().to_owned(),
            validity: Validity::default(),
        }
    }

    /// The key, limited to a time.
    pub fn with_validity(self, validity: Validity) -> Self {
        Self { validity, ..self }
    }

    /// Puts another key in its place, if `other` knows it.
    pub(crate) fn replace(&mut self, other: &dyn Fn(Fingerprint) -> Option<PublicKey>) {
        let key = self.decode().ok();
        if let Some(key) = key.and_then(|key| other(key.fingerprint())) {
            *self = Self::from(&key).with_validity(self.validity);
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.pem
    }

    /// From when to when the key counts.
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// Decodes the key.
    ///
    /// # Errors
    /// Those of [`PublicKey::from_pem`].
    pub fn decode(&self) -> Result<PublicKey, KeyError> {
        PublicKey::from_pem(&self.pem)
    }
}

impl From<&PublicKey> for KeyText {
    fn from(key: &PublicKey) -> Self {
        Self::new(&key.to_pem())
    }
}
