//! Moves bytes between a client and a process, until the process has ended and all that it wrote
//! was sent.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

use super::abandoned::{Abandoned, Command};
use super::channel::{Channel, Incoming};
use super::channels::Channels;
use super::ending::Ending;
use super::resize::SizeReader;
use super::status::{Kind, Status, exit_status};
use crate::link::{Heed, Interest, Link};
use crate::outlet::{AtEnd, Outlet};
use crate::process::{Ended, Process, ProcessControl, ProcessStreams};
use crate::times::Times;
use crate::transport::Received;
use crate::violation::Violation;

/// The most memory for what a client may send before the process is there. No client that waits for
/// answers sends more.
const MOST_EARLY: usize = 1 << 20;
/// What the least of it takes: its place in a list, and what the heap gives for a byte.
const LEAST_EARLY: usize = size_of::<Incoming>() + 32;
/// The most bytes that are read from a process at once.
const CHUNK: usize = 32 << 10;

/// What ends a session other than the end of the process.
enum Loss {
    /// The client left, was idle for too long, or the server stops.
    Client,
    /// The client broke the protocol.
    Violation(Violation),
}

impl From<io::Error> for Loss {
    /// Whatever is wrong with a connection, its client is gone.
    fn from(_: io::Error) -> Self {
        Self::Client
    }
}

/// A client and its channels.
struct Client<'a> {
    link: Link<'a>,
    channels: Channels,
    times: Times,
}

/// Where a command goes whose client has left, and whose it is.
pub(crate) struct Heir<'a> {
    pub(crate) abandoned: &'a Abandoned,
    pub(crate) owner: String,
}

/// Serves a client: waits for its streams, has the process started, and moves bytes until the end.
pub(crate) fn serve(
    link: Link<'_>,
    channels: Channels,
    kind: Kind,
    times: Times,
    heir: Heir<'_>,
    start: impl FnOnce() -> Result<Process, String>,
) {
    let mut client = Client {
        link,
        channels,
        times,
    };
    let early = match client.wait_for_streams() {
        Ok(early) => early,
        Err(loss) => return client.leave(loss),
    };
    let session = start().and_then(|process| Session::new(process, kind, early));
    let mut session = match session {
        Ok(session) => session,
        Err(reason) => return client.finish(&Status::Failure(reason)),
    };
    match session.run(&mut client) {
        Ok(ended) => client.finish(&exit_status(kind, ended)),
        Err(loss) => {
            session.abandon(heir);
            client.leave(loss);
        }
    }
}

impl Client<'_> {
    /// What the client sends before all its streams are there.
    fn wait_for_streams(&mut self) -> Result<Vec<Incoming>, Loss> {
        let until = Instant::now() + self.times.creation;
        let (mut early, mut memory) = (Vec::new(), 0);
        self.take_in()?;
        loop {
            while let Some(incoming) = self.channels.incoming() {
                memory += LEAST_EARLY;
                match &incoming {
                    Incoming::Gone => return Err(Loss::Client),
                    Incoming::Data(_, data) => memory += data.len(),
                    Incoming::End(_) => {}
                }
                early.push(incoming);
            }
            self.send()?;
            if self.channels.are_ready() {
                return Ok(early);
            }
            let waited = Instant::now() >= until || memory > MOST_EARLY || self.link.is_overfull();
            if waited || self.link.wait(Heed::Input, &[], Some(until))?.stopped {
                return Err(Loss::Client);
            }
            self.receive()?;
        }
    }

    fn receive(&mut self) -> Result<(), Loss> {
        let received = self.link.receive()?;
        // What came before the end counts.
        self.take_in()?;
        match received {
            Received::Open => Ok(()),
            Received::End => Err(Loss::Client),
        }
    }

    /// Understands what has come in.
    fn take_in(&mut self) -> Result<(), Loss> {
        let result = self.channels.receive(self.link.incoming());
        self.link.incoming().clear();
        result.map_err(Loss::Violation)
    }

    fn send(&mut self) -> io::Result<()> {
        self.link.queue(self.channels.output());
        self.link.flush()
    }

    fn finish(mut self, status: &Status) {
        self.channels.finish(status);
        self.link.queue(self.channels.output());
        // A client that is gone by now has nothing left to be told.
        let _ = self.link.finish(self.times.idle);
    }

    fn leave(mut self, loss: Loss) {
        match &loss {
            // One that says that it leaves is answered, if it can be at once.
            Loss::Client => {
                let _ = self.send();
            }
            Loss::Violation(violation) => {
                self.channels.refuse(violation);
                self.link.queue(self.channels.output());
                // As above.
                let _ = self.link.refuse();
            }
        }
    }
}

/// A stream of output.
struct Output {
    from: OwnedFd,
    channel: Channel,
}

/// A process that is being served.
struct Session {
    kind: Kind,
    stdin: Outlet,
    outputs: Vec<Output>,
    control: Box<dyn ProcessControl>,
    sizes: SizeReader,
    ended: Option<Ended>,
    ending: Ending,
    buffer: Vec<u8>,
}

impl Session {
    fn new(process: Process, kind: Kind, early: Vec<Incoming>) -> Result<Self, String> {
        let (stdin, outputs) = take_streams(process.streams, kind)
            .map_err(|error| format!("the streams of the process: {error}"))?;
        let mut session = Self {
            kind,
            stdin,
            outputs,
            control: process.control,
            sizes: SizeReader::default(),
            ended: None,
            ending: Ending::new(Instant::now()),
            buffer: vec![0; CHUNK],
        };
        for incoming in early {
            session.take(incoming);
        }
        Ok(session)
    }

    fn run(&mut self, client: &mut Client<'_>) -> Result<Ended, Loss> {
        loop {
            client.send()?;
            if let Some(ended) = self.is_over(client.link.is_congested()) {
                return Ok(ended);
            }
            let for_input = self.stdin.has_room() && !client.link.is_overfull();
            let heed = if for_input { Heed::Input } else { Heed::Break };
            let until = self.wake_at(&client.link, client.times.idle);
            let ready = client
                .link
                .wait(heed, &self.interests(&client.link), Some(until))?;
            let idle = Instant::now() >= client.link.last_traffic() + client.times.idle;
            if ready.stopped || ready.hung_up || idle {
                return Err(Loss::Client);
            }
            if for_input {
                let result = client.receive();
                while let Some(incoming) = client.channels.incoming() {
                    if incoming == Incoming::Gone {
                        return Err(Loss::Client);
                    }
                    self.take(incoming);
                }
                result?;
            }
            self.stdin.write();
            self.note_end();
            if !client.link.is_congested() {
                self.read_outputs(&mut client.channels);
            }
        }
    }

    fn interests(&self, link: &Link<'_>) -> Vec<Interest<'_>> {
        let interest = |descriptor, flags| Interest { descriptor, flags };
        let mut interests = Vec::new();
        interests.extend(
            self.stdin
                .descriptor()
                .map(|fd| interest(fd, PollFlags::OUT)),
        );
        if !link.is_congested() {
            let outputs = self.outputs.iter();
            interests.extend(outputs.map(|out| interest(out.from.as_fd(), PollFlags::IN)));
        }
        if self.ended.is_none() {
            interests.extend(
                self.control
                    .descriptor()
                    .map(|fd| interest(fd, PollFlags::IN)),
            );
        }
        interests
    }

    fn wake_at(&self, link: &Link<'_>, idle: Duration) -> Instant {
        let idle = link.last_traffic() + idle;
        let ending = self.ending.wake_at(Instant::now());
        ending.map_or(idle, |ending| ending.min(idle))
    }

    /// How it ended, if nothing of it is left to be sent.
    fn is_over(&mut self, congested: bool) -> Option<Ended> {
        let open = !self.outputs.is_empty();
        let over = self.ending.is_over(Instant::now(), congested, open);
        if self.ended.is_none() {
            // Where nothing tells of the end, it is that of all output.
            let silent = !open && self.control.descriptor().is_none();
            return silent.then_some(Ended::Detached);
        }
        self.ended.take_if(|_| over)
    }

    fn take(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Data(Channel::Stdin, bytes) => self.stdin.push(&bytes),
            Incoming::Data(Channel::Resize, bytes) => {
                if let Some(size) = self.sizes.read(&bytes) {
                    // A terminal of the wrong size is better than none.
                    let _ = self.control.resize(size);
                }
            }
            Incoming::End(Channel::Stdin) => self.stdin.end(),
            Incoming::Data(..) | Incoming::End(_) | Incoming::Gone => {}
        }
    }

    fn note_end(&mut self) {
        if self.ended.is_none()
            && let Some(ended) = self.control.ended()
        {
            let outputs = self.outputs.iter();
            // What can't be counted is waited for by its silence.
            let unread = |out: &Output| rustix::io::ioctl_fionread(&out.from).unwrap_or(0);
            self.ending
                .note_end(Instant::now(), outputs.map(unread).sum());
            self.ended = Some(ended);
        }
    }

    fn read_outputs(&mut self, channels: &mut Channels) {
        let mut read = 0;
        let buffer = &mut self.buffer;
        self.outputs.retain(
            |output| match rustix::io::read(&output.from, &mut *buffer) {
                Ok(length @ 1..) => {
                    channels.send(output.channel, buffer.get(..length).unwrap_or_default());
                    read += length as u64;
                    true
                }
                Err(Errno::AGAIN | Errno::INTR) => true,
                // A terminal answers EIO when nobody has its other side.
                Ok(_) | Err(_) => {
                    channels.end(output.channel);
                    false
                }
            },
        );
        if read > 0 {
            self.ending.note_output(Instant::now(), read);
        }
    }

    /// Leaves the process to itself: without its client, a command goes on.
    fn abandon(mut self, heir: Heir<'_>) {
        if self.kind == Kind::Exec && self.ended.is_none() {
            self.stdin.end();
            let outputs = self.outputs.into_iter().map(|output| output.from).collect();
            heir.abandoned.take_over(Command {
                owner: heir.owner,
                stdin: self.stdin,
                outputs,
                control: self.control,
            });
        }
    }
}

fn take_streams(streams: ProcessStreams, kind: Kind) -> io::Result<(Outlet, Vec<Output>)> {
    let output = |from: OwnedFd, channel| {
        set_nonblocking(&from)?;
        Ok::<_, io::Error>(Output { from, channel })
    };
    match streams {
        ProcessStreams::Pipes {
            stdin,
            stdout,
            stderr,
        } => {
            stdin.as_ref().map(set_nonblocking).transpose()?;
            let stdout = stdout.map(|fd| output(fd, Channel::Stdout)).transpose()?;
            let stderr = stderr.map(|fd| output(fd, Channel::Stderr)).transpose()?;
            Ok((
                Outlet::new(stdin, AtEnd::Close),
                stdout.into_iter().chain(stderr).collect(),
            ))
        }
        ProcessStreams::Terminal(terminal) => {
            // Of a command of one client, the end is told; to an app, others may come.
            let at_end = match kind {
                Kind::Exec => AtEnd::EndOfTransmission,
                Kind::Attach => AtEnd::Nothing,
            };
            let stdin = Outlet::new(Some(terminal.try_clone()?), at_end);
            Ok((stdin, vec![output(terminal, Channel::Stdout)?]))
        }
    }
}

fn set_nonblocking(descriptor: &OwnedFd) -> io::Result<()> {
    let flags = fcntl_getfl(descriptor)?;
    Ok(fcntl_setfl(descriptor, flags | OFlags::NONBLOCK)?)
}
