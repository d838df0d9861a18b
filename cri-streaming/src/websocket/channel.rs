//! Channels: each message begins with the number of one (`channel.k8s.io` and its successors).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// How the bytes of channels are put into messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// A byte with the number, and the bytes.
    Binary,
    /// The number as a digit, and the bytes in Base64, as text.
    Base64,
}

/// A message that should be in Base64 isn't.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message is not in Base64")]
pub struct NotBase64;

/// Finds the channels of messages as their parts come in.
#[derive(Debug)]
pub struct ChannelReader {
    encoding: Encoding,
    /// That of the message within which this reader is.
    channel: Option<u8>,
    /// Digits of Base64 that don't make bytes yet.
    digits: Vec<u8>,
}

impl ChannelReader {
    /// A reader before the first message.
    #[must_use]
    pub fn new(encoding: Encoding) -> Self {
        Self {
            encoding,
            channel: None,
            digits: Vec::new(),
        }
    }

    /// Takes a part of a message: for which channel it is, and its bytes. `None` while that can't
    /// be known.
    ///
    /// # Errors
    /// [`NotBase64`].
    pub fn read(
        &mut self,
        first: bool,
        last: bool,
        bytes: Vec<u8>,
    ) -> Result<Option<(u8, Vec<u8>)>, NotBase64> {
        if first {
            self.channel = None;
            self.digits.clear();
        }
        let mut bytes = bytes;
        let channel = match self.channel {
            Some(channel) => channel,
            None if bytes.is_empty() => return Ok(None),
            None => {
                let number = bytes.remove(0);
                match self.encoding {
                    Encoding::Binary => number,
                    Encoding::Base64 => number.wrapping_sub(b'0'),
                }
            }
        };
        self.channel = Some(channel);
        if self.encoding == Encoding::Binary {
            return Ok(Some((channel, bytes)));
        }
        self.digits.append(&mut bytes);
        let whole = if last {
            self.digits.len()
        } else {
            self.digits.len() / 4 * 4
        };
        let rest = self.digits.split_off(whole);
        let digits = std::mem::replace(&mut self.digits, rest);
        // What ends with padding ends the message.
        if digits.ends_with(b"=") && !(last || self.digits.is_empty()) {
            return Err(NotBase64);
        }
        let bytes = STANDARD.decode(digits).map_err(|_| NotBase64)?;
        Ok(Some((channel, bytes)))
    }
}

/// The parts of a message with bytes of a channel: its first byte, and the rest.
#[must_use]
pub fn write_channel(encoding: Encoding, channel: u8, bytes: &[u8]) -> (u8, Vec<u8>) {
    match encoding {
        Encoding::Binary => (channel, bytes.to_vec()),
        Encoding::Base64 => (
            channel.wrapping_add(b'0'),
            STANDARD.encode(bytes).into_bytes(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_arrive_on_their_channel_however_a_message_is_cut(
            base64: bool,
            channel in 0..5u8,
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            cut in 1..30usize,
        ) {
            let encoding = if base64 { Encoding::Base64 } else { Encoding::Binary };
            let (first, rest) = write_channel(encoding, channel, &bytes);
            let message = [&[first][..], &rest].concat();
            let parts: Vec<_> = message.chunks(cut).collect();
            let mut reader = ChannelReader::new(encoding);
            let mut got = Vec::new();
            for (number, part) in parts.iter().enumerate() {
                let (first, last) = (number == 0, number + 1 == parts.len());
                let (to, bytes) = reader.read(first, last, part.to_vec()).unwrap().unwrap();
                prop_assert_eq!(to, channel);
                got.extend(bytes);
            }
            prop_assert_eq!(got, bytes);
        }
    }

    #[test]
    fn messages_without_a_channel_are_for_none() {
        let mut reader = ChannelReader::new(Encoding::Binary);
        assert_eq!(reader.read(true, true, vec![]), Ok(None));
        assert_eq!(reader.read(true, false, vec![3]), Ok(Some((3, vec![]))));
        assert_eq!(reader.read(false, true, vec![4]), Ok(Some((3, vec![4]))));
        assert_eq!(reader.read(true, true, vec![4]), Ok(Some((4, vec![]))));
    }

    #[test]
    fn what_is_not_base64_is_refused() {
        for text in ["0QQ", "0Q===", "0!!!!", "0Q"] {
            let mut reader = ChannelReader::new(Encoding::Base64);
            assert_eq!(
                reader.read(true, true, text.into()),
                Err(NotBase64),
                "{text}"
            );
        }
    }
}
