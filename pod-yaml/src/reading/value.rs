//! A part of a document, with where it is.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use yaml::{Kind, Node, Value};

use super::findings::{Error, Finding, Findings, Place};

/// A part of a document.
#[derive(Debug, Clone)]
pub(crate) struct At<'a> {
    pub(crate) node: &'a Node,
    pub(crate) line: usize,
    pub(crate) path: String,
    pub(crate) findings: &'a Findings,
}

impl<'a> At<'a> {
    /// What is wrong with it.
    pub(crate) fn wrong(&self, text: impl Display) -> Error {
        self.finding(text).into()
    }

    /// Where it stands.
    pub(crate) fn place(&self) -> Place {
        Place {
            file: self.findings.file.clone(),
            line: self.line,
            path: self.path.clone(),
        }
    }

    pub(crate) fn finding(&self, text: impl Display) -> Finding {
        Finding {
            file: self.findings.file.clone(),
            line: self.line,
            path: self.path.clone(),
            text: text.to_string(),
        }
    }

    /// It is refused; reading goes on.
    pub(crate) fn refuse(&self, text: impl Display) {
        self.findings.refuse(self.finding(text));
    }

    /// It means nothing here, and that is told.
    pub(crate) fn ignore(&self, text: impl Display) {
        self.findings.ignore(self.finding(text));
    }

    pub(crate) fn list(&self) -> Result<Vec<At<'a>>, Error> {
        let Value::List(nodes) = &self.node.value else {
            return Err(self.wrong(format!("a list is expected, and this is {}", self.what())));
        };
        let parts = nodes.iter().enumerate().map(|(number, node)| At {
            node,
            line: node.line,
            path: format!("{}[{number}]", self.path),
            findings: self.findings,
        });
        Ok(parts.collect())
    }

    /// Members of any names.
    pub(crate) fn members(&self) -> Result<Vec<(&'a str, At<'a>)>, Error> {
        let Value::Map(members) = &self.node.value else {
            return Err(self.wrong(format!("a map is expected, and this is {}", self.what())));
        };
        let parts = members.iter().map(|member| {
            let at = At {
                node: &member.node,
                line: member.line,
                path: format!("{}[{}]", self.path, member.name),
                findings: self.findings,
            };
            (member.name.as_str(), at)
        });
        Ok(parts.collect())
    }

    /// Texts by any names.
    pub(crate) fn texts(&self) -> Result<BTreeMap<String, String>, Error> {
        let members = self.members()?.into_iter();
        members
            .map(|(name, at)| Ok((name.to_owned(), at.text()?)))
            .collect()
    }

    /// A list of texts.
    /// Words of a command.
    pub(crate) fn words(&self) -> Result<Vec<String>, Error> {
        self.list()?.iter().map(Self::word).collect()
    }

    fn word(&self) -> Result<String, Error> {
        let text = self.text()?;
        match text.contains('\0') {
            true => Err(self.wrong("it holds the character NUL, which ends words")),
            false => Ok(text),
        }
    }

    pub(crate) fn text(&self) -> Result<String, Error> {
        if let Value::Word(word) = &self.node.value {
            let other = match word.kind() {
                Kind::Text => return Ok(word.text.clone()),
                Kind::Null => return Ok(String::new()),
                Kind::Bool(_) => "true or false",
                Kind::Unsigned(_) | Kind::Negative(_) | Kind::Float(_) => "a number",
            };
            let text = &word.text;
            return Err(self.wrong(format!(
                "a text is expected, and {text} without quotes is {other}: write \"{text}\""
            )));
        }
        Err(self.wrong(format!("a text is expected, and this is {}", self.what())))
    }

    /// A text that means something.
    pub(crate) fn parsed<T>(&self) -> Result<T, Error>
    where
        T: FromStr<Err: Display>,
    {
        self.text()?.parse().map_err(|error| self.wrong(error))
    }

    /// A word, whatever it would mean without quotes.
    pub(crate) fn raw(&self) -> Result<&'a str, Error> {
        match &self.node.value {
            Value::Word(word) if word.kind() != Kind::Null => Ok(&word.text),
            _ => Err(self.wrong(format!("a word is expected, and this is {}", self.what()))),
        }
    }

    pub(crate) fn flag(&self) -> Result<bool, Error> {
        if let Value::Word(word) = &self.node.value {
            if let Kind::Bool(value) = word.kind() {
                return Ok(value);
            }
            // As the older YAML has it that Kubernetes reads.
            if word.is_plain {
                match word.text.as_str() {
                    "yes" | "Yes" | "on" | "On" => return Ok(true),
                    "no" | "No" | "off" | "Off" => return Ok(false),
                    _ => {}
                }
            }
        }
        Err(self.wrong(format!(
            "true or false is expected, and this is {}",
            self.what()
        )))
    }

    /// A number of a kind.
    pub(crate) fn number<T>(&self) -> Result<T, Error>
    where
        T: TryFrom<i128>,
    {
        let number = match &self.node.value {
            Value::Word(word) => match word.kind() {
                Kind::Unsigned(number) => Some(i128::from(number)),
                Kind::Negative(number) => Some(i128::from(number)),
                _ => None,
            },
            _ => None,
        };
        let Some(number) = number else {
            return Err(self.wrong(format!("a number is expected, and this is {}", self.what())));
        };
        T::try_from(number).map_err(|_| self.wrong(format!("{number} is out of range")))
    }

    /// What it is, for messages.
    pub(crate) fn what(&self) -> String {
        match &self.node.value {
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a map".to_owned(),
            Value::Word(word) if word.kind() == Kind::Null => "nothing".to_owned(),
            Value::Word(word) => {
                let short: String = word.text.chars().take(40).collect();
                format!("{short:?}")
            }
        }
    }

    /// Whether it says nothing more than if it were left out.
    pub(crate) fn is_empty(&self) -> bool {
        match &self.node.value {
            Value::List(nodes) => nodes.is_empty(),
            Value::Map(members) => members.is_empty(),
            Value::Word(word) => match word.kind() {
                Kind::Null | Kind::Bool(false) => true,
                Kind::Text => word.text.is_empty(),
                _ => false,
            },
        }
    }
}
