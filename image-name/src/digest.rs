//! SHA-256 digests: the one algorithm by which fairing knows images.

use std::fmt;
use std::str::FromStr;

use crate::error::NameError;

/// What digests begin with.
const ALGORITHM: &str = "sha256:";

/// A digest, `sha256:` and 64 lower-case hexadecimal digits. Its text is fit to be a part of a path.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(String);

impl Digest {
    /// Parses a digest.
    ///
    /// # Errors
    /// [`NameError::Digest`] for any other text: a digest is used as a file name, so nothing but this
    /// exact form may pass.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let Some(digits) = text.strip_prefix(ALGORITHM) else {
            return Err(NameError::digest(text, "only sha256 digests are accepted"));
        };
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        match digits.len() == 64 && digits.bytes().all(is_digit) {
            true => Ok(Self(text.to_owned())),
            false => Err(NameError::digest(
                text,
                "64 lowercase hexadecimal digits are needed",
            )),
        }
    }

    /// The digest with these bytes, as a hash function gives them.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        let mut text = String::with_capacity(ALGORITHM.len() + 64);
        text.push_str(ALGORITHM);
        for byte in bytes {
            text.push(hex_digit(byte >> 4));
            text.push(hex_digit(byte & 15));
        }
        Self(text)
    }

    /// Its bytes, as a hash function gives them.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        let digits = self.hex().bytes().map(hex_value);
        for (number, digit) in digits.enumerate() {
            if let Some(byte) = bytes.get_mut(number / 2) {
                *byte = (*byte << 4) | digit;
            }
        }
        bytes
    }

    /// Whether it is the digest with these bytes; costs no text.
    #[must_use]
    pub fn is(&self, bytes: &[u8; 32]) -> bool {
        let found = bytes
            .iter()
            .flat_map(|byte| [hex_digit(byte >> 4), hex_digit(byte & 15)]);
        self.hex().chars().eq(found)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The 64 hexadecimal digits.
    #[must_use]
    pub fn hex(&self) -> &str {
        self.0.strip_prefix(ALGORITHM).unwrap_or(&self.0)
    }
}

/// Of a digit: a digest has no other characters.
fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => digit.wrapping_sub(b'a' - 10) & 15,
    }
}

fn hex_digit(nibble: u8) -> char {
    char::from(match nibble {
        0..10 => b'0' + nibble,
        _ => b'a' - 10 + nibble,
    })
}

impl AsRef<str> for Digest {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Digest {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

crate::error::serde_as_text!(Digest);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_text_are_the_same_digest() {
        let bytes: [u8; 32] = std::array::from_fn(|at| u8::try_from(at * 8 + 3).unwrap());
        let digest = Digest::from_bytes(&bytes);
        assert!(digest.hex().starts_with("030b131b") && digest.hex().len() == 64);
        assert_eq!(Digest::parse(digest.as_str()).unwrap(), digest);
        assert!(digest.is(&bytes));
        for at in 0..32 {
            let mut other = bytes;
            other[at] ^= 0x10;
            assert!(!digest.is(&other), "byte {at}");
            other[at] ^= 0x11;
            assert!(!digest.is(&other), "byte {at}");
        }
    }

    #[test]
    fn only_plain_sha256_is_a_digest() {
        let good = format!("sha256:{}", "0af9".repeat(16));
        assert_eq!(good.parse::<Digest>().unwrap().as_ref(), good);
        assert_eq!(format!("{:?}", Digest::parse(&good).unwrap()), good);
        for bad in [
            "sha256:../../x".to_owned(),
            format!("sha256:{}", "A".repeat(64)),
            format!("sha256:{}", "a".repeat(63)),
            format!("sha256:{}", "a".repeat(65)),
            format!("sha256:{}g", "a".repeat(63)),
            format!("sha256:{}ä", "a".repeat(62)),
            format!("sha256:{}\n", "a".repeat(64)),
            format!("sha256:{}:a", "a".repeat(62)),
            format!("sha512:{}", "a".repeat(128)),
            format!("sha256:{}/..", "a".repeat(61)),
            "a".repeat(64),
            String::new(),
        ] {
            assert!(
                matches!(Digest::parse(&bad), Err(NameError::Digest { .. })),
                "{bad}"
            );
        }
    }

    #[test]
    fn other_algorithms_are_told_from_broken_digests() {
        let message = |text: &str| Digest::parse(text).unwrap_err().to_string();
        assert_eq!(
            message("sha512:00"),
            "invalid digest \"sha512:00\": only sha256 digests are accepted"
        );
        assert_eq!(
            message("sha256:00"),
            "invalid digest \"sha256:00\": 64 lowercase hexadecimal digits are needed"
        );
    }

    #[test]
    fn serialised_as_its_text() {
        let digest = Digest::from_bytes(&[7; 32]);
        let json = serde_json::to_string(&digest).unwrap();
        assert_eq!(json, format!("\"sha256:{}\"", "07".repeat(32)));
        assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
        let error = serde_json::from_str::<Digest>("\"sha256:07\"").unwrap_err();
        assert!(error.to_string().contains("sha256:07"), "{error}");
    }
}
