//! Messages with descriptors over a Unix socket of type `SOCK_SEQPACKET`.
//!
//! A message is a tag byte and JSON. Above [`INLINE_MAX`] bytes the JSON travels in a sealed memory file
//! that comes as the last descriptor, so that a long command line doesn't meet the socket's buffer size.

use std::fs::File;
use std::io::{IoSlice, IoSliceMut, Read, Seek, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{
    CWD, MemfdFlags, Mode, OFlags, SealFlags, fchmod, fcntl_add_seals, fcntl_get_seals,
    memfd_create, openat,
};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
    accept_with, bind, connect, listen, recvmsg, sendmsg, socket_with, socketpair,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::PodError;

/// Longest message that is sent within the packet, in bytes.
pub const INLINE_MAX: usize = 4 << 10;
/// Longest message of all, in bytes.
pub const MESSAGE_MAX: u64 = 8 << 20;
/// Most descriptors with one message.
pub const DESCRIPTORS_MAX: usize = 32;

/// Most descriptors that the kernel passes at once (`SCM_MAX_FD`).
const KERNEL_DESCRIPTORS_MAX: usize = 253;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 64;

const TAG_INLINE: u8 = 0;
const TAG_MEMORY_FILE: u8 = 1;

/// One end of a connection.
#[derive(Debug)]
pub struct SeqPacket(OwnedFd);

fn protocol(what: &str) -> impl Fn(Errno) -> PodError + '_ {
    move |errno| PodError::Protocol(format!("cannot {what}: {errno}"))
}

fn too_many(descriptors: usize) -> PodError {
    PodError::Protocol(format!("{descriptors} descriptors are too many"))
}

/// Seals of a memory file that holds a message: nobody changes it while it is read.
const SEALS: SealFlags = SealFlags::WRITE
    .union(SealFlags::GROW)
    .union(SealFlags::SHRINK);

/// A message as it is sent.
#[derive(Debug)]
pub struct Encoded(Vec<u8>);

impl Encoded {
    /// Of this message.
    ///
    /// # Errors
    /// [`PodError::Protocol`] if it is too long.
    pub fn of<T: Serialize>(message: &T) -> Result<Self, PodError> {
        let mut packet = vec![TAG_INLINE];
        serde_json::to_writer(&mut packet, message)
            .map_err(|e| PodError::Protocol(e.to_string()))?;
        match packet.len() as u64 > MESSAGE_MAX + 1 {
            true => Err(PodError::Protocol("the message is too long".into())),
            false => Ok(Self(packet)),
        }
    }

    /// How many bytes it has.
    pub fn length(&self) -> usize {
        self.0.len()
    }
}

/// Only a memory file has seals; reading anything else, such as a pipe, could block.
fn require_seals(file: &OwnedFd) -> Result<(), PodError> {
    let seals = fcntl_get_seals(file).map_err(protocol("read a message's seals"))?;
    match seals.contains(SEALS) {
        true => Ok(()),
        false => Err(PodError::Protocol(
            "the memory file of a message is not sealed".into(),
        )),
    }
}

/// A Unix address of any length: a path too long for `sockaddr_un` goes by way of its open directory.
fn with_address<T>(
    path: &Path,
    operation: impl FnOnce(&SocketAddrUnix) -> Result<T, Errno>,
) -> Result<T, Errno> {
    if let Ok(address) = SocketAddrUnix::new(path) {
        return operation(&address);
    }
    let (directory, name) = (
        path.parent().ok_or(Errno::INVAL)?,
        path.file_name().ok_or(Errno::INVAL)?,
    );
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = openat(CWD, directory, flags, Mode::empty())?;
    let mut short = format!("/proc/self/fd/{}/", directory.as_raw_fd()).into_bytes();
    short.extend_from_slice(name.as_bytes());
    operation(&SocketAddrUnix::new(short.as_slice())?)
}

fn new_socket() -> Result<OwnedFd, Errno> {
    socket_with(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
}

impl SeqPacket {
    /// Two connected ends, both close-on-exec.
    ///
    /// # Errors
    /// [`PodError::Protocol`] if the kernel gives none.
    pub fn pair() -> Result<(Self, Self), PodError> {
        socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .map(|(a, b)| (Self(a), Self(b)))
        .map_err(protocol("make a socket pair"))
    }

    /// Connects to the socket at `path`. Where more connections wait to be accepted than there is room for, a place
    /// among them is waited for, but not longer than `patience`.
    ///
    /// # Errors
    /// [`PodError::Io`] if nobody listens there, of the kind [`std::io::ErrorKind::WouldBlock`] if no place became free.
    pub fn connect(path: &Path, patience: Duration) -> Result<Self, PodError> {
        let connected = new_socket().and_then(|socket| {
            // unix(7) counts the wait for a place as one for sending.
            set_socket_timeout(&socket, Timeout::Send, Some(patience))?;
            with_address(path, |address| retry_on_intr(|| connect(&socket, address)))?;
            set_socket_timeout(&socket, Timeout::Send, None)?;
            Ok(socket)
        });
        connected
            .map(Self)
            .map_err(|errno| PodError::io("connect to", path)(errno.into()))
    }

    /// Takes over a connected socket.
    pub fn from_fd(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// Sends one message.
    ///
    /// # Errors
    /// [`PodError::Protocol`] if the message is too long, and as [`SeqPacket::send_encoded`].
    pub fn send<T: Serialize>(&self, message: &T, fds: &[BorrowedFd<'_>]) -> Result<(), PodError> {
        self.send_encoded(&Encoded::of(message)?, fds)
    }

    /// The same, of a message that may have to be sent more than once until it goes.
    ///
    /// # Errors
    /// [`PodError::Ended`] if the other end is gone, [`PodError::Full`] if that would have to be waited for and must not,
    /// [`PodError::TooManyInFlight`] if other processes of this user have sent too many descriptors,
    /// [`PodError::NoMemoryFile`] if it is long and the system has no memory or descriptor for it.
    pub fn send_encoded(&self, message: &Encoded, fds: &[BorrowedFd<'_>]) -> Result<(), PodError> {
        let Encoded(packet) = message;
        if fds.len() > DESCRIPTORS_MAX {
            return Err(too_many(fds.len()));
        }
        if packet.len() <= INLINE_MAX {
            return self.send_packet(packet, fds);
        }
        let json = packet.get(1..).unwrap_or_default();
        let file = memory_file(json).map_err(PodError::NoMemoryFile)?;
        let mut with_file = fds.to_vec();
        with_file.push(file.as_fd());
        self.send_packet(&[TAG_MEMORY_FILE], &with_file)
    }

    fn send_packet(&self, packet: &[u8], fds: &[BorrowedFd<'_>]) -> Result<(), PodError> {
        let mut space = [MaybeUninit::uninit(); ANCILLARY_SPACE];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
            return Err(too_many(fds.len()));
        }
        let bytes = [IoSlice::new(packet)];
        loop {
            match sendmsg(&self.0, &bytes, &mut ancillary, SendFlags::NOSIGNAL) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(Errno::PIPE | Errno::CONNRESET) => return Err(PodError::Ended),
                Err(Errno::AGAIN) => return Err(PodError::Full),
                Err(Errno::TOOMANYREFS) => return Err(PodError::TooManyInFlight),
                Err(errno) => return Err(protocol("send")(errno)),
            }
        }
    }

    /// Receives one message and the descriptors that came with it; `None` if the other end is gone.
    ///
    /// # Errors
    /// [`PodError::Protocol`] if what came is not a message of type `T`, or this process may not have so many descriptors.
    pub fn recv<T: DeserializeOwned>(&self) -> Result<Option<(T, Vec<OwnedFd>)>, PodError> {
        let Some(Received { message, fds }) = self.recv_if_room()? else {
            return Ok(None);
        };
        let lost =
            || PodError::Protocol("not all descriptors of a message could be received".to_owned());
        Ok(Some((message, fds.ok_or_else(lost)?)))
    }

    /// The same; a message whose descriptors this process may not all have comes without any.
    ///
    /// # Errors
    /// [`PodError::Protocol`] if what came is not a message of type `T`.
    pub fn recv_if_room<T: DeserializeOwned>(&self) -> Result<Option<Received<T>>, PodError> {
        // A longer packet shows as truncated.
        let mut packet = [0; INLINE_MAX];
        let (length, fds) = self.recv_packet(&mut packet)?;
        let malformed = |e: serde_json::Error| PodError::Protocol(e.to_string());
        match packet.get(..length).and_then(<[u8]>::split_first) {
            // No message is empty: that is the end.
            None => Ok(None),
            Some((&TAG_INLINE, json)) => Ok(Some(Received {
                message: serde_json::from_slice(json).map_err(malformed)?,
                fds,
            })),
            Some((&TAG_MEMORY_FILE, [])) => {
                let mut fds = fds.unwrap_or_default();
                let file = fds
                    .pop()
                    .ok_or_else(|| PodError::Protocol("no memory file".into()))?;
                require_seals(&file)?;
                let mut json = Vec::new();
                File::from(file)
                    .take(MESSAGE_MAX + 1)
                    .read_to_end(&mut json)
                    .map_err(|e| PodError::Protocol(e.to_string()))?;
                if json.len() as u64 > MESSAGE_MAX {
                    return Err(PodError::Protocol("the message is too long".into()));
                }
                Ok(Some(Received {
                    message: serde_json::from_slice(&json).map_err(malformed)?,
                    fds: Some(fds),
                }))
            }
            Some(_) => Err(PodError::Protocol("unknown tag".into())),
        }
    }

    /// The bytes of a packet, none if the other end is gone, and what came with them, if that is all there.
    fn recv_packet(&self, packet: &mut [u8]) -> Result<(usize, Option<Vec<OwnedFd>>), PodError> {
        let mut space = [MaybeUninit::uninit(); ANCILLARY_SPACE];
        // What is not taken out of it is closed with it.
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut was_reset = false;
        let received = loop {
            let mut bytes = [IoSliceMut::new(packet)];
            match recvmsg(&self.0, &mut bytes, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
                Ok(received) => break received,
                Err(Errno::INTR) => {}
                // The other end went without reading all: the kernel says so once, and before what
                // that end had sent until then.
                Err(Errno::CONNRESET) if !was_reset => was_reset = true,
                Err(Errno::CONNRESET) => return Ok((0, Some(Vec::new()))),
                Err(errno) => return Err(protocol("receive")(errno)),
            }
        };
        if received.flags.contains(ReturnFlags::TRUNC) {
            return Err(PodError::Protocol("the message is too long".into()));
        }
        if received.flags.contains(ReturnFlags::CTRUNC) {
            return Ok((received.bytes, None));
        }
        let fds: Vec<OwnedFd> = ancillary
            .drain()
            .filter_map(|message| match message {
                RecvAncillaryMessage::ScmRights(fds) => Some(fds),
                _ => None,
            })
            .flatten()
            .collect();
        // The memory file comes on top.
        if fds.len() > DESCRIPTORS_MAX + 1 {
            return Err(too_many(fds.len()));
        }
        Ok((received.bytes, Some(fds)))
    }
}

/// A message that was received.
#[derive(Debug)]
pub struct Received<T> {
    /// The message.
    pub message: T,
    /// The descriptors that came with it, unless this process may not have so many.
    pub fds: Option<Vec<OwnedFd>>,
}

/// Room for a control message with as many descriptors as the kernel passes at once.
const ANCILLARY_SPACE: usize = rustix::cmsg_space!(ScmRights(KERNEL_DESCRIPTORS_MAX));

impl AsFd for SeqPacket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<SeqPacket> for OwnedFd {
    fn from(socket: SeqPacket) -> Self {
        socket.0
    }
}

/// A listening socket.
#[derive(Debug)]
pub struct Listener(OwnedFd);

impl Listener {
    /// Listens at `path`, which must not exist yet, for its owner alone (mode 0600).
    ///
    /// # Errors
    /// [`PodError::Io`] if the socket can't be made.
    pub fn bind(path: &Path) -> Result<Self, PodError> {
        let bound = new_socket().and_then(|socket| {
            // unix(7): the file gets the mode that the socket has when it is bound.
            fchmod(&socket, Mode::from_raw_mode(0o600))?;
            with_address(path, |address| bind(&socket, address))?;
            listen(&socket, BACKLOG)?;
            Ok(socket)
        });
        bound
            .map(Self)
            .map_err(|errno| PodError::io("listen on", path)(errno.into()))
    }

    /// Takes one waiting connection.
    ///
    /// # Errors
    /// [`PodError::Protocol`] if there is none any more.
    pub fn accept(&self) -> Result<SeqPacket, PodError> {
        accept_with(&self.0, SocketFlags::CLOEXEC)
            .map(SeqPacket)
            .map_err(protocol("accept a connection"))
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn memory_file(bytes: &[u8]) -> std::io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(memfd_create("fairing-message", flags)?);
    file.write_all(bytes)?;
    file.rewind()?;
    fcntl_add_seals(&file, SEALS)?;
    Ok(file)
}

#[cfg(test)]
mod tests;
