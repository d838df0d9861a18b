//! Logs in the format of the Kubernetes CRI: `RFC3339Nano stdout|stderr F|P text`.
//!
//! A line that is too long for an entry is written in parts, all but the last marked `P`.

use pod::timestamp::Timestamp;

use super::attachments::Output;
use super::lines::Part;
use super::log_file::LogFile;

/// Bytes that are written to the file at once, and the longest entry beside. An app that writes nothing but line feeds has
/// forty times as many in its log.
const BATCH: usize = 128 << 10;

/// What is written to a log, as few times as will do.
pub(super) struct Entries<'a> {
    file: &'a mut LogFile,
    /// What is to be written.
    bytes: &'a mut Vec<u8>,
    output: Output,
    /// When all of it was read, and from where. Made with the first: a flood of lines is not worth the time of day of
    /// each.
    header: Vec<u8>,
    written: usize,
}

impl<'a> Entries<'a> {
    /// Entries from this output. `bytes` is memory to gather them in.
    pub(super) fn new(file: &'a mut LogFile, output: Output, bytes: &'a mut Vec<u8>) -> Self {
        bytes.clear();
        Self {
            file,
            bytes,
            output,
            header: Vec::new(),
            written: 0,
        }
    }

    /// Adds an entry with this text.
    pub(super) fn add(&mut self, text: &[u8], part: Part) {
        if self.header.is_empty() {
            let (now, output) = (Timestamp::now(), self.output.name());
            self.header = format!("{now} {output} F ").into_bytes();
        }
        if self.bytes.len() + self.header.len() + text.len() > BATCH {
            self.flush();
        }
        self.bytes.extend_from_slice(&self.header);
        if part == Part::More
            && let [.., tag, _] = self.bytes.as_mut_slice()
        {
            *tag = b'P';
        }
        self.bytes.extend_from_slice(text);
        self.bytes.push(b'\n');
    }

    fn flush(&mut self) {
        if !self.bytes.is_empty() {
            self.file.append(self.bytes);
            self.written += self.bytes.len();
            self.bytes.clear();
        }
    }

    /// Writes the rest; how many bytes all of it is in the log.
    pub(super) fn finish(mut self) -> usize {
        self.flush();
        self.written
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::monitor::lines::{ENTRY_MAX, Lines};
    use crate::monitor::log_file::LOG_FILE;

    /// The log of an app that writes this, without the times.
    fn logged(written: &[u8]) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let mut log = LogFile::create(dir.path(), 16 << 20).unwrap();
        let (mut lines, mut room) = (Lines::default(), Vec::new());
        let mut entries = Entries::new(&mut log, Output::Stdout, &mut room);
        lines.split(written, |text, part| entries.add(text, part));
        lines.finish(|text, part| entries.add(text, part));
        let length = entries.finish();
        assert!(room.capacity() <= 2 * BATCH);
        let text = fs::read_to_string(dir.path().join(LOG_FILE)).unwrap();
        assert_eq!(text.len(), length);
        text.lines()
            .map(|line| line.split_once(' ').unwrap().1.to_owned())
            .collect()
    }

    #[test]
    fn lines_are_entries() {
        assert_eq!(
            logged(b"one\n\ntwo"),
            ["stdout F one", "stdout F ", "stdout F two"]
        );
    }

    #[test]
    fn long_lines_come_in_parts() {
        let long = vec![b'x'; 40 << 10];
        let entries = logged(&[long.as_slice(), b"\nend\n"].concat());
        let tags: Vec<&str> = entries
            .iter()
            .map(|e| e.split(' ').nth(1).unwrap())
            .collect();
        assert_eq!(tags, ["P", "P", "F", "F"]);
        let text: usize = entries
            .iter()
            .map(|e| e.splitn(3, ' ').nth(2).unwrap().len())
            .sum();
        assert_eq!(text, long.len() + 3);
    }

    #[test]
    fn a_flood_of_line_feeds_is_written_batch_by_batch() {
        let entries = logged(&vec![b'\n'; 4 * ENTRY_MAX]);
        assert_eq!(entries.len(), 4 * ENTRY_MAX);
        assert!(entries.iter().all(|entry| entry == "stdout F "));
    }
}
