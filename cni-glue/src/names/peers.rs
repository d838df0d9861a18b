//! The lines of `/etc/hosts` that say where other pods are, in a file that the pod's apps read and may write to.
//!
//! Each such line ends in [`MARK`] and stands by itself, wherever in the file. Nothing is ever moved: a line that goes
//! becomes blank and is used again for another, and what finds no room is appended. So a reader, who takes a file in
//! several pieces, never sees a half of one line joined to a half of another, and of what an app wrote no byte is
//! written again.
//!
//! No line is made for a name that another line of the file has. It would not do that the other line comes first:
//! musl, and glibc with `multi on` as Debian sets it, take the addresses of all lines.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::host_name::is_host_name;

/// How a line ends that the runtime keeps.
pub const MARK: &str = "# pod";

/// Lines are filled up to a multiple of this, so that one fits where another was.
const GRAIN: usize = 16;

/// What has changed of the pods that a pod finds by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PeerChanges {
    /// Whether [`Self::came`] names all there are.
    pub whole: bool,
    /// Those that are no more.
    pub gone: Vec<(IpAddr, String)>,
    /// Those that are new.
    pub came: Vec<(IpAddr, String)>,
}

impl PeerChanges {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        !self.whole && self.gone.is_empty() && self.came.is_empty()
    }
}

/// A change of the file that other changes don't depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// Makes a line blank.
    Blank {
        /// Where it begins.
        offset: u64,
        /// How long it is, without its end.
        length: usize,
    },
    /// Fills a blank line.
    Fill {
        /// Where it begins.
        offset: u64,
        /// What it is to say, exactly as long as it is.
        line: String,
    },
    /// Adds whole lines to the end.
    Append(String),
}

/// What is to be done to a file.
pub fn edits(file: &[u8], changes: &PeerChanges) -> Vec<Edit> {
    let came: BTreeSet<_> = changes
        .came
        .iter()
        .map(|(ip, name)| (*ip, &**name))
        .collect();
    let gone: BTreeSet<_> = changes
        .gone
        .iter()
        .map(|(ip, name)| (*ip, &**name))
        .collect();
    let stays =
        |peer: &(IpAddr, &str)| came.contains(peer) || (!changes.whole && !gone.contains(peer));
    let taken = taken(file, &came);
    let is_free = |name: &str| is_host_name(name) && !taken.contains(&name.to_ascii_lowercase());
    let mut edits = Vec::new();
    let mut there = BTreeSet::new();
    let mut blank: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
    for (offset, line) in lines(file) {
        match Line::of(line) {
            // A second line of the same is one too many.
            Line::Peer(ip, name)
                if !(stays(&(ip, name)) && is_free(name) && there.insert((ip, name))) =>
            {
                edits.push(Edit::Blank {
                    offset,
                    length: line.len(),
                });
            }
            Line::Blank => blank.entry(line.len()).or_default().push(offset),
            Line::Peer(..) | Line::Other => (),
        }
    }
    let mut tail = String::new();
    for (ip, name) in came {
        if there.contains(&(ip, name)) || !is_free(name) {
            continue;
        }
        let text = format!("{ip}\t{name}\t{MARK}");
        let room = blank
            .range_mut(text.len()..)
            .find_map(|(length, offsets)| offsets.pop().map(|offset| (*length, offset)));
        match room {
            Some((length, offset)) => edits.push(Edit::Fill {
                offset,
                line: format!("{text:length$}"),
            }),
            None => {
                // With the line's end.
                let length = (text.len() + 1).next_multiple_of(GRAIN) - 1;
                tail.push_str(&format!("{text:length$}\n"));
            }
        }
    }
    if !tail.is_empty() {
        if file.last().is_some_and(|last| *last != b'\n') {
            tail.insert(0, '\n');
        }
        edits.push(Edit::Append(tail));
    }
    edits
}

/// Names, of those that the runtime writes or wants to write, that are in other lines, in lower case.
fn taken(file: &[u8], came: &BTreeSet<(IpAddr, &str)>) -> BTreeSet<String> {
    let mut ours: BTreeSet<String> = came
        .iter()
        .map(|(_, name)| name.to_ascii_lowercase())
        .collect();
    ours.extend(lines(file).filter_map(|(_, line)| match Line::of(line) {
        Line::Peer(_, name) => Some(name.to_ascii_lowercase()),
        _ => None,
    }));
    let mut taken = BTreeSet::new();
    for (_, line) in lines(file) {
        let Line::Other = Line::of(line) else {
            continue;
        };
        let entry = line.split(|byte| *byte == b'#').next().unwrap_or_default();
        let words = entry
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty());
        for name in words
            .skip(1)
            .filter_map(|word| std::str::from_utf8(word).ok())
        {
            let name = name.to_ascii_lowercase();
            if ours.contains(&name) {
                taken.insert(name);
            }
        }
    }
    taken
}

/// The lines with where they begin, without their ends.
fn lines(file: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let mut offset = 0;
    file.split_inclusive(|byte| *byte == b'\n')
        .map(move |line| {
            let begin = offset;
            offset += line.len() as u64;
            (begin, line.strip_suffix(b"\n").unwrap_or(line))
        })
}

/// Whose a line is.
enum Line<'a> {
    /// The runtime's: where a pod is.
    Peer(IpAddr, &'a str),
    /// Nobody's: room for a line.
    Blank,
    /// Any other.
    Other,
}

impl<'a> Line<'a> {
    fn of(line: &'a [u8]) -> Self {
        if line.len() >= GRAIN - 1 && line.iter().all(|byte| *byte == b' ') {
            return Self::Blank;
        }
        Self::peer(line).unwrap_or(Self::Other)
    }

    fn peer(line: &'a [u8]) -> Option<Self> {
        let line = line.trim_ascii_end().strip_suffix(MARK.as_bytes())?;
        let (ip, name) = std::str::from_utf8(line)
            .ok()?
            .strip_suffix('\t')?
            .split_once('\t')?;
        Some(Self::Peer(ip.parse().ok()?, name))
    }
}

#[cfg(test)]
mod tests;
