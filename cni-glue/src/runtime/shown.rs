//! Words of plugins, in messages.

/// What a plugin wrote, fit to be shown: one line, without control characters, not too long.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 500;
    let mut shown: String = text
        .trim()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST + 1)
        .collect();
    if shown.chars().count() > LONGEST {
        shown.pop();
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_words_are_one_line() {
        assert_eq!(shown(" a\x1b[31m\nb\t "), "a [31m b");
        assert_eq!(shown(&"x".repeat(600)).chars().count(), 501);
        assert_eq!(shown(&"x".repeat(500)).chars().count(), 500);
    }
}
