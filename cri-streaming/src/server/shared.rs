//! What the threads of a server share.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};

use super::base_url::BaseUrl;
use super::config::{Config, Limits};
use super::tls::Tls;
use crate::port_forward::Permits;
use crate::process::Wanted;
use crate::remote_command::Abandoned;
use crate::streams::Streams;
use crate::token::Tokens;

/// How long a further connection waits for the seat of one that had to give way.
const GIVING_WAY: Duration = Duration::from_secs(1);

/// A request that waits for its client.
pub(super) enum Pending<S: Streams> {
    Exec(S::Exec, Wanted),
    Attach(S::Attach, Wanted),
    PortForward(S::PortForward, Vec<u16>),
}

pub(super) struct Shared<S: Streams> {
    pub(super) streams: S,
    pub(super) tokens: Tokens<Pending<S>>,
    pub(super) base: BaseUrl,
    pub(super) tls: Option<Tls>,
    pub(super) limits: Limits,
    /// Becomes readable when the server stops.
    pub(super) stopped: OwnedFd,
    pub(super) abandoned: Abandoned,
    /// Connections to ports of pods.
    pub(super) permits: Permits,
    connections: Mutex<Connections>,
    left: Condvar,
}

/// The connections that are served.
#[derive(Default)]
struct Connections {
    count: usize,
    last: u64,
    /// Those that haven't shown a token, the oldest first.
    unidentified: VecDeque<(u64, TcpStream)>,
    /// Those of them that had to give way and haven't left yet.
    leaving: BTreeSet<u64>,
}

/// One of the connections that a server has at once. Dropping it makes room.
pub(super) struct Seat<S: Streams> {
    pub(super) shared: Arc<Shared<S>>,
    number: u64,
}

impl<S: Streams> Shared<S> {
    pub(super) fn new(
        config: Config,
        base: BaseUrl,
        streams: S,
        stopped: OwnedFd,
    ) -> io::Result<Self> {
        Ok(Self {
            streams,
            tokens: Tokens::default(),
            base,
            tls: config.tls,
            permits: Permits::new(config.limits.forwarded),
            limits: config.limits,
            stopped,
            abandoned: Abandoned::new()?,
            connections: Mutex::new(Connections::default()),
            left: Condvar::new(),
        })
    }

    /// A seat for a connection, if one is free. Of those that haven't shown a token, the oldest may
    /// lose its.
    pub(super) fn seat(self: &Arc<Self>, socket: &TcpStream) -> io::Result<Option<Seat<S>>> {
        let mut connections = self.connections();
        while connections.unidentified.len() >= self.limits.unidentified.max(1) {
            if let Some((number, oldest)) = connections.unidentified.pop_front() {
                // Its thread sees the end. If it has ended already, all is well.
                let _ = oldest.shutdown(Shutdown::Both);
                connections.leaving.insert(number);
            }
        }
        let full =
            |c: &mut Connections| c.count >= self.limits.connections && !c.leaving.is_empty();
        let waited = self.left.wait_timeout_while(connections, GIVING_WAY, full);
        let mut connections = waited.unwrap_or_else(PoisonError::into_inner).0;
        if connections.count >= self.limits.connections {
            return Ok(None);
        }
        let socket = socket.try_clone()?;
        connections.last += 1;
        connections.count += 1;
        let number = connections.last;
        connections.unidentified.push_back((number, socket));
        Ok(Some(Seat {
            shared: Arc::clone(self),
            number,
        }))
    }

    /// Waits until no connection is left, or for that long.
    pub(super) fn wait_until_left(&self, most: Duration) {
        let connections = self.connections();
        let waited = self
            .left
            .wait_timeout_while(connections, most, |c| c.count > 0);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Streams> Seat<S> {
    /// Its connection has shown a token: it keeps its seat.
    pub(super) fn identify(&self) {
        self.shared
            .connections()
            .unidentified
            .retain(|(number, _)| *number != self.number);
    }
}

impl<S: Streams> Drop for Seat<S> {
    fn drop(&mut self) {
        self.identify();
        let mut connections = self.shared.connections();
        connections.count -= 1;
        connections.leaving.remove(&self.number);
        drop(connections);
        self.shared.left.notify_all();
    }
}

/// Makes writing to what nobody reads an error on this thread, whatever the program does with
/// SIGPIPE.
pub(super) fn block_sigpipe() {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGPIPE);
    // It fails only for signals that don't exist.
    let _ = signals.thread_block();
}
