//! Where a service manager is told something: the socket of sd_notify(3).

use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, sendto, socket_with,
};

use crate::message::Message;

/// Where to send what a service manager is told.
#[derive(Debug)]
pub struct NotifySocket {
    address: SocketAddrUnix,
    socket: OwnedFd,
}

/// Why nothing can be sent there.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// It is no address of a socket of this machine.
    #[error("it is neither an absolute path nor an abstract name that begins with `@`")]
    Address,
    /// There is no socket to send from.
    #[error("{0}")]
    Socket(std::io::Error),
}

impl NotifySocket {
    /// Understands what `NOTIFY_SOCKET` says. Whether somebody listens there shows when something is sent.
    ///
    /// # Errors
    /// [`NotifyError`].
    pub fn open(text: &std::ffi::OsStr) -> Result<Self, NotifyError> {
        let address = address(text.as_bytes()).ok_or(NotifyError::Address)?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None);
        let socket = socket.map_err(|errno| NotifyError::Socket(errno.into()))?;
        Ok(Self { address, socket })
    }

    /// Sends a message, without waiting for room.
    ///
    /// # Errors
    /// EAGAIN if there is none; what else sendto(2) answers.
    pub fn send(&self, message: &Message) -> Result<(), Errno> {
        let flags = SendFlags::NOSIGNAL;
        sendto(&self.socket, message.as_bytes(), flags, &self.address).map(drop)
    }
}

fn address(text: &[u8]) -> Option<SocketAddrUnix> {
    match text.split_first()? {
        (b'@', name) if !name.is_empty() => SocketAddrUnix::new_abstract_name(name).ok(),
        (b'/', rest) if !rest.is_empty() => SocketAddrUnix::new(text).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    fn received(socket: &UnixDatagram) -> String {
        let mut bytes = [0; 100];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    #[test]
    fn a_message_arrives_at_a_path_and_at_an_abstract_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        let socket = NotifySocket::open(path.as_os_str()).unwrap();
        socket.send(&Message::new().ready()).unwrap();
        assert_eq!(received(&listener), "READY=1\n");
        let name = format!("fairing-test-{}", std::process::id());
        let abstract_name = SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixDatagram::bind_addr(&abstract_name).unwrap();
        let text = format!("@{name}");
        let socket = NotifySocket::open(OsStr::new(&text)).unwrap();
        socket.send(&Message::new().stopping()).unwrap();
        assert_eq!(received(&listener), "STOPPING=1\n");
    }

    #[test]
    fn nobody_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        let socket = NotifySocket::open(path.as_os_str()).unwrap();
        let full = (0..100_000).find_map(|_| socket.send(&Message::new().watchdog()).err());
        assert_eq!(full, Some(Errno::AGAIN));
        drop(listener);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(socket.send(&Message::new().ready()), Err(Errno::NOENT));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "/", "@", "relative", "vsock:2:1", &"/x".repeat(100)] {
            assert!(NotifySocket::open(OsStr::new(text)).is_err(), "{text}");
        }
    }
}
