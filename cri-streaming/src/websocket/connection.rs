//! A connection: messages, as their parts come in, and what goes out.

use std::collections::VecDeque;

use super::frame::{self, Head, Violation, apply_mask};

/// Which side of a connection this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It masks what it sends.
    Client,
    /// It takes only what is masked.
    Server,
}

/// What came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A part of a message, as soon as it is there: no message is too large, and none is kept.
    Part {
        /// The message begins with it.
        first: bool,
        /// The message ends with it.
        last: bool,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// The other side sends nothing more, and why, as a code of the specification.
    Closed(Option<u16>),
}

/// Where in the bytes that come in this side is.
#[derive(Debug)]
enum Reading {
    Head,
    Message { head: Head, begins: bool, at: u64 },
    Control(Head),
}

/// A connection by WebSocket, without a socket.
#[derive(Debug)]
pub struct Connection {
    role: Role,
    reading: Reading,
    partial: Vec<u8>,
    /// A message has begun of which more has to come.
    within: bool,
    closed_here: bool,
    closed_there: bool,
    events: VecDeque<Event>,
    out: Vec<u8>,
}

impl Connection {
    /// A connection after its handshake.
    #[must_use]
    pub fn new(role: Role) -> Self {
        Self {
            role,
            reading: Reading::Head,
            partial: Vec::new(),
            within: false,
            closed_here: false,
            closed_there: false,
            events: VecDeque::new(),
            out: Vec::new(),
        }
    }

    /// Takes bytes that came in. What they mean is then told by [`Self::event`].
    ///
    /// # Errors
    /// [`Violation`]: the connection can only be left, by [`Self::close`] with 1002.
    pub fn receive(&mut self, mut bytes: &[u8]) -> Result<(), Violation> {
        while !bytes.is_empty() && !self.closed_there {
            bytes = match self.reading {
                Reading::Head => self.head(bytes)?,
                Reading::Message { head, begins, at } => self.message(head, begins, at, bytes),
                Reading::Control(head) => self.gather_control(head, bytes),
            };
        }
        Ok(())
    }

    /// What came in next.
    pub fn event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// What has to be sent to the other side. It is kept until it is taken from there.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Sends a message that is made of these parts, as text or as bytes.
    pub fn send(&mut self, text: bool, parts: &[&[u8]]) {
        if !self.closed_here {
            self.put(if text { frame::TEXT } else { frame::BINARY }, parts);
        }
    }

    /// Asks whether the other side is there.
    pub fn ping(&mut self) {
        if !self.closed_here {
            self.put(frame::PING, &[]);
        }
    }

    /// Sends nothing more, and says why, by a code of the specification (7.4.1) and a text.
    pub fn close(&mut self, code: u16, reason: &str) {
        if !self.closed_here {
            let reason = reason.as_bytes();
            let reason = reason.get(..123).unwrap_or(reason);
            self.put(frame::CLOSE, &[&code.to_be_bytes(), reason]);
            self.closed_here = true;
        }
    }

    fn put(&mut self, opcode: u8, parts: &[&[u8]]) {
        let mask = match self.role {
            Role::Server => None,
            Role::Client => {
                let mut mask = [0; 4];
                // A mask that can be guessed does no harm here: it protects proxies from browsers'
                // scripts.
                let _ = getrandom::fill(&mut mask);
                Some(mask)
            }
        };
        let length = parts.iter().map(|part| part.len() as u64).sum();
        Head {
            last: true,
            opcode,
            mask,
            length,
        }
        .put(&mut self.out);
        let start = self.out.len();
        for part in parts {
            self.out.extend_from_slice(part);
        }
        if let (Some(mask), Some(sent)) = (mask, self.out.get_mut(start..)) {
            apply_mask(mask, 0, sent);
        }
    }

    fn head<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], Violation> {
        let Some((next, rest)) = bytes.split_first() else {
            return Ok(bytes);
        };
        self.partial.push(*next);
        let Some((head, _)) = Head::parse(&self.partial)? else {
            return Ok(rest);
        };
        self.partial.clear();
        if head.mask.is_some() == (self.role == Role::Client) {
            return Err(Violation::Mask);
        }
        if head.opcode & 0x08 != 0 {
            self.reading = Reading::Control(head);
            return Ok(if head.length == 0 {
                self.gather_control(head, rest)
            } else {
                rest
            });
        }
        let begins = head.opcode != frame::CONTINUATION;
        if begins == self.within {
            return Err(Violation::Order);
        }
        self.within = !head.last;
        self.reading = Reading::Message {
            head,
            begins,
            at: 0,
        };
        Ok(if head.length == 0 {
            self.message(head, begins, 0, rest)
        } else {
            rest
        })
    }

    fn message<'a>(&mut self, head: Head, begins: bool, at: u64, bytes: &'a [u8]) -> &'a [u8] {
        let left = usize::try_from(head.length - at)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        let (taken, rest) = bytes.split_at_checked(left).unwrap_or((bytes, &[]));
        let mut taken = taken.to_vec();
        if let Some(mask) = head.mask {
            apply_mask(mask, at, &mut taken);
        }
        let first = begins && at == 0;
        let at = at + taken.len() as u64;
        let whole = at >= head.length;
        self.reading = if whole {
            Reading::Head
        } else {
            Reading::Message { head, begins, at }
        };
        self.events.push_back(Event::Part {
            first,
            last: head.last && whole,
            bytes: taken,
        });
        rest
    }

    fn gather_control<'a>(&mut self, head: Head, bytes: &'a [u8]) -> &'a [u8] {
        let length = usize::try_from(head.length).unwrap_or_default();
        let missing = length.saturating_sub(self.partial.len()).min(bytes.len());
        let (taken, rest) = bytes.split_at_checked(missing).unwrap_or((bytes, &[]));
        self.partial.extend_from_slice(taken);
        if self.partial.len() >= length {
            let mut body = std::mem::take(&mut self.partial);
            if let Some(mask) = head.mask {
                apply_mask(mask, 0, &mut body);
            }
            self.reading = Reading::Head;
            self.control(head.opcode, &body);
        }
        rest
    }

    fn control(&mut self, opcode: u8, body: &[u8]) {
        match opcode {
            frame::PING if !self.closed_here => self.put(frame::PONG, &[body]),
            frame::CLOSE => {
                let code = body.first_chunk().map(|code| u16::from_be_bytes(*code));
                self.closed_there = true;
                self.close(code.unwrap_or(1000), "");
                self.events.push_back(Event::Closed(code));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
