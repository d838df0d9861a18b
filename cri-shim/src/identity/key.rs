//! Parts of names that keep keys apart, or show them.

use sha2::{Digest, Sha256};

/// So many hexadecimal digits of the digest of these texts, which are kept apart.
pub(super) fn digest<'a>(texts: impl IntoIterator<Item = &'a str>, digits: usize) -> String {
    let mut hasher = Sha256::new();
    for text in texts {
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text);
    }
    let mut all: String = hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    all.truncate(digits);
    all
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
