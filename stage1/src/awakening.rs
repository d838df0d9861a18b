//! What is said over the port of a machine that is a copy of a template, before the link begins: all that has to differ
//! from other copies of it before any app runs.
//!
//! A template is a machine that has booted and waits. It says that it does, and what it reads next it reads as a copy.
//! The copy says that it is awake, and is told the time; a machine that stood still has missed it.

use std::io::{self, Read};
use std::time::Duration;

use cni_glue::mac::Mac;

/// What a template says when it waits.
pub const WAITING: &[u8; 16] = b"fairing waiting\n";
/// What a copy says when it has been awakened.
pub const AWAKE: &[u8; 16] = b"fairing awakes1\n";
/// Bytes of randomness.
pub const SEED: usize = 64;

/// What a copy is told first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awakening {
    /// Random bytes that nobody else has.
    pub seed: [u8; SEED],
    /// Hardware addresses of its network interfaces: that of the template, and its own.
    pub interfaces: Vec<(Mac, Mac)>,
}

impl Awakening {
    /// As bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        // A machine has room for a few devices.
        let count = u8::try_from(self.interfaces.len()).unwrap_or(u8::MAX);
        let mut bytes = self.seed.to_vec();
        bytes.push(count);
        let interfaces = self.interfaces.iter().take(count.into());
        bytes.extend(interfaces.flat_map(|(old, new)| [old.0, new.0]).flatten());
        bytes
    }

    /// Reads it from who has written [`Self::to_bytes`].
    ///
    /// # Errors
    /// If it can't be read.
    pub fn read(from: &mut impl Read) -> io::Result<Self> {
        let seed = array(from)?;
        let [count] = array(from)?;
        let interfaces = (0..count).map(|_| Ok((Mac(array(from)?), Mac(array(from)?))));
        Ok(Self {
            seed,
            interfaces: interfaces.collect::<io::Result<_>>()?,
        })
    }
}

/// The host's time, since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostTime(pub Duration);

impl HostTime {
    /// As bytes.
    pub fn to_bytes(self) -> Vec<u8> {
        let seconds = self.0.as_secs().to_le_bytes();
        [&seconds[..], &self.0.subsec_nanos().to_le_bytes()[..]].concat()
    }

    /// Reads it from who has written [`Self::to_bytes`].
    ///
    /// # Errors
    /// If it can't be read.
    pub fn read(from: &mut impl Read) -> io::Result<Self> {
        let seconds = u64::from_le_bytes(array(from)?);
        let nanoseconds = u32::from_le_bytes(array(from)?);
        Ok(Self(
            Duration::from_secs(seconds) + Duration::from_nanos(nanoseconds.into()),
        ))
    }
}

fn array<const N: usize>(from: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_half_of_it_is_not() {
        let mac = |text: &str| text.parse().unwrap();
        let awakening = Awakening {
            seed: std::array::from_fn(|at| at as u8),
            interfaces: vec![
                (mac("02:00:00:00:00:01"), mac("0a:58:0a:00:00:02")),
                (mac("02:00:00:00:00:02"), mac("0a:58:0a:00:00:03")),
            ],
        };
        let bytes = awakening.to_bytes();
        assert_eq!(Awakening::read(&mut &bytes[..]).unwrap(), awakening);
        for length in 0..bytes.len() {
            assert!(Awakening::read(&mut &bytes[..length]).is_err());
        }
        let time = HostTime(Duration::new(1_800_000_000, 999_999_999));
        assert_eq!(HostTime::read(&mut &time.to_bytes()[..]).unwrap(), time);
        assert!(HostTime::read(&mut &time.to_bytes()[1..]).is_err());
    }
}
