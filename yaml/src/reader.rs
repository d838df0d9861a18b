//! From a text to its documents.

use std::collections::BTreeMap;

use granit_parser::{Event, Parser, ScalarStyle, Span};

use crate::node::{Member, Node, Value, Word};

/// Most lists and maps within each other.
pub const DEPTH_MAX: usize = 100;
/// Most nodes of a text, counted as often as aliases repeat them.
pub const NODES_MAX: usize = 200_000;
/// Most bytes of all words together, counted in the same way.
pub const TEXT_MAX: usize = 16 << 20;

/// A text is no YAML, or more than is taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct Error {
    /// In which line, from 1 on.
    pub line: usize,
    /// Why.
    pub reason: String,
}

/// The documents of a text; those with nothing in them are left out.
///
/// # Errors
/// In which line something is not understood.
pub fn documents(text: &str) -> Result<Vec<Node>, Error> {
    let mut reader = Reader::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| Error {
            line: error.marker().line(),
            reason: error.info().to_owned(),
        })?;
        reader.take(event, span)?;
    }
    match reader.open.is_empty() {
        true => Ok(reader.documents),
        false => Err(Error {
            line: text.lines().count(),
            reason: "it ends before what has begun".to_owned(),
        }),
    }
}

/// What is being read: the values of a list, or the members of a map and the name of the next one.
struct Open {
    line: usize,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map(Vec<Member>, Option<(String, usize)>),
}

/// What has been given a name to be repeated, and how much it is.
struct Anchored {
    node: Node,
    size: Size,
}

#[derive(Clone, Copy, Default)]
struct Size {
    nodes: usize,
    bytes: usize,
}

#[derive(Default)]
struct Reader {
    open: Vec<Open>,
    documents: Vec<Node>,
    anchored: BTreeMap<usize, Anchored>,
    size: Size,
}

impl Reader {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Error> {
        let line = span.start.line();
        let refused = |reason: &str| Err(error(line, reason));
        match event {
            Event::Scalar(_, _, _, Some(_))
            | Event::SequenceStart(_, _, Some(_))
            | Event::MappingStart(_, _, Some(_)) => refused("tags are not taken"),
            Event::UnresolvedAlias(_) => refused("it repeats what is not there"),
            Event::Alias(anchor) => {
                if self.open.iter().any(|open| open.anchor == anchor) {
                    return refused("it is a part of what it repeats, so it would have no end");
                }
                let Some(Anchored { node, size }) = self.anchored.get(&anchor) else {
                    return refused("it repeats what is not there");
                };
                let (mut node, size) = (node.clone(), *size);
                if matches!(
                    self.open.last(),
                    Some(Open {
                        content: Content::Map(_, None),
                        ..
                    })
                ) {
                    return refused("the name of a member is a text");
                }
                self.grow(size, line)?;
                node.line = line;
                self.add(node, 0)
            }
            Event::SequenceStart(_, anchor, None) => {
                self.begin(line, anchor, Content::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, None) => {
                self.begin(line, anchor, Content::Map(Vec::new(), None))
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else {
                    return refused("it ends what has not begun");
                };
                let value = match open.content {
                    Content::List(nodes) => Value::List(nodes),
                    Content::Map(members, _) => Value::Map(merged(members)?),
                };
                let node = Node {
                    line: open.line,
                    value,
                };
                self.add(node, open.anchor)
            }
            Event::Scalar(text, style, anchor, None) => {
                let bytes = text.len();
                self.grow(Size { nodes: 1, bytes }, line)?;
                if let Some(Open {
                    content: Content::Map(members, name @ None),
                    ..
                }) = self.open.last_mut()
                {
                    // Names are text, whatever they look like.
                    if members.iter().any(|member| member.name == *text) {
                        return refused(&format!("{text:?} is there twice"));
                    }
                    *name = Some((text.into_owned(), line));
                    return Ok(());
                }
                let word = Word {
                    text: text.into_owned(),
                    is_plain: style == ScalarStyle::Plain,
                };
                let value = Value::Word(word);
                self.add(Node { line, value }, anchor)
            }
            Event::DocumentEnd => {
                // Nothing of a document is repeated in another one.
                self.anchored.clear();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, line: usize, anchor: usize, content: Content) -> Result<(), Error> {
        if let Some(Open {
            content: Content::Map(_, None),
            ..
        }) = self.open.last()
        {
            return Err(error(line, "the name of a member is a text"));
        }
        if self.open.len() >= DEPTH_MAX {
            let reason = format!("more than {DEPTH_MAX} lists and maps are within each other");
            return Err(error(line, &reason));
        }
        self.grow(Size { nodes: 1, bytes: 0 }, line)?;
        self.open.push(Open {
            line,
            anchor,
            content,
        });
        Ok(())
    }

    fn grow(&mut self, by: Size, line: usize) -> Result<(), Error> {
        self.size.nodes = self.size.nodes.saturating_add(by.nodes);
        self.size.bytes = self.size.bytes.saturating_add(by.bytes);
        match self.size.nodes > NODES_MAX || self.size.bytes > TEXT_MAX {
            true => Err(error(
                line,
                "it is more than is taken, with all that it repeats",
            )),
            false => Ok(()),
        }
    }

    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Error> {
        if anchor != 0 {
            let (node, size) = (node.clone(), size_of(&node));
            // It is kept beside the document, too.
            self.grow(size, node.line)?;
            self.anchored.insert(anchor, Anchored { node, size });
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            Some(Content::List(nodes)) => nodes.push(node),
            Some(Content::Map(members, name)) => match name.take() {
                Some((name, line)) => members.push(Member { name, line, node }),
                None => return Err(error(node.line, "the name of a member is a text")),
            },
            None if node.is_null() => {}
            None => self.documents.push(node),
        }
        Ok(())
    }
}

fn error(line: usize, reason: &str) -> Error {
    let reason = reason.to_owned();
    Error { line, reason }
}

fn size_of(node: &Node) -> Size {
    let add = |all: Size, one: Size| Size {
        nodes: all.nodes.saturating_add(one.nodes),
        bytes: all.bytes.saturating_add(one.bytes),
    };
    let own = |bytes| Size { nodes: 1, bytes };
    match &node.value {
        Value::Word(word) => own(word.text.len()),
        Value::List(nodes) => nodes.iter().map(size_of).fold(own(0), add),
        Value::Map(members) => {
            let members = members.iter();
            let sizes = members.map(|one| add(own(one.name.len()), size_of(&one.node)));
            sizes.fold(own(0), add)
        }
    }
}

/// The members of a map, and those of the maps that it is to be merged with (`<<`), which count less.
fn merged(members: Vec<Member>) -> Result<Vec<Member>, Error> {
    if !members.iter().any(|member| member.name == "<<") {
        return Ok(members);
    }
    let (merges, mut members): (Vec<_>, Vec<_>) =
        members.into_iter().partition(|member| member.name == "<<");
    for merge in merges {
        let sources = match merge.node.value {
            Value::List(nodes) => nodes,
            value => vec![Node {
                line: merge.line,
                value,
            }],
        };
        for source in sources {
            let Value::Map(more) = source.value else {
                return Err(error(merge.line, "`<<` merges with maps alone"));
            };
            for member in more {
                if !members.iter().any(|own| own.name == member.name) {
                    members.push(member);
                }
            }
        }
    }
    Ok(members)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    use super::*;

    fn all(text: &str) -> Result<Vec<Json>, String> {
        let documents = documents(text).map_err(|error| error.to_string())?;
        Ok(documents.iter().map(Node::to_json).collect())
    }

    #[test]
    fn it_is_read_as_the_json_that_means_the_same() {
        let text = "---\n# made by hand\ncdiVersion: 0.6.0\nkind: \"acme.com/card\"\ndevices:\n- name: \"0\"\n  \
             containerEdits:\n    deviceNodes: [{path: /dev/a, fileMode: 0666, major: 195}]\n    env: [A=1, 'B=x']\n    \
             mounts: ~\n    hooks: null\n    on: yes\n    uid: -1\n    ratio: 1.5\n    text: |\n      two\n      lines\n";
        let expected = json!({
            "cdiVersion": "0.6.0",
            "kind": "acme.com/card",
            "devices": [{ "name": "0", "containerEdits": {
                "deviceNodes": [{ "path": "/dev/a", "fileMode": 438, "major": 195 }],
                "env": ["A=1", "B=x"], "mounts": null, "hooks": null, "on": "yes", "uid": -1, "ratio": 1.5,
                "text": "two\nlines\n",
            } }],
        });
        assert_eq!(all(text).unwrap(), std::slice::from_ref(&expected));
        assert_eq!(all(&expected.to_string()).unwrap(), [expected]);
    }

    #[test]
    fn documents_are_kept_apart_and_empty_ones_are_none() {
        assert_eq!(
            all("a: 1\n---\n---\n# nothing\n---\n- b\n").unwrap(),
            [json!({ "a": 1 }), json!(["b"])]
        );
        assert_eq!(all("").unwrap(), [] as [Json; 0]);
        assert!(all("a: &x 1\n---\nb: *x").is_err());
    }

    #[test]
    fn aliases_and_merges_repeat_what_is_there() {
        let text = "base: &base {a: 1, b: 2}\none: *base\ntwo:\n  <<: *base\n  b: 3\nthree:\n  <<: [*base, {c: 4}]\n";
        let base = json!({ "a": 1, "b": 2 });
        assert_eq!(
            all(text).unwrap(),
            [json!({
                "base": base, "one": base,
                "two": { "a": 1, "b": 3 }, "three": { "a": 1, "b": 2, "c": 4 },
            })]
        );
    }

    #[test]
    fn each_part_knows_its_line() {
        let text = "a:\n  b:\n    - c\n    - d: e\n";
        let documents = documents(text).unwrap();
        let Value::Map(top) = &documents[0].value else {
            panic!("{documents:?}");
        };
        let Value::Map(inner) = &top[0].node.value else {
            panic!("{documents:?}");
        };
        let Value::List(list) = &inner[0].node.value else {
            panic!("{documents:?}");
        };
        let lines = [top[0].line, inner[0].line, list[0].line, list[1].line];
        assert_eq!(lines, [1, 2, 3, 4]);
    }

    #[test]
    fn what_is_not_taken_is_refused_with_its_line() {
        for (text, reason) in [
            ("a: !!binary x", "line 1: tags are not taken"),
            ("a: 1\na: 2", "line 2: \"a\" is there twice"),
            ("? [a]\n: 1", "the name of a member is a text"),
            ("a: &x {b: *x}", "it is a part of what it repeats"),
            ("a: &x\n  - 1\n  - *x", "line 3: it is a part of"),
            ("a: *x", "line 1"),
            ("<<: 5", "merges with maps alone"),
            ("a: [1", "line "),
            ("a:\n\tb: 1", "line 2"),
        ] {
            let error = all(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn no_text_makes_more_than_is_taken() {
        for deep in ["[".repeat(100_000), "[".repeat(5000) + &"]".repeat(5000)] {
            all(&deep).unwrap_err();
        }
        // Each line is ten times the one before it.
        let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let before = format!("*a{}", level - 1);
            let list = vec![before; 10].join(", ");
            laughs.push_str(&format!("a{level}: &a{level} [{list}]\n"));
        }
        assert!(all(&laughs).unwrap_err().contains("more than is taken"));
        let long = format!("a: &a {}\nb: [{}]", "x".repeat(1 << 20), "*a, ".repeat(100));
        assert!(all(&long).unwrap_err().contains("more than is taken"));
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(text in "[-a-c:&*!|>\\[\\]{}<, \n\t'\"#?~0-9]{0,200}") {
            let _ = documents(&text);
        }

        #[test]
        fn each_json_is_read_as_json_has_it(words in proptest::collection::vec("[ -~]{0,12}", 0..6)) {
            let value = json!({ "list": words, "first": words.first() });
            prop_assert_eq!(all(&value.to_string()).unwrap(), vec![value]);
        }
    }
}
