//! Blocks of headers: names and values, compressed with one state for each direction of a
//! connection (SPDY/3.1, 2.6.10).

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::dictionary::DICTIONARY;
use super::error::Violation;

/// The most bytes that a block may have when it is inflated.
const LARGEST: usize = 16 << 10;
/// The most headers that a block may have.
const MOST: usize = 64;

/// Headers of a stream. Names are in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// These headers.
    #[must_use]
    pub fn new(pairs: &[(&str, &str)]) -> Self {
        let pairs = pairs.iter();
        Self(
            pairs
                .map(|(name, value)| (name.to_ascii_lowercase(), (*value).to_owned()))
                .collect(),
        )
    }

    /// The value of a header. Of several with that name, the first.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut pairs = self.0.iter();
        let found = pairs.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let put_length = |bytes: &mut Vec<u8>, length: usize| {
            bytes.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        };
        put_length(&mut bytes, self.0.len());
        for (name, value) in &self.0 {
            for text in [name, value] {
                put_length(&mut bytes, text.len());
                bytes.extend_from_slice(text.as_bytes());
            }
        }
        bytes
    }

    fn parse(mut bytes: &[u8]) -> Result<Self, Violation> {
        let count = take_number(&mut bytes)?;
        if count > MOST {
            return Err(Violation::HeaderBlock);
        }
        let mut pairs = Vec::new();
        for _ in 0..count {
            let (name, value) = (take_text(&mut bytes)?, take_text(&mut bytes)?);
            pairs.push((name.to_ascii_lowercase(), value));
        }
        Ok(Self(pairs))
    }
}

fn take_number(bytes: &mut &[u8]) -> Result<usize, Violation> {
    let (number, rest) = bytes
        .split_first_chunk::<4>()
        .ok_or(Violation::HeaderBlock)?;
    *bytes = rest;
    Ok(u32::from_be_bytes(*number) as usize)
}

fn take_text(bytes: &mut &[u8]) -> Result<String, Violation> {
    let length = take_number(bytes)?;
    let (text, rest) = bytes
        .split_at_checked(length)
        .ok_or(Violation::HeaderBlock)?;
    *bytes = rest;
    // Names and values of Kubernetes are ASCII. What isn't is compared with nothing.
    Ok(String::from_utf8_lossy(text).into_owned())
}

/// Reads the blocks of one direction.
#[derive(Debug)]
pub(super) struct Inflater(Decompress);

impl Inflater {
    pub(super) fn new() -> Self {
        Self(Decompress::new(true))
    }

    /// The headers of the next block.
    pub(super) fn read(&mut self, block: &[u8]) -> Result<Headers, Violation> {
        Headers::parse(&self.inflate(block)?)
    }

    fn inflate(&mut self, mut block: &[u8]) -> Result<Vec<u8>, Violation> {
        let mut bytes = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            let (read, written) = (self.0.total_in(), self.0.total_out());
            let result = self.0.decompress(block, &mut chunk, FlushDecompress::Sync);
            let read = usize::try_from(self.0.total_in() - read).unwrap_or(usize::MAX);
            let written = usize::try_from(self.0.total_out() - written).unwrap_or(usize::MAX);
            block = block.get(read..).unwrap_or_default();
            bytes.extend_from_slice(chunk.get(..written).unwrap_or_default());
            if bytes.len() > LARGEST {
                return Err(Violation::HeaderSize(LARGEST));
            }
            match result {
                Err(error) if error.needs_dictionary().is_some() => {
                    let set = self.0.set_dictionary(&DICTIONARY);
                    set.map_err(|_| Violation::Compression)?;
                }
                Err(_) | Ok(Status::StreamEnd) => return Err(Violation::Compression),
                // All was read, and all that it makes was written.
                Ok(_) if block.is_empty() && written < chunk.len() => return Ok(bytes),
                Ok(_) if read == 0 && written == 0 => return Err(Violation::Compression),
                Ok(_) => {}
            }
        }
    }
}

/// Writes the blocks of one direction.
#[derive(Debug)]
pub(super) struct Deflater(Compress);

impl Deflater {
    pub(super) fn new() -> Self {
        let mut compress = Compress::new(Compression::fast(), true);
        // It fails only for a state that was used before.
        let _ = compress.set_dictionary(&DICTIONARY);
        Self(compress)
    }

    /// The next block.
    pub(super) fn write(&mut self, headers: &Headers) -> Vec<u8> {
        let bytes = headers.to_bytes();
        let mut rest = bytes.as_slice();
        let mut block = Vec::with_capacity(bytes.len() + 64);
        loop {
            let read = self.0.total_in();
            let result = self.0.compress_vec(rest, &mut block, FlushCompress::Sync);
            let read = usize::try_from(self.0.total_in() - read).unwrap_or(usize::MAX);
            rest = rest.get(read..).unwrap_or_default();
            let room = block.len() < block.capacity();
            if result.is_err() || (rest.is_empty() && room) {
                return block;
            }
            block.reserve(256);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            blocks in vec(vec(("[a-z]{1,20}", "[ -~]{0,300}"), 0..9), 1..5)
        ) {
            let (mut deflater, mut inflater) = (Deflater::new(), Inflater::new());
            for block in blocks {
                let headers = Headers(block);
                prop_assert_eq!(&inflater.read(&deflater.write(&headers)).unwrap(), &headers);
            }
        }
    }

    #[test]
    fn a_bomb_is_refused_long_before_it_is_whole() {
        let value = "a".repeat(100 << 10);
        let block = Deflater::new().write(&Headers::new(&[("x", &value)]));
        assert!(block.len() < 2000, "{}", block.len());
        assert_eq!(
            Inflater::new().read(&block),
            Err(Violation::HeaderSize(LARGEST))
        );
    }

    #[test]
    fn counts_and_lengths_that_lie_are_refused() {
        let mut lies = vec![
            vec![0, 0, 0, 1],
            vec![0, 0, 0],
            vec![0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 1],
        ];
        lies.push([65u32.to_be_bytes().as_slice(), &[0; 65 * 8]].concat());
        for bytes in lies {
            assert_eq!(
                Headers::parse(&bytes),
                Err(Violation::HeaderBlock),
                "{bytes:?}"
            );
        }
    }
}
