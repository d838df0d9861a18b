//! The log of an app: the file that is written to, and the one before it.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::log_line::{LogLine, parse};

/// Name of the file that is written to, in the app's folder.
const CURRENT: &str = "log";
/// Name that it gets when it is full.
const ROTATED: &str = "log.1";
/// Longest line that is waited for; a longer one is no line of a log.
const LINE_MAX: usize = 1 << 20;

/// The log of one app, read on from where it was left.
#[derive(Debug)]
pub(crate) struct LogFiles {
    folder: PathBuf,
    current: Option<File>,
    /// The beginning of a line whose end has not come.
    rest: Vec<u8>,
}

impl LogFiles {
    /// Opens the log in an app's folder, and gives what is in the file before the current one. A log that
    /// isn't there is empty.
    ///
    /// # Errors
    /// If a file can't be read.
    pub(crate) fn open(folder: PathBuf, into: &mut Vec<LogLine>) -> Result<Self, Failure> {
        let mut log = Self {
            current: open(&folder.join(CURRENT))?,
            folder,
            rest: Vec::new(),
        };
        // Opened after the current one: what is rotated meanwhile is the current one, seen again.
        if let Some(mut rotated) = open(&log.folder.join(ROTATED))?
            && !log.is_current(&rotated)
        {
            let path = log.folder.join(ROTATED);
            log.take(&mut rotated, &path, into)?;
            log.finish_line(into);
        }
        Ok(log)
    }

    /// Reads what has been written since the last time.
    ///
    /// # Errors
    /// If a file can't be read.
    pub(crate) fn read(&mut self, into: &mut Vec<LogLine>) -> Result<(), Failure> {
        let path = self.folder.join(CURRENT);
        loop {
            // Looked at before reading to the end: nothing is written to a file that was replaced.
            let now = open(&path)?;
            if let Some(mut current) = self.current.take() {
                self.take(&mut current, &path, into)?;
                self.current = Some(current);
            }
            match now {
                Some(now) if !self.is_current(&now) => {
                    self.finish_line(into);
                    self.current = Some(now);
                }
                _ => return Ok(()),
            }
        }
    }

    fn is_current(&self, other: &File) -> bool {
        let identity = |file: &File| file.metadata().ok().map(|m| (m.dev(), m.ino()));
        self.current.as_ref().and_then(identity) == identity(other)
    }

    fn take(
        &mut self,
        file: &mut File,
        path: &Path,
        into: &mut Vec<LogLine>,
    ) -> Result<(), Failure> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let length = match file.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(Failure::io("read", path)(error)),
            };
            for piece in buffer
                .get(..length)
                .unwrap_or_default()
                .split_inclusive(|byte| *byte == b'\n')
            {
                self.rest.extend_from_slice(piece);
                if piece.ends_with(b"\n") || self.rest.len() > LINE_MAX {
                    self.finish_line(into);
                }
            }
        }
    }

    fn finish_line(&mut self, into: &mut Vec<LogLine>) {
        let line = self.rest.strip_suffix(b"\n").unwrap_or(&self.rest);
        into.extend(parse(line));
        self.rest.clear();
    }
}

fn open(path: &Path) -> Result<Option<File>, Failure> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::io("open", path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write;

    fn texts(lines: &[LogLine]) -> Vec<String> {
        lines
            .iter()
            .map(|line| String::from_utf8(line.text.clone()).unwrap())
            .collect()
    }

    fn entry(text: &str) -> String {
        format!("2026-01-02T03:04:05.000000000Z stdout F {text}\n")
    }

    #[test]
    fn the_log_is_read_across_rotations() {
        let dir = tempfile::tempdir().unwrap();
        let (current, rotated) = (dir.path().join(CURRENT), dir.path().join(ROTATED));
        fs::write(&rotated, entry("1")).unwrap();
        fs::write(&current, entry("2")).unwrap();
        let mut lines = Vec::new();
        let mut log = LogFiles::open(dir.path().to_path_buf(), &mut lines).unwrap();
        log.read(&mut lines).unwrap();
        assert_eq!(texts(&lines), ["1", "2"]);

        let mut file = fs::OpenOptions::new().append(true).open(&current).unwrap();
        file.write_all(entry("3").as_bytes()).unwrap();
        fs::rename(&current, &rotated).unwrap();
        fs::write(&current, entry("4")).unwrap();
        lines.clear();
        log.read(&mut lines).unwrap();
        assert_eq!(texts(&lines), ["3", "4"]);
    }

    #[test]
    fn half_a_line_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let whole = entry("x");
        let (first, second) = whole.split_at(20);
        fs::write(dir.path().join(CURRENT), first).unwrap();
        let mut lines = Vec::new();
        let mut log = LogFiles::open(dir.path().to_path_buf(), &mut lines).unwrap();
        log.read(&mut lines).unwrap();
        assert!(lines.is_empty());
        let mut file = fs::OpenOptions::new()
            .append(true)
            .open(dir.path().join(CURRENT))
            .unwrap();
        file.write_all(second.as_bytes()).unwrap();
        log.read(&mut lines).unwrap();
        assert_eq!(texts(&lines), ["x"]);
    }

    #[test]
    fn a_log_that_is_not_there_is_empty_until_it_comes() {
        let dir = tempfile::tempdir().unwrap();
        let mut lines = Vec::new();
        let mut log = LogFiles::open(dir.path().to_path_buf(), &mut lines).unwrap();
        log.read(&mut lines).unwrap();
        assert!(lines.is_empty());
        fs::write(dir.path().join(CURRENT), entry("x")).unwrap();
        log.read(&mut lines).unwrap();
        assert_eq!(texts(&lines), ["x"]);
    }
}
