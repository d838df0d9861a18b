//! The content of a directory: names in order, block by block.

use crate::error::ErofsError;
use crate::format::{BLOCK, Kind};

/// Bytes of what comes before the names of a block, for each name.
const HEAD: usize = 12;
/// Bytes of a name, at most.
const NAME_MAX: usize = 255;

/// A name in a directory.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: Box<[u8]>,
    pub(crate) inode: u64,
    pub(crate) kind: Kind,
}

/// The content of a directory.
#[derive(Debug)]
pub(crate) struct Content {
    /// All blocks but the last one are whole.
    pub(crate) bytes: Vec<u8>,
    /// Where its own number stands.
    pub(crate) own: usize,
    /// Where the number of the directory above stands.
    pub(crate) parent: usize,
}

/// Refuses what can't be the name of a file.
pub(crate) fn check_name(name: &[u8]) -> Result<(), ErofsError> {
    let why = match name {
        [] => "it is empty",
        b"." | b".." => "it stands for a directory",
        _ if name.len() > NAME_MAX => "it is longer than 255 bytes",
        _ if name.iter().any(|byte| matches!(byte, b'/' | 0)) => "it has a slash or a NUL in it",
        _ => return Ok(()),
    };
    Err(refused(name, why))
}

fn refused(name: &[u8], why: &'static str) -> ErofsError {
    let name = String::from_utf8_lossy(name).into_owned();
    ErofsError::Name { name, why }
}

/// Writes a directory with this number, which stands for that of the directory above, too.
pub(crate) fn encode(own: u64, mut entries: Vec<Entry>) -> Result<Content, ErofsError> {
    for name in [b".".as_slice(), b".."] {
        entries.push(Entry {
            name: name.into(),
            inode: own,
            kind: Kind::Directory,
        });
    }
    entries.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    let mut pairs = entries.iter().zip(entries.iter().skip(1));
    if let Some((twice, _)) = pairs.find(|(one, other)| one.name == other.name) {
        return Err(refused(
            &twice.name,
            "another one in its directory is called so",
        ));
    }
    let mut content = Content {
        bytes: Vec::new(),
        own: 0,
        parent: 0,
    };
    let mut rest = entries.as_slice();
    while !rest.is_empty() {
        let mut used = 0;
        let fitting = rest.iter().take_while(|entry| {
            used += HEAD + entry.name.len();
            used <= BLOCK
        });
        let count = fitting.count();
        let (block, others) = rest.split_at(count);
        content.block(block);
        rest = others;
    }
    Ok(content)
}

impl Content {
    fn block(&mut self, entries: &[Entry]) {
        let begin = self.bytes.len().next_multiple_of(BLOCK);
        self.bytes.resize(begin, 0);
        let mut name_at = HEAD * entries.len();
        for entry in entries {
            match &*entry.name {
                b"." => self.own = self.bytes.len(),
                b".." => self.parent = self.bytes.len(),
                _ => {}
            }
            self.bytes.extend(entry.inode.to_le_bytes());
            // Within a block of 4 KiB.
            self.bytes.extend((name_at as u16).to_le_bytes());
            self.bytes.extend([entry.kind as u8, 0]);
            name_at += entry.name.len();
        }
        for entry in entries {
            self.bytes.extend_from_slice(&entry.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_not_be_a_name_is_refused_with_the_reason() {
        let long = [b'x'; 256];
        for (name, why) in [
            (b"".as_slice(), "empty"),
            (b".", "stands for a directory"),
            (b"..", "stands for a directory"),
            (b"a/b", "slash"),
            (b"a\0", "NUL"),
            (&long, "longer"),
        ] {
            let error = check_name(name).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        check_name(&long[..255]).unwrap();
        let entry = || Entry {
            name: (*b"same").into(),
            inode: 1,
            kind: Kind::Fifo,
        };
        let error = encode(7, vec![entry(), entry()]).unwrap_err().to_string();
        assert!(error.contains("\"same\""), "{error}");
    }

    #[test]
    fn names_are_in_the_order_of_their_bytes_and_no_block_is_overfull() {
        let names = (0..1000).map(|number: u32| Entry {
            name: format!("{}{number}", "n".repeat(200)).into_bytes().into(),
            inode: u64::from(number),
            kind: Kind::Regular,
        });
        let before = Entry {
            name: (*b"-").into(),
            inode: 9,
            kind: Kind::Regular,
        };
        let content = encode(7, names.chain([before]).collect()).unwrap();
        assert_eq!(content.bytes.len().div_ceil(BLOCK), 53);
        // `-`, `.`, `..`
        assert_eq!(content.bytes[..8], 9_u64.to_le_bytes());
        assert_eq!((content.own, content.parent), (HEAD, 2 * HEAD));
        assert_eq!(content.bytes[content.parent..][..8], 7_u64.to_le_bytes());
    }
}
