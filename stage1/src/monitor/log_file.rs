//! The log file of an app: bounded, and written to again as soon as there is room.
//!
//! When the file reaches its limit it is renamed and a new one begun, so that an app can't fill the disk by talking. What
//! can't be written is counted, and the count is the first thing that is written when there is room.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pod::timestamp::Timestamp;
use rustix::fs::OFlags;

/// The log's name in the app's directory.
pub(super) const LOG_FILE: &str = "log";
/// Its name after it has reached its limit.
const ROTATED_LOG_FILE: &str = "log.1";
/// The name of the file that is to become the log.
const NEXT_LOG_FILE: &str = "log.next";
/// How long nobody looks whether there is room, if nothing more is to be written.
const PAUSE: Duration = Duration::from_secs(1);

/// The log of one app.
#[derive(Debug)]
pub(super) struct LogFile {
    place: Place,
    file: File,
    size: u64,
    /// Size at which a file is rotated, in bytes.
    size_max: u64,
    missing: Option<Missing>,
}

/// Where a log is.
#[derive(Debug, Clone)]
enum Place {
    /// In the app's directory, where it is rotated when it has reached its size.
    Directory(PathBuf),
    /// A file of somebody else's, who rotates it.
    Given(PathBuf),
}

/// What could not be written.
#[derive(Debug)]
struct Missing {
    entries: u64,
    /// Of the first.
    why: String,
    look_at: Option<Instant>,
}

impl LogFile {
    /// The log of an app that begins with its pod.
    pub(super) fn create(directory: &Path, size_max: u64) -> io::Result<Self> {
        Ok(Self {
            place: Place::Directory(directory.to_path_buf()),
            file: open(&directory.join(LOG_FILE))?,
            size: 0,
            size_max,
            missing: None,
        })
    }

    /// The log of an app that may have run before.
    pub(super) fn go_on(directory: &Path, size_max: u64) -> io::Result<Self> {
        let mut log = Self::create(directory, size_max)?;
        log.size = log.file.metadata()?.len();
        Ok(log)
    }

    /// The log at this path of the host, whatever is in it. The app's directory leads there.
    pub(super) fn at(path: &Path, directory: &Path) -> io::Result<Self> {
        let file = open_given(path)?;
        let link = directory.join(LOG_FILE);
        match fs::remove_file(&link) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => symlink(path, &link)?,
        }
        Ok(Self {
            size: file.metadata()?.len(),
            place: Place::Given(path.to_path_buf()),
            file,
            size_max: u64::MAX,
            missing: None,
        })
    }

    /// Goes on in a new file, if somebody has renamed the one that was written to.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        let again = match &self.place {
            Place::Directory(directory) => Self::go_on(directory, self.size_max)?,
            Place::Given(path) => {
                let file = open_given(path)?;
                self.size = file.metadata()?.len();
                self.file = file;
                return Ok(());
            }
        };
        (self.file, self.size) = (again.file, again.size);
        Ok(())
    }

    /// Writes these whole entries, as far as there is room.
    pub(super) fn append(&mut self, entries: &[u8]) {
        let (written, result) = match self.make_up() {
            Ok(()) => self.write(entries),
            Err(error) => (0, Err(error)),
        };
        if let Err(error) = result {
            let rest = entries.get(written..).unwrap_or_default();
            let lost = rest.iter().filter(|&&byte| byte == b'\n').count();
            let missing = self.missing.get_or_insert_with(|| Missing {
                entries: 0,
                why: error.to_string(),
                look_at: None,
            });
            missing.entries = missing.entries.saturating_add(lost as u64);
            missing.look_at = Instant::now().checked_add(PAUSE);
        }
    }

    /// When to look whether there is room for what is missing.
    pub(super) fn due(&self) -> Option<Instant> {
        self.missing.as_ref()?.look_at
    }

    /// Looks whether there is room, if it is time.
    pub(super) fn look(&mut self, now: Instant) {
        if self.due().is_some_and(|due| due <= now)
            && self.make_up().is_err()
            && let Some(missing) = &mut self.missing
        {
            missing.look_at = now.checked_add(PAUSE);
        }
    }

    /// Says what is missing, before anything else is written.
    fn make_up(&mut self) -> io::Result<()> {
        let Some(missing) = &self.missing else {
            return Ok(());
        };
        let Missing { entries, why, .. } = missing;
        let lines = match entries {
            1 => "1 line is",
            _ => &format!("{entries} lines are"),
        };
        let text = format!(
            "{} stderr F fairing: {lines} missing here: {why}\n",
            Timestamp::now()
        );
        self.write(text.as_bytes()).1?;
        self.missing = None;
        Ok(())
    }

    /// Writes whole entries; how many bytes of them, and why not all.
    fn write(&mut self, entries: &[u8]) -> (usize, io::Result<()>) {
        if self.size.saturating_add(entries.len() as u64) > self.size_max
            && self.size > 0
            && let Err(error) = self.rotate()
        {
            return (0, Err(error));
        }
        let mut written = 0;
        let result = loop {
            let rest = entries.get(written..).unwrap_or_default();
            if rest.is_empty() {
                break Ok(());
            }
            match self.file.write(rest) {
                Ok(0) => break Err(ErrorKind::WriteZero.into()),
                Ok(length) => written += length,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        if result.is_err() {
            written = self.cut_to_whole(entries, written);
        }
        self.size = self.size.saturating_add(written as u64);
        (written, result)
    }

    /// Takes back the part of an entry that there was room for; how many bytes are left of what was written.
    fn cut_to_whole(&self, entries: &[u8], written: usize) -> usize {
        let whole = entries
            .get(..written)
            .and_then(|part| part.iter().rposition(|&byte| byte == b'\n'))
            .map_or(0, |at| at + 1);
        if whole < written {
            let torn = (written - whole) as u64;
            // If that fails readers find a line that is none, and leave it out.
            let _ = self
                .file
                .metadata()
                .and_then(|now| self.file.set_len(now.len().saturating_sub(torn)));
        }
        whole
    }

    /// Begins a new file. It is there before the full one gives up its name: who has used up all that the disk has for
    /// names gets the oldest one written anew, and never no log.
    fn rotate(&mut self) -> io::Result<()> {
        let Place::Directory(directory) = &self.place else {
            // It has no size that it could reach.
            return Ok(());
        };
        let path = |name: &str| directory.join(name);
        let (current, rotated, next) =
            (path(LOG_FILE), path(ROTATED_LOG_FILE), path(NEXT_LOG_FILE));
        let file = match open(&next) {
            Ok(file) => file,
            Err(error) => {
                fs::rename(&rotated, &next).map_err(|_| error)?;
                open(&next)?
            }
        };
        file.set_len(0)?;
        fs::rename(&current, &rotated)?;
        if let Err(error) = fs::rename(&next, &current) {
            // The first failure is the one to tell of.
            let _ = fs::rename(&rotated, &current);
            return Err(error);
        }
        self.file = file;
        self.size = 0;
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
}

/// A regular file, which is made if it is missing: nothing that is waited for, and no link to elsewhere. Its group may read
/// it, as it may others' logs in the CRI's format.
fn open_given(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o640)
        .custom_flags(flags.bits() as i32)
        .open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is not a regular file")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_of_somebody_else_s_goes_on_at_its_path_without_a_lost_line() {
        let dir = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let path = elsewhere.path().join("0.log");
        fs::write(&path, "earlier\n").unwrap();
        let mut log = LogFile::at(&path, dir.path()).unwrap();
        log.append(b"one\n");
        assert_eq!(text(&dir, LOG_FILE), "earlier\none\n");
        fs::rename(&path, elsewhere.path().join("0.log.old")).unwrap();
        log.append(b"two\n");
        log.reopen().unwrap();
        log.append(b"three\n");
        assert_eq!(text(&elsewhere, "0.log.old"), "earlier\none\ntwo\n");
        assert_eq!(text(&elsewhere, "0.log"), "three\n");
        // It never begins anew by itself.
        for letter in [b'a', b'b', b'c'] {
            log.append(&chunk(letter));
        }
        assert_eq!(size(&elsewhere, "0.log"), (3 << 20) + 6);
        assert!(!dir.path().join(ROTATED_LOG_FILE).exists());
    }

    #[test]
    fn what_is_no_regular_file_is_no_log() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        symlink("/etc/hostname", &link).unwrap();
        assert!(LogFile::at(&link, dir.path()).is_err());
        assert!(LogFile::at(dir.path(), dir.path()).is_err());
        let fifo = dir.path().join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RUSR).unwrap();
        assert!(LogFile::at(&fifo, dir.path()).is_err());
        assert!(LogFile::at(&dir.path().join("none/0.log"), dir.path()).is_err());
    }

    const FILE_MAX: u64 = 16 << 20;

    fn text(directory: &tempfile::TempDir, name: &str) -> String {
        fs::read_to_string(directory.path().join(name)).unwrap()
    }

    fn size(directory: &tempfile::TempDir, name: &str) -> u64 {
        fs::metadata(directory.path().join(name)).unwrap().len()
    }

    /// A mebibyte of entries that end with this letter.
    fn chunk(letter: u8) -> Vec<u8> {
        let mut bytes = vec![letter; 1 << 20];
        *bytes.last_mut().unwrap() = b'\n';
        bytes
    }

    #[test]
    fn a_log_goes_on_in_a_new_file_when_it_is_opened_anew() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = LogFile::create(dir.path(), FILE_MAX).unwrap();
        log.append(b"one\n");
        fs::rename(dir.path().join(LOG_FILE), dir.path().join("old")).unwrap();
        log.append(b"two\n");
        log.reopen().unwrap();
        log.append(b"three\n");
        log.reopen().unwrap();
        log.append(b"four\n");
        assert_eq!(
            (text(&dir, "old").as_str(), text(&dir, LOG_FILE).as_str()),
            ("one\ntwo\n", "three\nfour\n")
        );
        assert_eq!(log.size, 11);
    }

    #[test]
    fn what_an_earlier_run_wrote_counts_to_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        for _ in 0..4 {
            let mut log = LogFile::go_on(dir.path(), FILE_MAX).unwrap();
            for _ in 0..10 {
                log.append(&chunk(b'x'));
            }
        }
        assert!(size(&dir, LOG_FILE) <= FILE_MAX && size(&dir, ROTATED_LOG_FILE) <= FILE_MAX);
    }

    #[test]
    fn a_log_is_rotated_at_its_limit() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = LogFile::create(dir.path(), FILE_MAX).unwrap();
        for _ in 0..40 {
            log.append(&chunk(b'x'));
        }
        assert!(size(&dir, LOG_FILE) <= FILE_MAX && size(&dir, ROTATED_LOG_FILE) <= FILE_MAX);
        assert!(!dir.path().join(NEXT_LOG_FILE).exists());
    }

    /// Takes the place of a disk without room for another name: nothing can be opened there.
    fn block(dir: &tempfile::TempDir) -> PathBuf {
        let blocker = dir.path().join(NEXT_LOG_FILE);
        fs::create_dir(&blocker).unwrap();
        blocker
    }

    #[test]
    fn where_there_is_no_room_for_another_file_lines_are_counted_and_come_again_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = LogFile::create(dir.path(), FILE_MAX).unwrap();
        for _ in 0..16 {
            log.append(&chunk(b'x'));
        }
        let blocker = block(&dir);
        log.append(b"two\nlines\n");
        log.append(b"one more\n");
        assert_eq!(size(&dir, LOG_FILE), FILE_MAX);
        fs::remove_dir(blocker).unwrap();
        assert!(log.due().is_some());
        log.look(Instant::now() + PAUSE);
        assert_eq!(log.due(), None);
        log.append(b"after\n");
        assert_eq!(size(&dir, ROTATED_LOG_FILE), FILE_MAX);
        let text = text(&dir, LOG_FILE);
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[0].contains(" stderr F fairing: 3 lines are missing here: "),
            "{text}"
        );
        assert_eq!(lines[1..], ["after"]);
    }

    #[test]
    fn a_log_whose_disk_has_room_for_nothing_is_written_to_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = LogFile::create(dir.path(), FILE_MAX).unwrap();
        log.append(b"before\n");
        let file = std::mem::replace(
            &mut log.file,
            File::options().write(true).open("/dev/full").unwrap(),
        );
        log.append(b"lost\n");
        let due = log.due().unwrap();
        log.look(due);
        assert!(log.due().unwrap() > due);
        log.file = file;
        log.append(b"after\n");
        let text = text(&dir, LOG_FILE);
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[1].contains("fairing: 1 line is missing here: No space left"),
            "{text}"
        );
        assert_eq!((lines[0], lines[2]), ("before", "after"));
    }

    #[test]
    fn no_line_is_torn() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = LogFile::create(dir.path(), FILE_MAX).unwrap();
        log.append(b"one\n");
        log.file.write_all(b"two\nthr").unwrap();
        assert_eq!(log.cut_to_whole(b"two\nthree\n", 7), 4);
        assert_eq!(text(&dir, LOG_FILE), "one\ntwo\n");
    }
}
