//! A tar file read in place: one walk over its headers, then readers by offset.
//!
//! Nothing is unpacked, so a name in the archive is only ever a key of a map. The walk is the one
//! that layers are unpacked by, and refuses what two readers could read differently; beside that,
//! two files of one name and sparse files are refused, because such an archive can hide an entry
//! from whoever checked it before.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Component, Path};
use std::sync::Arc;

use image_layer::{ContentError, Kind, LayerLimit, Limits, Member, Walk};

use super::unpacked::{Unpacking, plain_file};
use crate::error::StoreError;
use crate::layout::files::{LayoutFiles, OpenFile};

/// Bytes that are read at once: some headers.
const READ_AHEAD: usize = 4096;

/// Most entries of one archive; real image archives have some hundred.
const MAX_ENTRIES: u64 = 100_000;

/// Longest target of a link, in bytes.
const MAX_NAME: usize = 4096;

/// Links in a row; `docker save` of old made one hop for a layer that two images share.
const MAX_LINKS: usize = 8;

/// What a tar file holds and where.
pub(crate) struct TarIndex {
    file: Arc<File>,
    what: String,
    entries: HashMap<String, Entry>,
}

enum Entry {
    File {
        offset: u64,
        size: u64,
    },
    /// To the first of these that is there.
    Link(Vec<String>),
}

impl TarIndex {
    /// Walks over the headers of the file, or of what a compressed one holds.
    ///
    /// # Errors
    /// [`StoreError::BrokenSource`] if it is not a tar file or one that is refused,
    /// [`ContentError::Truncated`] if it ends within the data of an entry.
    pub(crate) fn open(path: &Path, unpacking: &Unpacking<'_>) -> Result<Self, StoreError> {
        let (file, length) = plain_file(path, unpacking)?;
        Self::read(file, length, path.display().to_string())
    }

    /// As [`TarIndex::open`], of a file of this length; `what` is for messages.
    pub(super) fn read(file: File, length: u64, what: String) -> Result<Self, StoreError> {
        let file = Arc::new(file);
        let entries = entries(&file, length, &what)?;
        Ok(Self {
            file,
            what,
            entries,
        })
    }

    /// The names of all files and links.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// A reader of the file `name`; links within the archive are followed.
    pub(crate) fn section(&self, name: &str) -> Result<Option<Section>, StoreError> {
        let mut name = normalize(name);
        for _ in 0..MAX_LINKS {
            match name.as_ref().and_then(|name| self.entries.get(name)) {
                None => return Ok(None),
                Some(Entry::File { offset, size }) => {
                    let file = Arc::clone(&self.file);
                    return Ok(Some(Section {
                        file,
                        start: *offset,
                        at: *offset,
                        end: offset + size,
                    }));
                }
                Some(Entry::Link(targets)) => {
                    let is_there = |target: &&String| self.entries.contains_key(*target);
                    name = targets.iter().find(is_there).cloned();
                }
            }
        }
        Err(broken(&self.what, "too many links in a row"))
    }
}

impl LayoutFiles for TarIndex {
    fn open(&self, name: &str) -> Result<Option<OpenFile>, StoreError> {
        Ok(self.section(name)?.map(|section| {
            let size = section.len();
            OpenFile {
                reader: Box::new(section),
                size,
            }
        }))
    }

    fn what(&self) -> &str {
        &self.what
    }
}

/// One file within the archive, readable and seekable without a copy.
#[derive(Clone)]
pub(crate) struct Section {
    file: Arc<File>,
    start: u64,
    at: u64,
    end: u64,
}

impl Section {
    /// Bytes of the file.
    pub(crate) fn len(&self) -> u64 {
        self.end - self.start
    }
}

impl Read for Section {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let wanted = buf.len().min(left);
        let Some(buf) = buf.get_mut(..wanted).filter(|buf| !buf.is_empty()) else {
            return Ok(0);
        };
        match self.file.read_at(buf, self.at)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                self.at += count as u64;
                Ok(count)
            }
        }
    }
}

impl Seek for Section {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => self.start.checked_add(offset),
            SeekFrom::End(offset) => self.end.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        match target.filter(|target| *target >= self.start) {
            Some(target) => {
                self.at = target;
                Ok(target - self.start)
            }
            None => Err(io::ErrorKind::InvalidInput.into()),
        }
    }
}

/// What the headers of a file of this length tell.
fn entries(
    file: &Arc<File>,
    length: u64,
    what: &str,
) -> Result<HashMap<String, Entry>, StoreError> {
    // Nothing is unpacked and nothing inflated: only what is kept here is bounded.
    let limits = Limits {
        entries: MAX_ENTRIES,
        expanded: u64::MAX,
        file: u64::MAX,
        ..Limits::default()
    };
    let section = Section {
        file: Arc::clone(file),
        start: 0,
        at: 0,
        end: length,
    };
    let input = BufReader::with_capacity(READ_AHEAD, section);
    let mut walk = Walk::new(input, what, &limits);
    let mut entries = HashMap::new();
    let in_archive = |error| of_archive(error, what);
    while let Some(member) = walk.next_member().map_err(in_archive)? {
        let data = walk.pass_data().map_err(in_archive)?;
        if data.end > length {
            return Err(StoreError::Content(ContentError::Truncated {
                what: what.to_owned(),
            }));
        }
        if member.segments.is_some() {
            return Err(broken(what, "sparse file"));
        }
        let Ok(name) = std::str::from_utf8(member.path.as_bytes()) else {
            continue;
        };
        let entry = match member.kind {
            Kind::File => Some(Entry::File {
                offset: data.start,
                size: data.end - data.start,
            }),
            // Some that write archives, and podman, mean them from the root of the archive.
            Kind::Symlink => link(&[name, ""], &member.target),
            Kind::HardLink => link(&[""], linked(&member)),
            Kind::Folder | Kind::Fifo | Kind::Device(_) => None,
        };
        if let Some(entry) = entry
            && entries.insert(name.to_owned(), entry).is_some()
        {
            return Err(broken(what, &format!("two files of the name {name:?}")));
        }
    }
    match walk.entries() {
        0 => Err(broken(what, "it is an empty archive")),
        _ => Ok(entries),
    }
}

/// The path that a hard link is to.
fn linked(member: &Member) -> &[u8] {
    member
        .linked
        .as_ref()
        .map_or(b"", |linked| linked.as_bytes())
}

/// A link to somewhere within the archive.
fn link(from: &[&str], to: &[u8]) -> Option<Entry> {
    let to = std::str::from_utf8(to).ok()?;
    let targets: Vec<String> = from
        .iter()
        .filter_map(|from| link_target(from, to))
        .collect();
    (!targets.is_empty()).then_some(Entry::Link(targets))
}

/// What the walk says of a layer, said of an archive.
pub(super) fn of_archive(error: ContentError, what: &str) -> StoreError {
    match error {
        ContentError::CorruptLayer { reason, .. } => broken(
            what,
            &format!("it is not a tar file, or a corrupt one: {reason}"),
        ),
        ContentError::UnsafeEntry { entry, reason, .. } => {
            broken(what, &format!("entry {entry:?}: {reason}"))
        }
        ContentError::LayerLimit {
            limit: LayerLimit::Entries,
            value,
            ..
        } => StoreError::Content(ContentError::LimitExceeded {
            what: what.to_owned(),
            limit: format!("{value} entries"),
        }),
        ContentError::LayerLimit { limit, value, .. } => {
            broken(what, &format!("{} over {value}", limit.subject()))
        }
        other => other.into(),
    }
}

fn broken(what: &str, reason: &str) -> StoreError {
    StoreError::BrokenSource {
        origin: what.to_owned(),
        reason: reason.to_owned(),
    }
}

/// `./a//b` as `a/b`; `None` for names that no image archive has: absolute, with `..`, too long.
fn normalize(name: &str) -> Option<String> {
    link_target("", name).filter(|name| !name.is_empty())
}

/// Where a link leads, seen from the root of the archive; `None` if that is outside.
fn link_target(from: &str, link: &str) -> Option<String> {
    if link.len() > MAX_NAME {
        return None;
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for component in Path::new(link).components() {
        match component {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::CurDir => {}
            Component::ParentDir => {
                parts.pop()?;
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
#[path = "tar_index_tests.rs"]
mod tests;
