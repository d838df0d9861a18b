//! What a process of this host is to be told and has no room for yet: nothing of it is lost, and nobody waits for it.

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use pod::PodError;
use pod::seqpacket::{Encoded, SeqPacket};

use super::LinkError;

/// How long to rest where the system has no room, for which it has no event.
const PAUSE: Duration = Duration::from_millis(50);

/// Packets in order, with what goes along.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    waiting: VecDeque<(Encoded, Vec<OwnedFd>)>,
    /// How long they are together.
    bytes: usize,
    /// When to try again, if not when there is room in the socket.
    again_at: Option<Instant>,
}

impl Backlog {
    /// Sends the packets of one message, or keeps what can't be sent now. Nothing of it is kept on an error.
    ///
    /// # Errors
    /// [`LinkError::Behind`] if more than `limit` bytes would wait; [`LinkError::Send`] if the other end is gone, or
    /// descriptors that go with the message can't be sent now.
    pub(super) fn send(
        &mut self,
        socket: &SeqPacket,
        packets: Vec<(Encoded, Vec<OwnedFd>)>,
        limit: usize,
    ) -> Result<(), LinkError> {
        let mut packets = packets.into_iter().peekable();
        if self.waiting.is_empty() {
            // Who hands something over hears that it doesn't go; anything else is told later.
            let mut is_first = true;
            while let Some((packet, fds)) = packets.peek() {
                match send(socket, packet, fds) {
                    Ok(()) => {}
                    Err(PodError::Full) => break,
                    Err(error) if is_later(&error) && (!is_first || fds.is_empty()) => {
                        self.rest();
                        break;
                    }
                    Err(error) => return Err(error.into()),
                }
                is_first = false;
                packets.next();
            }
            if !is_first {
                // A message goes whole.
                packets.for_each(|packet| self.keep(packet));
                return Ok(());
            }
        }
        let packets: Vec<_> = packets.collect();
        let bytes: usize = packets.iter().map(|(packet, _)| packet.length()).sum();
        if !packets.is_empty() && self.bytes.saturating_add(bytes) > limit {
            return Err(LinkError::Behind(self.bytes));
        }
        packets.into_iter().for_each(|packet| self.keep(packet));
        Ok(())
    }

    /// Sends what can be sent by now.
    ///
    /// # Errors
    /// [`LinkError::Send`] if something can never be sent.
    pub(super) fn go_on(&mut self, socket: &SeqPacket) -> Result<(), LinkError> {
        if self.again_at.is_some_and(|at| at > Instant::now()) {
            return Ok(());
        }
        self.again_at = None;
        while let Some((packet, fds)) = self.waiting.front() {
            match send(socket, packet, fds) {
                Ok(()) => {
                    self.bytes = self.bytes.saturating_sub(packet.length());
                    self.waiting.pop_front();
                }
                Err(PodError::Full) => break,
                // Its end is told elsewhere, and its last words may still be there.
                Err(PodError::Ended) => *self = Self::default(),
                Err(error) if is_later(&error) => {
                    self.rest();
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Whether something is sent as soon as there is room in the socket.
    pub(super) fn waits_for_room(&self) -> bool {
        !self.waiting.is_empty() && self.again_at.is_none()
    }

    /// When to go on though nothing has happened.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.again_at
    }

    fn keep(&mut self, (packet, fds): (Encoded, Vec<OwnedFd>)) {
        self.bytes = self.bytes.saturating_add(packet.length());
        self.waiting.push_back((packet, fds));
    }

    fn rest(&mut self) {
        self.again_at = Instant::now().checked_add(PAUSE);
    }
}

fn send(socket: &SeqPacket, packet: &Encoded, fds: &[OwnedFd]) -> Result<(), PodError> {
    let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
    socket.send_encoded(packet, &fds)
}

/// Whether it can be sent once others have given something back.
fn is_later(error: &PodError) -> bool {
    matches!(error, PodError::TooManyInFlight | PodError::NoMemoryFile(_))
}
