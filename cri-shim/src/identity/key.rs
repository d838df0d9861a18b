//! Parts of names that keep keys apart, or show them.

use sha2::{Digest, Sha256};

/// So many hexadecimal digits of the digest of these texts, which are kept apart.
pub(super) fn digest<'a>(texts: impl IntoIterator<Item = &'a str>, digits: usize) -> String {
    let mut hasher = Sha256::new();
    for text in texts {
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text);
    }
    let bytes = hasher.finalize();
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16);
    nibbles.filter_map(digit).take(digits).collect()
}

/// A text as a part of a DNS label: other characters become hyphens, and it has at most so many.
pub(super) fn label(text: &str, most: usize) -> String {
    let plain = |c: char| match c.to_ascii_lowercase() {
        c if c.is_ascii_lowercase() || c.is_ascii_digit() => c,
        _ => '-',
    };
    let all: String = text.chars().take(most).map(plain).collect();
    all.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_kept_apart_and_digits_are_those_of_the_digest() {
        let of_nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest([], 64), of_nothing);
        assert_ne!(digest(["a", "b"], 10), digest(["ab"], 10));
        assert_eq!(digest(["a"], 10).len(), 10);
    }
}
