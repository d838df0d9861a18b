//! What the command of a probe or a hook says: the beginning of it is kept, the rest is read and dropped, so that a command
//! that says much is neither held up nor ended for it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::failure::one_line;

/// How much of what a command says is kept, in bytes.
const KEPT_MAX: usize = 10 << 10;
/// How much of one of its streams is read at once: what a pipe holds. Others have their turn then.
const TURN_MAX: usize = 64 << 10;
/// How much is read as fast as it comes.
const FREE: usize = 1 << 20;
/// How long one that says more is not listened to after each turn: the processor's time is the host's.
const REST: Duration = Duration::from_millis(10);
/// How much of it is told.
pub(super) const TOLD_MAX: usize = 1 << 10;

/// The streams of one command.
#[derive(Debug, Default)]
pub(super) struct CheckOutput {
    streams: Vec<OwnedFd>,
    kept: Vec<u8>,
    read: usize,
    rest_until: Option<Instant>,
}

impl CheckOutput {
    pub(super) fn new(streams: Vec<OwnedFd>) -> Self {
        Self {
            streams,
            ..Self::default()
        }
    }

    /// What to wait for, before [`CheckOutput::read`].
    pub(super) fn interests(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let is_open = self.rest_until.is_none();
        let streams = self.streams.iter().filter(move |_| is_open);
        streams.map(AsFd::as_fd)
    }

    /// When it is listened to again.
    pub(super) fn due(&self) -> Option<Instant> {
        self.rest_until
    }

    /// Reads what has come: `ready` answers [`CheckOutput::interests`], and is taken as far as that.
    pub(super) fn read(&mut self, ready: &mut impl Iterator<Item = bool>) {
        match self.rest_until {
            Some(at) if at <= Instant::now() => self.rest_until = None,
            Some(_) => {}
            None => self.take(ready),
        }
    }

    fn take(&mut self, ready: &mut impl Iterator<Item = bool>) {
        let Self {
            streams,
            kept,
            read,
            ..
        } = self;
        let before = *read;
        streams.retain(|stream| !ready.next().unwrap_or(false) || take_some(stream, kept, read));
        if *read > before && *read > FREE {
            self.rest_until = Instant::now().checked_add(REST);
        }
    }

    /// What its command has said, as one line.
    pub(super) fn said(&mut self) -> String {
        self.take(&mut std::iter::repeat(true));
        let text = one_line(&String::from_utf8_lossy(&self.kept));
        let length = text.floor_char_boundary(TOLD_MAX);
        text.get(..length).unwrap_or_default().to_owned()
    }
}

/// Whether there may be more.
fn take_some(stream: &OwnedFd, kept: &mut Vec<u8>, read: &mut usize) -> bool {
    let mut some = [0; 4096];
    let most = read.saturating_add(TURN_MAX);
    while *read < most {
        match rustix::io::read(stream, &mut some) {
            Ok(0) => return false,
            Ok(count) => {
                *read = read.saturating_add(count);
                let room = KEPT_MAX.saturating_sub(kept.len());
                kept.extend(some.iter().take(count.min(room)));
            }
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return true,
            Err(_) => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use rustix::fs::OFlags;
    use rustix::pipe::{PipeFlags, pipe_with};

    use super::*;

    fn pipe() -> (OwnedFd, OwnedFd) {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        rustix::fs::fcntl_setfl(&reader, OFlags::NONBLOCK).unwrap();
        (reader, writer)
    }

    #[test]
    fn all_that_a_command_says_is_read_and_its_beginning_told() {
        const LENGTH: usize = 3 << 20;
        let (reader, writer) = pipe();
        let command = std::thread::spawn(move || {
            let mut writer = std::fs::File::from(writer);
            writer.write_all(b"unwell:\n")?;
            writer.write_all(&vec![b'x'; LENGTH])
        });
        let mut output = CheckOutput::new(vec![reader]);
        while !output.streams.is_empty() {
            let now = Instant::now();
            let rest = output.due().map(|at| at.saturating_duration_since(now));
            let timeout = rest.map_or(PollTimeout::NONE, |rest| {
                PollTimeout::try_from(rest).unwrap()
            });
            let interests = output.interests();
            let mut fds: Vec<_> = interests
                .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
                .collect();
            assert_eq!(fds.is_empty(), rest.is_some());
            poll(&mut fds, timeout).unwrap();
            let ready: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap()).collect();
            output.read(&mut ready.into_iter());
        }
        command.join().unwrap().unwrap();
        assert_eq!(output.read, LENGTH + 8);
        let said = output.said();
        assert!(said.starts_with("unwell: xxx"), "{said}");
        assert_eq!(said.len(), TOLD_MAX);
    }

    #[test]
    fn one_that_never_ends_is_not_listened_to_for_long() {
        let mut output = CheckOutput::new(vec![
            std::fs::File::open("/dev/zero").unwrap().into(),
            std::fs::File::open("/dev/zero").unwrap().into(),
        ]);
        output.read(&mut [true, false].into_iter());
        assert_eq!(output.read, TURN_MAX);
        while output.due().is_none() {
            output.read(&mut [true, true].into_iter());
        }
        assert!(output.read < FREE + 3 * TURN_MAX);
        assert_eq!(output.interests().count(), 0);
        output.said();
        assert!(output.read < FREE + 5 * TURN_MAX);
    }
}
