//! JSON read so that no two readers can understand it differently: a member that appears twice is
//! an error, at every depth. How much one text may hold is bounded.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use crate::one_line;

/// Most values that one text may hold. A text of the largest size that is read anywhere could hold
/// millions, at thirty times its size in memory.
const MAX_VALUES: u32 = 1 << 16;

/// The same for what a good key has signed, or is about to sign.
const MAX_SIGNED_VALUES: u32 = 1 << 21;

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    Object(BTreeMap<String, Node>),
    List(Vec<Node>),
    Text(String),
    Number(Number),
    Bool(bool),
    Null,
}

/// Parses one JSON text, all of it. The caller bounds its size; the depth is bounded by the parser
/// and the number of values here.
pub(crate) fn parse(bytes: &[u8]) -> Result<Node, String> {
    parse_up_to(MAX_VALUES, bytes)
}

/// As [`parse`], for what a good key has signed, or is about to sign: it may hold much.
pub(crate) fn parse_signed(bytes: &[u8]) -> Result<Node, String> {
    parse_up_to(MAX_SIGNED_VALUES, bytes)
}

fn parse_up_to(most: u32, bytes: &[u8]) -> Result<Node, String> {
    let left = Cell::new(most);
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let left = &left;
    Value { left, most }
        .deserialize(&mut deserializer)
        .and_then(|node| deserializer.end().map(|()| node))
        .map_err(|error| one_line::message(&error))
}

/// Reads one value, and counts it.
#[derive(Clone, Copy)]
struct Value<'a> {
    left: &'a Cell<u32>,
    most: u32,
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        match self.left.get().checked_sub(1) {
            Some(left) => self.left.set(left),
            None => {
                let most = self.most;
                return Err(D::Error::custom(format_args!(
                    "it holds more than {most} values"
                )));
            }
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Node, E> {
        Ok(Node::Number(number.into()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Node, E> {
        Ok(Node::Number(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Node, E> {
        Ok(Number::from_f64(number).map_or(Node::Null, Node::Number))
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Node, E> {
        Ok(Node::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element_seed(self)? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut members = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            if members.contains_key(&name) {
                let name = one_line::quoted(&name);
                return Err(A::Error::custom(format_args!(
                    "member {name} appears twice"
                )));
            }
            members.insert(name, map.next_value_seed(self)?);
        }
        Ok(Node::Object(members))
    }
}

/// The members of an object, taken out one by one until none may be left. Its errors name the member
/// with those that it is in.
#[derive(Debug)]
pub(crate) struct Members {
    /// What the whole text is, for messages.
    root: &'static str,
    /// Empty for the whole text.
    path: String,
    left: BTreeMap<String, Node>,
}

impl Members {
    /// The members of a whole text.
    pub(crate) fn root(node: Node, root: &'static str) -> Result<Self, String> {
        match node {
            Node::Object(left) => Ok(Self {
                root,
                path: String::new(),
                left,
            }),
            _ => Err(format!("{root} is not an object")),
        }
    }

    /// The members of a value at a path.
    pub(crate) fn of(node: Node, path: &str) -> Result<Self, String> {
        let mut members = Self::root(node, "").map_err(|_| format!("{path} is not an object"))?;
        path.clone_into(&mut members.path);
        Ok(members)
    }

    /// The names of what is left.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.left.keys().map(String::as_str)
    }

    /// Takes a member that may be missing.
    pub(crate) fn take_if_any(&mut self, name: &str) -> Option<Node> {
        self.left.remove(name)
    }

    /// Takes a member that must be there.
    pub(crate) fn take(&mut self, name: &str) -> Result<Node, String> {
        self.take_if_any(name)
            .ok_or_else(|| format!("{} is missing", self.path_of(name)))
    }

    /// Takes an object that must be there.
    pub(crate) fn object(&mut self, name: &str) -> Result<Self, String> {
        Self::of(self.take(name)?, &self.path_of(name))
    }

    /// Takes an object that may be missing.
    pub(crate) fn object_if_any(&mut self, name: &str) -> Result<Option<Self>, String> {
        self.take_if_any(name)
            .map(|node| Self::of(node, &self.path_of(name)))
            .transpose()
    }

    /// Takes a text that must be there.
    pub(crate) fn text(&mut self, name: &str) -> Result<String, String> {
        text(self.take(name)?, &self.path_of(name))
    }

    /// Takes a text that may be missing.
    pub(crate) fn text_if_any(&mut self, name: &str) -> Result<Option<String>, String> {
        self.take_if_any(name)
            .map(|node| text(node, &self.path_of(name)))
            .transpose()
    }

    /// Takes a whole number that must be there.
    pub(crate) fn whole(&mut self, name: &str) -> Result<u64, String> {
        match self.take(name)? {
            Node::Number(number) => number.as_u64(),
            _ => None,
        }
        .ok_or_else(|| format!("{} is not a whole number", self.path_of(name)))
    }

    /// Takes a list that must be there.
    pub(crate) fn list(&mut self, name: &str) -> Result<Vec<Node>, String> {
        match self.take(name)? {
            Node::List(list) => Ok(list),
            _ => Err(format!("{} is not a list", self.path_of(name))),
        }
    }

    /// Refuses what is left.
    pub(crate) fn finish(self) -> Result<(), String> {
        let within = if self.path.is_empty() {
            self.root
        } else {
            &self.path
        };
        match self.left.keys().next() {
            None => Ok(()),
            Some(name) => {
                let name = one_line::quoted(name);
                Err(format!("{within} has an unknown member {name}"))
            }
        }
    }

    /// What is left, by name.
    pub(crate) fn into_rest(self) -> BTreeMap<String, Node> {
        self.left
    }

    /// The path of a member.
    pub(crate) fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }
}

/// The text that a value at a path is.
pub(crate) fn text(node: Node, path: &str) -> Result<String, String> {
    match node {
        Node::Text(text) => Ok(text),
        _ => Err(format!("{path} is not a string")),
    }
}

#[cfg(test)]
mod tests;
