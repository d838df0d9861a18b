//! What frames begin with (RFC 6455, 5.2).

/// What the other side sent that it must not send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Bits of extensions, none of which were agreed on.
    #[error("a frame has reserved bits")]
    ReservedBits,
    /// A kind of frame that doesn't exist.
    #[error("a frame has the unknown opcode {0}")]
    Opcode(u8),
    /// Frames of clients are masked, those of servers aren't.
    #[error("a frame is masked as the other side's must be")]
    Mask,
    /// A ping, a pong or a close that is in parts or too long.
    #[error("a control frame is in parts, or has more than 125 bytes")]
    Control,
    /// A part of a message that doesn't follow one.
    #[error("the parts of a message are out of order")]
    Order,
    /// A length with its highest bit set.
    #[error("a frame has an impossible length")]
    Length,
}

pub(super) const CONTINUATION: u8 = 0;
pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

/// The most bytes that a frame begins with.
const LARGEST_HEAD: usize = 14;

/// What a frame begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) last: bool,
    pub(super) opcode: u8,
    pub(super) mask: Option<[u8; 4]>,
    pub(super) length: u64,
}

impl Head {
    /// Reads one, and how many bytes it has. `None`: more have to come.
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, Violation> {
        let Some(([first, second], rest)) = bytes.split_first_chunk::<2>() else {
            return Ok(None);
        };
        if first & 0x70 != 0 {
            return Err(Violation::ReservedBits);
        }
        let (last, opcode) = (first & 0x80 != 0, first & 0x0f);
        let is_control = opcode & 0x08 != 0;
        if !matches!(opcode, CONTINUATION | TEXT | BINARY | CLOSE | PING | PONG) {
            return Err(Violation::Opcode(opcode));
        }
        let short = second & 0x7f;
        if is_control && (!last || short > 125) {
            return Err(Violation::Control);
        }
        let (length, rest) = match short {
            126 => match rest.split_first_chunk::<2>() {
                Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
                None => return Ok(None),
            },
            127 => match rest.split_first_chunk::<8>() {
                Some((length, rest)) => (u64::from_be_bytes(*length), rest),
                None => return Ok(None),
            },
            short => (u64::from(short), rest),
        };
        if length >> 63 != 0 {
            return Err(Violation::Length);
        }
        let (mask, rest) = match second & 0x80 {
            0 => (None, rest),
            _ => match rest.split_first_chunk::<4>() {
                Some((mask, rest)) => (Some(*mask), rest),
                None => return Ok(None),
            },
        };
        let head = Self {
            last,
            opcode,
            mask,
            length,
        };
        Ok(Some((head, bytes.len() - rest.len())))
    }

    /// Appends it.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        let mut bytes = Vec::with_capacity(LARGEST_HEAD);
        bytes.push(u8::from(self.last) << 7 | self.opcode);
        let masked = u8::from(self.mask.is_some()) << 7;
        match (u8::try_from(self.length), u16::try_from(self.length)) {
            (Ok(length @ ..=125), _) => bytes.push(masked | length),
            (_, Ok(length)) => {
                bytes.push(masked | 126);
                bytes.extend_from_slice(&length.to_be_bytes());
            }
            _ => {
                bytes.push(masked | 127);
                bytes.extend_from_slice(&self.length.to_be_bytes());
            }
        }
        bytes.extend_from_slice(self.mask.as_ref().map_or(&[], |mask| mask.as_slice()));
        out.extend_from_slice(&bytes);
    }
}

/// Masks bytes, or takes the mask off. `at`: how many bytes of the frame came before these.
pub(super) fn apply_mask(mask: [u8; 4], at: u64, bytes: &mut [u8]) {
    let turn = usize::try_from(at % 4).unwrap_or_default();
    let keys = mask.iter().cycle().skip(turn);
    for (byte, key) in bytes.iter_mut().zip(keys) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            last: bool, text: bool, mask: Option<[u8; 4]>, bits in 0..63u32, low: u64
        ) {
            let opcode = if text { TEXT } else { BINARY };
            let length = low & ((1 << bits) - 1);
            let head = Head { last, opcode, mask, length };
            let mut bytes = Vec::new();
            head.put(&mut bytes);
            prop_assert_eq!(Head::parse(&bytes), Ok(Some((head, bytes.len()))));
            for end in 0..bytes.len() {
                prop_assert_eq!(Head::parse(&bytes[..end]), Ok(None));
            }
        }
    }

    #[test]
    fn what_must_not_be_sent_is_refused() {
        for (bytes, violation) in [
            (&[0xc1, 0][..], Violation::ReservedBits),
            (&[0x83, 0], Violation::Opcode(3)),
            (&[0x8b, 0], Violation::Opcode(11)),
            (&[0x09, 0], Violation::Control),
            (&[0x89, 126], Violation::Control),
            (&[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0], Violation::Length),
        ] {
            assert_eq!(Head::parse(bytes), Err(violation), "{bytes:?}");
        }
    }
}
