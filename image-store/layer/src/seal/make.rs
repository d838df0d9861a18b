//! Making the seal of a tree.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;

use image_name::Digest;

use super::block::Writer;
use super::content::content;
use super::file::{CONTENTS, Output, SEAL};
use super::record::Record;
use super::tree_walk::{TreeWalk, below, open_root};
use crate::error::ContentError;

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
    use std::io::{BufRead, BufReader, ErrorKind};
    let open = |path: &Path| match File::open(path) {
        Ok(file) => Ok(Some(BufReader::with_capacity(1 << 16, file))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ContentError::io("cannot open", path, error)),
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
