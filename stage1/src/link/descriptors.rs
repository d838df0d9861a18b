//! The link between two processes of one kernel: messages are packets, and streams are pipes and terminals
//! that go along as descriptors, so that nothing stands between an app and who reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use pod::seqpacket::{DESCRIPTORS_MAX, Encoded, MESSAGE_MAX, Received, SeqPacket};
use rustix::fs::{FileType, Gid, OFlags, Uid, fchown, fcntl_setfl, fstat, major, minor};
use rustix::pipe::{PipeFlags, pipe_with};

use super::backlog::Backlog;
use super::packet::{Contents, Descriptors, Packet, descriptors};
use super::{
    AppResources, Enclosed, HandedOver, InitLink, InitNotification, InitRequest, LinkError,
    MonitorLink, Process, StreamEnds, StreamId, StreamKind,
};
use crate::link::stream::StreamIds;
use crate::protocol::{FromInit, ToInit};

/// The descriptor under which pod init finds its end.
pub const INIT_SOCKET_FD: i32 = 3;
/// The number of the device that is the master of every pseudo-terminal, `/dev/ptmx`.
const MASTER: (u32, u32) = (5, 2);
/// Bytes that wait for a pod init that does not read, above which nothing more is begun.
const BEGINNINGS_MAX: usize = MESSAGE_MAX as usize;
/// Bytes that wait for it above which the pod can't be looked after any more.
const BACKLOG_MAX: usize = 3 * BEGINNINGS_MAX;

#[cfg(test)]
mod tests;

/// Two connected ends. In a user namespace, streams belong to `owner`, its root: pod init gives them to the apps' users.
///
/// # Errors
/// [`LinkError::Send`] if the kernel gives none.
pub fn pair(owner: Option<(Uid, Gid)>) -> Result<(ToChild, OwnedFd), LinkError> {
    let (monitor, init) = SeqPacket::pair()?;
    Ok((ToChild::new(monitor, owner), init.into()))
}

/// The monitor's end.
#[derive(Debug)]
pub struct ToChild {
    socket: SeqPacket,
    ids: StreamIds,
    /// The pod's ends of streams that no message has named yet.
    unsent: BTreeMap<StreamId, OwnedFd>,
    /// Terminals that are to come.
    terminals: BTreeSet<StreamId>,
    ended: bool,
    /// What pod init has yet to be told.
    backlog: Backlog,
    owner: Option<(Uid, Gid)>,
}

impl ToChild {
    fn new(socket: SeqPacket, owner: Option<(Uid, Gid)>) -> Self {
        Self {
            socket,
            owner,
            ids: StreamIds::default(),
            unsent: BTreeMap::new(),
            terminals: BTreeSet::new(),
            ended: false,
            backlog: Backlog::default(),
        }
    }

    fn next_id(&mut self) -> Result<StreamId, LinkError> {
        self.ids
            .next_id()
            .ok_or_else(|| LinkError::system("name a stream")("all names are taken"))
    }

    fn make_pipe(&self) -> Result<(OwnedFd, OwnedFd), LinkError> {
        let pipe = pipe_with(PipeFlags::CLOEXEC).map_err(LinkError::system("make a pipe"))?;
        if let Some((user, group)) = self.owner {
            fchown(&pipe.0, Some(user), Some(group)).map_err(LinkError::system("own a pipe"))?;
        }
        Ok(pipe)
    }

    /// Takes one message; there must be one, or pod init must be gone.
    fn receive(&mut self) -> Result<Option<InitNotification>, LinkError> {
        let received = self
            .socket
            .recv::<FromInit>()
            .map_err(|error| LinkError::Protocol(error.to_string()))?;
        let Some((message, fds)) = received else {
            self.ended = true;
            return Ok(None);
        };
        let mut fds = Descriptors::new(fds);
        let process = match message.is_of_new_process() {
            true => Some(Process::of_host(fds.one()?)),
            false => None,
        };
        let terminal = match message.terminal() {
            Some(id) => Some(self.take_terminal(id, fds.one()?)?),
            None => None,
        };
        fds.none_is_left()?;
        Ok(Some(InitNotification {
            message,
            process,
            terminal,
        }))
    }

    /// Anything else than a terminal could block who reads it, whatever its flags.
    fn take_terminal(&mut self, id: StreamId, fd: OwnedFd) -> Result<OwnedFd, LinkError> {
        if !self.terminals.remove(&id) {
            let number = id.number();
            return Err(LinkError::Protocol(format!(
                "nobody waits for a terminal called {number}"
            )));
        }
        let stat = fstat(&fd).map_err(LinkError::system("look at a terminal"))?;
        let is_device = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice;
        if !is_device || (major(stat.st_rdev), minor(stat.st_rdev)) != MASTER {
            return Err(LinkError::Protocol("a terminal is something else".into()));
        }
        fcntl_setfl(&fd, OFlags::RDWR | OFlags::NONBLOCK)
            .map_err(LinkError::system("set up a terminal"))?;
        Ok(fd)
    }
}

impl InitLink for ToChild {
    fn open_input(&mut self) -> Result<(StreamId, OwnedFd), LinkError> {
        let id = self.next_id()?;
        let (theirs, ours) = self.make_pipe()?;
        self.unsent.insert(id, theirs);
        Ok((id, ours))
    }

    fn open_output(&mut self) -> Result<(StreamId, OwnedFd), LinkError> {
        let id = self.next_id()?;
        let (ours, theirs) = self.make_pipe()?;
        // An app can open the other end of its own pipe, and take what has been announced to who waits for it.
        fcntl_setfl(&ours, OFlags::NONBLOCK).map_err(LinkError::system("set up a pipe"))?;
        self.unsent.insert(id, theirs);
        Ok((id, ours))
    }

    fn open_terminal(&mut self) -> Result<StreamId, LinkError> {
        let id = self.next_id()?;
        self.terminals.insert(id);
        Ok(id)
    }

    fn forget_terminal(&mut self, id: StreamId) {
        self.terminals.remove(&id);
    }

    fn send(&mut self, message: &ToInit, handed_over: HandedOver) -> Result<(), LinkError> {
        if let HandedOver::Lost | HandedOver::MachineApp(_) | HandedOver::MachineNetwork(_) =
            handed_over
        {
            return Err(LinkError::MachineOnly);
        }
        let packet = Encoded::of(&Packet::Message {
            message,
            handed_over: Contents::of(&handed_over),
        })?;
        let streams = message.streams().into_iter();
        let mut fds: Vec<OwnedFd> = streams
            .filter_map(|(id, _)| self.unsent.remove(&id))
            .collect();
        let (first, mut further) = descriptors(handed_over);
        fds.extend(first);
        let mut packets = vec![(packet, fds)];
        while !further.is_empty() {
            let rest = further.split_off(DESCRIPTORS_MAX.min(further.len()));
            packets.push((Encoded::of(&Packet::<()>::More)?, further));
            further = rest;
        }
        // What begins something can be refused alone.
        let limit = match message {
            ToInit::App(_) | ToInit::Exec(_) | ToInit::Probe(_) => BEGINNINGS_MAX,
            _ => BACKLOG_MAX,
        };
        self.backlog.send(&self.socket, packets, limit)?;
        if matches!(message, ToInit::Start(_)) {
            // So far pod init could not keep up, on its way to its first instruction. From here on nobody waits
            // for one that does not listen: what it can't be told now is told once it has read.
            fcntl_setfl(&self.socket, OFlags::RDWR | OFlags::NONBLOCK)
                .map_err(LinkError::system("set up the link"))?;
        }
        Ok(())
    }

    fn interests(&self) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        if self.ended {
            return Vec::new();
        }
        let mut interests = vec![(self.socket.as_fd(), PollFlags::POLLIN)];
        if self.backlog.waits_for_room() {
            interests.push((self.socket.as_fd(), PollFlags::POLLOUT));
        }
        interests
    }

    fn advance(&mut self, ready: &[bool]) -> Result<Vec<InitNotification>, LinkError> {
        self.backlog.go_on(&self.socket)?;
        match ready.first() {
            Some(true) => Ok(self.receive()?.into_iter().collect()),
            _ => Ok(Vec::new()),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.backlog.deadline().filter(|_| !self.ended)
    }

    fn last_words(&mut self) -> Result<Vec<InitNotification>, LinkError> {
        let mut all = Vec::new();
        while !self.ended && has_come(&self.socket)? {
            all.extend(self.receive()?);
        }
        Ok(all)
    }
}

/// Whether a packet, or the end, can be had without waiting.
fn has_come(socket: &SeqPacket) -> Result<bool, LinkError> {
    let mut fds = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO).map_err(LinkError::system("look for messages"))?;
    let [fd] = fds;
    Ok(fd.any().unwrap_or(false))
}

/// Pod init's end.
#[derive(Debug)]
pub struct ToParent {
    socket: SeqPacket,
}

impl ToParent {
    /// The end that the monitor has left to this process.
    pub fn new(socket: OwnedFd) -> Self {
        Self {
            socket: SeqPacket::from_fd(socket),
        }
    }

    /// Whether the monitor is gone: what it sent is still there to be read, but nobody would end the pod.
    ///
    /// # Errors
    /// [`LinkError::System`] if poll(2) fails.
    pub fn monitor_is_gone(&self) -> Result<bool, LinkError> {
        let mut fds = [PollFd::new(self.socket.as_fd(), PollFlags::empty())];
        poll(&mut fds, PollTimeout::ZERO).map_err(LinkError::system("look for the monitor"))?;
        let [fd] = fds;
        Ok(fd
            .revents()
            .is_some_and(|events| events.contains(PollFlags::POLLHUP)))
    }

    /// A packet and its descriptors, if this process may have so many.
    fn packet(&self) -> Result<(Packet<ToInit>, Option<Vec<OwnedFd>>), LinkError> {
        let received = self
            .socket
            .recv_if_room()
            .map_err(|error| LinkError::Protocol(error.to_string()))?;
        let Received { message, fds } = received.ok_or(LinkError::Gone)?;
        Ok((message, fds))
    }

    /// As many descriptors, which come in packets of their own, if this process may have so many.
    fn more(&self, count: usize) -> Result<Option<Vec<OwnedFd>>, LinkError> {
        let mut more = Some(Vec::new());
        for _ in 0..count.div_ceil(DESCRIPTORS_MAX) {
            match self.packet()? {
                (Packet::More, some) => {
                    more = more.zip(some).map(|(mut more, some)| {
                        more.extend(some);
                        more
                    });
                }
                _ => {
                    return Err(LinkError::Protocol(
                        "an app's mounts and sockets did not come".to_owned(),
                    ));
                }
            }
        }
        match more {
            Some(more) if more.len() != count => Err(LinkError::Protocol(format!(
                "{} mounts and sockets of an app came, and {count} should have",
                more.len()
            ))),
            more => Ok(more),
        }
    }
}

impl MonitorLink for ToParent {
    fn send(&mut self, message: &FromInit, enclosed: Enclosed<'_>) -> Result<(), LinkError> {
        let Enclosed { process, terminal } = enclosed;
        let fds: Vec<_> = process
            .into_iter()
            .chain(terminal.iter().map(AsFd::as_fd))
            .collect();
        Ok(self.socket.send(message, &fds)?)
    }

    fn wait(&mut self) -> Result<InitRequest, LinkError> {
        let (
            Packet::Message {
                message,
                handed_over,
            },
            fds,
        ) = self.packet()?
        else {
            return Err(LinkError::Protocol(
                "mounts or sockets came without an app".into(),
            ));
        };
        let further = match &handed_over {
            Contents::App {
                mounts, sockets, ..
            } => self.more(mounts.saturating_add(*sockets))?,
            Contents::Nothing => Some(Vec::new()),
        };
        // An app or a command for which there is no descriptor fails alone.
        let Some((fds, mut more)) = fds.zip(further) else {
            return Ok(InitRequest {
                message,
                streams: StreamEnds::default(),
                handed_over: HandedOver::Lost,
            });
        };
        let mut fds = Descriptors::new(fds);
        let piped = message
            .streams()
            .into_iter()
            .filter(|(_, kind)| *kind != StreamKind::Terminal);
        let streams = piped
            .map(|(id, _)| Ok((id, fds.one()?)))
            .collect::<Result<StreamEnds, LinkError>>()?;
        let handed_over = match handed_over {
            Contents::Nothing => HandedOver::Nothing,
            Contents::App {
                seat,
                proc,
                dev,
                sys,
                mounts,
                ..
            } => {
                let (root, seat) = (fds.one()?, fds.seat(seat)?);
                let proc = fds.one_if(proc)?;
                let (dev, sys) = (fds.one_if(dev)?, fds.one_if(sys)?);
                let sockets = more.split_off(mounts.min(more.len()));
                HandedOver::App(AppResources {
                    root,
                    seat,
                    proc,
                    dev,
                    sys,
                    mounts: more,
                    sockets,
                })
            }
        };
        fds.none_is_left()?;
        Ok(InitRequest {
            message,
            streams,
            handed_over,
        })
    }

    fn interests(&self) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        vec![(self.socket.as_fd(), PollFlags::POLLIN)]
    }

    fn advance(&mut self, ready: &[bool]) -> Result<Vec<InitRequest>, LinkError> {
        match ready.first() {
            Some(true) => Ok(vec![self.wait()?]),
            _ => Ok(Vec::new()),
        }
    }
}
