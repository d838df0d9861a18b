//! Command lines of units, written so that systemd starts the program with these words.

use std::cmp::Ordering;
use std::fmt;

use super::entry::{Entry, Origin};

/// The longest line that systemd reads, less room for the key.
const LINE_MAX: usize = (1 << 20) - 4096;

/// A word of a command line. Specifiers (`%n`) and variables (`${X}`) in it are systemd's to put something in for.
///
/// Words are the same if they are written the same, wherever they come from.
#[derive(Debug, Clone)]
pub struct Word {
    text: String,
    origin: Option<Origin>,
}

impl PartialEq for Word {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Word {}

impl PartialOrd for Word {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Word {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl Word {
    /// A text whose specifiers and variables count, as it stands in a unit file.
    pub fn written(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            origin: None,
        }
    }

    /// A text that means itself.
    pub fn literal(text: &str) -> Self {
        Self::written(text.replace('%', "%%").replace('$', "$$"))
    }

    /// This word behind another text, such as a flag with its `=`.
    pub fn after(&self, prefix: &str) -> Self {
        Self {
            text: format!("{prefix}{}", self.text),
            origin: self.origin.clone(),
        }
    }

    /// The value of an assignment.
    pub fn of(entry: &Entry) -> Self {
        Self::written(&*entry.value).at(entry)
    }

    /// This word as one that comes from an assignment.
    pub fn at(self, entry: &Entry) -> Self {
        Self {
            origin: Some(entry.origin()),
            ..self
        }
    }

    /// The same, if there is one.
    pub fn said_by(self, entry: Option<&Entry>) -> Self {
        match entry {
            Some(entry) => self.at(entry),
            None => self,
        }
    }

    /// The assignment that it comes from.
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
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
        let mut rest = self.text.chars();
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
        &self.text
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
