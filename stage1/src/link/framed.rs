//! The link over one byte stream: for a pod init that shares nothing with the monitor, as in a virtual machine.
//!
//! Messages are JSON. Streams are multiplexed with them, and end here in pipes, and for the monitor's end of a
//! terminal in a socket.

use std::collections::BTreeSet;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use cni_glue::interface::InterfaceConfig;
use nix::poll::PollFlags;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::connection::{Connection, End};
use super::multiplex::{Limits, Side};
use super::patience::Patience;
use super::writers::{self, Writers};
use super::{
    Enclosed, HandedOver, InitLink, InitNotification, InitRequest, LinkError, MachineApp,
    MonitorLink, Process, StreamEnds, StreamId, StreamKind,
};
use crate::protocol::{FromInit, ToInit};

/// A message to pod init, and what goes beside it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Packet<M> {
    message: M,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    app: Option<Box<MachineApp>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    interfaces: Option<Vec<InterfaceConfig>>,
}

/// The monitor's end.
#[derive(Debug)]
pub struct ToMachine {
    connection: Connection,
    limit: Duration,
    patience: Patience,
    /// Terminals that are to come.
    terminals: BTreeSet<StreamId>,
    writers: Writers,
    /// Ends that are told once what was written is where it belongs.
    ended: Vec<writers::End<InitNotification, StreamId>>,
}

impl ToMachine {
    /// Speaks over a connected stream socket. The other side has so much time for its first word, from then on for the
    /// start of the apps, and for its end once it has said that the pod is over.
    ///
    /// # Errors
    /// [`LinkError::System`] if it can't be set up.
    pub fn new(socket: OwnedFd, limit: Duration) -> Result<Self, LinkError> {
        Ok(Self {
            connection: Connection::new(socket, Side::Monitor, Limits::default())?,
            limit,
            patience: Patience::begin(limit),
            terminals: BTreeSet::new(),
            writers: Writers::default(),
            ended: Vec::new(),
        })
    }

    fn receive(&mut self, messages: Vec<Vec<u8>>) -> Result<Vec<InitNotification>, LinkError> {
        let mut heard = Vec::new();
        for json in messages {
            let message: FromInit = parse(&json)?;
            self.patience.heard(&message);
            let process = message.is_of_new_process().then(Process::elsewhere);
            let terminal = message.terminal().map(|id| self.begin_terminal(id));
            let wrote = self.writers.end(&message);
            if says_last_word(&message) {
                heard.extend(self.told_by(|_| true));
            }
            let notification = InitNotification {
                message,
                process,
                terminal: terminal.transpose()?,
            };
            match wrote {
                Some(streams) => self.ended.push(writers::End::new(notification, streams)),
                None => heard.push(notification),
            }
        }
        Ok(heard)
    }

    /// Ends of what has written nothing that is left here, or that have waited long enough.
    fn told_now(&mut self) -> Vec<InitNotification> {
        for end in &mut self.ended {
            let connection = &mut self.connection;
            // Each is tried.
            end.left.retain(|id| !connection.is_flushed(*id));
        }
        let now = Instant::now();
        self.told_by(|end| end.is_due(now))
    }

    fn told_by(
        &mut self,
        is_told: impl Fn(&writers::End<InitNotification, StreamId>) -> bool,
    ) -> Vec<InitNotification> {
        let told = self.ended.extract_if(.., |end| is_told(end));
        told.map(|end| end.message).collect()
    }

    /// Makes both ends of what stands for a terminal here.
    fn begin_terminal(&mut self, id: StreamId) -> Result<OwnedFd, LinkError> {
        if !self.terminals.remove(&id) {
            let number = id.number();
            return Err(LinkError::Protocol(format!(
                "nobody waits for a terminal called {number}"
            )));
        }
        let flags = SockFlag::SOCK_CLOEXEC.union(SockFlag::SOCK_NONBLOCK);
        let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::Stream, None, flags)
            .map_err(LinkError::system("make a socket for a terminal"))?;
        self.connection.attach(id, End::Terminal(ours));
        Ok(theirs)
    }
}

impl InitLink for ToMachine {
    fn open_input(&mut self) -> Result<(StreamId, OwnedFd), LinkError> {
        let (source, theirs) = make_pipe()?;
        let id = self.connection.open(StreamKind::ToPod)?;
        self.connection.attach(id, End::Source(quick(source)?));
        Ok((id, theirs))
    }

    fn open_output(&mut self) -> Result<(StreamId, OwnedFd), LinkError> {
        let (theirs, sink) = make_pipe()?;
        let theirs = quick(theirs)?;
        let id = self.connection.open(StreamKind::FromPod)?;
        self.connection.attach(id, End::Sink(quick(sink)?));
        Ok((id, theirs))
    }

    fn open_terminal(&mut self) -> Result<StreamId, LinkError> {
        let id = self.connection.open(StreamKind::Terminal)?;
        self.terminals.insert(id);
        Ok(id)
    }

    fn forget_terminal(&mut self, id: StreamId) {
        if self.terminals.remove(&id) {
            self.connection.abandon(id);
        }
    }

    fn send(&mut self, message: &ToInit, handed_over: HandedOver) -> Result<(), LinkError> {
        let (app, interfaces) = match handed_over {
            HandedOver::Nothing | HandedOver::Lost => (None, None),
            HandedOver::MachineApp(app) => (Some(app), None),
            HandedOver::MachineNetwork(interfaces) => (None, Some(interfaces)),
            HandedOver::App(_) => return Err(LinkError::HostOnly("an app's root filesystem")),
        };
        self.writers.begin(message);
        self.connection.send(&json(&Packet {
            message,
            app,
            interfaces,
        })?)
    }

    fn interests(&self) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        self.connection.interests()
    }

    fn advance(&mut self, ready: &[bool]) -> Result<Vec<InitNotification>, LinkError> {
        let messages = self.connection.advance(ready)?;
        if self.connection.has_begun() {
            self.patience.begun();
        }
        let mut heard = self.receive(messages)?;
        heard.extend(self.told_now());
        if self.connection.holds_output() {
            self.patience.output_is_left();
        }
        self.patience.check(Instant::now())?;
        Ok(heard)
    }

    fn is_unheard(&self) -> bool {
        !self.connection.has_begun()
    }

    fn begin_again(&mut self, socket: OwnedFd) -> Result<(), LinkError> {
        self.connection.begin_again(socket)?;
        self.patience = Patience::begin(self.limit);
        Ok(())
    }

    fn has_ended(&self) -> bool {
        self.connection.other_has_ended()
    }

    fn last_words(&mut self) -> Result<Vec<InitNotification>, LinkError> {
        let messages = self.connection.last_words()?;
        let mut heard = self.receive(messages)?;
        heard.extend(self.told_by(|_| true));
        Ok(heard)
    }

    fn deadline(&self) -> Option<Instant> {
        let ends = self.ended.iter().filter_map(|end| end.at_last);
        ends.chain(self.patience.due()).min()
    }
}

/// Pod init's end.
#[derive(Debug)]
pub struct ToHost {
    connection: Connection,
    /// What came while something else was awaited.
    told: Vec<InitRequest>,
    writers: Writers,
    /// Ends that are told once what was written has been sent: how much of it is left.
    ended: Vec<writers::End<Vec<u8>, (StreamId, u64)>>,
}

impl ToHost {
    /// Speaks over a connected stream socket, or a port of the machine.
    ///
    /// # Errors
    /// [`LinkError::System`] if it can't be set up.
    pub fn new(port: OwnedFd) -> Result<Self, LinkError> {
        Ok(Self {
            connection: Connection::new(port, Side::PodInit, Limits::default())?,
            told: Vec::new(),
            writers: Writers::default(),
            ended: Vec::new(),
        })
    }

    /// Sends all that processes have written, and waits until the monitor has read it. For the end, when no process is
    /// left.
    ///
    /// # Errors
    /// [`LinkError::Protocol`] if the monitor says something senseless.
    pub fn drain(&mut self) -> Result<(), LinkError> {
        self.connection.drain()
    }

    /// Tells of ends behind what was written, or of all.
    fn tell_ends(&mut self, all: bool) -> Result<(), LinkError> {
        let now = Instant::now();
        let connection = &mut self.connection;
        let is_told = |end: &mut writers::End<_, (StreamId, u64)>| {
            end.left.retain_mut(|(id, left)| {
                *left = connection.exhaust(*id, *left);
                *left > 0
            });
            all || end.is_due(now)
        };
        let ended: Vec<_> = self.ended.extract_if(.., is_told).collect();
        ended
            .iter()
            .try_for_each(|end| self.connection.send_after_data(&end.message))
    }

    fn tell(&mut self, messages: Vec<Vec<u8>>) -> Result<Vec<InitRequest>, LinkError> {
        let told = messages.into_iter().map(|json| {
            let Packet {
                message,
                app,
                interfaces,
            } = parse::<Packet<ToInit>>(&json)?;
            self.writers.begin(&message);
            let streams = message.streams().into_iter();
            let piped = streams.filter(|(_, kind)| *kind != StreamKind::Terminal);
            let streams = piped
                .map(|(id, kind)| Ok((id, self.begin(id, kind)?)))
                .collect::<Result<StreamEnds, LinkError>>()?;
            Ok(InitRequest {
                message,
                streams,
                handed_over: match (app, interfaces) {
                    (Some(app), _) => HandedOver::MachineApp(app),
                    (None, Some(interfaces)) => HandedOver::MachineNetwork(interfaces),
                    (None, None) => HandedOver::Nothing,
                },
            })
        });
        told.collect()
    }

    /// Makes both ends of a stream here. The result is the process's.
    fn begin(&mut self, id: StreamId, kind: StreamKind) -> Result<OwnedFd, LinkError> {
        if self.connection.unclaimed(id) != Some(kind) {
            let number = id.number();
            return Err(LinkError::Protocol(format!(
                "stream {number} was not opened for that"
            )));
        }
        let (reader, writer) = make_pipe()?;
        let (end, theirs) = match kind {
            StreamKind::ToPod => (End::Sink(quick(writer)?), reader),
            StreamKind::FromPod | StreamKind::Terminal => (End::Source(quick(reader)?), writer),
        };
        self.connection.attach(id, end);
        Ok(theirs)
    }
}

impl MonitorLink for ToHost {
    fn send(&mut self, message: &FromInit, enclosed: Enclosed<'_>) -> Result<(), LinkError> {
        if let Some(streams) = self.writers.end(message) {
            let streams = streams.into_iter();
            let written = streams.map(|id| (id, self.connection.waiting(id)));
            let end = writers::End::new(json(message)?, written.collect());
            self.ended.push(end);
            return self.tell_ends(false);
        }
        if says_last_word(message) {
            self.tell_ends(true)?;
        }
        self.connection.send(&json(message)?)?;
        if let (Some(id), Some(master)) = (message.terminal(), enclosed.terminal) {
            self.connection.attach(id, End::Terminal(quick(master)?));
        }
        Ok(())
    }

    fn wait(&mut self) -> Result<InitRequest, LinkError> {
        loop {
            if !self.told.is_empty() {
                return Ok(self.told.remove(0));
            }
            if self.connection.is_gone() {
                return Err(LinkError::Gone);
            }
            let messages = self.connection.turn()?;
            self.told = self.tell(messages)?;
        }
    }

    fn interests(&self) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        let mut interests = self.connection.interests();
        if !self.told.is_empty() {
            interests.push(self.connection.always_ready());
        }
        interests
    }

    fn advance(&mut self, ready: &[bool]) -> Result<Vec<InitRequest>, LinkError> {
        let messages = self.connection.advance(ready)?;
        if !self.connection.is_gone() {
            self.tell_ends(false)?;
        }
        let mut told = std::mem::take(&mut self.told);
        told.extend(self.tell(messages)?);
        match told.is_empty() && self.connection.is_gone() {
            true => Err(LinkError::Gone),
            false => Ok(told),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.ended.iter().filter_map(|end| end.at_last).min()
    }
}

/// Whether nothing comes after this message: what has waited is told before it.
fn says_last_word(message: &FromInit) -> bool {
    matches!(message, FromInit::Finished { .. } | FromInit::Failed(_))
}

fn make_pipe() -> Result<(OwnedFd, OwnedFd), LinkError> {
    pipe_with(PipeFlags::CLOEXEC).map_err(LinkError::system("make a pipe"))
}

/// The same descriptor, which doesn't block.
fn quick(fd: OwnedFd) -> Result<OwnedFd, LinkError> {
    fcntl_getfl(&fd)
        .and_then(|flags| fcntl_setfl(&fd, flags.union(OFlags::NONBLOCK)))
        .map_err(LinkError::system::<Errno>("set up a stream"))?;
    Ok(fd)
}

fn json(message: &impl Serialize) -> Result<Vec<u8>, LinkError> {
    serde_json::to_vec(message).map_err(LinkError::system("write a message"))
}

pub(super) fn parse<T: DeserializeOwned>(json: &[u8]) -> Result<T, LinkError> {
    serde_json::from_slice(json).map_err(|error| LinkError::Protocol(error.to_string()))
}

#[cfg(test)]
mod tests;
