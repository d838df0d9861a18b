//! Comparing a tree entry by entry with what it should be.

use std::cmp::Ordering;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use image_name::Digest;
use rustix::fs::fstat;

use super::content::{Content, content};
use super::expected::{Expected, FromSeal, FromTree};
use super::facts::{FOLDER_TIMES, Facts, REPLACED};
use super::file::{CONTENTS, Input, SEAL};
use super::record::Record;
use super::tree_walk::{TreeWalk, open_root, order};
use crate::error::ContentError;
use crate::layer::Layer;
use crate::worker;

/// Changes of one layer that are told; those beyond are counted.
const TOLD: usize = 100;
/// Changes that the error of a start names.
const NAMED: usize = 3;
/// Files that wait to be read.
const QUEUE: usize = 256;

/// What is not as it should be in a layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Paths below the root of the layer, and what is wrong with them.
    pub told: Vec<(String, String)>,
    /// How many more there are.
    pub more: u64,
}

impl Changes {
    /// Whether all is as it should be.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    pub(super) fn into_result(self, diff_id: &Digest) -> Result<(), ContentError> {
        if self.is_empty() {
            return Ok(());
        }
        let all = self.told.len() as u64 + self.more;
        let named = self.told.iter().take(NAMED);
        let named: Vec<_> = named.map(|(path, what)| format!("{path} {what}")).collect();
        Err(ContentError::LayerChanged {
            diff_id: diff_id.clone(),
            more: all - named.len() as u64,
            change: named.join("; "),
        })
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
        // Some more than are told: those of directories may turn out to be explained by others.
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
        // What came, went or was replaced in a directory says more than that something did.
        let parents: std::collections::HashSet<Vec<u8>> = self
            .changes
            .iter()
            .filter(|change| {
                change.what == ADDED || change.what == REMOVED || change.what.starts_with(REPLACED)
            })
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
        path => crate::shown::shown(path),
    }
}

/// Compares a layer with its seal, in contents too with so many threads.
///
/// # Errors
/// [`ContentError::Unsealed`] if the seal is damaged, or that of another tree, such as before a copy.
pub fn against_seal(
    layer: &Layer,
    folder: &Path,
    threads: Option<usize>,
) -> Result<Changes, ContentError> {
    let seal = Input::open(folder, SEAL, &layer.diff_id)?;
    let contents = match threads {
        Some(_) => Some(Input::open(folder, CONTENTS, &layer.diff_id)?),
        None => None,
    };
    let root = open_root(&layer.path)?;
    let mut sealed = FromSeal::new(&seal, contents.as_ref());
    if let Some(facts) = sealed.next()? {
        let now = fstat(&root).map_err(|e| ContentError::io("cannot look at", &layer.path, e))?;
        if facts.ino != now.st_ino {
            return Err(ContentError::Unsealed {
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
pub fn against_tree(
    root: &Path,
    expected: &Path,
    record: &Record,
    threads: usize,
) -> Result<Changes, ContentError> {
    let (open, open_expected) = (open_root(root)?, open_root(expected)?);
    let mut wanted = FromTree::new(TreeWalk::new(&open_expected, expected), expected, record);
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
) -> Result<Changes, ContentError> {
    let collector = Mutex::new(Collector::default());
    let root = walk.root();
    thread::scope(|scope| {
        let (tasks, queue) = sync_channel(QUEUE);
        let queue = std::sync::Arc::new(Mutex::new(queue));
        let mut workers = Vec::new();
        for _ in 0..threads.unwrap_or_default() {
            let (queue, collector) = (std::sync::Arc::clone(&queue), &collector);
            let spawned = thread::Builder::new()
                .name("seal-content".to_owned())
                .spawn_scoped(scope, move || work(root, &queue, collector));
            match spawned {
                Ok(worker) => workers.push(worker),
                // One is enough, none is not.
                Err(_) if !workers.is_empty() => break,
                Err(error) => {
                    let what = Path::new("the comparison of a layer");
                    return Err(ContentError::io("cannot start a thread for", what, error));
                }
            }
        }
        // The workers alone keep the queue: should they all end, nobody waits for them.
        drop(queue);
        let merged = merge(&mut walk, expected, &tasks, &collector, !workers.is_empty());
        drop(tasks);
        let ends = workers.into_iter().map(|worker| {
            let end = worker.join().map(Ok);
            worker::outcome(end, "the comparison of a layer")
        });
        // A worker that failed is the reason, where nobody takes tasks any more.
        ends.collect::<Result<(), _>>().and(merged)
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
) -> Result<(), ContentError> {
    let mut place = 0;
    // What is in a directory that was added or removed as a whole is not told one by one.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::sha256;

    #[test]
    fn the_first_changes_are_named_and_the_others_counted() {
        let told = |told: usize, more: u64| {
            let told = (0..told).map(|n| (format!("f{n}"), "was removed".to_owned()));
            let told = told.collect();
            let result = Changes { told, more }.into_result(&sha256(b"layer"));
            result.map_err(|error| error.to_string())
        };
        assert_eq!(told(0, 0), Ok(()));
        let begin = format!(
            "layer {} was changed since it was unpacked: f0 was removed",
            sha256(b"layer")
        );
        assert_eq!(told(1, 0), Err(begin.clone()));
        let three = format!("{begin}; f1 was removed; f2 was removed");
        for (told, end) in [
            (told(3, 0), ""),
            (told(4, 0), " (and one more change)"),
            (told(3, 2), " (and 2 more changes)"),
            (told(5, 4), " (and 6 more changes)"),
        ] {
            assert_eq!(told, Err(format!("{three}{end}")));
        }
    }

    #[test]
    fn so_many_changes_are_told_in_order_and_those_beyond_are_counted() {
        let of = |count: u64| {
            let mut collector = Collector::default();
            for place in (0..count).rev() {
                collector.add(place, format!("f{place}").as_bytes(), REMOVED);
            }
            let changes = collector.finish();
            (
                changes.told.len(),
                changes.more,
                changes.told.first().cloned(),
            )
        };
        let first = |name: &str| Some((name.to_owned(), REMOVED.to_owned()));
        assert_eq!(of(0), (0, 0, None));
        assert_eq!(of(100), (100, 0, first("f0")));
        assert_eq!(of(101), (100, 1, first("f0")));
        assert_eq!(of(400), (100, 300, first("f0")));
        // What is not kept any more is counted only.
        assert_eq!(of(401), (100, 301, first("f1")));
    }

    #[test]
    fn a_directory_is_told_where_nothing_in_it_explains_the_change() {
        let told = |changes: &[(&str, &str)]| {
            let mut collector = Collector::default();
            for (place, (path, what)) in (0..).zip(changes) {
                collector.add(place, path.as_bytes(), *what);
            }
            let told = collector.finish().told.into_iter();
            told.map(|(path, _)| path).collect::<Vec<_>>()
        };
        assert_eq!(
            told(&[("", FOLDER_TIMES), ("a/b", FOLDER_TIMES)]),
            ["/", "a/b"]
        );
        let replaced = format!("{REPLACED} by another file");
        for what in [ADDED, REMOVED, &replaced] {
            assert_eq!(told(&[("a", FOLDER_TIMES), ("a/b", what)]), ["a/b"]);
            assert_eq!(told(&[("", FOLDER_TIMES), ("b", what)]), ["b"]);
            let elsewhere = told(&[("a", FOLDER_TIMES), ("b/c", what)]);
            assert_eq!(elsewhere, ["a", "b/c"]);
        }
        let other = [("a", FOLDER_TIMES), ("a/b", "has mode 0755, and had 0644")];
        assert_eq!(told(&other), ["a", "a/b"]);
    }
}
