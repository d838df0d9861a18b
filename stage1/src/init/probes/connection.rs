//! A connection to a server in the pod's network, which is never waited for.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, connect, getsockopt, socket, sockopt,
};
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::tls;

/// A connection that is there, or on its way.
#[derive(Debug)]
pub(super) struct Connection {
    channel: Channel,
    is_there: bool,
}

#[derive(Debug)]
enum Channel {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Connection {
    /// Begins to connect; over TLS if that has a configuration.
    pub(super) fn open(
        address: IpAddr,
        port: u16,
        tls: Option<Arc<ClientConfig>>,
    ) -> io::Result<Self> {
        let (stream, is_there) = open(SocketAddr::new(address, port))?;
        let channel = match tls {
            None => Channel::Plain(stream),
            Some(config) => Channel::Tls(Box::new(StreamOwned::new(
                tls::session(config, address)?,
                stream,
            ))),
        };
        Ok(Self { channel, is_there })
    }

    fn socket(&self) -> &TcpStream {
        match &self.channel {
            Channel::Plain(stream) => stream,
            Channel::Tls(tls) => tls.get_ref(),
        }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.socket().as_fd()
    }

    /// What to wait for before the next word is said, or heard.
    pub(super) fn awaits(&self, has_more_to_say: bool) -> PollFlags {
        let writes = match &self.channel {
            _ if !self.is_there => true,
            Channel::Plain(_) => has_more_to_say,
            // In a handshake each side says what it has to in turn.
            Channel::Tls(tls) => {
                tls.conn.wants_write() || (has_more_to_say && !tls.conn.is_handshaking())
            }
        };
        match writes {
            true => PollFlags::POLLOUT,
            false => PollFlags::POLLIN,
        }
    }

    /// Looks what has become of it.
    pub(super) fn finish_connecting(&mut self) -> io::Result<()> {
        if !self.is_there {
            match getsockopt(self.socket(), sockopt::SocketError)? {
                0 => self.is_there = true,
                errno => return Err(io::Error::from_raw_os_error(errno)),
            }
        }
        Ok(())
    }

    pub(super) fn write(&mut self, some: &[u8]) -> io::Result<usize> {
        match &mut self.channel {
            Channel::Plain(stream) => stream.write(some),
            Channel::Tls(tls) => tls.write(some),
        }
    }

    /// Zero bytes are the end.
    pub(super) fn read(&mut self, some: &mut [u8]) -> io::Result<usize> {
        match &mut self.channel {
            Channel::Plain(stream) => stream.read(some),
            Channel::Tls(tls) => match tls.read(some) {
                // Many servers hang up without a word.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                read => read,
            },
        }
    }
}

/// A socket that is connected, or on its way.
fn open(address: SocketAddr) -> io::Result<(TcpStream, bool)> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket(family, SockType::Stream, flags, None)?;
    match connect(socket.as_raw_fd(), &SockaddrStorage::from(address)) {
        Ok(()) => Ok((TcpStream::from(socket), true)),
        Err(Errno::EINPROGRESS) => Ok((TcpStream::from(socket), false)),
        Err(errno) => Err(errno.into()),
    }
}
