//! `$(NAME)` in texts.

use std::collections::BTreeMap;

/// Most bytes of a text that comes of it: variables may repeat each other.
const MOST: usize = 1 << 20;

/// The text with the values of variables for `$(NAME)`, and `$` for `$$`. What is not known stays as it is. `None` if it
/// becomes too long.
pub(super) fn expanded(text: &str, variables: &BTreeMap<String, String>) -> Option<String> {
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        result.push_str(before);
        rest = after;
        if let Some(after) = rest.strip_prefix('$') {
            result.push('$');
            rest = after;
            continue;
        }
        let named = rest.strip_prefix('(').and_then(|name| name.split_once(')'));
        match named.and_then(|(name, after)| Some((variables.get(name)?, after))) {
            Some((value, after)) => {
                result.push_str(value);
                rest = after;
            }
            None => result.push('$'),
        }
        if result.len() > MOST {
            return None;
        }
    }
    result.push_str(rest);
    (result.len() <= MOST).then_some(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_and_dollars_escaped() {
        let variables = [("A", "1"), ("B", "x$(A)")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let variables = BTreeMap::from(variables);
        for (text, expected) in [
            ("$(A)-$(A)", "1-1"),
            ("$(B)", "x$(A)"),
            ("$(C)$(A", "$(C)$(A"),
            ("$$(A) $A $", "$(A) $A $"),
            ("$$$(A)", "$1"),
            ("é$(A)é", "é1é"),
        ] {
            assert_eq!(expanded(text, &variables).unwrap(), expected, "{text}");
        }
        let long = BTreeMap::from([("L".to_owned(), "x".repeat(1 << 19))]);
        assert_eq!(expanded("$(L)$(L)$(L)", &long), None);
    }
}
