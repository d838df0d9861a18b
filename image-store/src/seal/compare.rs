//! Comparing trees entry by entry: with a seal, or with what the layer's blob makes.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use oci_spec::image::Digest;
use rustix::fs::{FileType, fstat};

use super::block::Reader;
use super::content::{Content, RECORD, content};
use super::facts::{FOLDER_TIMES, Facts};
use super::file::{CONTENTS, Input, SEAL};
use super::record::Record;
use super::tree_walk::{TreeWalk, below, open_root, order};
use crate::error::StoreError;
use crate::store::Layer;

/// Changes of one layer that are told; those beyond are counted.
const TOLD: usize = 100;
/// Files that wait to be read.
const QUEUE: usize = 256;

/// What is not as it should be in a layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// Paths below the root of the layer, and what is wrong with them.
    pub(crate) told: Vec<(String, String)>,
    /// How many more there are.
    pub(crate) more: u64,
}

impl Changes {
    pub(crate) fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    pub(super) fn into_result(self, diff_id: &Digest) -> Result<(), StoreError> {
        let count = self.told.len() as u64 + self.more;
        match self.told.into_iter().next() {
            None => Ok(()),
            Some((path, what)) => Err(StoreError::LayerChanged {
                diff_id: diff_id.clone(),
                change: format!("{path} {what}"),
                more: count - 1,
            }),
        }
    }
}

/// Something that differs, at its place in the walk.
struct Change {
    place: u64,
    path: Vec<u8>,
    what: String,
}

/// Collects changes in bounded memory.
#[derive(Default)]
struct Collector {
    changes: Vec<Change>,
    more: u64,
}

impl Collector {
    fn add(&mut self, place: u64, path: &[u8], what: impl Into<String>) {
        // Some more than are told: those of folders may turn out to be explained by others.
        if self.changes.len() >= 4 * TOLD {
            self.more += 1;
            return;
        }
        self.changes.push(Change {
            place,
            path: path.to_vec(),
            what: what.into(),
        });
    }

    fn finish(mut self) -> Changes {
        // An addition or removal in a folder says more than that there was one.
        let parents: std::collections::HashSet<Vec<u8>> = self
            .changes
            .iter()
            .filter(|change| change.what == ADDED || change.what == REMOVED)
            .map(|change| parent(&change.path).to_vec())
            .collect();
        self.changes
            .retain(|change| change.what != FOLDER_TIMES || !parents.contains(&change.path));
        self.changes.sort_by_key(|change| change.place);
        let more = self.more + self.changes.len().saturating_sub(TOLD) as u64;
        self.changes.truncate(TOLD);
        let told = self
            .changes
            .into_iter()
            .map(|change| (shown(&change.path), change.what));
        Changes {
            told: told.collect(),
            more,
        }
    }
}

const ADDED: &str = "was added";
const REMOVED: &str = "was removed";

fn parent(path: &[u8]) -> &[u8] {
    let slash = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    path.get(..slash).unwrap_or_default()
}

/// A path for people: on one line, whatever is in it.
fn shown(path: &[u8]) -> String {
    match path {
        b"" => "/".to_owned(),
        path => crate::layer::shown(path),
    }
}

/// What a tree is compared with: entries in the order of the walk.
trait Expected {
    fn next(&mut self) -> Result<Option<Facts>, StoreError>;
    fn path(&self) -> &[u8];
    /// What the current entry has to hold; `None` if that doesn't matter.
    fn content(&self) -> Result<Option<Content>, StoreError>;
    /// How the current entry differs, content aside.
    fn change(&mut self, expected: &Facts, found: &Facts) -> Option<String>;
}

/// Compares a layer with its seal, in contents too with so many threads.
///
/// # Errors
/// [`StoreError::Unsealed`] if the seal is damaged, or that of another tree, such as before a copy.
pub(crate) fn against_seal(
    layer: &Layer,
    folder: &Path,
    threads: Option<usize>,
) -> Result<Changes, StoreError> {
    let seal = Input::open(folder, SEAL, &layer.diff_id)?;
    let contents = match threads {
        Some(_) => Some(Input::open(folder, CONTENTS, &layer.diff_id)?),
        None => None,
    };
    let root = open_root(&layer.path)?;
    let mut sealed = FromSeal {
        seal: &seal,
        contents: contents.as_ref(),
        next_block: 0,
        entries: Vec::new(),
        current: None,
    };
    if let Some(facts) = sealed.next()? {
        let now = fstat(&root).map_err(|e| StoreError::io("cannot look at", &layer.path, e))?;
        if facts.ino != now.st_ino {
            return Err(StoreError::Unsealed {
                diff_id: layer.diff_id.clone(),
                reason: "its files are not the ones that were sealed, as after a copy or a restore"
                    .to_owned(),
            });
        }
        sealed.begin_again();
    }
    compare(TreeWalk::new(&root, &layer.path), &mut sealed, threads)
}

/// Compares the tree `root` with `expected`, which was just unpacked with this record.
pub(crate) fn against_tree(
    root: &Path,
    expected: &Path,
    record: &Record,
    threads: usize,
) -> Result<Changes, StoreError> {
    let (open, open_expected) = (open_root(root)?, open_root(expected)?);
    let mut wanted = FromTree {
        walk: TreeWalk::new(&open_expected, expected),
        at: expected,
        record,
        facts: None,
        linked: HashMap::new(),
    };
    compare(TreeWalk::new(&open, root), &mut wanted, Some(threads))
}

/// A file whose content is to be compared.
struct Task {
    place: u64,
    path: Vec<u8>,
    found: Facts,
    expected: Content,
}

fn compare(
    mut walk: TreeWalk<'_>,
    expected: &mut dyn Expected,
    threads: Option<usize>,
) -> Result<Changes, StoreError> {
    let collector = Mutex::new(Collector::default());
    let root = walk.root();
    thread::scope(|scope| {
        let (tasks, queue) = sync_channel(QUEUE);
        let queue = std::sync::Arc::new(Mutex::new(queue));
        let mut workers = 0;
        for _ in 0..threads.unwrap_or_default() {
            let (queue, collector) = (std::sync::Arc::clone(&queue), &collector);
            let spawned = thread::Builder::new()
                .name("seal-content".to_owned())
                .spawn_scoped(scope, move || work(root, &queue, collector));
            match spawned {
                Ok(_) => workers += 1,
                // One is enough, none is not.
                Err(_) if workers > 0 => break,
                Err(error) => {
                    let what = Path::new("the comparison of a layer");
                    return Err(StoreError::io("cannot start a thread for", what, error));
                }
            }
        }
        // The workers alone keep the queue: should they all end, nobody waits for them.
        drop(queue);
        merge(&mut walk, expected, &tasks, &collector, workers > 0)
    })?;
    Ok(collector
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
        .finish())
}

/// Goes through both at once; they have the same order.
fn merge(
    walk: &mut TreeWalk<'_>,
    expected: &mut dyn Expected,
    tasks: &SyncSender<Task>,
    collector: &Mutex<Collector>,
    contents: bool,
) -> Result<(), StoreError> {
    let mut place = 0;
    // What is in a folder that was added or removed as a whole is not told one by one.
    let mut whole: Option<Vec<u8>> = None;
    let mut tell = |place: u64, path: &[u8], what: &str| {
        let within = |folder: &Vec<u8>| {
            let rest = path.strip_prefix(folder.as_slice());
            rest.is_some_and(|rest| rest.first() == Some(&b'/'))
        };
        if !whole.as_ref().is_some_and(within) {
            lock(collector).add(place, path, what);
            whole = Some(path.to_vec());
        }
    };
    let (mut wanted, mut found) = (expected.next()?, walk.next()?);
    loop {
        place += 1;
        let order = match (&wanted, &found) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), Some(_)) => order(expected.path(), walk.path()),
        };
        match (order, wanted, found) {
            (Ordering::Less, ..) => {
                tell(place, expected.path(), REMOVED);
                wanted = expected.next()?;
            }
            (Ordering::Equal, Some(was), Some(is)) => {
                if let Some(what) = expected.change(&was, &is) {
                    lock(collector).add(place, walk.path(), what);
                } else if contents && let Some(content) = expected.content()? {
                    let task = Task {
                        place,
                        path: walk.path().to_vec(),
                        found: is,
                        expected: content,
                    };
                    if tasks.send(task).is_err() {
                        lock(collector).add(place, walk.path(), "could not be compared");
                    }
                }
                (wanted, found) = (expected.next()?, walk.next()?);
            }
            _ => {
                tell(place, walk.path(), ADDED);
                found = walk.next()?;
            }
        }
    }
}

fn work(root: BorrowedFd<'_>, queue: &Mutex<Receiver<Task>>, collector: &Mutex<Collector>) {
    loop {
        let task = lock(queue).recv();
        let Ok(task) = task else { return };
        let like = task.expected.data;
        let what = match content(root, &task.path, &task.found, None, like) {
            Ok(now) => task
                .expected
                .change(&now, task.found.kind())
                .map(str::to_owned),
            Err(error) => Some(format!("can't be read: {error}")),
        };
        if let Some(what) = what {
            lock(collector).add(task.place, &task.path, what);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The entries of a seal.
struct FromSeal<'a> {
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

impl FromSeal<'_> {
    fn begin_again(&mut self) {
        self.next_block = 0;
        self.entries.clear();
    }

    fn read_block(&mut self) -> Result<(), StoreError> {
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
    fn next(&mut self) -> Result<Option<Facts>, StoreError> {
        while self.entries.is_empty() && self.next_block < self.seal.blocks {
            self.read_block()?;
        }
        self.current = self.entries.pop();
        Ok(self.current.as_ref().map(|entry| entry.facts))
    }

    fn path(&self) -> &[u8] {
        self.current.as_ref().map_or(&[], |entry| &entry.path)
    }

    fn content(&self) -> Result<Option<Content>, StoreError> {
        Ok(self.current.as_ref().and_then(|entry| entry.content))
    }

    fn change(&mut self, expected: &Facts, found: &Facts) -> Option<String> {
        expected.change(found)
    }
}

/// A tree that was unpacked to be compared with.
struct FromTree<'a> {
    walk: TreeWalk<'a>,
    at: &'a Path,
    record: &'a Record,
    facts: Option<Facts>,
    /// Files of several names: which one stands for which.
    linked: HashMap<u64, u64>,
}

impl Expected for FromTree<'_> {
    fn next(&mut self) -> Result<Option<Facts>, StoreError> {
        self.facts = self.walk.next()?;
        Ok(self.facts)
    }

    fn path(&self) -> &[u8] {
        self.walk.path()
    }

    fn content(&self) -> Result<Option<Content>, StoreError> {
        let Some(facts) = &self.facts else {
            return Ok(None);
        };
        let path = self.walk.path();
        let known = self.record.sum(facts.ino);
        content(self.walk.root(), path, facts, known, None)
            .map(Some)
            .map_err(|error| StoreError::io("cannot read", &below(self.at, path), error))
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
