//! The journal of systemd: one datagram for each entry, in its native protocol
//! (<https://systemd.io/JOURNAL_NATIVE_PROTOCOL>).
//!
//! An entry is so short that a datagram always holds it. The journal may be slow, stand still or be gone: what it does not
//! take waits here, as far as there is room, and the apps wait with it for a moment. After that nobody waits for it:
//! entries are dropped and counted, and the count is the first thing that it is told when it takes entries again.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use nix::poll::PollFlags;

use super::attachments::Output;
use super::lines::Part;

/// Where it listens.
const SOCKET: &str = "/run/systemd/journal/socket";
/// What waits here at most, in bytes.
const WAITING_MAX: usize = 1 << 20;
/// From here on apps wait, too: what a turn reads finds room beside it.
const WAITING_MUCH: usize = WAITING_MAX / 4;
/// What an entry takes up beside its text, in bytes.
const OF_AN_ENTRY: usize = 96;
/// How long a journal that takes nothing is waited for.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long nobody looks whether a journal is there that was not.
const PAUSE: Duration = Duration::from_secs(1);
/// syslog's number of a warning.
const WARNING: u8 = 4;

/// Whether an output is the journal's already, as who started this process says: the device and inode of what leads there
/// (systemd.exec(5)).
pub(super) fn leads_to_journal(output: impl AsFd) -> bool {
    let Ok(said) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    rustix::fs::fstat(output).is_ok_and(|stat| said == format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// Whose entries: the fields that all of them have.
#[derive(Debug)]
pub(super) struct Author {
    fields: Vec<u8>,
    lost: Cell<u64>,
    /// Why the first of them was.
    why: RefCell<String>,
}

impl Author {
    /// One with these fields.
    pub(super) fn new(fields: &[(&str, &str)]) -> Rc<Self> {
        let mut bytes = Vec::new();
        for (name, value) in fields {
            add_field(&mut bytes, name, value.as_bytes());
        }
        Rc::new(Self {
            fields: bytes,
            lost: Cell::default(),
            why: RefCell::default(),
        })
    }

    /// How many of its lines are not in the journal, and why.
    pub(super) fn missing(&self) -> Option<(String, String)> {
        let lines = match self.lost.get() {
            0 => return None,
            1 => "1 line".to_owned(),
            lost => format!("{lost} lines"),
        };
        Some((lines, self.why.borrow().clone()))
    }

    /// Whether there are any.
    pub(super) fn has_lost(&self) -> bool {
        self.lost.get() > 0
    }

    /// The same in words, at the place where they are missing.
    fn lost(&self) -> Option<String> {
        let (lines, why) = self.missing()?;
        Some(format!("{lines} missing here: {why}"))
    }

    fn lose(&self, why: &io::Error) {
        if self.lost.get() == 0 {
            *self.why.borrow_mut() = why.to_string();
        }
        self.lost.set(self.lost.get().saturating_add(1));
    }
}

fn add_field(message: &mut Vec<u8>, name: &str, value: &[u8]) {
    message.extend_from_slice(name.as_bytes());
    if value.contains(&b'\n') {
        message.push(b'\n');
        message.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        message.push(b'=');
    }
    message.extend_from_slice(value);
    message.push(b'\n');
}

#[derive(Debug)]
struct Entry {
    author: Rc<Author>,
    output: Output,
    part: Part,
    text: Box<[u8]>,
}

impl Entry {
    fn size(&self) -> usize {
        self.text.len() + OF_AN_ENTRY
    }
}

/// Writes an entry as the journal takes it. A text may begin with its priority, as those of services may (sd-daemon(3)).
fn write_message(message: &mut Vec<u8>, author: &Author, output: Output, part: Part, text: &[u8]) {
    let usual = match output {
        Output::Stdout => b'6',
        Output::Stderr => b'3',
    };
    let (priority, text) = match text {
        [b'<', digit @ b'0'..=b'7', b'>', text @ ..] => (*digit, text),
        text => (usual, text),
    };
    message.clear();
    message.extend_from_slice(&author.fields);
    add_field(message, "PRIORITY", &[priority]);
    add_field(message, "FAIRING_STREAM", output.name().as_bytes());
    if part == Part::More {
        add_field(message, "CONTAINER_PARTIAL_MESSAGE", b"true");
    }
    add_field(message, "MESSAGE", text);
}

/// The pod's way to the journal.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    socket: Option<UnixDatagram>,
    /// When to look again whether it is there, if it was not.
    look_at: Option<Instant>,
    /// Why it was not.
    absent: Option<ErrorKind>,
    waiting: VecDeque<Entry>,
    /// Of all that wait.
    size: usize,
    /// When it took something last, or something began to wait.
    moved: Instant,
    /// Whether it stands still, so that nobody waits for it.
    is_stuck: bool,
    message: Vec<u8>,
}

impl Default for Journal {
    fn default() -> Self {
        Self::at(Path::new(SOCKET))
    }
}

impl Journal {
    fn at(path: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
            socket: None,
            look_at: None,
            absent: None,
            waiting: VecDeque::new(),
            size: 0,
            moved: Instant::now(),
            is_stuck: false,
            message: Vec::new(),
        }
    }

    /// Enters this. What can't be entered is counted with its author. How many bytes it is, about.
    pub(super) fn enter(
        &mut self,
        author: &Rc<Author>,
        output: Output,
        part: Part,
        text: &[u8],
        now: Instant,
    ) -> usize {
        let size = author.fields.len() + text.len() + OF_AN_ENTRY;
        let result = match self.waiting.is_empty() && !self.is_stuck {
            true => self
                .make_up(author, now)
                .and_then(|()| self.transmit(author, output, part, text, now)),
            false => Err(ErrorKind::WouldBlock.into()),
        };
        match result {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let entry = Entry {
                    author: Rc::clone(author),
                    output,
                    part,
                    text: text.into(),
                };
                self.put_off(entry, now);
            }
            Err(error) => author.lose(&error),
        }
        size
    }

    fn put_off(&mut self, entry: Entry, now: Instant) {
        if self.waiting.is_empty() {
            self.moved = now;
        }
        if self.is_stuck || self.size + entry.size() > WAITING_MAX {
            entry.author.lose(&slow());
        } else {
            self.size += entry.size();
            self.waiting.push_back(entry);
        }
    }

    /// Says what is missing of this author, if anything is and it can be said now.
    pub(super) fn look(&mut self, author: &Rc<Author>, now: Instant) {
        if author.has_lost() && self.waiting.is_empty() && !self.is_stuck {
            // What can't be said now is said later.
            let _ = self.make_up(author, now);
        }
    }

    /// When to look again whether it is there, if it was not.
    pub(super) fn looks_at(&self) -> Option<Instant> {
        self.look_at
    }

    /// Says what is missing, before anything else of this author is entered.
    fn make_up(&mut self, author: &Rc<Author>, now: Instant) -> io::Result<()> {
        let Some(lost) = author.lost() else {
            return Ok(());
        };
        let text = format!("<{WARNING}>fairing: {lost}");
        self.transmit(author, Output::Stderr, Part::Last, text.as_bytes(), now)?;
        author.lost.set(0);
        Ok(())
    }

    fn transmit(
        &mut self,
        author: &Author,
        output: Output,
        part: Part,
        text: &[u8],
        now: Instant,
    ) -> io::Result<()> {
        let mut message = std::mem::take(&mut self.message);
        write_message(&mut message, author, output, part, text);
        let result = self.send(&message, now);
        self.message = message;
        if result.is_ok() {
            self.moved = now;
        }
        result
    }

    fn send(&mut self, message: &[u8], now: Instant) -> io::Result<()> {
        if let Some(socket) = &self.socket {
            match socket.send(message) {
                Ok(_) => return Ok(()),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return Err(error),
                    ErrorKind::Interrupted => return Err(ErrorKind::WouldBlock.into()),
                    _ if error.raw_os_error() == Some(libc::ENOBUFS) => {
                        return Err(ErrorKind::WouldBlock.into());
                    }
                    // Another one may be there by now.
                    _ => self.socket = None,
                },
            }
        }
        let socket = self.connect(now)?;
        let sent = socket.send(message).map(drop);
        self.socket = Some(socket);
        sent
    }

    fn connect(&mut self, now: Instant) -> io::Result<UnixDatagram> {
        if let (Some(at), Some(kind)) = (self.look_at, self.absent)
            && now < at
        {
            return Err(absent(&self.path, kind));
        }
        let connected = UnixDatagram::unbound().and_then(|socket| {
            socket.set_nonblocking(true)?;
            socket.connect(&self.path)?;
            Ok(socket)
        });
        self.look_at = connected.is_err().then(|| now + PAUSE);
        self.absent = connected.as_ref().err().map(io::Error::kind);
        connected.map_err(|error| absent(&self.path, error.kind()))
    }

    /// Whether apps are to wait before they write more.
    pub(super) fn holds_back(&self) -> bool {
        self.size >= WAITING_MUCH
    }

    /// Whether nothing waits.
    pub(super) fn is_settled(&self) -> bool {
        self.waiting.is_empty()
    }

    /// What tells of room, while something waits for it.
    pub(super) fn interest(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        let waits = self.is_stuck || !self.is_settled();
        let socket = self.socket.as_ref().filter(|_| waits)?;
        Some((socket.as_fd(), PollFlags::POLLOUT))
    }

    /// When there is something to do though nothing happens.
    pub(super) fn due(&self) -> Option<Instant> {
        (!self.is_settled()).then(|| self.moved + PATIENCE)
    }

    /// There is room: enters what waits.
    pub(super) fn advance(&mut self, now: Instant) {
        self.is_stuck = false;
        while let Some(entry) = self.waiting.pop_front() {
            let Entry {
                author,
                output,
                part,
                text,
            } = &entry;
            let result = self
                .make_up(author, now)
                .and_then(|()| self.transmit(author, *output, *part, text, now));
            match result {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.waiting.push_front(entry);
                    return;
                }
                Err(error) => author.lose(&error),
            }
            self.size = self.size.saturating_sub(entry.size());
        }
        // Gives the memory back.
        self.waiting = VecDeque::new();
        self.size = 0;
    }

    /// Waits no longer for one that takes nothing.
    pub(super) fn keep_time(&mut self, now: Instant) {
        if self.due().is_some_and(|due| due <= now) {
            self.is_stuck = true;
            for entry in std::mem::take(&mut self.waiting) {
                entry.author.lose(&slow());
            }
            self.size = 0;
        }
    }
}

fn absent(path: &Path, kind: ErrorKind) -> io::Error {
    // A kind's own words are a programmer's.
    let why = match kind {
        ErrorKind::NotFound => "there is nothing".to_owned(),
        ErrorKind::ConnectionRefused => "nobody listens".to_owned(),
        kind => kind.to_string(),
    };
    let what = format!("the journal is not at {}: {why}", path.display());
    io::Error::new(kind, what)
}

fn slow() -> io::Error {
    io::Error::other("the journal took no more")
}

#[cfg(test)]
mod tests;
