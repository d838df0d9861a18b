//! JSON read so that no two readers can understand it differently: a member that appears twice is
//! an error, at every depth.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::one_line;

/// A JSON value, as far as signatures need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    Object(BTreeMap<String, Node>),
    Text(String),
    Null,
    /// A number, a boolean or a list. Its contents were checked and are not kept.
    Other,
}

/// Parses one JSON text, all of it. The caller bounds its size; the depth is bounded by the parser.
pub(crate) fn parse(bytes: &[u8]) -> Result<Node, String> {
    serde_json::from_slice(bytes).map_err(|error| one_line::message(&error))
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Other)
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
        while list.next_element::<Node>()?.is_some() {}
        Ok(Node::Other)
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
            members.insert(name, map.next_value()?);
        }
        Ok(Node::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_told_apart() {
        let Ok(Node::Object(members)) = parse(br#"{"a":"x","b":null,"c":[1,-1,0.5,true],"d":{}}"#)
        else {
            panic!("no object");
        };
        let values: Vec<_> = members.into_values().collect();
        let empty = Node::Object(BTreeMap::new());
        assert_eq!(
            values,
            [Node::Text("x".to_owned()), Node::Null, Node::Other, empty]
        );
    }

    #[test]
    fn a_member_twice_is_an_error_at_every_depth() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"a":{"b":1,"b":2}}"#,
            r#"[[{"a":{"b":1,"c":2,"b":2}}]]"#,
        ] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(error.contains("appears twice"), "{error}");
        }
        assert!(parse(br#"[{"a":1},{"a":2}]"#).is_ok());
    }

    #[test]
    fn what_is_no_single_json_text_is_an_error() {
        for text in [
            "",
            "{",
            "{}{}",
            "{}x",
            "{'a':1}",
            "{\"a\":1,}",
            "nul",
            "\u{feff}{}",
            "// x\n{}",
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(parse(b"\"\xff\"").is_err());
        assert!(parse("[".repeat(60_000).as_bytes()).is_err());
        assert!(parse(format!("{}{}", "[".repeat(1000), "]".repeat(1000)).as_bytes()).is_err());
    }
}
