//! A socket, with or without TLS.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

use rustls::Connection;

use crate::sys;

/// The most bytes that are taken from the socket at once.
const CHUNK: usize = 64 << 10;
/// The most bytes that TLS keeps of what is to be sent.
const LARGEST_BACKLOG: usize = 64 << 10;

/// What came of receiving.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Received {
    /// Bytes, or nothing for now.
    Open,
    /// The other side sends nothing more.
    End,
}

/// A socket that doesn't block, and the TLS on it.
pub(crate) struct Transport {
    socket: TcpStream,
    tls: Option<Box<Connection>>,
}

impl Transport {
    /// Over this socket, encrypted if there is TLS.
    pub(crate) fn new(socket: TcpStream, tls: Option<Connection>) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        // Each write is a message somebody waits for.
        socket.set_nodelay(true)?;
        rustix::net::sockopt::set_socket_keepalive(&socket, true)?;
        let tls = tls.map(|mut tls| {
            tls.set_buffer_limit(Some(LARGEST_BACKLOG));
            Box::new(tls)
        });
        Ok(Self { socket, tls })
    }

    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Appends what has come in, at most a chunk.
    pub(crate) fn receive(&mut self, into: &mut Vec<u8>) -> io::Result<Received> {
        let start = into.len();
        into.resize(start + CHUNK, 0);
        let room = into.get_mut(start..).unwrap_or_default();
        let result = match &mut self.tls {
            None => retry(|| self.socket.read(room)),
            Some(tls) => receive_encrypted(&mut self.socket, tls, room),
        };
        let (length, received) = match result {
            Ok(0) => (0, Ok(Received::End)),
            Ok(length) => (length, Ok(Received::Open)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => (0, Ok(Received::Open)),
            Err(error) => (0, Err(error)),
        };
        into.truncate(start + length);
        received
    }

    /// Sends some of these bytes: how many were taken.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            return or_nothing(retry(|| self.socket.write(bytes)));
        };
        let taken = tls.writer().write(bytes)?;
        flush_encrypted(&mut self.socket, tls)?;
        Ok(taken)
    }

    /// Whether TLS has something to send that the socket didn't take.
    pub(crate) fn has_backlog(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// Says within TLS that nothing more is sent, which is to be sent as everything else is.
    pub(crate) fn say_end(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
    }

    /// Ends what is sent. What the client sends can still be received.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        self.socket.shutdown(Shutdown::Write)
    }

    /// How many bytes, with the end, the other side's kernel doesn't have yet.
    pub(crate) fn unacknowledged(&self) -> io::Result<usize> {
        sys::unacknowledged(self.descriptor())
    }
}

fn retry(mut action: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match action() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

fn or_nothing(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        result => result,
    }
}

/// What the socket brings, decrypted. Nothing decrypted is left with TLS, so whoever waits for the
/// socket misses nothing: it is read only while there is room for what one read can become.
fn receive_encrypted(
    socket: &mut TcpStream,
    tls: &mut Connection,
    room: &mut [u8],
) -> io::Result<usize> {
    let mut length = 0;
    loop {
        let rest = room.get_mut(length..).unwrap_or_default();
        match tls.reader().read(rest) {
            // A full room, or the end as TLS tells it.
            Ok(0) => return Ok(length),
            Ok(read) => {
                length += read;
                continue;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        if length > CHUNK / 2 {
            return Ok(length);
        }
        match retry(|| tls.read_tls(socket)) {
            // Without TLS's own end, somebody else may have cut it off; to a session that is the
            // same.
            Ok(0) => return Ok(length),
            Ok(_) => {
                let processed = tls.process_new_packets();
                // An alert is owed for what couldn't be understood.
                flush_encrypted(socket, tls)?;
                processed.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock && length > 0 => return Ok(length),
            Err(error) => return Err(error),
        }
    }
}

fn flush_encrypted(socket: &mut TcpStream, tls: &mut Connection) -> io::Result<()> {
    while tls.wants_write() {
        match retry(|| tls.write_tls(socket)) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
