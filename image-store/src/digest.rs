//! SHA-256 digests: the only algorithm that the store accepts.

use std::io::{self, Write};

use oci_spec::image::Digest;
use sha2::{Digest as _, Sha256};

use crate::error::StoreError;

/// Parses `sha256:HEX` with 64 lowercase hexadecimal digits and nothing else.
///
/// # Errors
/// [`StoreError::InvalidDigest`] for any other text; a digest is used as a file name, so nothing
/// but this exact form may pass.
pub fn parse_digest(text: &str) -> Result<Digest, StoreError> {
    let invalid = |reason: &str| StoreError::InvalidDigest {
        text: clip(text),
        reason: reason.to_owned(),
    };
    if !text.starts_with("sha256:") {
        return Err(invalid("only sha256 digests are accepted"));
    }
    // Of this algorithm it takes nothing else; a test holds it to that.
    Digest::try_from(text).map_err(|_| invalid("64 lowercase hexadecimal digits are needed"))
}

/// The SHA-256 digest of `bytes`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new();
    hasher.update(bytes);
    hasher.finish()
}

/// Whether `bytes` have this digest; costs no text.
pub(crate) fn has_digest(bytes: &[u8], digest: &Digest) -> bool {
    let Ok(digits) = hex(digest) else {
        return false;
    };
    let digit = |value: u8| match value {
        0..10 => b'0' + value,
        _ => b'a' - 10 + value,
    };
    let pairs = digits.as_bytes().chunks_exact(2);
    let found = Sha256::digest(bytes);
    pairs.len() == found.len()
        && pairs
            .zip(found)
            .all(|(pair, byte)| pair == [digit(byte >> 4), digit(byte & 15)])
}

/// The hexadecimal part of a digest, fit to be a file name.
///
/// # Errors
/// [`StoreError::InvalidDigest`] if `digest` is of another algorithm.
pub(crate) fn hex(digest: &Digest) -> Result<&str, StoreError> {
    match digest.algorithm() {
        oci_spec::image::DigestAlgorithm::Sha256 => Ok(digest.digest()),
        _ => Err(StoreError::InvalidDigest {
            text: clip(digest.as_ref()),
            reason: "only sha256 digests are accepted".to_owned(),
        }),
    }
}

/// A running SHA-256.
#[derive(Clone)]
pub(crate) struct Hasher(Sha256);

impl Hasher {
    pub(crate) fn new() -> Self {
        Self(Sha256::new())
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes seen.
    pub(crate) fn finish(self) -> Digest {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = String::with_capacity(71);
        text.push_str("sha256:");
        for byte in self.0.finalize() {
            for nibble in [byte >> 4, byte & 15] {
                text.push(char::from(
                    DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0'),
                ));
            }
        }
        match Digest::try_from(text) {
            Ok(digest) => digest,
            Err(_) => unreachable!("64 hexadecimal digits are a SHA-256 digest"),
        }
    }
}

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// At most 80 characters of a hostile text, for a message.
fn clip(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_nothing_is_the_known_one() {
        assert_eq!(
            sha256(b"").as_ref(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn bytes_have_one_digest() {
        let digest = sha256(b"some bytes");
        assert!(has_digest(b"some bytes", &digest));
        assert!(!has_digest(b"some byte", &digest));
        for at in 0..64 {
            let mut other = digest.as_ref().to_owned().into_bytes();
            let digit = &mut other[7 + at];
            *digit = if *digit == b'0' { b'1' } else { b'0' };
            let other = parse_digest(std::str::from_utf8(&other).unwrap()).unwrap();
            assert!(!has_digest(b"some bytes", &other), "digit {at}");
        }
    }

    #[test]
    fn only_plain_sha256_is_a_digest() {
        let good = format!("sha256:{}", "a".repeat(64));
        assert_eq!(parse_digest(&good).unwrap().as_ref(), good);
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
                matches!(parse_digest(&bad), Err(StoreError::InvalidDigest { .. })),
                "{bad}"
            );
        }
    }
}
