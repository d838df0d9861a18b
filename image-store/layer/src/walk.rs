//! The walk through a tar stream: header blocks become [`Member`]s.
//!
//! Strict where two readers could disagree about what is in an archive: a file whose name is that of a
//! directory and that has data, two extended headers for one member, a name in a header that
//! is for all members, bytes behind the end.

mod refusal;

use std::io::{self, BufRead, Read, Seek, SeekFrom};
use std::ops::Range;

use super::header::{BLOCK, Field, Header};
use super::member::{Device, Kind, Member, MemberPath, Segment, Time};
use super::pax::{self, Pax};
use super::sparse;
use crate::error::ContentError;
use crate::layer_limit::LayerLimit;
use crate::limits::Limits;
use crate::shown::SHOWN;

/// Zeros behind an archive of no known size. Devices give them for ever; the largest blocks of tapes are smaller.
const MAX_PADDING: u64 = 64 << 20;

/// Bytes of a GNU long name; paths end at 4095.
const MAX_NAME: u64 = 64 << 10;
/// Bytes of a pax extended header, extended attributes aside.
const MAX_PAX: u64 = 1 << 20;

/// A tar stream that is walked member by member.
pub struct Walk<'a, R> {
    input: R,
    what: &'a str,
    limits: &'a Limits,
    /// Bytes of the current member that were not read, and what pads them to a block.
    unread: u64,
    padding: u64,
    entries: u64,
    expanded: u64,
    /// Name of the last member, to tell where in the archive something is wrong.
    last: Vec<u8>,
    /// Whether the block of zeros has come that ends an archive.
    is_ended: bool,
}

/// What was said ahead of a member.
#[derive(Default)]
struct Ahead {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    pax: Option<Pax>,
}

impl<'a, R: BufRead> Walk<'a, R> {
    /// Walks through `input`, which messages call `what`.
    pub fn new(input: R, what: &'a str, limits: &'a Limits) -> Self {
        Self {
            input,
            what,
            limits,
            unread: 0,
            padding: 0,
            entries: 0,
            expanded: 0,
            last: Vec::new(),
            is_ended: false,
        }
    }

    /// Members seen so far.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Bytes of all files seen so far, holes included.
    pub(crate) fn expanded(&self) -> u64 {
        self.expanded
    }

    /// The next member; what was not read of the one before is skipped. `None` at the end.
    pub fn next_member(&mut self) -> Result<Option<Member>, ContentError> {
        let mut ahead = Ahead::default();
        loop {
            self.skip(self.unread)?;
            self.skip(self.padding)?;
            (self.unread, self.padding) = (0, 0);
            let nothing_ahead = ahead.name.is_none() && ahead.link.is_none() && ahead.pax.is_none();
            let Some(header) = self.header()? else {
                if nothing_ahead {
                    return Ok(None);
                }
                return Err(self.corrupt("an extended header describes no member"));
            };
            let size = header.number(Field::Size).map_err(|r| self.corrupt(&r))?;
            match header.kind() {
                b'L' if ahead.name.is_none() => ahead.name = Some(self.long_name(size)?),
                b'K' if ahead.link.is_none() => ahead.link = Some(self.long_name(size)?),
                b'x' if ahead.pax.is_none() => ahead.pax = Some(self.pax(size)?),
                b'L' | b'K' | b'x' => {
                    return Err(self.corrupt("two extended headers describe one member"));
                }
                b'g' => {
                    self.count()?;
                    // A comment of git archive, mostly. Some readers apply these to all members.
                    if self.pax(size)?.is_structural() {
                        let reason = "a global header gives names or sizes to members";
                        return Err(self.corrupt(reason));
                    }
                }
                // A volume label describes nothing.
                b'V' => {
                    self.count()?;
                    self.set_data(size);
                }
                _ => {
                    self.count()?;
                    return self.member(&header, size, ahead).map(Some);
                }
            }
        }
    }

    /// Gives the stored bytes of the current member to `sink`, at most `length` of them.
    pub fn read_data(
        &mut self,
        length: u64,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), ContentError>,
    ) -> Result<(), ContentError> {
        let mut left = length.min(self.unread);
        while left > 0 {
            let chunk = self
                .input
                .fill_buf()
                .map_err(|e| ContentError::from_read(self.what, e))?;
            let take = chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            if take == 0 {
                return Err(self.corrupt("it ends within a member"));
            }
            sink(chunk.get(..take).unwrap_or_default())?;
            self.input.consume(take);
            left -= take as u64;
            self.unread -= take as u64;
        }
        Ok(())
    }

    /// As [`Self::finish`], of an archive of no known size. It must say where it ends: one that was cut off between two
    /// members does not.
    pub(crate) fn finish_whole(self) -> Result<(), ContentError> {
        match self.is_ended {
            true => self.skip_zeros(MAX_PADDING),
            false => {
                Err(self.corrupt("it is incomplete: the zeros that end a tar file are missing"))
            }
        }
    }

    /// Reads up to the end of the stream, which may be padded by zeros only.
    pub fn finish(self) -> Result<(), ContentError> {
        self.skip_zeros(u64::MAX)
    }

    /// As [`Self::finish`], with so many of them at most.
    pub(crate) fn skip_zeros(mut self, mut zeros: u64) -> Result<(), ContentError> {
        loop {
            let chunk = self
                .input
                .fill_buf()
                .map_err(|e| ContentError::from_read(self.what, e))?;
            if chunk.is_empty() {
                return Ok(());
            }
            if chunk.iter().any(|byte| *byte != 0) {
                return Err(self.corrupt("there is data after the end of the archive"));
            }
            let length = chunk.len();
            self.input.consume(length);
            let Some(left) = zeros.checked_sub(length as u64) else {
                return Err(self.corrupt("too many zeros follow the end of the archive"));
            };
            zeros = left;
        }
    }

    fn count(&mut self) -> Result<(), ContentError> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(self.over(LayerLimit::Entries, None));
        }
        Ok(())
    }

    fn member(&mut self, header: &Header, size: u64, ahead: Ahead) -> Result<Member, ContentError> {
        let mut pax = ahead.pax.unwrap_or_default();
        let (long_name, long_link) = (ahead.name, ahead.link);
        if long_name.is_some() && (pax.path.is_some() || pax.sparse.name.is_some())
            || long_link.is_some() && pax.link_path.is_some()
        {
            return Err(self.corrupt("two extended headers describe one member"));
        }
        let called_sparse = pax.sparse.is_some() || pax.sparse.is_without_map();
        // Sparse records give the real name, and a made-up one in `path`.
        let name = pax.sparse.name.take().or(pax.path.take()).or(long_name);
        let name = name.unwrap_or_else(|| header.name());
        self.last.clear();
        self.last
            .extend_from_slice(name.get(..SHOWN).unwrap_or(&name));
        let path =
            MemberPath::parse(&name, self.limits).map_err(|bad| self.bad_path(bad, "", &name))?;
        let refuse = |reason: String| self.refuse(reason);
        let link = pax.link_path.take().or(long_link);
        let link = link.unwrap_or_else(|| header.link().to_vec());
        let kind = self.kind(header, name.ends_with(b"/"))?;
        let stored = match header.kind() {
            // No data follows these, whatever size they have: all readers agree.
            b'1'..=b'6' => 0,
            _ => pax.size.unwrap_or(size),
        };
        if kind != Kind::File && stored != 0 {
            return Err(self.refuse("it is a directory by its name and has data".to_owned()));
        }
        if called_sparse && (kind != Kind::File || !pax.sparse.is_some()) {
            return Err(self.refuse("it is called sparse and is not".to_owned()));
        }
        let linked = match kind {
            Kind::HardLink => Some(
                MemberPath::parse(&link, self.limits)
                    .map_err(|bad| self.bad_path(bad, "target of the hard link: ", &name))?,
            ),
            _ => None,
        };
        if kind == Kind::Symlink && (link.is_empty() || link.len() > 4095 || link.contains(&0)) {
            let reason = "target of the symbolic link is empty, too long or has NUL";
            return Err(self.refuse(reason.to_owned()));
        }
        let id = |said: Option<u64>, name: &str, field: Field| -> Result<u32, ContentError> {
            let id = match said {
                Some(id) => id,
                None => header.number(field).map_err(refuse)?,
            };
            // The last one means "leave as it is" to the kernel.
            u32::try_from(id)
                .ok()
                .filter(|id| *id != u32::MAX)
                .ok_or_else(|| refuse(format!("{name} {id} is out of range")))
        };
        let (uid, gid) = (
            id(pax.uid, "uid", Field::Uid)?,
            id(pax.gid, "gid", Field::Gid)?,
        );
        let mtime = match pax.mtime {
            Some(time) => time,
            None => Time {
                seconds: header.mtime().map_err(refuse)?,
                nanoseconds: 0,
            },
        };
        let mode = header.number(Field::Mode).map_err(refuse)? & 0o7777;
        let mode = u32::try_from(mode).unwrap_or_default();
        if pax.xattr_bytes() > self.limits.xattrs {
            return Err(self.over(LayerLimit::XattrSize, Some(&name)));
        }
        self.set_data(stored);
        let (size, segments) = self.sparse(header, &mut pax, stored)?;
        if size > self.limits.file {
            return Err(self.over(LayerLimit::FileSize, Some(&name)));
        }
        self.expanded = self.expanded.saturating_add(size);
        if self.expanded > self.limits.expanded {
            return Err(self.over(LayerLimit::Size, Some(&name)));
        }
        let (target, xattrs) = (link, pax.xattrs);
        Ok(Member {
            path,
            kind,
            mode,
            uid,
            gid,
            mtime,
            size,
            segments,
            target,
            linked,
            xattrs,
        })
    }

    fn kind(&self, header: &Header, ends_with_slash: bool) -> Result<Kind, ContentError> {
        Ok(match header.kind() {
            // Before POSIX, a directory was a file with a slash at the end.
            0 | b'0' | b'7' if ends_with_slash => Kind::Folder,
            0 | b'0' | b'7' | b'S' => Kind::File,
            b'1' => Kind::HardLink,
            b'2' => Kind::Symlink,
            kind @ (b'3' | b'4') => Kind::Device(self.device(header, kind == b'4')?),
            b'5' => Kind::Folder,
            b'6' => Kind::Fifo,
            other => {
                let other = char::from(other);
                return Err(self.refuse(format!("its type {other:?} is unknown")));
            }
        })
    }

    fn device(&self, header: &Header, is_block: bool) -> Result<Device, ContentError> {
        let part = |field: Field, bits: u32| -> Result<u32, String> {
            u32::try_from(header.number(field)?)
                .ok()
                .filter(|number| number >> bits == 0)
                .ok_or_else(|| "its device number is out of range".to_owned())
        };
        let refuse = |reason: String| self.refuse(reason);
        let major = part(Field::Major, 12).map_err(refuse)?;
        let minor = part(Field::Minor, 20).map_err(refuse)?;
        Ok(Device {
            is_block,
            major,
            minor,
        })
    }

    /// Size and map of a file, which may be sparse in one of four ways.
    fn sparse(
        &mut self,
        header: &Header,
        pax: &mut Pax,
        stored: u64,
    ) -> Result<(u64, Option<Vec<Segment>>), ContentError> {
        let (real_size, segments) = if header.kind() == b'S' {
            if !header.is_gnu() || pax.sparse.is_some() {
                return Err(self.corrupt("a sparse member has no GNU header"));
            }
            let real = header
                .number(Field::RealSize)
                .map_err(|r| self.corrupt(&r))?;
            (real, self.old_map(header)?)
        } else if pax.sparse.is_some() {
            let real = pax
                .sparse
                .real_size
                .ok_or_else(|| self.corrupt("no sparse file size"))?;
            if pax.sparse.map_in_data {
                let mut data = (&mut self.input).take(self.unread);
                let (segments, taken) = sparse::map_in_data(&mut data)
                    .map_err(|error| ContentError::from_read(self.what, error))?;
                self.unread = self.unread.saturating_sub(taken);
                (real, segments)
            } else {
                (real, pax.sparse.segments.take().unwrap_or_default())
            }
        } else {
            return Ok((stored, None));
        };
        sparse::check(&segments, real_size, self.unread).map_err(|r| self.corrupt(&r))?;
        Ok((real_size, Some(segments)))
    }

    /// The map of an old GNU sparse member, which goes on in blocks before the data.
    fn old_map(&mut self, header: &Header) -> Result<Vec<Segment>, ContentError> {
        let mut segments = Vec::new();
        sparse::old_entries(header.bytes(386..482), &mut segments).map_err(|r| self.corrupt(&r))?;
        let mut goes_on = header.bytes(482..483) != [0];
        while goes_on {
            let mut block = [0; BLOCK as usize];
            self.read_exact(&mut block)?;
            let (block, before) = (Header(block), segments.len());
            sparse::old_entries(block.bytes(0..504), &mut segments)
                .map_err(|r| self.corrupt(&r))?;
            goes_on = block.bytes(504..505) != [0];
            if goes_on && segments.len() == before {
                return Err(self.corrupt("the map of a sparse file ends early"));
            }
        }
        Ok(segments)
    }

    /// The next header, or `None` at the end mark or at the end of the stream.
    fn header(&mut self) -> Result<Option<Header>, ContentError> {
        let at_end = self
            .input
            .fill_buf()
            .map_err(|error| ContentError::from_read(self.what, error))?
            .is_empty();
        if at_end {
            return Ok(None);
        }
        let mut block = [0; BLOCK as usize];
        self.read_exact(&mut block)?;
        if block.iter().all(|byte| *byte == 0) {
            self.is_ended = true;
            return Ok(None);
        }
        let header = Header(block);
        if !header.checksum_fits() {
            return Err(self.corrupt("a header has a wrong checksum"));
        }
        Ok(Some(header))
    }

    fn set_data(&mut self, size: u64) {
        (self.unread, self.padding) = (size, (BLOCK - size % BLOCK) % BLOCK);
    }

    fn pax(&mut self, size: u64) -> Result<Pax, ContentError> {
        let limit = self.limits.xattrs.saturating_add(MAX_PAX);
        let records = self.small(size, limit, "a PAX header")?;
        pax::parse(&records).map_err(|reason| self.corrupt(&reason))
    }

    fn long_name(&mut self, size: u64) -> Result<Vec<u8>, ContentError> {
        let mut name = self.small(size, MAX_NAME, "a long name")?;
        let end = name
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(name.len());
        name.truncate(end);
        Ok(name)
    }

    /// Reads all of a member that has to fit into memory.
    fn small(&mut self, size: u64, limit: u64, name: &str) -> Result<Vec<u8>, ContentError> {
        if size > limit {
            return Err(self.corrupt(&format!(
                "{name} of {size} bytes is longer than {limit} bytes"
            )));
        }
        self.set_data(size);
        let mut bytes = Vec::new();
        self.read_data(size, &mut |chunk| {
            bytes.extend_from_slice(chunk);
            Ok(())
        })?;
        Ok(bytes)
    }

    fn skip(&mut self, mut length: u64) -> Result<(), ContentError> {
        while length > 0 {
            let chunk = self
                .input
                .fill_buf()
                .map_err(|e| ContentError::from_read(self.what, e))?;
            let take = chunk
                .len()
                .min(usize::try_from(length).unwrap_or(usize::MAX));
            if take == 0 {
                return Err(self.corrupt("it ends within a member"));
            }
            self.input.consume(take);
            length -= take as u64;
        }
        Ok(())
    }

    fn read_exact(&mut self, block: &mut [u8]) -> Result<(), ContentError> {
        self.input
            .read_exact(block)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => self.corrupt("it ends within a header"),
                _ => ContentError::from_read(self.what, error),
            })
    }
}

impl<R: BufRead + Seek> Walk<'_, R> {
    /// Where the stored bytes of the current member are. They are passed over without being read, so
    /// that whether they are all there is for the caller to see.
    pub fn pass_data(&mut self) -> Result<Range<u64>, ContentError> {
        let failed = |what: &str, error| ContentError::from_read(what, error);
        let start = self
            .input
            .stream_position()
            .map_err(|error| failed(self.what, error))?;
        let end = start
            .checked_add(self.unread)
            .ok_or_else(|| self.corrupt("a member is larger than any file"))?;
        if self.unread > 0 {
            self.input
                .seek(SeekFrom::Start(end.saturating_add(self.padding)))
                .map_err(|error| failed(self.what, error))?;
        }
        (self.unread, self.padding) = (0, 0);
        Ok(start..end)
    }
}
