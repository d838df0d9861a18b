//! Logs in the format of the Kubernetes CRI: `RFC3339Nano stdout|stderr F|P text`.
//!
//! A line longer than 16 KiB is written in parts, all but the last marked `P`.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use pod::AppName;
use pod::timestamp::Timestamp;
use rustix::io::{Errno, read};

use super::attachments::Output;
use super::log_file::LogFile;

/// Longest part of a line, in bytes.
const PART_MAX: usize = 16 << 10;
/// One stream of one app on its way into the app's log.
#[derive(Debug)]
pub(super) struct LogPump {
    source: OwnedFd,
    /// Whose log.
    pub(super) app: AppName,
    pub(super) output: Output,
    line: Vec<u8>,
    ended: bool,
}

impl LogPump {
    pub(super) fn new(source: OwnedFd, app: AppName, output: Output) -> Self {
        Self {
            source,
            app,
            output,
            line: Vec::new(),
            ended: false,
        }
    }

    pub(super) fn source(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }

    /// Nobody wants the rest.
    pub(super) fn give_up(&mut self) {
        self.ended = true;
    }

    pub(super) fn is_done(&self) -> bool {
        self.ended
    }

    /// Reads what is there and writes the lines that it completes; how many bytes these are in the log. `seen` gets what
    /// is read.
    pub(super) fn advance(&mut self, log: &mut LogFile, seen: impl FnOnce(&[u8])) -> usize {
        let mut buffer = [0; 32 << 10];
        let mut entries = Entries::new(self.output);
        match read(&self.source, &mut buffer) {
            Ok(0) => {
                self.ended = true;
                if !self.line.is_empty() {
                    entries.add(&mut self.line, Entry::Full);
                }
            }
            Ok(length) => {
                let bytes = buffer.get(..length).unwrap_or_default();
                self.split(bytes, &mut entries);
                seen(bytes);
            }
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => self.ended = true,
        }
        if !entries.bytes.is_empty() {
            log.append(&entries.bytes);
        }
        entries.bytes.len()
    }

    fn split(&mut self, bytes: &[u8], entries: &mut Entries) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (text, complete) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            for part in text.chunks(PART_MAX) {
                if self.line.len() + part.len() > PART_MAX {
                    entries.add(&mut self.line, Entry::Partial);
                }
                self.line.extend_from_slice(part);
            }
            if complete {
                entries.add(&mut self.line, Entry::Full);
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Entry {
    Full,
    Partial,
}

/// What is written to a log at once.
struct Entries {
    bytes: Vec<u8>,
    output: Output,
    /// When all of it was read, and from where. Made with the first: a flood of lines is not worth the time of day of
    /// each.
    header: Vec<u8>,
}

impl Entries {
    fn new(output: Output) -> Self {
        Self {
            bytes: Vec::new(),
            output,
            header: Vec::new(),
        }
    }

    /// Adds an entry with this text, which is taken.
    fn add(&mut self, text: &mut Vec<u8>, entry: Entry) {
        if self.header.is_empty() {
            self.header = format!("{} {} ", Timestamp::now(), self.output.name()).into_bytes();
        }
        self.bytes.extend_from_slice(&self.header);
        self.bytes.extend_from_slice(match entry {
            Entry::Full => b"F ",
            Entry::Partial => b"P ",
        });
        self.bytes.append(text);
        self.bytes.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Write;

    use rustix::pipe::pipe;

    use super::*;
    use crate::monitor::log_file::LOG_FILE;

    fn logged(written: &[u8]) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let (source, sink) = pipe().unwrap();
        let mut log = LogFile::create(dir.path(), 16 << 20).unwrap();
        let mut pump = LogPump::new(source, "a".parse().unwrap(), Output::Stdout);
        let written = written.to_vec();
        let writer = std::thread::spawn(move || File::from(sink).write_all(&written).unwrap());
        while !pump.is_done() {
            pump.advance(&mut log, |_| {});
        }
        writer.join().unwrap();
        let text = fs::read_to_string(dir.path().join(LOG_FILE)).unwrap();
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
        assert_eq!(tags.iter().filter(|t| **t == "F").count(), 2);
        assert!(tags.starts_with(&["P", "P"]), "{tags:?}");
        let text: usize = entries
            .iter()
            .map(|e| e.splitn(3, ' ').nth(2).unwrap().len())
            .sum();
        assert_eq!(text, long.len() + 3);
    }
}
