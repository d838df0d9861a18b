//! What the monitor has to tell on its standard error, which may lead to somebody who does not read.
//!
//! While the pod runs nobody is waited for: a line that can't be told at once is dropped and counted, and the count is
//! told when there is room. Only at its end, when all is written down, does the monitor wait for a moment.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::io::Errno;

use super::pump::{End, Standard};
use crate::failure::one_line;
use crate::timing::poll_timeout;

/// What a warning begins with.
const WARNING: &str = "warning: ";
/// Longest line, in bytes: what a pipe takes whole or not at all.
const LINE_MAX: usize = 4096;
/// How long the last lines wait for room, all together.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Standard error, as the monitor uses it for itself.
#[derive(Debug, Default)]
pub(super) struct Diagnostics {
    /// Opened when there is something to tell.
    end: Option<End>,
    /// Lines that nobody has seen.
    dropped: u64,
}

impl Diagnostics {
    #[cfg(test)]
    fn to(end: End) -> Self {
        Self {
            end: Some(end),
            dropped: 0,
        }
    }

    /// Tells this if there is room for it now.
    pub(super) fn tell(&mut self, message: &str) {
        if !self.write(message, None) {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    /// The same of what harms nothing.
    pub(super) fn warn(&mut self, message: &str) {
        self.tell(&format!("{WARNING}{message}"));
    }

    /// Tells all of this, and waits for room, but not for long.
    pub(super) fn conclude<'a>(mut self, messages: impl IntoIterator<Item = &'a str>) {
        let deadline = Instant::now().checked_add(LAST_WORDS);
        for message in messages {
            if !self.write(message, deadline) {
                // Nobody is left to tell.
                return;
            }
        }
        let _ = self.write_dropped(deadline);
    }

    /// What to wait for, while there is something to make up for.
    pub(super) fn interest(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        let end = self.end.as_ref().filter(|_| self.dropped > 0)?;
        // A file is always ready, and one on a full disk takes nothing all the same.
        end.tells_of_room()
            .then(|| (end.as_fd(), PollFlags::POLLOUT))
    }

    /// There is room again.
    pub(super) fn catch_up(&mut self) {
        let _ = self.write_dropped(None);
    }

    fn write(&mut self, message: &str, deadline: Option<Instant>) -> bool {
        self.write_dropped(deadline) && self.write_line(message, deadline)
    }

    fn write_dropped(&mut self, deadline: Option<Instant>) -> bool {
        if self.dropped == 0 {
            return true;
        }
        let text = match self.dropped {
            1 => "1 message is missing here: standard error took no more".to_owned(),
            more => format!("{more} messages are missing here: standard error took no more"),
        };
        let told = self.write_line(&text, deadline);
        if told {
            self.dropped = 0;
        }
        told
    }

    /// Writes one line, as the CLI prints its own; whether somebody can read it. Waits for room until then, if that is
    /// given.
    fn write_line(&mut self, message: &str, deadline: Option<Instant>) -> bool {
        let line = line(message);
        let end = self
            .end
            .get_or_insert_with(|| End::standard(Standard::Error));
        loop {
            // What does not block is asked, too: it costs little here, and others can't be written to without.
            let now = deadline.is_none_or(|deadline| deadline <= Instant::now());
            let timeout = match now {
                true => PollTimeout::ZERO,
                false => poll_timeout(deadline),
            };
            let mut fds = [PollFd::new(end.as_fd(), PollFlags::POLLOUT)];
            match poll(&mut fds, timeout) {
                Ok(0) if now => return false,
                Ok(0) | Err(nix::errno::Errno::EINTR) => continue,
                Ok(_) => {}
                Err(_) => return false,
            }
            match end.write(line.as_bytes()) {
                Ok(_) => return true,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) if !now => {}
                Err(errno) => {
                    if end.is_left(errno) {
                        // Nobody will ever read it, so that nothing has to be made up for.
                        self.dropped = 0;
                        return true;
                    }
                    return false;
                }
            }
        }
    }
}

fn line(message: &str) -> String {
    const CUT: &str = "…";
    // Warnings begin with their own word, as the command's do.
    let beginning = match message.starts_with(WARNING) {
        true => "",
        false => "fairing: ",
    };
    let mut line = format!("{beginning}{}", one_line(message));
    if line.len() >= LINE_MAX {
        line.truncate(line.floor_char_boundary(LINE_MAX - CUT.len() - 1));
        line.push_str(CUT);
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{Read, Write};
    use std::os::fd::OwnedFd;

    /// A pipe that is full, and its reader.
    fn full() -> (File, OwnedFd) {
        let (reader, writer) = nix::unistd::pipe2(nix::fcntl::OFlag::O_NONBLOCK).unwrap();
        let mut file = File::from(writer.try_clone().unwrap());
        while file.write(&[b'x'; 4096]).is_ok() {}
        (File::from(reader), writer)
    }

    fn read(mut reader: &File) -> String {
        let mut bytes = vec![0; 1 << 20];
        let length = reader.read(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length])
            .trim_matches('x')
            .to_owned()
    }

    #[test]
    fn what_can_not_be_told_now_is_dropped_and_counted_and_the_count_is_told() {
        let (reader, writer) = full();
        let mut all = Diagnostics::to(End::Own(writer));
        assert!(all.interest().is_none());
        all.tell("one");
        all.tell("two");
        assert!(all.interest().is_some());
        assert_eq!(read(&reader), "");
        all.catch_up();
        let missing = "fairing: 2 messages are missing here: standard error took no more\n";
        assert_eq!(read(&reader), missing);
        assert!(all.interest().is_none());
        all.tell("three");
        assert_eq!(read(&reader), "fairing: three\n");
    }

    #[test]
    fn the_last_words_wait_for_a_reader_that_is_slow_and_not_for_one_that_does_not_read() {
        let (reader, writer) = full();
        let other = writer.try_clone().unwrap();
        let begun = Instant::now();
        Diagnostics::to(End::Own(writer)).conclude(["one", "two"]);
        assert!(begun.elapsed() < LAST_WORDS * 2);
        let all = Diagnostics::to(End::Own(other));
        let slow = std::thread::spawn(move || {
            assert_eq!(read(&reader), "");
            reader
        });
        all.conclude(["three", "four"]);
        let reader = slow.join().unwrap();
        assert_eq!(read(&reader), "fairing: three\nfairing: four\n");
    }

    #[test]
    fn nobody_is_told_of_what_is_missing_where_nobody_reads_any_more() {
        let (reader, writer) = full();
        let mut all = Diagnostics::to(End::Own(writer));
        all.tell("one");
        drop(reader);
        all.catch_up();
        assert!(all.interest().is_none());
    }

    #[test]
    fn a_full_disk_is_no_reason_to_try_again_and_again() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut all = Diagnostics::to(End::Shared(rustix::stdio::stderr()));
        all.dropped = 1;
        assert!(all.interest().is_none());
        let mut all = Diagnostics::to(End::Own(full.into()));
        all.tell("one");
        assert_eq!(all.dropped, 1);
    }

    #[test]
    fn a_line_is_no_longer_than_a_pipe_takes_at_once() {
        for message in ["ü".repeat(3000), "x".repeat(10_000), "short".into()] {
            let line = line(&message);
            assert!(line.len() <= LINE_MAX && line.ends_with('\n'));
        }
    }

    #[test]
    fn whatever_is_told_is_one_line_without_control_characters() {
        let hostile = "cannot run `/x\n\u{1b}[2Jfairing: ok`";
        assert_eq!(line(hostile), "fairing: cannot run `/x  [2Jfairing: ok`\n");
    }
}
