//! A command line as bash has it, before its words are its own.

/// The words up to the cursor. The last one is what is being typed, and empty behind a space.
pub(super) fn words_of(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    let mut characters = line.trim_start().chars();
    let mut in_space = false;
    while let Some(character) = characters.next() {
        if quote.is_none() && character.is_whitespace() {
            if !in_space {
                words.push(String::new());
            }
            in_space = true;
            continue;
        }
        in_space = false;
        let Some(word) = words.last_mut() else {
            continue;
        };
        match (character, quote) {
            ('\\', None | Some('"')) => word.extend(characters.next()),
            ('\'' | '"', None) => quote = Some(character),
            (end, Some(begin)) if end == begin => quote = None,
            (other, _) => word.push(other),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_what_the_shell_makes_of_them() {
        for (line, words) in [
            ("fairing", &["fairing"][..]),
            ("fairing ", &["fairing", ""]),
            ("fairing  rm  we", &["fairing", "rm", "we"]),
            (
                "fairing run -e 'a b' \"c d\" e\\ f",
                &["fairing", "run", "-e", "a b", "c d", "e f"],
            ),
            ("fairing run 'a b", &["fairing", "run", "a b"]),
            ("", &[""]),
        ] {
            assert_eq!(words_of(line), words, "{line}");
        }
    }
}
