//! Names of images, as filters and templates take them apart.

/// A name without its tag.
pub(super) fn untagged(name: &str) -> &str {
    match name.rsplit_once(':') {
        Some((before, tag)) if !tag.contains('/') && !name.contains('@') => before,
        _ => name,
    }
}

/// Whether a pattern with `*` matches a whole text.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(text) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    let Some(mut text) = text.strip_suffix(last) else {
        return false;
    };
    for part in parts {
        match text.split_once(part) {
            Some((_, after)) => text = after,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, text) in [
            ("a", "a"),
            ("*", ""),
            ("*/app", "r.io/team/app"),
            ("a*b*c", "aXbYbc"),
            ("a**", "a"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("a", "ab"),
            ("*/app", "app"),
            ("a*b*c", "acb"),
            ("ab*ba", "aba"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
        assert_eq!(untagged("r:5000/a"), "r:5000/a");
        assert_eq!(untagged("r:5000/a:1"), "r:5000/a");
    }
}
