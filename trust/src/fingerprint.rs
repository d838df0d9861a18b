//! Fingerprints: the names that keys go by in messages, records and commands.

use std::fmt;
use std::str::FromStr;

use image_name::Digest;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// The sha256 of a public key's canonical SubjectPublicKeyInfo (DER), shown as `sha256:HEX`.
///
/// It is the hint that Sigstore bundles carry, and what
/// `openssl pkey -pubin -outform DER | sha256sum` prints.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 32]);

/// A text that is no fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text} is not a fingerprint: it must be \"sha256:\" and 64 lower-case hex digits")]
pub struct FingerprintError {
    text: String,
}

/// Fewest hex digits that may stand for a whole fingerprint.
const MIN_PREFIX: usize = 6;

impl Fingerprint {
    pub(crate) fn of(spki_der: &[u8]) -> Self {
        Self(Sha256::digest(spki_der).into())
    }

    /// Parses `sha256:` and 64 lower-case hex digits.
    ///
    /// # Errors
    /// [`FingerprintError`] for any other text.
    pub fn parse(text: &str) -> Result<Self, FingerprintError> {
        parse(text).ok_or_else(|| FingerprintError {
            text: crate::one_line::quoted(text),
        })
    }

    /// Whether a text, as a user types it, stands for this fingerprint: at least the first 6 hex
    /// digits, with or without `sha256:`.
    pub fn starts_with(&self, text: &str) -> bool {
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        digits.len() >= MIN_PREFIX && self.hex().starts_with(digits)
    }

    /// The first 12 hex digits, for tables.
    pub fn short(&self) -> String {
        self.hex().chars().take(12).collect()
    }

    /// The 32 bytes.
    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The same as the digest that it is, of the key in DER.
    pub fn digest(&self) -> Digest {
        Digest::from_bytes(&self.0)
    }

    fn hex(&self) -> String {
        self.0
            .iter()
            .flat_map(|byte| [byte >> 4, byte & 15])
            .map(hex_digit)
            .collect()
    }
}

fn parse(text: &str) -> Option<Fingerprint> {
    let digits = text.strip_prefix("sha256:")?.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = hex_value(*high)? * 16 + hex_value(*low)?;
    }
    Some(Fingerprint(bytes))
}

fn hex_digit(nibble: u8) -> char {
    char::from(if nibble < 10 {
        b'0' + nibble
    } else {
        b'a' + nibble - 10
    })
}

fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_as_sha256sum_shows_it_and_parsed_back() {
        let fingerprint = Fingerprint::of(b"");
        let text = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(fingerprint.to_string(), text);
        assert_eq!(Fingerprint::parse(text), Ok(fingerprint));
        assert_eq!(fingerprint.short(), "e3b0c44298fc");
        assert_eq!(
            serde_json::to_string(&fingerprint).unwrap(),
            format!("\"{text}\"")
        );
        assert_eq!(
            serde_json::from_str::<Fingerprint>(&format!("\"{text}\"")).unwrap(),
            fingerprint
        );
    }

    #[test]
    fn prefixes_need_six_digits() {
        let fingerprint = Fingerprint::of(b"");
        assert!(fingerprint.starts_with("e3b0c4"));
        assert!(fingerprint.starts_with("sha256:e3b0c44298"));
        assert!(fingerprint.starts_with(&fingerprint.to_string()));
        for text in ["", "sha256:", "e3b0c", "e3b0c5", "E3B0C4", "sha256:e3b0c"] {
            assert!(!fingerprint.starts_with(text), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_fingerprint() {
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let upper = format!("sha256:{}", hex.to_uppercase());
        let long = format!("sha256:{hex}0");
        for text in [
            "",
            "sha256:",
            "sha256:00",
            hex,
            &upper,
            &long,
            "sha512:00",
            "sha256:é",
        ] {
            assert!(Fingerprint::parse(text).is_err(), "{text}");
        }
        let error = Fingerprint::parse("a\nb").unwrap_err().to_string();
        assert!(
            error.starts_with("\"a\\nb\" is not a fingerprint"),
            "{error}"
        );
    }

    #[test]
    fn every_byte_is_written_and_read_as_two_digits() {
        let bytes: [u8; 32] = std::array::from_fn(|at| (at as u8).wrapping_mul(37).wrapping_add(9));
        for shift in [0_u8, 97, 171] {
            let fingerprint = Fingerprint(bytes.map(|byte| byte.wrapping_add(shift)));
            let expected: String = fingerprint
                .0
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            assert_eq!(fingerprint.to_string(), format!("sha256:{expected}"));
            assert_eq!(
                Fingerprint::parse(&fingerprint.to_string()),
                Ok(fingerprint)
            );
            assert_eq!(
                "sha256:".to_owned() + fingerprint.digest().hex(),
                fingerprint.to_string()
            );
            assert_eq!(
                format!("{fingerprint:?}"),
                format!("Fingerprint({fingerprint})")
            );
            assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
            assert_eq!(fingerprint.as_bytes(), &fingerprint.0);
        }
        let good = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85";
        for last in ['g', '/', ':', '`', ' '] {
            assert!(
                Fingerprint::parse(&format!("{good}{last}")).is_err(),
                "{last}"
            );
        }
        assert!(Fingerprint::parse(good).is_err(), "63 digits");
    }
}
