//! A connection to systemd.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use super::message::{self, FIXED, Received};

/// Longest line of the greeting, in bytes.
const LINE_MAX: usize = 1024;

/// What went wrong with a connection.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// Nobody listens there.
    #[error("cannot connect to systemd: {0}")]
    Connect(#[source] io::Error),
    /// It has said nothing for too long, or has gone.
    #[error("cannot talk to systemd: {0}")]
    Talk(#[from] io::Error),
    /// It has not let this user in.
    #[error("systemd does not take orders: {0:?}")]
    Refused(String),
    /// It has said something that makes no sense.
    #[error("systemd's answer can't be understood")]
    Senseless,
}

/// A connection that has begun.
#[derive(Debug)]
pub(super) struct Connection {
    stream: UnixStream,
    until: Instant,
}

impl Connection {
    /// Connects, and says who this is. All that follows may take this long together.
    pub(super) fn open(socket: &Path, patience: Duration) -> Result<Self, BusError> {
        let stream = UnixStream::connect(socket).map_err(BusError::Connect)?;
        let mut connection = Self {
            stream,
            until: Instant::now() + patience,
        };
        let user = rustix::process::geteuid().as_raw().to_string();
        let user: String = user.bytes().map(|byte| format!("{byte:02x}")).collect();
        connection.send(format!("\0AUTH EXTERNAL {user}\r\n").as_bytes())?;
        let line = connection.line()?;
        if !line.starts_with("OK ") {
            return Err(BusError::Refused(line));
        }
        connection.send(b"BEGIN\r\n")?;
        Ok(connection)
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<(), BusError> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        Ok(self.stream.write_all(bytes)?)
    }

    /// The next message, whatever it is.
    pub(super) fn receive(&mut self) -> Result<Received, BusError> {
        let mut begin = [0; FIXED];
        self.fill(&mut begin)?;
        let length = message::length(&begin).ok_or(BusError::Senseless)?;
        let mut whole = begin.to_vec();
        whole.resize(length, 0);
        let rest = whole.get_mut(FIXED..).ok_or(BusError::Senseless)?;
        self.fill(rest)?;
        message::parse(&whole).ok_or(BusError::Senseless)
    }

    fn line(&mut self) -> Result<String, BusError> {
        let mut line = Vec::new();
        while line.len() < LINE_MAX {
            let mut byte = [0];
            self.fill(&mut byte)?;
            line.extend(byte);
            if let Some(text) = line.strip_suffix(b"\r\n") {
                return Ok(String::from_utf8_lossy(text).into_owned());
            }
        }
        Err(BusError::Senseless)
    }

    fn fill(&mut self, mut buffer: &mut [u8]) -> Result<(), BusError> {
        while !buffer.is_empty() {
            self.stream.set_read_timeout(Some(self.left()?))?;
            match self.stream.read(buffer) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Ok(count) => buffer = buffer.get_mut(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(io::Error::from(io::ErrorKind::TimedOut).into());
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn left(&self) -> Result<Duration, BusError> {
        let left = self.until.saturating_duration_since(Instant::now());
        match left.is_zero() {
            true => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
            false => Ok(left),
        }
    }
}
