//! What comes over a connection.

use super::{MultiplexError, Multiplexer, Side};
use crate::link::frames::Frame;
use crate::link::stream::{StreamId, StreamKind};
use crate::link::window::{Excess, Incoming, Outgoing};

impl Multiplexer {
    /// Takes what came over the connection.
    ///
    /// # Errors
    /// If the other side doesn't keep to the rules. Nothing more can be received then.
    pub fn receive(&mut self, mut bytes: &[u8]) -> Result<(), MultiplexError> {
        if let Some(greeting) = &mut self.greeting {
            // Hellos go ahead of all that waits for the beginning.
            if !greeting.receive(&mut bytes, &mut self.sending)? {
                return Ok(());
            }
            self.greeting = None;
        }
        while let Some(frame) = self.parser.next(&mut bytes)? {
            self.take_in(frame)?;
        }
        Ok(())
    }

    fn take_in(&mut self, frame: Frame) -> Result<(), MultiplexError> {
        if self.other_has_ended {
            return Err(MultiplexError::AfterEnd);
        }
        match frame {
            Frame::End => {
                self.cut_off();
                self.end();
                Ok(())
            }
            Frame::Hello(_) => Err(MultiplexError::BeganAnew),
            Frame::Message { part, last } => self.take_message(&part, last),
            Frame::Open { stream, kind } => self.opened(stream, kind),
            Frame::Data { stream, bytes } => self.arrived(stream, |i| i.receive(&bytes)),
            Frame::Finish { stream } => self.arrived(stream, Incoming::finish),
            Frame::Stop { stream } => self.answered(stream, |outgoing, _| match outgoing {
                Outgoing::Open { .. } => Some(Outgoing::Stopped),
                over => Some(over),
            }),
            Frame::Credit { stream, bytes } => {
                let bytes = bytes.get() as usize;
                self.answered(stream, |outgoing, window| outgoing.grant(bytes, window))
            }
        }
    }

    fn take_message(&mut self, part: &[u8], last: bool) -> Result<(), MultiplexError> {
        if self.partial.len() + part.len() > self.limits.message {
            return Err(MultiplexError::MessageTooLong(self.limits.message));
        }
        self.partial.extend_from_slice(part);
        if last {
            let message = std::mem::take(&mut self.partial);
            self.received_bytes += message.len();
            self.received.push_back(message);
        }
        Ok(())
    }

    fn opened(&mut self, id: StreamId, kind: StreamKind) -> Result<(), MultiplexError> {
        let number = id.number();
        if self.side == Side::Monitor {
            return Err(MultiplexError::NotTheOpener(number));
        }
        if number <= self.newest {
            return Err(MultiplexError::OpenedBefore(number));
        }
        if self.streams.len() >= self.limits.streams {
            return Err(MultiplexError::TooManyStreams(self.limits.streams));
        }
        self.add(id, kind);
        Ok(())
    }

    /// Something came that can only come before the end of what comes.
    fn arrived(
        &mut self,
        id: StreamId,
        change: impl FnOnce(&mut Incoming) -> Result<(), Excess>,
    ) -> Result<(), MultiplexError> {
        let number = id.number();
        let stream = match self.streams.get_mut(&id) {
            Some(stream) => stream,
            None if number <= self.newest => return Err(MultiplexError::AfterFinish(number)),
            None => return Err(MultiplexError::UnknownStream(number)),
        };
        change(&mut stream.incoming).map_err(|excess| match excess {
            Excess::BeyondWindow => MultiplexError::BeyondWindow(number),
            Excess::AfterFinish => MultiplexError::AfterFinish(number),
        })?;
        self.settle(id);
        Ok(())
    }

    /// Something came that answers what goes out, perhaps when all has gone out.
    fn answered(
        &mut self,
        id: StreamId,
        change: impl FnOnce(Outgoing, usize) -> Option<Outgoing>,
    ) -> Result<(), MultiplexError> {
        let number = id.number();
        match self.streams.get_mut(&id) {
            Some(stream) => {
                stream.outgoing = change(stream.outgoing, self.limits.window)
                    .ok_or(MultiplexError::TooMuchCredit(number))?;
                Ok(())
            }
            None if number <= self.newest => Ok(()),
            None => Err(MultiplexError::UnknownStream(number)),
        }
    }
}
