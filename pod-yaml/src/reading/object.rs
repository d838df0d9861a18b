//! A map whose members are known.

use yaml::{Member, Value};

use super::findings::Error;
use super::value::At;
use crate::schema::{Schema, Verdict};

/// A map whose members are known: what else is in it has been told of.
#[derive(Debug, Clone)]
pub(crate) struct Object<'a> {
    pub(crate) at: At<'a>,
    members: &'a [Member],
    schema: &'static Schema,
}

impl<'a> At<'a> {
    /// Its members, all of which are known. What is refused among them is told.
    pub(crate) fn object(&self, schema: &'static Schema) -> Result<Object<'a>, Error> {
        Object::new(self, schema)
    }
}

impl<'a> Object<'a> {
    fn new(at: &At<'a>, schema: &'static Schema) -> Result<Self, Error> {
        let members: &[Member] = match &at.node.value {
            Value::Map(members) => members,
            // `securityContext:` with nothing behind it.
            _ if at.node.is_null() => &[],
            _ => return Err(at.wrong(format!("a map is expected, and this is {}", at.what()))),
        };
        let object = Self {
            at: at.clone(),
            members,
            schema,
        };
        for member in members {
            let part = object.part(member);
            match schema.verdict(&member.name) {
                Some(Verdict::Honoured) => {}
                Some(Verdict::Ignored) if part.is_empty() => {}
                Some(Verdict::Refused) if part.is_empty() => {}
                Some(Verdict::Ignored) => {
                    part.ignore(format!("ignored: {}", schema.reason(&member.name)));
                }
                Some(Verdict::Refused) => part.refuse(schema.reason(&member.name)),
                None => part.refuse(schema.unknown(&member.name)),
            }
        }
        Ok(object)
    }

    fn part(&self, member: &'a Member) -> At<'a> {
        let path = match self.at.path.is_empty() {
            true => member.name.clone(),
            false => format!("{}.{}", self.at.path, member.name),
        };
        At {
            node: &member.node,
            line: member.line,
            path,
            findings: self.at.findings,
        }
    }

    /// A member, if it is there and not `null`.
    pub(crate) fn get(&self, name: &str) -> Option<At<'a>> {
        debug_assert!(
            self.schema.verdict(name).is_some(),
            "{} has no {name}",
            self.schema.title
        );
        let member = self.members.iter().find(|member| member.name == name)?;
        (!member.node.is_null()).then(|| self.part(member))
    }

    /// Whether there is such a member at all, and what it says is done.
    pub(crate) fn has_field(&self, name: &str) -> bool {
        self.schema.verdict(name) == Some(Verdict::Honoured)
    }

    /// What a member means, if it is there.
    pub(crate) fn read<T>(
        &self,
        name: &str,
        read: impl FnOnce(&At<'a>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        self.get(name).map(|at| read(&at)).transpose()
    }

    /// The same of each part of a list; none if it is not there.
    pub(crate) fn each<T>(
        &self,
        name: &str,
        mut read: impl FnMut(&At<'a>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let Some(at) = self.get(name) else {
            return Ok(Vec::new());
        };
        at.list()?.iter().map(&mut read).collect()
    }

    /// What a member means that has to be there.
    pub(crate) fn need<T>(
        &self,
        name: &str,
        read: impl FnOnce(&At<'a>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match self.get(name) {
            Some(at) => read(&at),
            None => Err(self.at.wrong(format!("{name} is missing"))),
        }
    }

    /// A text that is not empty.
    pub(crate) fn name(&self, name: &str) -> Result<String, Error> {
        self.need(name, |at| match at.text()? {
            text if text.is_empty() => Err(at.wrong("it is empty")),
            text => Ok(text),
        })
    }

    /// A text, if it is there and not empty.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, Error> {
        let text = self.read(name, At::text)?;
        Ok(text.filter(|text| !text.is_empty()))
    }

    /// Whether something is so; `None` if nothing is said.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, Error> {
        self.read(name, At::flag)
    }

    /// One of several words.
    pub(crate) fn choice<T: Copy>(
        &self,
        name: &str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, Error> {
        self.read(name, |at| {
            let text = at.text()?;
            let found = words.iter().find(|(word, _)| *word == text);
            found.map(|(_, meaning)| *meaning).ok_or_else(|| {
                let words = words.iter().map(|(word, _)| *word);
                let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
                at.wrong(format!("{text:?} is none of {}", words.join(", ")))
            })
        })
    }

    /// How many members there are.
    pub(crate) fn len(&self) -> usize {
        self.members
            .iter()
            .filter(|member| !member.node.is_null())
            .count()
    }
}
