//! What a document is made of.

use serde_json::{Map, Value as Json};

/// A part of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The line in which it begins, from 1 on.
    pub line: usize,
    /// What it is.
    pub value: Value,
}

/// What a part of a document is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A word, with or without quotes.
    Word(Word),
    /// A list.
    List(Vec<Node>),
    /// Members, in the order of the text. No two have one name.
    Map(Vec<Member>),
}

/// A member of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// The line in which its name stands.
    pub line: usize,
    /// Its value.
    pub node: Node,
}

/// A word, which may be of several lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Its text, without quotes.
    pub text: String,
    /// Whether it stands without quotes, so that it may mean something else than a text.
    pub is_plain: bool,
}

/// What a word means, in the core schema of YAML 1.2; octal numbers as Go's libraries take them, too: `0666`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A number without a fraction that is not negative.
    Unsigned(u64),
    /// One that is.
    Negative(i64),
    /// Any other number.
    Float(f64),
    /// A text.
    Text,
}

impl Word {
    /// What it means.
    pub fn kind(&self) -> Kind {
        match self.is_plain {
            true => plain(&self.text),
            false => Kind::Text,
        }
    }
}

fn plain(word: &str) -> Kind {
    match word {
        "" | "~" | "null" | "Null" | "NULL" => return Kind::Null,
        "true" | "True" | "TRUE" => return Kind::Bool(true),
        "false" | "False" | "FALSE" => return Kind::Bool(false),
        _ => {}
    }
    let digits = |prefix: &str, radix: u32| {
        let digits = word.strip_prefix(prefix)?;
        let is_plain = digits.chars().all(|c| c.is_digit(radix));
        is_plain.then(|| u64::from_str_radix(digits, radix).ok())?
    };
    let based = digits("0x", 16)
        .or_else(|| digits("0o", 8))
        .or_else(|| digits("0", 8));
    if let Some(number) = based {
        return Kind::Unsigned(number);
    }
    let looks_so = word
        .trim_start_matches(['-', '+'])
        .starts_with(|c: char| c.is_ascii_digit());
    if looks_so {
        if let Ok(number) = word.parse::<u64>() {
            return Kind::Unsigned(number);
        }
        if let Ok(number) = word.parse::<i64>() {
            return Kind::Negative(number);
        }
        if let Ok(number) = word.parse::<f64>() {
            return Kind::Float(number);
        }
    }
    Kind::Text
}

impl Node {
    /// Whether it is nothing: `null`, or no word at all.
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Word(word) if word.kind() == Kind::Null)
    }

    /// The JSON that means the same.
    pub fn to_json(&self) -> Json {
        match &self.value {
            Value::Word(word) => match word.kind() {
                Kind::Null => Json::Null,
                Kind::Bool(value) => Json::Bool(value),
                Kind::Unsigned(number) => number.into(),
                Kind::Negative(number) => number.into(),
                Kind::Float(number) => number.into(),
                Kind::Text => Json::String(word.text.clone()),
            },
            Value::List(nodes) => Json::Array(nodes.iter().map(Self::to_json).collect()),
            Value::Map(members) => {
                let members = members.iter();
                let members = members.map(|one| (one.name.clone(), one.node.to_json()));
                Json::Object(members.collect::<Map<_, _>>())
            }
        }
    }
}
