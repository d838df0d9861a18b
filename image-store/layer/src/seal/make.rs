//! Making the seal of a tree.

use std::os::fd::AsFd;
use std::path::Path;

use image_name::Digest;

use super::block::Writer;
use super::content::content;
use super::file::{CONTENTS, Output, SEAL};
use super::record::Record;
use super::tree_walk::{TreeWalk, below, open_root};
use crate::error::ContentError;
use crate::regular_file::open_regular;

/// Seals the layer in `folder`, which was just unpacked to `fs` there. What `record` knows of contents
/// is not read again. Nothing of the tree may be touched after. Gives the bytes of the seal.
pub fn seal(
    folder: &Path,
    diff_id: &Digest,
    opaque: bool,
    record: &Record,
) -> Result<u64, ContentError> {
    let contents = Output::create(folder, CONTENTS, diff_id)?;
    write(
        &folder.join("fs"),
        folder,
        diff_id,
        opaque,
        Some((contents, record)),
    )
}

/// Writes a new seal of the tree `root` into `folder`, without its contents, which the caller has
/// from elsewhere. They are to be compared only after this: what changes from here on is found.
pub fn remake(
    root: &Path,
    folder: &Path,
    diff_id: &Digest,
    opaque: bool,
) -> Result<(), ContentError> {
    write(root, folder, diff_id, opaque, None).map(drop)
}

fn write(
    root: &Path,
    folder: &Path,
    diff_id: &Digest,
    opaque: bool,
    contents: Option<(Output, &Record)>,
) -> Result<u64, ContentError> {
    let open = open_root(root)?;
    let mut walk = TreeWalk::new(&open, root);
    let mut sealer = Sealer {
        seal: Output::create(folder, SEAL, diff_id)?,
        contents,
        block: Writer::default(),
        records: Vec::new(),
        entries: 0,
    };
    while let Some(facts) = walk.next()? {
        let path = walk.path();
        if !sealer.block.add(path, &facts) {
            sealer.flush()?;
            if !sealer.block.add(path, &facts) {
                return Err(ContentError::LimitExceeded {
                    what: format!("path {}", below(root, path).display()),
                    limit: "one block of a seal".to_owned(),
                });
            }
        }
        if let Some((_, record)) = &sealer.contents {
            let known = record.sum(facts.ino);
            let content = content(open.as_fd(), path, &facts, known, None)
                .map_err(|error| ContentError::io("cannot read", &below(root, path), error))?;
            sealer.records.extend_from_slice(&content.to_bytes());
        }
        sealer.entries += 1;
    }
    sealer.finish(opaque)
}

struct Sealer<'a> {
    seal: Output,
    contents: Option<(Output, &'a Record)>,
    block: Writer,
    records: Vec<u8>,
    entries: u64,
}

impl Sealer<'_> {
    fn flush(&mut self) -> Result<(), ContentError> {
        if self.block.is_empty() {
            return Ok(());
        }
        self.seal.block(&self.block.take())?;
        if let Some((contents, _)) = &mut self.contents {
            contents.block(&self.records)?;
            self.records.clear();
        }
        Ok(())
    }

    fn finish(mut self, opaque: bool) -> Result<u64, ContentError> {
        self.flush()?;
        let contents = match self.contents {
            Some((contents, _)) => contents.finish(self.entries, opaque)?,
            None => 0,
        };
        Ok(contents + self.seal.finish(self.entries, opaque)?)
    }
}

/// Whether two files of seals are the same.
pub fn same_file(one: &Path, other: &Path) -> Result<bool, ContentError> {
    use std::io::{BufRead, BufReader};
    let open = |path: &Path| match open_regular(path) {
        Ok(file) => Ok(file.map(|(file, _)| BufReader::with_capacity(1 << 16, file))),
        Err(ContentError::NotRegular { .. }) => Ok(None),
        Err(error) => Err(error),
    };
    let (Some(mut left), Some(mut right)) = (open(one)?, open(other)?) else {
        return Ok(false);
    };
    loop {
        let a = left
            .fill_buf()
            .map_err(|e| ContentError::io("cannot read", one, e))?;
        let b = right
            .fill_buf()
            .map_err(|e| ContentError::io("cannot read", other, e))?;
        let common = a.len().min(b.len());
        if common == 0 {
            return Ok(a.is_empty() && b.is_empty());
        }
        if a.get(..common) != b.get(..common) {
            return Ok(false);
        }
        left.consume(common);
        right.consume(common);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_the_same_where_all_bytes_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let long = vec![7; 200_000];
        let mut other = long.clone();
        other[199_999] = 8;
        for (name, bytes) in [
            ("empty", &[][..]),
            ("short", b"x"),
            ("long", &long),
            ("copy", &long),
            ("other", &other),
            ("longer", &[&long[..], b"x"].concat()),
        ] {
            std::fs::write(path(name), bytes).unwrap();
        }
        let same = |one: &str, two: &str| same_file(&path(one), &path(two)).unwrap();
        assert!(same("long", "copy") && same("empty", "empty") && same("short", "short"));
        for (one, two) in [
            ("long", "other"),
            ("long", "longer"),
            ("empty", "short"),
            ("long", "missing"),
            ("missing", "missing"),
        ] {
            assert!(!same(one, two) && !same(two, one), "{one} {two}");
        }
        assert!(!same("long/x", "long") && !same("long", "."));
        let name = "x".repeat(300);
        let error = same_file(&path(&name), &path("long")).unwrap_err();
        assert!(error.to_string().contains(&name), "{error}");
    }

    #[test]
    fn the_bytes_of_a_seal_are_those_of_its_files() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("fs");
        std::fs::create_dir(&root).unwrap();
        let diff_id = crate::digest::sha256(b"layer");
        // More than one block has room for.
        for number in 0..1500 {
            std::fs::write(root.join(number.to_string()), "x").unwrap();
        }
        let bytes = seal(folder.path(), &diff_id, false, &Record::default()).unwrap();
        let length = |name| folder.path().join(name).metadata().unwrap().len();
        assert_eq!(bytes, length(SEAL) + length(CONTENTS));
        assert!(length(SEAL) > 64 << 10 && length(CONTENTS) > 64 << 10);
        // The same tree gives the same seal, which a new one may not overwrite.
        let again = folder.path().join("again");
        std::fs::create_dir(&again).unwrap();
        remake(&root, &again, &diff_id, false).unwrap();
        let same = same_file(&again.join(SEAL), &folder.path().join(SEAL));
        assert!(same.unwrap() && !again.join(CONTENTS).exists());
        let error = remake(&root, &again, &diff_id, false).unwrap_err();
        assert!(error.to_string().contains("again/seal"), "{error}");
    }
}
