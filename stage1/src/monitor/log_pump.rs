//! One output of an app on its way into the app's log.
//!
//! Who writes much is read seldom and much at once: each time that the monitor wakes up costs it as much as the bytes of
//! some pages, and the app a switch of processes. So reads that follow each other at short intervals are put off for a
//! moment, in which the pipe fills; it is made larger for that. A line now and then is read at once.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use pod::AppName;
use rustix::buffer::spare_capacity;
use rustix::io::{Errno, read};
use rustix::pipe::fcntl_setpipe_size;

use super::attachments::Output;
use super::lines::Lines;

/// Bytes read at once: what a pipe holds if nobody says otherwise.
const READ: usize = 64 << 10;
/// Reads of one turn: after so many, others have theirs.
const READS_MAX: usize = 16;
/// What the pipe of an app holds that writes much, in bytes.
const PIPE_SIZE: usize = 1 << 20;
/// How long a read is put off.
const PAUSE: Duration = Duration::from_millis(5);
/// So many reads at short intervals are a flood.
const FLOOD: u32 = 8;

/// How much is read in a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gulp {
    /// All that is there, after a pause if it comes as a flood.
    Much,
    /// What is read at once: somebody watches.
    Watched,
    /// A few lines: where they go each costs a message.
    Little,
}

impl Gulp {
    fn size(self) -> usize {
        match self {
            Self::Much | Self::Watched => READ,
            Self::Little => READ / 8,
        }
    }
}

/// One stream of one app.
#[derive(Debug)]
pub(super) struct LogPump {
    source: OwnedFd,
    /// Whose log.
    pub(super) app: AppName,
    pub(super) output: Output,
    pub(super) lines: Lines,
    is_terminal: bool,
    is_large: bool,
    ended: bool,
    last_read: Option<Instant>,
    /// Reads that followed each other at short intervals.
    quick: u32,
    rests_until: Option<Instant>,
}

impl LogPump {
    pub(super) fn new(source: OwnedFd, app: AppName, output: Output, is_terminal: bool) -> Self {
        Self {
            source,
            app,
            output,
            lines: Lines::default(),
            is_terminal,
            is_large: false,
            ended: false,
            last_read: None,
            quick: 0,
            rests_until: None,
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

    /// Until when it is not read, if it is not.
    pub(super) fn rests_until(&self) -> Option<Instant> {
        self.rests_until
    }

    /// Ends the pause if it is time.
    pub(super) fn wake(&mut self, now: Instant) {
        self.rests_until = self.rests_until.filter(|until| *until > now);
    }

    /// Reads what is there, into `room`. `seen` gets what is read, piece by piece, and says whether more may come now.
    pub(super) fn advance(
        &mut self,
        gulp: Gulp,
        now: Instant,
        room: &mut Vec<u8>,
        mut seen: impl FnMut(&mut Lines, &[u8]) -> bool,
    ) {
        let size = gulp.size();
        let mut taken = 0;
        let is_emptied = loop {
            room.clear();
            room.reserve_exact(size);
            match read(&self.source, spare_capacity(room)) {
                Ok(0) => {
                    self.ended = true;
                    return;
                }
                Ok(length) => {
                    let goes_on = seen(&mut self.lines, room);
                    taken += length;
                    if length < size {
                        break true;
                    }
                    if gulp != Gulp::Much || !goes_on || taken >= READS_MAX * size {
                        break false;
                    }
                }
                Err(Errno::INTR | Errno::AGAIN) => break true,
                Err(_) => {
                    self.ended = true;
                    return;
                }
            }
        };
        if self.is_terminal {
            // Its buffer is small, and stays so.
            return;
        }
        if taken >= READ / 2 && !self.is_large {
            // If that is refused, the app waits for the monitor more often.
            let _ = fcntl_setpipe_size(&self.source, PIPE_SIZE);
            self.is_large = true;
        }
        let is_quick = self.last_read.is_some_and(|last| now < last + 2 * PAUSE);
        self.quick = if is_quick { self.quick + 1 } else { 0 }.min(FLOOD);
        self.last_read = Some(now);
        let waits = gulp == Gulp::Much && is_emptied && self.quick >= FLOOD;
        self.rests_until = waits.then(|| now + PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use rustix::fs::{OFlags, fcntl_setfl};

    use super::*;

    /// A pump, and what writes to it.
    fn pump() -> (LogPump, File) {
        let (source, sink) = rustix::pipe::pipe().unwrap();
        fcntl_setfl(&source, OFlags::NONBLOCK).unwrap();
        let pump = LogPump::new(source, "a".parse().unwrap(), Output::Stdout, false);
        (pump, File::from(sink))
    }

    fn taken(pump: &mut LogPump, gulp: Gulp, now: Instant) -> usize {
        let (mut room, mut length) = (Vec::new(), 0);
        pump.advance(gulp, now, &mut room, |_, bytes| {
            length += bytes.len();
            true
        });
        assert!(room.capacity() <= 2 * READ);
        length
    }

    #[test]
    fn a_line_now_and_then_is_read_at_once_and_a_flood_after_a_pause() {
        let (mut pump, mut app) = pump();
        let mut now = Instant::now();
        for (interval, rests) in [(Duration::from_secs(1), false), (PAUSE / 5, true)] {
            for _ in 0..20 {
                app.write_all(b"line\n").unwrap();
                now += interval;
                assert_eq!(taken(&mut pump, Gulp::Much, now), 5);
            }
            assert_eq!(pump.rests_until().is_some(), rests, "{interval:?}");
        }
        pump.wake(now);
        assert!(pump.rests_until().is_some());
        pump.wake(now + PAUSE);
        assert_eq!(pump.rests_until(), None);
    }

    #[test]
    fn who_is_watched_is_not_put_off() {
        let (mut pump, mut app) = pump();
        let now = Instant::now();
        for _ in 0..20 {
            app.write_all(b"line\n").unwrap();
            assert_eq!(taken(&mut pump, Gulp::Watched, now), 5);
            assert_eq!(pump.rests_until(), None);
        }
    }

    #[test]
    fn who_has_used_up_what_it_may_cost_is_read_no_more_in_that_turn() {
        let (mut pump, mut app) = pump();
        fcntl_setpipe_size(&app, PIPE_SIZE).unwrap();
        app.write_all(&vec![b'x'; PIPE_SIZE]).unwrap();
        let (mut room, mut length) = (Vec::new(), 0);
        pump.advance(Gulp::Much, Instant::now(), &mut room, |_, bytes| {
            length += bytes.len();
            length < 3 * READ
        });
        assert_eq!(length, 3 * READ);
        assert_eq!(pump.rests_until(), None);
    }

    #[test]
    fn the_pipe_of_who_writes_much_grows_and_is_read_in_one_turn() {
        let (mut pump, mut app) = pump();
        let now = Instant::now();
        app.write_all(&vec![b'x'; READ]).unwrap();
        assert_eq!(taken(&mut pump, Gulp::Little, now), READ / 8);
        assert_eq!(taken(&mut pump, Gulp::Much, now), READ - READ / 8);
        app.write_all(&vec![b'x'; PIPE_SIZE]).unwrap();
        assert_eq!(taken(&mut pump, Gulp::Watched, now), READ);
        assert_eq!(taken(&mut pump, Gulp::Much, now), PIPE_SIZE - READ);
        drop(app);
        assert_eq!(taken(&mut pump, Gulp::Much, now), 0);
        assert!(pump.is_done());
    }
}
