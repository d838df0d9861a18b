//! Requests of FUSE, made by hand: nothing checks them before they are sent.

use std::io::{Error, Result};

use super::vhost_user::{Device, Piece, number_at};

pub(crate) const LOOKUP: u32 = 1;
pub(crate) const SETATTR: u32 = 4;
pub(crate) const SYMLINK: u32 = 6;
pub(crate) const MKNOD: u32 = 8;
pub(crate) const MKDIR: u32 = 9;
pub(crate) const UNLINK: u32 = 10;
pub(crate) const RMDIR: u32 = 11;
pub(crate) const LINK: u32 = 13;
const OPEN: u32 = 14;
const READ: u32 = 15;
const WRITE: u32 = 16;
pub(crate) const SETXATTR: u32 = 21;
const INIT: u32 = 26;
const OPENDIR: u32 = 27;
const READDIR: u32 = 28;
pub(crate) const CREATE: u32 = 35;
pub(crate) const RENAME2: u32 = 45;

/// The root of all that is shared.
pub(crate) const ROOT: u64 = 1;
/// Bytes before the body of a request.
const HEADER: usize = 40;
/// Bytes before the body of an answer.
const OF_ANSWER: usize = 16;
const ROOM: usize = 64 << 10;

/// Something that was found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node {
    pub(crate) id: u64,
    pub(crate) mode: u32,
}

/// Who asks by hand.
pub(crate) struct Client {
    pub(crate) device: Device,
    pub(crate) asked: u64,
}

/// Numbers one behind the other, as they are in memory.
#[derive(Debug, Default)]
pub(crate) struct Body(pub(crate) Vec<u8>);

impl Body {
    pub(crate) fn u32(mut self, number: u32) -> Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    pub(crate) fn u64(mut self, number: u64) -> Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    /// A name, with its end.
    pub(crate) fn name(mut self, name: impl AsRef<[u8]>) -> Self {
        self.0.extend(name.as_ref());
        self.0.push(0);
        self
    }
}

/// The head of a request.
pub(crate) fn header(length: u32, kind: u32, unique: u64, node: u64) -> Vec<u8> {
    let header = Body::default().u32(length).u32(kind).u64(unique).u64(node);
    // As root, by the process 1.
    header.u32(0).u32(0).u32(1).u32(0).0
}

impl Client {
    pub(crate) fn new(device: Device) -> Result<Self> {
        let mut client = Self { device, asked: 0 };
        // Version 7.31, without anything that is a matter of taste.
        let body = Body::default().u32(7).u32(31).u32(0).u32(0);
        client.ask(INIT, 0, &body)?;
        Ok(client)
    }

    /// Asks, and gives the body of the answer: an error of the system is one of this. `BrokenPipe` and `TimedOut` are of
    /// the connection alone.
    pub(crate) fn ask(&mut self, kind: u32, node: u64, body: &Body) -> Result<Vec<u8>> {
        let length = u32::try_from(HEADER + body.0.len()).map_err(Error::other)?;
        self.ask_as(length, kind, node, body)
    }

    /// The same, which says that it has another length than it has.
    pub(crate) fn ask_as(
        &mut self,
        said: u32,
        kind: u32,
        node: u64,
        body: &Body,
    ) -> Result<Vec<u8>> {
        self.asked += 1;
        let mut request = header(said, kind, self.asked, node);
        request.extend(&body.0);
        self.device.write(&request)?;
        self.device.clear()?;
        let length = u32::try_from(request.len()).map_err(Error::other)?;
        let room = u32::try_from(ROOM).map_err(Error::other)?;
        let pieces = [Piece::request(length), Piece::answer(room)];
        self.device.offer(&pieces, 0, 1)?;
        let answer = self.device.answer(ROOM)?;
        let first = number_at(&answer, 0);
        let (length, error) = (first & u64::from(u32::MAX), first >> 32);
        let error = u32::try_from(error).unwrap_or_default().cast_signed();
        if error != 0 {
            return Err(Error::from_raw_os_error(-error));
        }
        let length = usize::try_from(length).unwrap_or_default();
        let body = answer.get(OF_ANSWER..length.min(ROOM));
        Ok(body.unwrap_or_default().to_vec())
    }

    pub(crate) fn look_up(&mut self, node: u64, name: impl AsRef<[u8]>) -> Result<Node> {
        let entry = self.ask(LOOKUP, node, &Body::default().name(name))?;
        Ok(node_of(&entry))
    }

    /// Opens a file with these flags, or a directory.
    pub(crate) fn open(&mut self, node: u64, flags: u32) -> Result<u64> {
        let opened = self.ask(OPEN, node, &Body::default().u32(flags).u32(0))?;
        Ok(number_at(&opened, 0))
    }

    pub(crate) fn read(&mut self, node: u64, file: u64, length: u32) -> Result<Vec<u8>> {
        self.ask(READ, node, &of_file(file, length).u64(0).u32(0).u32(0))
    }

    pub(crate) fn write(&mut self, node: u64, file: u64, said: u32, text: &[u8]) -> Result<()> {
        let mut body = of_file(file, said).u64(0).u32(0).u32(0);
        body.0.extend(text);
        self.ask(WRITE, node, &body).map(drop)
    }

    /// What a file begins with.
    pub(crate) fn content(&mut self, node: u64) -> Result<Vec<u8>> {
        let file = self.open(node, 0)?;
        self.read(node, file, 4096)
    }

    /// The bytes of a directory's entries.
    pub(crate) fn entries(&mut self, node: u64) -> Result<Vec<u8>> {
        let opened = self.ask(OPENDIR, node, &Body::default().u32(0).u32(0))?;
        let directory = number_at(&opened, 0);
        let body = of_file(directory, 32 << 10).u64(0).u32(0).u32(0);
        self.ask(READDIR, node, &body)
    }
}

/// A file, its beginning, and a number of bytes.
fn of_file(file: u64, length: u32) -> Body {
    Body::default().u64(file).u64(0).u32(length).u32(0)
}

/// What an answer tells of a node.
pub(crate) fn node_of(entry: &[u8]) -> Node {
    let mode = number_at(entry, 100) & u64::from(u32::MAX);
    Node {
        id: number_at(entry, 0),
        mode: u32::try_from(mode).unwrap_or_default(),
    }
}
