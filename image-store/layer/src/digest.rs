//! Hashing: the SHA-256 digests by which everything in the store is known.

use std::io::{self, Write};

use image_name::Digest;
use sha2::{Digest as _, Sha256};

/// The SHA-256 digest of `bytes`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Digest {
    Digest::from_bytes(&Sha256::digest(bytes).into())
}

/// Whether `bytes` have this digest; costs no text.
#[must_use]
pub fn has_digest(bytes: &[u8], digest: &Digest) -> bool {
    digest.is(&Sha256::digest(bytes).into())
}

/// A running SHA-256.
#[derive(Clone, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// Of nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self(Sha256::new())
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes seen.
    #[must_use]
    pub fn finish(self) -> Digest {
        Digest::from_bytes(&self.finish_bytes())
    }

    /// The same as bytes; costs no text.
    #[must_use]
    pub fn finish_bytes(self) -> [u8; 32] {
        self.0.finalize().into()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_nothing_is_the_known_one() {
        assert_eq!(
            sha256(b"").as_str(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(Hasher::new().finish(), sha256(b""));
    }

    #[test]
    fn bytes_have_one_digest() {
        let digest = sha256(b"some bytes");
        assert!(has_digest(b"some bytes", &digest));
        assert!(!has_digest(b"some byte", &digest));
        let mut hasher = Hasher::new();
        hasher.update(b"some ");
        hasher.update(b"bytes");
        assert_eq!(hasher.finish(), digest);
    }
}
