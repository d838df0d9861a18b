//! Command lines of units, written so that systemd starts the program with these words.

use std::fmt;

/// The longest line that systemd reads, less room for the key.
const LINE_MAX: usize = (1 << 20) - 4096;

/// A word of a command line. Specifiers (`%n`) and variables (`${X}`) in it are systemd's to put something in for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Word(String);

impl Word {
    /// A text whose specifiers and variables count, as it stands in a unit file.
    pub fn written(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A text that means itself.
    pub fn literal(text: &str) -> Self {
        Self(text.replace('%', "%%").replace('$', "$$"))
    }

    /// This word behind another text, such as a flag with its `=`.
    pub fn after(&self, prefix: &str) -> Self {
        Self(format!("{prefix}{}", self.0))
    }

    /// What systemd makes of it in this unit, as far as that is known here: of specifiers, those about the unit's name. A
    /// template's instance is called `instance`.
    pub(crate) fn expanded(&self, unit: &str) -> Option<String> {
        let stem = unit.strip_suffix(".service").unwrap_or(unit);
        let stem = match stem.ends_with('@') {
            true => format!("{stem}instance"),
            false => stem.to_owned(),
        };
        let (prefix, instance) = stem.split_once('@').unwrap_or((&stem, ""));
        let mut text = String::new();
        let mut rest = self.0.chars();
        while let Some(c) = rest.next() {
            match c {
                '%' => match rest.next()? {
                    '%' => text.push('%'),
                    'n' => text.push_str(&format!("{stem}.service")),
                    'N' => text.push_str(&stem),
                    'p' => text.push_str(prefix),
                    'i' => text.push_str(instance),
                    _ => return None,
                },
                '$' => match rest.next() {
                    Some('$') => text.push('$'),
                    _ => return None,
                },
                c => text.push(c),
            }
        }
        Some(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A word as it is written into a unit.
pub fn quoted(word: &Word) -> String {
    let text = word.as_str();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "%+,-./:=@_{}$".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_ascii_control() => quoted.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A command line that grows. One that systemd couldn't read stops growing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    words: Vec<Word>,
    text: String,
    is_too_long: bool,
}

impl Command {
    /// A program, with its path.
    pub fn new(program: &str) -> Self {
        let mut command = Self {
            words: Vec::new(),
            text: String::new(),
            is_too_long: false,
        };
        command.push(Word::literal(program));
        command
    }

    /// Adds a word.
    pub fn push(&mut self, word: Word) {
        let quoted = quoted(&word);
        if self.text.len().saturating_add(quoted.len()) >= LINE_MAX {
            self.is_too_long = true;
        }
        if self.is_too_long {
            return;
        }
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(&quoted);
        self.words.push(word);
    }

    /// Adds a word that is ours.
    pub fn word(&mut self, text: &str) {
        self.push(Word::written(text));
    }

    /// Adds several.
    pub fn extend(&mut self, words: impl IntoIterator<Item = Word>) {
        words.into_iter().for_each(|word| self.push(word));
    }

    /// Whether systemd could not read it.
    pub fn is_too_long(&self) -> bool {
        self.is_too_long
    }

    /// Its words.
    pub fn words(&self) -> &[Word] {
        &self.words
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::unit_file::words;

    proptest! {
        #[test]
        fn what_is_written_is_read_as_the_same(texts in prop::collection::vec("[^\0]{0,12}", 0..6)) {
            let mut command = Command::new("/bin/x");
            command.extend(texts.iter().map(Word::written));
            let text = command.to_string();
            prop_assert!(!text.contains(['\n', '\r', '\0']));
            prop_assert!(!text.ends_with('\\'));
            let read = words(&text).unwrap();
            prop_assert_eq!(read.get(1..).unwrap(), texts.as_slice());
        }
    }

    #[test]
    fn a_text_that_means_itself_has_no_specifiers() {
        assert_eq!(quoted(&Word::literal("/a%b$c")), "/a%%b$$c");
        assert_eq!(quoted(&Word::written("%n")), "%n");
        assert_eq!(quoted(&Word::written("")), "\"\"");
        assert_eq!(quoted(&Word::written(";")), "\";\"");
        assert_eq!(quoted(&Word::written("a\\\"\u{7}")), r#""a\\\"\x07""#);
    }

    #[test]
    fn specifiers_about_a_units_name_are_known() {
        let of = |text: &str, unit| Word::written(text).expanded(unit);
        assert_eq!(
            of("%n %N %p%i %% $$", "a.service").unwrap(),
            "a.service a a % $"
        );
        assert_eq!(of("%p-%i", "a@b.service").unwrap(), "a-b");
        assert_eq!(of("%n", "a@.service").unwrap(), "a@instance.service");
        for unknown in ["%t", "$X", "${X}", "%", "$"] {
            assert_eq!(of(unknown, "a.service"), None, "{unknown}");
        }
    }

    #[test]
    fn a_line_that_systemd_could_not_read_is_known() {
        let mut command = Command::new("/bin/x");
        (0..3000).for_each(|_| command.push(Word::written("x".repeat(400))));
        assert!(command.is_too_long() && command.to_string().len() < LINE_MAX);
    }
}
