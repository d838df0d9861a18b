//! The log of an app: the file that is written to, and the one before it.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::line::{LogLine, parse};
use crate::error::Error;

/// Name of the file that is written to, in the app's directory.
const CURRENT: &str = "log";
/// Name that it gets when it is full.
const ROTATED: &str = "log.1";
/// Longest line that is waited for; a longer one is no line of a log.
const LINE_MAX: usize = 1 << 20;
/// Bytes that are read at once.
const BUFFER: usize = 64 << 10;

/// The log of one app, read line by line, on from where it was left. No more than a line of it is in
/// memory.
#[derive(Debug)]
pub(super) struct LogFiles {
    folder: PathBuf,
    /// From the oldest to the one that is written to.
    files: VecDeque<BufReader<File>>,
    /// The one that is read.
    at: usize,
    /// Whether what was read is kept open, to be read again.
    rereads: bool,
    /// The beginning of a line whose end has not come.
    rest: Vec<u8>,
}

impl LogFiles {
    /// Opens the log in an app's directory. A log that isn't there is empty.
    ///
    /// # Errors
    /// If a file can't be opened.
    pub(super) fn open(folder: PathBuf) -> Result<Self, Error> {
        let mut files = VecDeque::new();
        files.extend(open(&folder.join(CURRENT))?);
        // Opened after the current one: what is rotated meanwhile is the current one, seen again.
        if let Some(rotated) = open(&folder.join(ROTATED))?
            && !files.front().is_some_and(|current| same(current, &rotated))
        {
            files.push_front(rotated);
        }
        Ok(Self {
            folder,
            files,
            at: 0,
            rereads: false,
            rest: Vec::new(),
        })
    }

    /// Counts the whole lines that are there, and goes back to the first.
    ///
    /// # Errors
    /// If a file can't be read.
    pub(super) fn count(&mut self) -> Result<u64, Error> {
        self.rereads = true;
        let mut lines = 0;
        while let Some(line) = self.next()? {
            lines += u64::from(!line.is_partial);
        }
        self.rereads = false;
        self.at = 0;
        self.rest.clear();
        let path = self.folder.join(CURRENT);
        for file in &mut self.files {
            file.rewind().map_err(Error::io("read", &path))?;
        }
        Ok(lines)
    }

    /// The next entry, `None` if no more has been written.
    ///
    /// # Errors
    /// If a file can't be read.
    pub(super) fn next(&mut self) -> Result<Option<LogLine>, Error> {
        let path = self.folder.join(CURRENT);
        loop {
            let Some(file) = self.files.get_mut(self.at) else {
                match open(&path)? {
                    None => return Ok(None),
                    Some(first) => self.files.push_back(first),
                }
                continue;
            };
            let room = (LINE_MAX + 1).saturating_sub(self.rest.len());
            let length = Read::take(&mut *file, room as u64)
                .read_until(b'\n', &mut self.rest)
                .map_err(Error::io("read", &path))?;
            if self.rest.ends_with(b"\n") || self.rest.len() > LINE_MAX {
                match self.finish_line() {
                    Some(line) => return Ok(Some(line)),
                    None => continue,
                }
            }
            if length > 0 {
                continue;
            }
            if self.at + 1 < self.files.len() {
                match self.rereads {
                    true => self.at += 1,
                    false => drop(self.files.pop_front()),
                }
                if let Some(line) = self.finish_line() {
                    return Ok(Some(line));
                }
                continue;
            }
            match open(&path)? {
                // Nothing is written to a file that was replaced, but something may have been before:
                // it is read to its end once more.
                Some(now) if !self.files.back().is_some_and(|last| same(last, &now)) => {
                    self.files.push_back(now);
                }
                _ => return Ok(None),
            }
        }
    }

    fn finish_line(&mut self) -> Option<LogLine> {
        let line = parse(self.rest.strip_suffix(b"\n").unwrap_or(&self.rest));
        self.rest.clear();
        line
    }
}

fn same(one: &BufReader<File>, other: &BufReader<File>) -> bool {
    let identity = |file: &BufReader<File>| {
        let metadata = file.get_ref().metadata().ok();
        metadata.map(|m| (m.dev(), m.ino()))
    };
    identity(one) == identity(other)
}

fn open(path: &Path) -> Result<Option<BufReader<File>>, Error> {
    match open_itself(path) {
        Err(Error::Io { source, .. })
            if source.raw_os_error() == Some(Errno::LOOP.raw_os_error()) =>
        {
            // A log at a place of its user's: the monitor has left a link to it, and to nothing behind another link.
            let target = fs::read_link(path).map_err(Error::io("read", path))?;
            open_itself(&target)
        }
        other => other,
    }
}

fn open_itself(path: &Path) -> Result<Option<BufReader<File>>, Error> {
    // A link, or a device, could be read for ever; a fifo would be waited for.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let opened = File::options()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("open", path)(error)),
    };
    match file
        .metadata()
        .map_err(Error::io("look at", path))?
        .is_file()
    {
        true => Ok(Some(BufReader::with_capacity(BUFFER, file))),
        false => {
            let reason = std::io::Error::other("it is not a regular file");
            Err(Error::io("read", path)(reason))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn log_in(dir: &tempfile::TempDir) -> LogFiles {
        LogFiles::open(dir.path().to_path_buf()).unwrap()
    }

    /// The texts of all entries that there are now.
    fn texts(log: &mut LogFiles) -> Vec<String> {
        std::iter::from_fn(|| log.next().unwrap())
            .map(|line| String::from_utf8(line.text).unwrap())
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
        let mut log = log_in(&dir);
        assert_eq!(texts(&mut log), ["1", "2"]);

        let mut file = fs::OpenOptions::new().append(true).open(&current).unwrap();
        file.write_all(entry("3").as_bytes()).unwrap();
        fs::rename(&current, &rotated).unwrap();
        fs::write(&current, entry("4")).unwrap();
        assert_eq!(texts(&mut log), ["3", "4"]);
    }

    #[test]
    fn half_a_line_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let whole = entry("x");
        let (first, second) = whole.split_at(20);
        fs::write(dir.path().join(CURRENT), first).unwrap();
        let mut log = log_in(&dir);
        assert!(texts(&mut log).is_empty());
        let mut file = fs::OpenOptions::new()
            .append(true)
            .open(dir.path().join(CURRENT))
            .unwrap();
        file.write_all(second.as_bytes()).unwrap();
        assert_eq!(texts(&mut log), ["x"]);
    }

    #[test]
    fn a_log_that_is_not_there_is_empty_until_it_comes() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = log_in(&dir);
        assert!(texts(&mut log).is_empty());
        fs::write(dir.path().join(CURRENT), entry("x")).unwrap();
        assert_eq!(texts(&mut log), ["x"]);
    }

    #[test]
    fn what_was_counted_is_read_again_though_rotated_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        let (current, rotated) = (dir.path().join(CURRENT), dir.path().join(ROTATED));
        fs::write(&rotated, entry("1") + &entry("2")).unwrap();
        fs::write(&current, entry("3")).unwrap();
        let mut log = log_in(&dir);
        assert_eq!(log.count().unwrap(), 3);
        fs::rename(&current, &rotated).unwrap();
        fs::write(&current, entry("4")).unwrap();
        assert_eq!(texts(&mut log), ["1", "2", "3", "4"]);
        assert!(texts(&mut log).is_empty());
    }

    #[test]
    fn no_line_is_too_long() {
        let dir = tempfile::tempdir().unwrap();
        let mut bytes = vec![b'x'; 3 * LINE_MAX];
        bytes.push(b'\n');
        bytes.extend_from_slice(entry("after").as_bytes());
        fs::write(dir.path().join(CURRENT), bytes).unwrap();
        let mut log = log_in(&dir);
        assert_eq!(texts(&mut log), ["after"]);
        assert!(log.rest.capacity() <= 4 * LINE_MAX);
    }

    #[test]
    fn what_is_no_file_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("log");
        std::os::unix::fs::symlink("/dev/zero", &at).unwrap();
        assert!(open(&at).is_err());
        fs::remove_file(&at).unwrap();
        let (mode, fifo) = (
            rustix::fs::Mode::from_raw_mode(0o600),
            rustix::fs::FileType::Fifo,
        );
        rustix::fs::mknodat(rustix::fs::CWD, &at, fifo, mode, 0).unwrap();
        let error = open(&at).err().unwrap().to_string();
        assert!(error.contains("not a regular file"), "{error}");
    }
}
