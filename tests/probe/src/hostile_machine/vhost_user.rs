//! The part of a machine that speaks to who shares files with it: vhost-user, with one queue of requests (virtio 1.2,
//! chapter 2.7), whose memory is a file. What a real one never does can be done, too.

use std::fs::File;
use std::io::{Error, ErrorKind, IoSlice, Read, Result};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use crate::sys;

/// How much memory the machine has.
const MEMORY: u64 = 8 << 20;
/// Where the machine says that it has its memory. It has none there.
const BASE: u64 = 0x7000_0000_0000;
const DESCRIPTORS: u64 = 0x1000;
const AVAILABLE: u64 = 0x2000;
const USED: u64 = 0x3000;
const REQUEST: u64 = 0x1_0000;
const ANSWER: u64 = 0x40_0000;
/// Places in the queue.
const PLACES: u16 = 64;
/// The queue of requests; the first one is for what nobody waits for.
const QUEUE: u8 = 1;
/// What is waited for an answer, in seconds.
const PATIENCE: i64 = 5;

const NEXT: u16 = 1;
const WRITE: u16 = 2;

/// One piece of a request in the queue's table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece {
    pub(crate) address: u64,
    pub(crate) length: u32,
    pub(crate) flags: u16,
    pub(crate) next: u16,
}

impl Piece {
    /// What is to be read, with the answer in the place behind it.
    pub(crate) fn request(length: u32) -> Self {
        Self {
            address: REQUEST,
            length,
            flags: NEXT,
            next: 1,
        }
    }

    /// Where the answer is to be written.
    pub(crate) fn answer(length: u32) -> Self {
        Self {
            address: ANSWER,
            length,
            flags: WRITE,
            next: 0,
        }
    }
}

/// A connection with memory, and with its queue.
pub(crate) struct Device {
    socket: File,
    memory: File,
    kick: OwnedFd,
    called: OwnedFd,
    begun: u16,
}

impl Device {
    /// Makes one of a connected socket.
    pub(crate) fn new(socket: OwnedFd) -> Result<Self> {
        let memory = sys::memory_file(0)?;
        memory.set_len(MEMORY)?;
        let device = Self {
            socket: socket.into(),
            memory,
            kick: eventfd(0, EventfdFlags::CLOEXEC)?,
            called: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            begun: 0,
        };
        device.set_up()?;
        Ok(device)
    }

    fn set_up(&self) -> Result<()> {
        // VIRTIO_F_VERSION_1, and VHOST_USER_F_PROTOCOL_FEATURES.
        let features = self.ask(1)? & (1 << 32 | 1 << 30);
        self.tell(2, &features.to_le_bytes(), None)?;
        if features & (1 << 30) != 0 {
            self.ask(15)?;
            self.tell(16, &0_u64.to_le_bytes(), None)?;
        }
        self.tell(3, &[], None)?;
        let region = [1, 0, MEMORY, BASE, 0].map(u64::to_le_bytes).concat();
        self.tell(5, &region, Some(self.memory.as_fd()))?;
        for queue in [0, QUEUE] {
            self.begin(queue)?;
        }
        Ok(())
    }

    fn begin(&self, queue: u8) -> Result<()> {
        let state = |number: u32| [u32::from(queue).to_le_bytes(), number.to_le_bytes()].concat();
        self.tell(8, &state(u32::from(PLACES)), None)?;
        self.tell(10, &state(0), None)?;
        // The other one is never used, and far away.
        let at = |place: u64| BASE + place + if queue == QUEUE { 0 } else { 0x70_0000 };
        let mut addresses = state(0);
        for place in [DESCRIPTORS, USED, AVAILABLE] {
            addresses.extend(at(place).to_le_bytes());
        }
        addresses.extend(0_u64.to_le_bytes());
        self.tell(9, &addresses, None)?;
        let number = u64::from(queue).to_le_bytes();
        self.tell(13, &number, Some(self.called.as_fd()))?;
        // Nobody asks by the other one, and who waits for it must not take what is meant for this one.
        let other = eventfd(0, EventfdFlags::CLOEXEC)?;
        let kick = if queue == QUEUE { &self.kick } else { &other };
        self.tell(12, &number, Some(kick.as_fd()))?;
        self.tell(18, &state(1), None)
    }

    fn tell(&self, kind: u32, body: &[u8], file: Option<BorrowedFd<'_>>) -> Result<()> {
        let length = u32::try_from(body.len()).map_err(Error::other)?;
        let mut message = [kind, 1, length].map(u32::to_le_bytes).concat();
        message.extend(body);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut beside = SendAncillaryBuffer::new(&mut space);
        let files = file.map(|file| [file]);
        if let Some(files) = &files {
            beside.push(SendAncillaryMessage::ScmRights(files));
        }
        let part = [IoSlice::new(&message)];
        sendmsg(&self.socket, &part, &mut beside, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    fn ask(&self, kind: u32) -> Result<u64> {
        self.tell(kind, &[], None)?;
        let mut answer = [0; 20];
        (&self.socket).read_exact(&mut answer)?;
        let (_, number) = answer.split_at(12);
        Ok(number_at(number, 0))
    }

    /// Puts a request into memory.
    pub(crate) fn write(&self, request: &[u8]) -> Result<()> {
        self.memory.write_all_at(request, REQUEST)
    }

    /// Offers what these pieces say, and waits until that is answered.
    pub(crate) fn offer(&mut self, pieces: &[Piece], first: u16, steps: u16) -> Result<()> {
        for (number, piece) in (0_u64..).zip(pieces) {
            let mut bytes = piece.address.to_le_bytes().to_vec();
            bytes.extend(piece.length.to_le_bytes());
            bytes.extend(piece.flags.to_le_bytes());
            bytes.extend(piece.next.to_le_bytes());
            self.memory
                .write_all_at(&bytes, DESCRIPTORS + 16 * number)?;
        }
        let place = AVAILABLE + 4 + 2 * u64::from(self.begun % PLACES);
        self.memory.write_all_at(&first.to_le_bytes(), place)?;
        self.begun = self.begun.wrapping_add(steps);
        let begun = self.begun.to_le_bytes();
        self.memory.write_all_at(&begun, AVAILABLE + 2)?;
        rustix::io::write(&self.kick, &1_u64.to_ne_bytes())?;
        loop {
            let mut used = [0; 2];
            self.memory.read_exact_at(&mut used, USED + 2)?;
            if used == begun {
                return Ok(());
            }
            self.wait()?;
        }
    }

    /// Waits until something has been answered.
    fn wait(&self) -> Result<()> {
        let mut fds = [
            PollFd::new(&self.called, PollFlags::IN),
            PollFd::new(&self.socket, PollFlags::IN),
        ];
        let patience = Timespec {
            tv_sec: PATIENCE,
            tv_nsec: 0,
        };
        if poll(&mut fds, Some(&patience))? == 0 {
            return Err(ErrorKind::TimedOut.into());
        }
        let [called, socket] = fds;
        if !socket.revents().is_empty() {
            return Err(ErrorKind::BrokenPipe.into());
        }
        if !called.revents().is_empty() {
            rustix::io::read(&self.called, &mut [0_u8; 8])?;
        }
        Ok(())
    }

    /// What has been answered.
    pub(crate) fn answer(&self, length: usize) -> Result<Vec<u8>> {
        let mut answer = vec![0; length];
        self.memory.read_exact_at(&mut answer, ANSWER)?;
        Ok(answer)
    }

    /// Forgets earlier answers.
    pub(crate) fn clear(&self) -> Result<()> {
        self.memory.write_all_at(&[0; 16], ANSWER)
    }
}

/// A number of 8 bytes in there.
pub(crate) fn number_at(bytes: &[u8], place: usize) -> u64 {
    let number = bytes.get(place..).and_then(<[u8]>::first_chunk);
    number.copied().map_or(0, u64::from_le_bytes)
}
