//! A netlink socket that is asked and answers, one batch at a time.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto,
    setsockopt, socket, sockopt,
};

use super::message::{Batch, Message, NLMSG_DONE, messages};
use crate::sys;

/// Most bytes that the kernel puts into one datagram.
const DATAGRAM: usize = 64 << 10;
/// How often a dump is begun that others interrupt by their changes: each time is a coincidence.
const DUMPS: usize = 100;
/// Above this, the socket's buffer is made to fit the batch.
const LARGE: usize = 100 << 10;

/// What the kernel refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{errno}{}", words.as_ref().map(|w| format!(" ({w})")).unwrap_or_default())]
pub struct Refused {
    /// The reason, by number.
    pub errno: Errno,
    /// The kernel's own words, where it has some.
    pub words: Option<String>,
}

impl From<Errno> for Refused {
    fn from(errno: Errno) -> Self {
        Self { errno, words: None }
    }
}

impl From<rustix::io::Errno> for Refused {
    fn from(errno: rustix::io::Errno) -> Self {
        Errno::from_raw(errno.raw_os_error()).into()
    }
}

impl From<std::io::Error> for Refused {
    fn from(error: std::io::Error) -> Self {
        match error.raw_os_error() {
            Some(number) => Errno::from_raw(number).into(),
            None => Self {
                errno: Errno::EIO,
                words: Some(error.to_string()),
            },
        }
    }
}

/// A connection to one part of the kernel, in the network namespace where it was opened.
#[derive(Debug)]
pub(crate) struct Socket {
    fd: OwnedFd,
    buffer: Vec<u8>,
}

impl Socket {
    pub(crate) fn open(protocol: SockProtocol) -> Result<Self, Errno> {
        let fd = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            protocol,
        )?;
        // Older kernels give numbers alone, which will do.
        let _ = sys::explain_errors(fd.as_fd());
        Ok(Self {
            fd,
            buffer: vec![0; DATAGRAM],
        })
    }

    /// Sends the batch and reads until every request in it has its acknowledgement or the end of its dump.
    /// `each` sees every other message, and the ends of dumps. The result is the outcome of each request, in order.
    pub(crate) fn exchange(
        &mut self,
        batch: &Batch,
        mut each: impl FnMut(&Message<'_>),
    ) -> Result<Vec<Result<(), Refused>>, Errno> {
        self.send(batch)?;
        let mut outcomes: Vec<Option<Result<(), Refused>>> = vec![None; batch.count() as usize];
        while outcomes.iter().any(Option::is_none) {
            let length = self.receive(MsgFlags::empty())?;
            for message in messages(self.buffer.get(..length).unwrap_or_default()) {
                let outcome = match message.outcome() {
                    Some((0, _)) => Ok(()),
                    Some((code, words)) => Err(Refused {
                        errno: Errno::from_raw(code),
                        words,
                    }),
                    None if message.kind == NLMSG_DONE => {
                        each(&message);
                        Ok(())
                    }
                    None => {
                        each(&message);
                        continue;
                    }
                };
                let index = (message.sequence as usize).wrapping_sub(1);
                if let Some(place @ None) = outcomes.get_mut(index) {
                    *place = Some(outcome);
                }
            }
        }
        Ok(outcomes.into_iter().flatten().collect())
    }

    /// What `parse` makes of the answers to a single request. A dump during which its objects changed may lack
    /// some, and is made again.
    pub(crate) fn collect<I: IntoIterator>(
        &mut self,
        batch: &Batch,
        parse: impl Fn(&Message<'_>) -> I,
    ) -> Result<Vec<I::Item>, Refused> {
        for _ in 0..DUMPS {
            let mut found = Vec::new();
            let mut whole = true;
            let outcomes = self.exchange(batch, |message| {
                whole &= !message.is_interrupted();
                found.extend(parse(message));
            })?;
            outcomes.into_iter().collect::<Result<(), _>>()?;
            if whole {
                return Ok(found);
            }
        }
        Err(Errno::EINTR.into())
    }

    /// Sends requests of which all or none take effect; the last of them asks for an acknowledgement. The result
    /// is the first refusal.
    pub(crate) fn transact(&mut self, batch: &Batch, last: u32) -> Result<(), Refused> {
        self.send(batch)?;
        // The kernel has answered by the time that it has taken the batch, and it tells of every request
        // that it refused.
        let mut refused = None;
        let mut acknowledged = false;
        loop {
            let length = match self.receive(MsgFlags::MSG_DONTWAIT) {
                Ok(length) => length,
                Err(Errno::EAGAIN) => break,
                Err(errno) => return Err(refused.unwrap_or(errno.into())),
            };
            for message in messages(self.buffer.get(..length).unwrap_or_default()) {
                match message.outcome() {
                    Some((0, _)) => acknowledged |= message.sequence == last,
                    Some((code, words)) => {
                        refused.get_or_insert(Refused {
                            errno: Errno::from_raw(code),
                            words,
                        });
                    }
                    None => (),
                }
            }
        }
        match refused {
            Some(refused) => Err(refused),
            None if acknowledged => Ok(()),
            None => Err(Errno::EBADMSG.into()),
        }
    }

    fn send(&self, batch: &Batch) -> Result<(), Errno> {
        let bytes = batch.bytes().ok_or(Errno::EMSGSIZE)?;
        if bytes.len() > LARGE {
            setsockopt(&self.fd, sockopt::SndBufForce, &(bytes.len() * 2))?;
        }
        let kernel = NetlinkAddr::new(0, 0);
        sendto(self.fd.as_raw_fd(), bytes, &kernel, MsgFlags::empty())?;
        Ok(())
    }

    fn receive(&mut self, flags: MsgFlags) -> Result<usize, Errno> {
        loop {
            match recv(self.fd.as_raw_fd(), &mut self.buffer, flags) {
                Err(Errno::EINTR) => (),
                answer => return answer,
            }
        }
    }
}
