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

/// JSON with lines.
#[derive(Debug, Default)]
struct JsonText {
    text: String,
    /// How many lines have ended.
    lines: usize,
}

impl JsonText {
    /// Goes on in this line, or in a later one.
    fn go_to(&mut self, line: usize) {
        let missing = line.saturating_sub(1).saturating_sub(self.lines);
        self.text.extend(std::iter::repeat_n('\n', missing));
        self.lines = self.lines.saturating_add(missing);
    }

    fn push(&mut self, node: &Node) {
        self.go_to(node.line);
        match &node.value {
            Value::Word(_) => self.text.push_str(&node.to_json().to_string()),
            Value::List(nodes) => {
                self.text.push('[');
                for (place, node) in nodes.iter().enumerate() {
                    self.separate(place);
                    self.push(node);
                }
                self.text.push(']');
            }
            Value::Map(members) => {
                self.text.push('{');
                for (place, member) in members.iter().enumerate() {
                    self.separate(place);
                    self.go_to(member.line);
                    let name = Json::String(member.name.clone());
                    self.text.push_str(&format!("{name}:"));
                    self.push(&member.node);
                }
                self.text.push('}');
            }
        }
    }

    fn separate(&mut self, place: usize) {
        if place > 0 {
            self.text.push(',');
        }
    }
}

impl Node {
    /// Whether it is nothing: `null`, or no word at all.
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Word(word) if word.kind() == Kind::Null)
    }

    /// The same as a text, each part in the line in which it begins here: who parses that tells the right lines.
    pub fn to_json_text(&self) -> String {
        let mut text = JsonText::default();
        text.push(self);
        text.text
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
