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
        *byte = digit(0) * 16 + digit(1);
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_the_digest_in_bytes() {
        let digest = format!("sha256:0123456789abcdef{}", "9afe".repeat(12));
        let expected = [
            &[0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef][..],
            &[0x9a, 0xfe].repeat(12),
        ];
        assert_eq!(key(&Digest::parse(&digest).unwrap())[..], expected.concat());
    }
}
