//! What an app writes, as the entries that logs keep: lines, and parts of those that are too long for one entry.

use std::io::BufRead;

/// Longest entry, in bytes.
pub(super) const ENTRY_MAX: usize = 16 << 10;

/// Whether a line ends with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// It does.
    Last,
    /// It goes on in the next entry of its stream.
    More,
}

/// One output of an app, cut into entries.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// The beginning of a line whose end has not come, or what of it has not been given as an entry.
    rest: Vec<u8>,
}

impl Lines {
    /// Takes what has been read, and gives the entries that it completes.
    pub(super) fn split(&mut self, mut bytes: &[u8], mut entry: impl FnMut(&[u8], Part)) {
        while !bytes.is_empty() {
            let mut behind = bytes;
            // Reading memory can't fail, and this finds a line's end faster than looking at each byte.
            let length = behind.skip_until(b'\n').unwrap_or(bytes.len());
            let piece = bytes.get(..length).unwrap_or(bytes);
            bytes = behind;
            let (text, is_complete) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            if is_complete && self.rest.is_empty() && text.len() <= ENTRY_MAX {
                entry(text, Part::Last);
                continue;
            }
            let mut text = text;
            while !text.is_empty() {
                if self.rest.len() >= ENTRY_MAX {
                    entry(&self.rest, Part::More);
                    self.rest.clear();
                }
                let room = ENTRY_MAX.saturating_sub(self.rest.len());
                let (part, behind) = text.split_at(room.min(text.len()));
                self.rest.extend_from_slice(part);
                text = behind;
            }
            if is_complete {
                entry(&self.rest, Part::Last);
                self.rest.clear();
            }
        }
    }

    /// Nothing more comes: a line without an end is one, too.
    pub(super) fn finish(&mut self, mut entry: impl FnMut(&[u8], Part)) {
        if !self.rest.is_empty() {
            entry(&self.rest, Part::Last);
            self.rest = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The entries of a text that is read in pieces of this size.
    fn entries(text: &[u8], size: usize) -> Vec<(Vec<u8>, Part)> {
        let mut lines = Lines::default();
        let mut all = Vec::new();
        for piece in text.chunks(size) {
            lines.split(piece, |text, part| all.push((text.to_vec(), part)));
        }
        lines.finish(|text, part| all.push((text.to_vec(), part)));
        all
    }

    #[test]
    fn lines_are_entries_and_the_last_one_needs_no_end() {
        for size in [1, 3, 100] {
            let texts: Vec<_> = entries(b"one\n\ntwo", size)
                .into_iter()
                .map(|(text, part)| {
                    assert_eq!(part, Part::Last);
                    String::from_utf8(text).unwrap()
                })
                .collect();
            assert_eq!(texts, ["one", "", "two"]);
        }
        assert_eq!(entries(b"one\n", 100).len(), 1);
    }

    proptest! {
        #[test]
        fn entries_put_together_are_what_was_written_and_none_is_too_long(
            lengths in proptest::collection::vec(0..3 * ENTRY_MAX, 1..6),
            size in 1..2 * ENTRY_MAX,
        ) {
            let text: Vec<u8> = lengths
                .iter()
                .flat_map(|length| [vec![b'x'; *length], vec![b'\n']].concat())
                .collect();
            let mut again = Vec::new();
            for (entry, part) in entries(&text, size) {
                prop_assert!(entry.len() <= ENTRY_MAX);
                prop_assert!(part == Part::Last || entry.len() == ENTRY_MAX);
                again.extend(entry);
                if part == Part::Last {
                    again.push(b'\n');
                }
            }
            prop_assert!(again == text);
        }
    }
}
