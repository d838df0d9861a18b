//! A gzip file: members, one behind the other, and nothing else.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

/// The bytes of all members of a gzip file. What follows them and is none is an error that says so: a decoder that looks
/// for a whole header would take a few such bytes for a file that was cut.
#[derive(Debug)]
pub struct GzipMembers<R> {
    state: State<R>,
}

#[derive(Debug)]
enum State<R> {
    Within(Box<GzDecoder<R>>),
    Ended(R),
    /// Only while one becomes the other.
    Between,
}

impl<R: BufRead> GzipMembers<R> {
    /// Reads members from here on.
    pub fn new(input: R) -> Self {
        Self {
            state: State::Within(Box::new(GzDecoder::new(input))),
        }
    }

    /// What is read; `None` after an error between two members.
    pub fn input(&self) -> Option<&R> {
        match &self.state {
            State::Within(decoder) => Some(decoder.get_ref()),
            State::Ended(input) => Some(input),
            State::Between => None,
        }
    }

    /// Looks what follows a member.
    fn next_member(&mut self) -> io::Result<()> {
        let State::Within(decoder) = std::mem::replace(&mut self.state, State::Between) else {
            return Ok(());
        };
        let mut input = decoder.into_inner();
        let begins = match input.fill_buf()? {
            [] => None,
            // The other byte may not be there yet.
            [0x1f] | [0x1f, 0x8b, ..] => Some(true),
            _ => Some(false),
        };
        self.state = match begins {
            None => State::Ended(input),
            Some(true) => State::Within(Box::new(GzDecoder::new(input))),
            Some(false) => {
                self.state = State::Ended(input);
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "something that is not gzip follows the compressed data",
                ));
            }
        };
        Ok(())
    }
}

impl<R: BufRead> Read for GzipMembers<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let State::Within(decoder) = &mut self.state {
            let count = decoder.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            self.next_member()?;
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::gzip;

    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        // Byte by byte: a header may come in pieces.
        let input = io::BufReader::with_capacity(1, bytes);
        GzipMembers::new(input).read_to_end(&mut all)?;
        Ok(all)
    }

    #[test]
    fn members_follow_each_other_to_the_end() {
        assert_eq!(read(&gzip(b"one")).unwrap(), b"one");
        let two = [gzip(b"one"), gzip(b""), gzip(b"two")].concat();
        assert_eq!(read(&two).unwrap(), b"onetwo");
    }

    #[test]
    fn what_is_no_member_is_told_from_a_file_that_was_cut() {
        for tail in [&b"\n"[..], b"x", b"\0\0\0\0", b"garbage at the end"] {
            let error = read(&[&gzip(b"one")[..], tail].concat()).unwrap_err();
            assert!(
                error.to_string().contains("that is not gzip follows"),
                "{error}"
            );
        }
        for tail in [&b"\x1f"[..], b"\x1f\x8b\x08"] {
            let error = read(&[&gzip(b"one")[..], tail].concat()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
    }
}
