//! What a header block says (RFC 7541) of how a call has ended.
//!
//! The server was told that nothing of an earlier block is kept, so a block says all by itself. Of texts in Huffman's code
//! only numbers are read, and one name is known by its bytes.

/// What is said of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct CallStatus {
    /// The status of HTTP.
    pub(super) http: Option<u32>,
    /// The status of gRPC.
    pub(super) grpc: Option<u32>,
}

/// A block that is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// The static table's `:status` entries.
const STATUSES: [u32; 7] = [200, 204, 206, 304, 400, 404, 500];
const FIRST_STATUS: usize = 8;
const GRPC_STATUS: Text<'_> = Text::Plain(b"grpc-status");
const GRPC_STATUS_IN_CODE: Text<'_> =
    Text::Huffman(&[0x9a, 0xca, 0xc8, 0xb2, 0x12, 0x34, 0xda, 0x8f]);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text<'a> {
    Plain(&'a [u8]),
    Huffman(&'a [u8]),
}

impl CallStatus {
    /// Takes what a block says, in addition to what was said before.
    pub(super) fn read(&mut self, block: &[u8]) -> Result<(), Malformed> {
        let mut rest = Rest(block);
        while let Some(first) = rest.peek() {
            match first {
                0x80.. => self.indexed(rest.number(7)?)?,
                // It comes before the fields, and says how much is kept: nothing, whatever it says.
                0x20..=0x3f => {
                    rest.number(5)?;
                }
                0x40..=0x7f => self.literal(6, &mut rest)?,
                0x00..=0x1f => self.literal(4, &mut rest)?,
            }
        }
        Ok(())
    }

    fn indexed(&mut self, index: usize) -> Result<(), Malformed> {
        if index == 0 {
            return Err(Malformed);
        }
        if let Some(status) = status_at(index) {
            self.http = Some(status);
        }
        Ok(())
    }

    fn literal(&mut self, bits: u8, rest: &mut Rest<'_>) -> Result<(), Malformed> {
        match rest.number(bits)? {
            0 => {
                let name = rest.text()?;
                let value = rest.text()?;
                if [GRPC_STATUS, GRPC_STATUS_IN_CODE].contains(&name) {
                    self.grpc = Some(value.number().ok_or(Malformed)?);
                }
            }
            index => {
                let value = rest.text()?;
                if status_at(index).is_some() {
                    self.http = Some(value.number().ok_or(Malformed)?);
                }
            }
        }
        Ok(())
    }
}

fn status_at(index: usize) -> Option<u32> {
    STATUSES.get(index.checked_sub(FIRST_STATUS)?).copied()
}

impl Text<'_> {
    /// The number that it is.
    fn number(self) -> Option<u32> {
        match self {
            Self::Plain(text) => std::str::from_utf8(text).ok()?.parse().ok(),
            Self::Huffman(code) => decoded_number(code),
        }
    }
}

/// A number of few digits in Huffman's code: `0` to `2` have five bits, the others six.
fn decoded_number(code: &[u8]) -> Option<u32> {
    let mut digits = String::new();
    let bits = code.len().checked_mul(8)?;
    let bit = |place: usize| {
        let byte = code.get(place / 8)?;
        Some(u32::from(byte >> (7 - place % 8) & 1))
    };
    let take = |from: usize, count: usize| {
        (from..from + count).try_fold(0, |number, place| Some(number << 1 | bit(place)?))
    };
    let mut place = 0;
    while digits.len() < 5 {
        let left = bits.saturating_sub(place);
        // What fills the last byte is ones, and less than one.
        if left < 8 && take(place, left)? == (1 << left) - 1 {
            return digits.parse().ok();
        }
        let (digit, length) = match take(place, 5)? {
            short @ 0..=2 => (short, 5),
            _ => match take(place, 6)? {
                long @ 0b01_1001..=0b01_1111 => (long - 0b01_1001 + 3, 6),
                _ => return None,
            },
        };
        digits.push(char::from_digit(digit, 10)?);
        place += length;
    }
    None
}

/// What has not been read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        let (first, rest) = self.0.split_first().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*first)
    }

    /// A number whose first bits are the last ones of a byte.
    fn number(&mut self, bits: u8) -> Result<usize, Malformed> {
        let most = (1_usize << bits) - 1;
        let mut number = usize::from(self.byte()?) & most;
        if number < most {
            return Ok(number);
        }
        for shift in [0, 7, 14] {
            let byte = self.byte()?;
            number += usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        // No block is so long.
        Err(Malformed)
    }

    fn text(&mut self) -> Result<Text<'a>, Malformed> {
        let is_in_code = self.peek().ok_or(Malformed)? >= 0x80;
        let length = self.number(7)?;
        let (text, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(match is_in_code {
            true => Text::Huffman(text),
            false => Text::Plain(text),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(block: &[u8]) -> Result<(Option<u32>, Option<u32>), Malformed> {
        let mut status = CallStatus::default();
        status.read(block)?;
        Ok((status.http, status.grpc))
    }

    fn with_status(value: &[u8]) -> Vec<u8> {
        let mut block = b"\x00\x0bgrpc-status".to_vec();
        block.extend(value);
        block
    }

    #[test]
    fn a_status_is_found_however_it_is_written() {
        for (block, expected) in [
            (&b""[..], (None, None)),
            (b"\x88", (Some(200), None)),
            (b"\x8d\x88", (Some(200), None)),
            (b"\x3f\xe1\x1f\x20\x8e", (Some(500), None)),
            (b"\x48\x03503", (Some(503), None)),
            // 503 in Huffman's code: 011011 00000 011001 1111111.
            (b"\x08\x83\x6c\x0c\xff", (Some(503), None)),
            (b"\x10\x0bgrpc-status\x010", (None, Some(0))),
            (b"\x40\x0bgrpc-status\x0212", (None, Some(12))),
            (
                b"\x88\x00\x88\x9a\xca\xc8\xb2\x12\x34\xda\x8f\x81\x07",
                (Some(200), Some(0)),
            ),
            // 12: 00001 00010 111111.
            (
                b"\x00\x88\x9a\xca\xc8\xb2\x12\x34\xda\x8f\x82\x08\xbf",
                (None, Some(12)),
            ),
            (b"\x5f\x10application/grpc", (None, None)),
            (b"\x00\x01a\x01b\x88", (Some(200), None)),
        ] {
            assert_eq!(read(block), Ok(expected), "{block:x?}");
        }
    }

    #[test]
    fn every_number_of_huffmans_code_is_read() {
        let codes = [
            "00000", "00001", "00010", "011001", "011010", "011011", "011100", "011101", "011110",
            "011111",
        ];
        for number in (0..20).chain([100, 345, 678, 999]) {
            let digits = number.to_string();
            let mut bits: String = digits
                .bytes()
                .map(|digit| codes[usize::from(digit - b'0')])
                .collect();
            while !bits.len().is_multiple_of(8) {
                bits.push('1');
            }
            let bytes: Vec<u8> = bits
                .as_bytes()
                .chunks(8)
                .map(|eight| u8::from_str_radix(std::str::from_utf8(eight).unwrap(), 2).unwrap())
                .collect();
            assert_eq!(decoded_number(&bytes), Some(number), "{number}");
        }
        assert_eq!(decoded_number(b""), None);
        assert_eq!(decoded_number(&[0x9a]), None);
        assert_eq!(decoded_number(&[0; 64]), None);
    }

    #[test]
    fn what_is_no_block_is_told_from_one() {
        for block in [
            &b"\x80"[..],
            b"\x00",
            b"\x00\x0b",
            b"\x00\x0bgrpc",
            b"\x00\x01a\x7f",
            b"\x00\x01a\xff\xff\xff\xff\xff\xff\x01",
            b"\xff\xff\xff\xff\xff\x01",
            &with_status(b"\x02no"),
            &with_status(b"\x0b99999999999"),
            &with_status(b"\x00"),
            b"\x48\x03abc",
        ] {
            assert_eq!(read(block), Err(Malformed), "{block:x?}");
        }
    }
}
