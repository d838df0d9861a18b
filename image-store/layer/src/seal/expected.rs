//! What a tree is compared with: its seal, or what the layer's blob makes.

use std::collections::HashMap;
use std::path::Path;

use rustix::fs::FileType;

use super::block::Reader;
use super::content::{Content, RECORD, content};
use super::facts::Facts;
use super::file::Input;
use super::record::Record;
use super::tree_walk::{TreeWalk, below};
use crate::error::ContentError;

/// Entries in the order of the walk.
pub(super) trait Expected {
    fn next(&mut self) -> Result<Option<Facts>, ContentError>;
    fn path(&self) -> &[u8];
    /// What the current entry has to hold; `None` if that doesn't matter.
    fn content(&self) -> Result<Option<Content>, ContentError>;
    /// How the current entry differs, content aside.
    fn change(&mut self, expected: &Facts, found: &Facts) -> Option<String>;
}

/// The entries of a seal.
pub(super) struct FromSeal<'a> {
    seal: &'a Input,
    contents: Option<&'a Input>,
    next_block: u32,
    /// Entries of the block that is being read, the next one last.
    entries: Vec<Sealed>,
    current: Option<Sealed>,
}

struct Sealed {
    path: Vec<u8>,
    facts: Facts,
    content: Option<Content>,
}

impl<'a> FromSeal<'a> {
    /// The entries of `seal`, with what they have to hold where `contents` is given.
    pub(super) fn new(seal: &'a Input, contents: Option<&'a Input>) -> Self {
        Self {
            seal,
            contents,
            next_block: 0,
            entries: Vec::new(),
            current: None,
        }
    }

    pub(super) fn begin_again(&mut self) {
        self.next_block = 0;
        self.entries.clear();
    }

    fn read_block(&mut self) -> Result<(), ContentError> {
        let number = self.next_block;
        self.next_block += 1;
        let (mut buffer, mut records) = (Vec::new(), Vec::new());
        let mut records = match self.contents {
            Some(contents) => Some((contents, contents.block(number, &mut records)?)),
            None => None,
        };
        let mut reader = Reader::new(self.seal.block(number, &mut buffer)?);
        while let Some(facts) = reader.next().map_err(|_| self.seal.damaged())? {
            let content = match &mut records {
                None => None,
                Some((input, rest)) => {
                    let (record, after) = rest
                        .split_first_chunk::<RECORD>()
                        .ok_or_else(|| input.damaged())?;
                    *rest = after;
                    Some(Content::from_bytes(record).ok_or_else(|| input.damaged())?)
                }
            };
            self.entries.push(Sealed {
                path: reader
                    .path()
                    .strip_suffix(&[0])
                    .unwrap_or_default()
                    .to_vec(),
                facts: Facts::from_bytes(facts),
                content,
            });
        }
        if let Some((input, rest)) = records
            && !rest.is_empty()
        {
            return Err(input.damaged());
        }
        self.entries.reverse();
        Ok(())
    }
}

impl Expected for FromSeal<'_> {
    fn next(&mut self) -> Result<Option<Facts>, ContentError> {
        while self.entries.is_empty() && self.next_block < self.seal.blocks {
            self.read_block()?;
        }
        self.current = self.entries.pop();
        Ok(self.current.as_ref().map(|entry| entry.facts))
    }

    fn path(&self) -> &[u8] {
        self.current.as_ref().map_or(&[], |entry| &entry.path)
    }

    fn content(&self) -> Result<Option<Content>, ContentError> {
        Ok(self.current.as_ref().and_then(|entry| entry.content))
    }

    fn change(&mut self, expected: &Facts, found: &Facts) -> Option<String> {
        expected.change(found)
    }
}

/// A tree that was unpacked to be compared with.
pub(super) struct FromTree<'a> {
    walk: TreeWalk<'a>,
    at: &'a Path,
    record: &'a Record,
    facts: Option<Facts>,
    /// Files of several names: which one stands for which.
    linked: HashMap<u64, u64>,
}

impl<'a> FromTree<'a> {
    /// The entries below the root that `walk` walks, whose path is `at`.
    pub(super) fn new(walk: TreeWalk<'a>, at: &'a Path, record: &'a Record) -> Self {
        Self {
            walk,
            at,
            record,
            facts: None,
            linked: HashMap::new(),
        }
    }
}

impl Expected for FromTree<'_> {
    fn next(&mut self) -> Result<Option<Facts>, ContentError> {
        self.facts = self.walk.next()?;
        Ok(self.facts)
    }

    fn path(&self) -> &[u8] {
        self.walk.path()
    }

    fn content(&self) -> Result<Option<Content>, ContentError> {
        let Some(facts) = &self.facts else {
            return Ok(None);
        };
        let path = self.walk.path();
        let known = self.record.sum(facts.ino);
        content(self.walk.root(), path, facts, known, None)
            .map(Some)
            .map_err(|error| ContentError::io("cannot read", &below(self.at, path), error))
    }

    fn change(&mut self, expected: &Facts, found: &Facts) -> Option<String> {
        if let Some(change) = expected.shape(found) {
            return Some(change);
        }
        if expected.kind() == FileType::Directory {
            return None;
        }
        if expected.links != found.links {
            let (now, then) = (found.links, expected.links);
            return Some(format!("has {now} names, and had {then}"));
        }
        if expected.links > 1 && *self.linked.entry(expected.ino).or_insert(found.ino) != found.ino
        {
            return Some("is not the same file as its other names".to_owned());
        }
        None
    }
}
