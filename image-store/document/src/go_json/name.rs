//! The names of members, as Go knows them.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, Visitor};

/// Reads the name of a member: its number, if it is one that counts.
pub(super) struct Name(pub(super) &'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(
        self,
        name: D,
    ) -> std::result::Result<Self::Value, D::Error> {
        name.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_str<E: Error>(self, name: &str) -> std::result::Result<Self::Value, E> {
        let exact = self.0.iter().position(|field| *field == name);
        Ok(exact.or_else(|| self.0.iter().position(|field| is_same(field, name))))
    }
}

/// Whether Go takes two names for one: letters in any case, and the two beyond ASCII whose small ones
/// are `k` and `s`.
fn is_same(field: &str, name: &str) -> bool {
    let folded = name.chars().map(|letter| match letter {
        '\u{212a}' => 'k',
        '\u{17f}' => 's',
        other => other.to_ascii_lowercase(),
    });
    field
        .chars()
        .map(|letter| letter.to_ascii_lowercase())
        .eq(folded)
}
