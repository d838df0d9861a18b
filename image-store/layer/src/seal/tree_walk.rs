//! A walk over the tree of a layer, in the order in which its seal is written: a directory, then all
//! below it, names sorted by their bytes.

use std::cmp::Ordering;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, statat};

use super::content;
use super::facts::Facts;
use crate::error::ContentError;
use crate::tree::FOLDER;

/// Walks a tree; holds no more than the names of the directories that it is in.
pub(super) struct TreeWalk<'a> {
    root: &'a OwnedFd,
    at: &'a Path,
    /// Directories that are being walked: the length of their path, and the names that are left, last
    /// first.
    folders: Vec<(usize, Vec<Vec<u8>>)>,
    path: Vec<u8>,
    begun: bool,
}

impl<'a> TreeWalk<'a> {
    /// Walks below `root`, whose path `at` is for messages.
    pub(super) fn new(root: &'a OwnedFd, at: &'a Path) -> Self {
        Self {
            root,
            at,
            folders: Vec::new(),
            path: Vec::new(),
            begun: false,
        }
    }

    /// The path of the entry that was given last, relative to the root.
    pub(super) fn path(&self) -> &[u8] {
        &self.path
    }

    pub(super) fn root(&self) -> BorrowedFd<'a> {
        self.root.as_fd()
    }

    /// The next entry; its path is given by [`TreeWalk::path`].
    pub(super) fn next(&mut self) -> Result<Option<Facts>, ContentError> {
        if !self.begun {
            self.begun = true;
            return self.enter().map(Some);
        }
        loop {
            let Some((length, names)) = self.folders.last_mut() else {
                return Ok(None);
            };
            self.path.truncate(*length);
            let Some(name) = names.pop() else {
                self.folders.pop();
                continue;
            };
            if *length > 0 {
                self.path.push(b'/');
            }
            self.path.extend_from_slice(&name);
            return self.enter().map(Some);
        }
    }

    fn enter(&mut self) -> Result<Facts, ContentError> {
        let failed = |path: &[u8], error: std::io::Error| {
            ContentError::io("cannot look at", &below(self.at, path), error)
        };
        let name: &[u8] = if self.path.is_empty() {
            b"."
        } else {
            &self.path
        };
        let stat = statat(self.root, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|error| failed(&self.path, error.into()))?;
        let facts = Facts::of(&stat);
        if facts.kind() == FileType::Directory {
            let names =
                names(self.root.as_fd(), &self.path).map_err(|error| failed(&self.path, error))?;
            self.folders.push((self.path.len(), names));
        }
        Ok(facts)
    }
}

/// The names in a directory, those that come first last.
fn names(root: BorrowedFd<'_>, path: &[u8]) -> std::io::Result<Vec<Vec<u8>>> {
    let folder = content::open(root, path, OFlags::DIRECTORY)?;
    let mut names = Vec::new();
    for entry in Dir::new(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if !matches!(name, b"." | b"..") {
            names.push(name.to_vec());
        }
    }
    names.sort_unstable_by(|one, other| other.cmp(one));
    Ok(names)
}

/// The order of the walk: as of the bytes, a slash before all others.
pub(super) fn order(one: &[u8], other: &[u8]) -> Ordering {
    let key = |byte: &u8| if *byte == b'/' { 0 } else { *byte };
    one.iter().map(key).cmp(other.iter().map(key))
}

/// A path in a layer, for messages.
pub(super) fn below(root: &Path, path: &[u8]) -> PathBuf {
    root.join(OsStr::from_bytes(path))
}

/// Opens the root of a layer.
pub(super) fn open_root(at: &Path) -> Result<OwnedFd, ContentError> {
    rustix::fs::open(at, FOLDER, Mode::empty())
        .map_err(|error| ContentError::io("cannot open", at, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_comes_before_what_is_in_it_and_that_before_its_neighbours() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        std::fs::create_dir(root.join("z")).unwrap();
        for name in ["a/b/c", "a/x", "a!", "a.", "b", "z/1"] {
            std::fs::write(root.join(name), "").unwrap();
        }
        let open = open_root(root).unwrap();
        let mut walk = TreeWalk::new(&open, root);
        let mut paths = Vec::new();
        while let Some(facts) = walk.next().unwrap() {
            let path = String::from_utf8(walk.path().to_vec()).unwrap();
            let is_directory = facts.kind() == FileType::Directory;
            assert_eq!(root.join(&path).is_dir(), is_directory, "{path}");
            paths.push(path);
        }
        let expected = ["", "a", "a/b", "a/b/c", "a/x", "a!", "a.", "b", "z", "z/1"];
        assert_eq!(paths, expected);
        // That is the order by which a tree and its seal are compared.
        let in_order = |pair: &[String]| order(pair[0].as_bytes(), pair[1].as_bytes());
        assert!(
            paths
                .windows(2)
                .all(|pair| in_order(pair) == Ordering::Less)
        );
        assert_eq!(order(b"a/b", b"a/b"), Ordering::Equal);
    }

    #[test]
    fn a_root_that_is_no_directory_or_a_link_to_one_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("real")).unwrap();
        std::fs::write(at("file"), "").unwrap();
        std::os::unix::fs::symlink("real", at("link")).unwrap();
        open_root(&at("real")).unwrap();
        for name in ["file", "link", "missing"] {
            let error = open_root(&at(name)).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
