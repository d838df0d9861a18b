//! The link between the monitor and pod init: it carries messages ([`crate::protocol`]) and byte streams.
//!
//! A message names things, and the link gives each side what it needs of them: for a byte stream, a descriptor
//! of its own to read or write. So neither the monitor nor pod init knows whether the other is a process of
//! the same kernel ([`descriptors`]) or somewhere else.
//!
//! Every stream is named by the monitor, in a message that says what it is for. Pod init is not trusted: what it
//! says is bounded in size and number, and one that says something senseless ends its own pod.

mod backlog;
mod connection;
pub mod descriptors;
pub mod framed;
pub mod frames;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod greeting;
pub mod handed_over;
pub mod multiplex;
mod packet;
mod patience;
pub mod process;
pub mod stream;
mod window;
mod writers;

use std::collections::BTreeMap;
use std::fmt;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Instant;

use nix::poll::PollFlags;

use crate::failure::StartFailure;
use crate::protocol::{FromInit, ToInit};

pub use handed_over::{AppResources, HandedOver, MachineApp, MachineImage, MachineMount, Share};
pub use process::Process;
pub use stream::{StreamId, StreamKind};

/// Why a link doesn't do what it should.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The other end is gone.
    #[error("the other end of the link between monitor and pod init is gone")]
    Gone,
    /// The other end says what makes no sense.
    #[error(
        "the other end of the link between monitor and pod init does not keep to the protocol: {0}"
    )]
    Protocol(String),
    /// The other end has had its time.
    #[error("pod init in the machine {what} in {seconds} s")]
    Late {
        /// What it has not done.
        what: &'static str,
        /// How long it had.
        seconds: u64,
    },
    /// The other end has not read what it was told.
    #[error("pod init has not read {0} bytes that it was told, and is told no more")]
    Behind(usize),
    /// The link leads to another kernel.
    #[error("{0} can't be handed to another machine")]
    HostOnly(&'static str),
    /// The link does not lead to another machine.
    #[error("pod init is on this host, and is handed what it would make in a machine of its own")]
    MachineOnly,
    /// A message could not be sent.
    #[error(transparent)]
    Send(#[from] pod::PodError),
    /// The system refused something.
    #[error("cannot {operation}: {reason}")]
    System {
        /// What was tried.
        operation: &'static str,
        /// Its answer.
        reason: String,
    },
}

impl LinkError {
    /// For `map_err`: what was tried, with the system's answer.
    pub(crate) fn system<E: fmt::Display>(operation: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self::System {
            operation,
            reason: error.to_string(),
        }
    }

    /// Whether the link is whole, and only what was to go along could not be sent: any process of the same user can have
    /// used up how many descriptors may be in flight.
    pub(crate) fn is_of_descriptors(&self) -> bool {
        matches!(self, Self::Send(pod::PodError::TooManyInFlight))
    }
}

impl From<LinkError> for StartFailure {
    fn from(error: LinkError) -> Self {
        Self::other(error.to_string())
    }
}

/// What the monitor has heard.
#[derive(Debug)]
pub struct InitNotification {
    /// The message.
    pub message: FromInit,
    /// The process that it tells of, if it does.
    pub process: Option<Process>,
    /// The monitor's end of the terminal that it names: a pseudo-terminal's master, or a socket. It doesn't block.
    pub terminal: Option<OwnedFd>,
}

/// What pod init has been told.
#[derive(Debug)]
pub struct InitRequest {
    /// The message.
    pub message: ToInit,
    /// The pod's ends of the streams that it names, but for terminals.
    pub streams: StreamEnds,
    /// What comes with it on one host.
    pub handed_over: HandedOver,
}

/// Local ends of streams.
#[derive(Debug, Default)]
pub struct StreamEnds(BTreeMap<StreamId, OwnedFd>);

impl StreamEnds {
    /// Takes the end of one stream.
    ///
    /// # Errors
    /// [`LinkError::Protocol`] if it did not come.
    pub fn take(&mut self, id: StreamId) -> Result<OwnedFd, LinkError> {
        self.0
            .remove(&id)
            .ok_or_else(|| LinkError::Protocol(format!("stream {} did not come", id.number())))
    }
}

impl FromIterator<(StreamId, OwnedFd)> for StreamEnds {
    fn from_iter<T: IntoIterator<Item = (StreamId, OwnedFd)>>(ends: T) -> Self {
        Self(ends.into_iter().collect())
    }
}

/// The monitor's end of a link.
pub trait InitLink: fmt::Debug {
    /// Begins a stream to the pod, to be named in the next message that is sent. Returns the monitor's end of it.
    ///
    /// # Errors
    /// [`LinkError::System`] if there is no room for more.
    fn open_input(&mut self) -> Result<(StreamId, OwnedFd), LinkError>;

    /// Begins a stream from the pod, to be named in the next message that is sent. Returns the monitor's end of it, which
    /// doesn't block.
    ///
    /// # Errors
    /// [`LinkError::System`] if there is no room for more.
    fn open_output(&mut self) -> Result<(StreamId, OwnedFd), LinkError>;

    /// Names a terminal. The monitor's end comes with the message that says that its process runs.
    ///
    /// # Errors
    /// [`LinkError::System`] if there is no room for more.
    fn open_terminal(&mut self) -> Result<StreamId, LinkError>;

    /// No process will have this terminal after all.
    fn forget_terminal(&mut self, id: StreamId);

    /// Sends a message, with what comes with it on one host: after the start, whenever pod init reads.
    ///
    /// # Errors
    /// [`LinkError::Send`] if pod init is gone; [`LinkError::HostOnly`] if it is not on this host; [`LinkError::Behind`] if
    /// it does not read.
    fn send(&mut self, message: &ToInit, handed_over: HandedOver) -> Result<(), LinkError>;

    /// What to wait for with poll(2), before [`InitLink::advance`]. Nothing once pod init's end is gone.
    fn interests(&self) -> Vec<(BorrowedFd<'_>, PollFlags)>;

    /// Moves what can be moved without waiting, and returns what has been heard. `ready` answers
    /// [`InitLink::interests`] one by one.
    ///
    /// # Errors
    /// [`LinkError::Protocol`] if pod init says something senseless; [`LinkError::Late`] if it is not waited for any longer.
    fn advance(&mut self, ready: &[bool]) -> Result<Vec<InitNotification>, LinkError>;

    /// Whether pod init has not said a word yet, where that takes it a while.
    fn is_unheard(&self) -> bool {
        false
    }

    /// From now on pod init speaks over this socket, another one than the one that has not said a word.
    ///
    /// # Errors
    /// [`LinkError::System`] if it can't be set up.
    fn begin_again(&mut self, _socket: OwnedFd) -> Result<(), LinkError> {
        Err(LinkError::HostOnly("another pod init"))
    }

    /// Whether pod init has said on its own that nothing more will come, output included. All of it was heard then.
    fn has_ended(&self) -> bool {
        false
    }

    /// Everything that has been said by now and was not heard yet. To be called when pod init has ended.
    ///
    /// # Errors
    /// As [`InitLink::advance`].
    fn last_words(&mut self) -> Result<Vec<InitNotification>, LinkError>;

    /// When to call [`InitLink::advance`] though nothing is ready.
    fn deadline(&self) -> Option<Instant> {
        None
    }
}

/// What goes with a message of pod init.
#[derive(Debug, Default)]
pub struct Enclosed<'a> {
    /// The pidfd of the process that it tells of.
    pub process: Option<BorrowedFd<'a>>,
    /// The master of the terminal that it names. The link closes it when the monitor has closed its end.
    pub terminal: Option<OwnedFd>,
}

/// Pod init's end of a link.
pub trait MonitorLink: fmt::Debug {
    /// Sends a message, with what goes with it.
    ///
    /// # Errors
    /// [`LinkError::Send`] if the monitor is gone.
    fn send(&mut self, message: &FromInit, enclosed: Enclosed<'_>) -> Result<(), LinkError>;

    /// Waits for the next message.
    ///
    /// # Errors
    /// [`LinkError::Gone`] if the monitor is gone.
    fn wait(&mut self) -> Result<InitRequest, LinkError>;

    /// What to wait for with poll(2), before [`MonitorLink::advance`].
    fn interests(&self) -> Vec<(BorrowedFd<'_>, PollFlags)>;

    /// Moves what can be moved without waiting, and returns what has been said. `ready` answers
    /// [`MonitorLink::interests`] one by one.
    ///
    /// # Errors
    /// [`LinkError::Gone`] if the monitor is gone.
    fn advance(&mut self, ready: &[bool]) -> Result<Vec<InitRequest>, LinkError>;

    /// When to call [`MonitorLink::advance`] though nothing is ready.
    fn deadline(&self) -> Option<Instant> {
        None
    }
}
