//! Entries of a seal within one block: paths by what they share with the one before, and facts.

use super::facts::{Facts, SIZE};

/// Bytes of a block on disk. Blocks can be read and checked one by one, in any order.
pub(super) const BLOCK: usize = 64 << 10;
/// Bytes ahead of a block's payload: its checksum and the payload's length.
pub(super) const HEAD: usize = 36;
/// Bytes of an entry beside its path.
const FIXED: usize = 4 + SIZE;
/// Longest path that the kernel takes, without its NUL.
const MAX_PATH: usize = 4095;

/// Writes the entries of one block.
#[derive(Default)]
pub(super) struct Writer {
    payload: Vec<u8>,
    before: Vec<u8>,
    entries: usize,
}

impl Writer {
    /// Adds an entry; gives `false`, and adds nothing, where the block is full.
    pub(super) fn add(&mut self, path: &[u8], facts: &Facts) -> bool {
        let shared = if self.entries == 0 {
            0
        } else {
            shared(&self.before, path)
        };
        let rest = path.get(shared..).unwrap_or_default();
        if self.payload.len() + FIXED + rest.len() > BLOCK - HEAD {
            return false;
        }
        let length = |length: usize| u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes();
        self.payload.extend_from_slice(&length(shared));
        self.payload.extend_from_slice(&length(rest.len()));
        self.payload.extend_from_slice(rest);
        self.payload.extend_from_slice(&facts.to_bytes());
        self.before.clear();
        self.before.extend_from_slice(path);
        self.entries += 1;
        true
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// The payload; the writer is ready for the next block.
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.entries = 0;
        std::mem::take(&mut self.payload)
    }
}

/// Bytes of the directories that two paths share, with the slash at their end.
fn shared(one: &[u8], other: &[u8]) -> usize {
    let equal = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    one.get(..equal)
        .and_then(|both| both.iter().rposition(|byte| *byte == b'/'))
        .map_or(0, |slash| slash + 1)
}

/// Reads the entries of one block, one after the other, without allocating for each.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    /// The current path with a NUL at its end.
    path: Vec<u8>,
}

/// What is wrong with a block.
pub(super) const BROKEN: &str = "an entry of the seal can't be understood";

impl<'a> Reader<'a> {
    pub(super) fn new(payload: &'a [u8]) -> Self {
        Self {
            rest: payload,
            path: Vec::with_capacity(256),
        }
    }

    /// The next entry; its path is given by [`Reader::path`]. `None` at the end.
    ///
    /// # Errors
    /// A reason, for what no writer makes.
    pub(super) fn next(&mut self) -> Result<Option<&'a [u8; SIZE]>, &'static str> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let mut length = || -> Result<usize, &'static str> {
            let (length, rest) = self.rest.split_first_chunk().ok_or(BROKEN)?;
            self.rest = rest;
            Ok(usize::from(u16::from_le_bytes(*length)))
        };
        let (shared, fresh) = (length()?, length()?);
        // The NUL of the path before goes, whatever is shared.
        self.path.pop();
        let ends_folder = |at: usize| self.path.get(at) == Some(&b'/');
        if shared > 0 && !ends_folder(shared - 1) {
            return Err(BROKEN);
        }
        self.path.truncate(shared);
        let (name, rest) = self.rest.split_at_checked(fresh).ok_or(BROKEN)?;
        let (facts, rest) = rest.split_first_chunk().ok_or(BROKEN)?;
        self.rest = rest;
        self.path.extend_from_slice(name);
        // The root alone has no name. A path leads nowhere but down.
        let names = || name.split(|byte| *byte == b'/');
        let is_root = self.path.is_empty();
        if self.path.len() > MAX_PATH
            || name.contains(&0)
            || (!is_root && names().any(|name| matches!(name, b"" | b"." | b"..")))
        {
            return Err(BROKEN);
        }
        self.path.push(0);
        Ok(Some(facts))
    }

    /// The path of the entry that was read last, relative to the root, with a NUL; the root's is
    /// empty.
    pub(super) fn path(&self) -> &[u8] {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts::from_bytes(&[7; SIZE])
    }

    fn paths(payload: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
        let mut reader = Reader::new(payload);
        let mut paths = Vec::new();
        while let Some(found) = reader.next()? {
            assert_eq!(Facts::from_bytes(found), facts());
            paths.push(reader.path().strip_suffix(&[0]).unwrap().to_vec());
        }
        Ok(paths)
    }

    #[test]
    fn paths_are_read_as_they_were_written() {
        let written: Vec<&[u8]> = vec![
            b"",
            b"usr",
            b"usr/bin",
            b"usr/bin/a",
            b"usr/bin/ab",
            b"usr/lib",
            b"var\xff",
        ];
        let mut writer = Writer::default();
        for path in &written {
            assert!(writer.add(path, &facts()));
        }
        assert_eq!(paths(&writer.take()).unwrap(), written);
    }

    #[test]
    fn a_full_block_takes_no_more_and_the_next_begins_anew() {
        let mut writer = Writer::default();
        let path = |n: u32| format!("folder/{n}").into_bytes();
        let mut count = 0;
        while writer.add(&path(count), &facts()) {
            count += 1;
        }
        let first = writer.take();
        assert!(first.len() + HEAD <= BLOCK && first.len() + HEAD + 100 > BLOCK);
        assert_eq!(paths(&first).unwrap().len(), count as usize);
        assert!(writer.add(&path(count), &facts()));
        assert_eq!(paths(&writer.take()).unwrap(), [path(count)]);
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        for bad in [
            &b".."[..],
            b"a/../b",
            b"/etc",
            b"a//b",
            b"a/",
            b".",
            b"a\0b",
        ] {
            let mut writer = Writer::default();
            assert!(writer.add(b"a", &facts()) && writer.add(bad, &facts()));
            assert!(
                paths(&writer.take()).is_err(),
                "{}",
                String::from_utf8_lossy(bad)
            );
        }
    }

    #[test]
    fn no_damage_makes_it_panic() {
        let mut writer = Writer::default();
        for path in [&b""[..], b"a", b"a/b", b"a/c/d"] {
            assert!(writer.add(path, &facts()));
        }
        let good = writer.take();
        for at in 0..good.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bad = good.clone();
                bad[at] = value;
                let mut reader = Reader::new(&bad);
                while let Ok(Some(_)) = reader.next() {}
                let mut short = Reader::new(&good[..at]);
                while let Ok(Some(_)) = short.next() {}
            }
        }
    }

    #[test]
    fn what_paths_share_is_whole_directories() {
        for (one, other, length) in [
            (&b"usr/bin/a"[..], &b"usr/bin/b"[..], 8),
            (b"usr/bin", b"usr/bit", 4),
            (b"usr/bin", b"usr/bin/a", 4),
            (b"a/b", b"a/b", 2),
            (b"abc", b"abd", 0),
            (b"", b"a", 0),
        ] {
            assert_eq!(shared(one, other), length);
        }
    }

    #[test]
    fn a_block_is_filled_to_its_last_byte() {
        let room = BLOCK - HEAD;
        let mut path = vec![b'x'; room - FIXED];
        assert!(Writer::default().add(&path, &facts()));
        path.push(b'x');
        let mut writer = Writer::default();
        assert!(!writer.add(&path, &facts()) && writer.is_empty());
        // Two that fit exactly, and two of a byte more.
        let half = (room - 2 * FIXED) / 2;
        let (one, other) = (vec![b'a'; half], vec![b'b'; room - 2 * FIXED - half]);
        let mut writer = Writer::default();
        assert!(writer.add(&one, &facts()) && writer.add(&other, &facts()));
        assert!(!writer.is_empty());
        assert_eq!(writer.take().len(), room);
        assert!(writer.is_empty());
        let longer = [&other[..], b"b"].concat();
        assert!(writer.add(&one, &facts()) && !writer.add(&longer, &facts()));
    }

    #[test]
    fn the_longest_path_is_read_and_no_longer_one() {
        // Each of its names is short enough for a directory.
        let path = |length: usize| {
            let mut path = b"x/".repeat(length / 2);
            path.truncate(length - 1);
            path.push(b'x');
            path
        };
        let read = |length| {
            let mut writer = Writer::default();
            assert!(writer.add(&path(length), &facts()));
            paths(&writer.take())
        };
        assert_eq!(read(MAX_PATH).unwrap(), [path(MAX_PATH)]);
        assert_eq!(read(MAX_PATH + 2), Err(BROKEN));
    }

    #[test]
    fn an_entry_shares_no_more_than_directories_of_the_one_before() {
        let entry = |shared: u16, rest: &[u8]| {
            let length = u16::try_from(rest.len()).unwrap();
            let lengths = [shared.to_le_bytes(), length.to_le_bytes()].concat();
            [&lengths[..], rest, &facts().to_bytes()].concat()
        };
        let of = |shared, rest: &[u8]| paths(&[entry(0, b"a/bc/d"), entry(shared, rest)].concat());
        assert_eq!(of(2, b"x").unwrap()[1], b"a/x");
        assert_eq!(of(5, b"x").unwrap()[1], b"a/bc/x");
        assert_eq!(of(0, b"x").unwrap()[1], b"x");
        for shared in [1, 3, 4, 6, 7, 8, 500] {
            assert_eq!(of(shared, b"x"), Err(BROKEN), "{shared}");
        }
        assert_eq!(paths(&entry(1, b"x")), Err(BROKEN));
    }
}
