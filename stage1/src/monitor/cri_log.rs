//! Log files in the format of the Kubernetes CRI: `RFC3339Nano stdout|stderr F|P text`.
//!
//! A line longer than 16 KiB is written in parts, all but the last marked `P`. When a file reaches
//! its limit it is renamed and a new one begun, so that an app can't fill the disk by talking.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use pod::AppName;
use pod::timestamp::Timestamp;
use rustix::io::{Errno, read};

use super::attachments::Output;

/// The log's name in the app's directory.
const LOG_FILE: &str = "log";
/// Its name after it has reached its limit.
const ROTATED_LOG_FILE: &str = "log.1";
/// Longest part of a line, in bytes.
const PART_MAX: usize = 16 << 10;
/// Size at which a file is rotated, in bytes.
const FILE_MAX: u64 = 16 << 20;

/// The log of one app.
#[derive(Debug)]
pub(super) struct LogFile {
    folder: PathBuf,
    file: File,
    size: u64,
}

impl LogFile {
    /// The log of an app that begins with its pod.
    pub(super) fn create(folder: &Path) -> io::Result<Self> {
        Ok(Self {
            folder: folder.to_path_buf(),
            file: open(folder)?,
            size: 0,
        })
    }

    /// The log of an app that may have run before.
    pub(super) fn go_on(folder: &Path) -> io::Result<Self> {
        let mut log = Self::create(folder)?;
        log.size = log.file.metadata()?.len();
        Ok(log)
    }

    /// Goes on in a new file, if somebody has renamed the one that was written to.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        *self = Self::go_on(&self.folder)?;
        Ok(())
    }

    fn append(&mut self, entries: &[u8]) -> io::Result<()> {
        if self.size + entries.len() as u64 > FILE_MAX && self.size > 0 {
            fs::rename(
                self.folder.join(LOG_FILE),
                self.folder.join(ROTATED_LOG_FILE),
            )?;
            self.file = open(&self.folder)?;
            self.size = 0;
        }
        self.size += entries.len() as u64;
        self.file.write_all(entries)
    }
}

fn open(folder: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(folder.join(LOG_FILE))
}

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

    /// Reads what is there and writes the lines that it completes. `seen` gets what is read.
    pub(super) fn advance(&mut self, log: &mut LogFile, seen: impl FnOnce(&[u8])) {
        let mut buffer = [0; 32 << 10];
        let mut entries = Vec::new();
        match read(&self.source, &mut buffer) {
            Ok(0) => {
                self.ended = true;
                if !self.line.is_empty() {
                    self.entry(&mut entries, 'F');
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
        if !entries.is_empty() {
            // A full disk costs lines of the log, never the pod.
            let _ = log.append(&entries);
        }
    }

    fn split(&mut self, bytes: &[u8], entries: &mut Vec<u8>) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (text, complete) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            for part in text.chunks(PART_MAX) {
                if self.line.len() + part.len() > PART_MAX {
                    self.entry(entries, 'P');
                }
                self.line.extend_from_slice(part);
            }
            if complete {
                self.entry(entries, 'F');
            }
        }
    }

    fn entry(&mut self, entries: &mut Vec<u8>, tag: char) {
        let header = format!("{} {} {tag} ", Timestamp::now(), self.output.name());
        entries.extend_from_slice(header.as_bytes());
        entries.append(&mut self.line);
        entries.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::pipe::pipe;

    fn logged(written: &[u8]) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let (source, sink) = pipe().unwrap();
        let mut log = LogFile::create(dir.path()).unwrap();
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

    #[test]
    fn a_log_goes_on_in_a_new_file_when_it_is_opened_anew() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = LogFile::create(dir.path()).unwrap();
        log.append(b"one\n").unwrap();
        fs::rename(dir.path().join(LOG_FILE), dir.path().join("old")).unwrap();
        log.append(b"two\n").unwrap();
        log.reopen().unwrap();
        log.append(b"three\n").unwrap();
        log.reopen().unwrap();
        log.append(b"four\n").unwrap();
        let text = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!(
            (text("old").as_str(), text(LOG_FILE).as_str()),
            ("one\ntwo\n", "three\nfour\n")
        );
        assert_eq!(log.size, 11);
    }

    #[test]
    fn what_an_earlier_run_wrote_counts_to_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        let chunk = vec![b'x'; 1 << 20];
        for _ in 0..4 {
            let mut log = LogFile::go_on(dir.path()).unwrap();
            for _ in 0..10 {
                log.append(&chunk).unwrap();
            }
        }
        let size = |name: &str| fs::metadata(dir.path().join(name)).unwrap().len();
        assert!(size(LOG_FILE) <= FILE_MAX && size(ROTATED_LOG_FILE) <= FILE_MAX);
    }

    #[test]
    fn a_log_is_rotated_at_its_limit() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = LogFile::create(dir.path()).unwrap();
        let chunk = vec![b'x'; 1 << 20];
        for _ in 0..40 {
            log.append(&chunk).unwrap();
        }
        let size = |name: &str| fs::metadata(dir.path().join(name)).unwrap().len();
        assert!(size(LOG_FILE) <= FILE_MAX && size(ROTATED_LOG_FILE) <= FILE_MAX);
    }
}
