//! The key of a layer's checksums.

use image_name::Digest;

/// The key of a layer's checksums: its diff ID, as bytes.
pub(super) type Key = [u8; 32];

/// The bytes of a SHA-256 digest.
pub(super) fn key(diff_id: &Digest) -> Key {
    let mut key = [0; 32];
    let digits = diff_id.hex().as_bytes();
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |at: usize| match pair.get(at) {
            Some(digit @ b'0'..=b'9') => digit - b'0',
            Some(digit @ b'a'..=b'f') => digit - b'a' + 10,
            _ => 0,
        };
        *byte = digit(0) << 4 | digit(1);
    }
    key
}
