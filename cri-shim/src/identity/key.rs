//! Parts of names that show keys.

/// A text as a part of a DNS label: other characters become hyphens, and it has at most so many.
pub(super) fn label(text: &str, most: usize) -> String {
    let plain = |c: char| match c.to_ascii_lowercase() {
        c if c.is_ascii_lowercase() || c.is_ascii_digit() => c,
        _ => '-',
    };
    let all: String = text.chars().take(most).map(plain).collect();
    all.trim_matches('-').to_owned()
}
