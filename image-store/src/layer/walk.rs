//! The walk through a tar stream: header blocks become [`Member`]s.
//!
//! Strict where two readers could disagree about what is in an archive: a member whose kind has no
//! data but whose size is not zero, two extended headers for one member, bytes behind the end.

use std::io::{self, BufRead, Read};

use super::member::{Kind, Member, MemberPath, Segment, Time};
use super::pax::{self, Pax};
use super::sparse::{self, header_number};
use crate::error::StoreError;
use crate::origin::Limits;

const BLOCK: u64 = 512;
/// Bytes of a GNU long name; paths end at 4095.
const MAX_NAME: u64 = 64 << 10;
/// Bytes of a pax extended header.
const MAX_PAX: u64 = 1 << 20;

/// A tar stream that is walked member by member.
pub(super) struct Walk<'a, R> {
    input: R,
    what: &'a str,
    limits: &'a Limits,
    /// Bytes of the current member that were not read, and what pads them to a block.
    unread: u64,
    padding: u64,
    entries: u64,
    expanded: u64,
}

/// What was said ahead of a member.
#[derive(Default)]
struct Ahead {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    pax: Option<Pax>,
}

/// A header block with its fields by position (POSIX ustar, and GNU's additions).
struct Header([u8; BLOCK as usize]);

impl Header {
    fn field(&self, start: usize, length: usize) -> &[u8] {
        self.0.get(start..start + length).unwrap_or_default()
    }

    fn text(&self, start: usize, length: usize) -> &[u8] {
        let field = self.field(start, length);
        field.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    fn number(&self, name: &str, start: usize, length: usize) -> Result<u64, String> {
        header_number(self.field(start, length)).ok_or_else(|| format!("{name} is no number"))
    }

    fn kind(&self) -> u8 {
        self.0.get(156).copied().unwrap_or_default()
    }

    fn is_gnu(&self) -> bool {
        self.field(257, 8) == b"ustar  \0"
    }

    fn is_posix(&self) -> bool {
        self.field(257, 6) == b"ustar\0"
    }

    fn checksum_fits(&self) -> bool {
        let (mut unsigned, mut signed) = (0_i64, 0_i64);
        for (at, byte) in self.0.iter().enumerate() {
            let byte = if (148..156).contains(&at) {
                b' '
            } else {
                *byte
            };
            unsigned += i64::from(byte);
            // Old tars summed up signed characters.
            signed += i64::from(byte.cast_signed());
        }
        header_number(self.field(148, 8))
            .and_then(|sum| i64::try_from(sum).ok())
            .is_some_and(|sum| sum == unsigned || sum == signed)
    }

    fn name(&self) -> Vec<u8> {
        let (prefix, name) = (self.text(345, 155), self.text(0, 100));
        if self.is_posix() && !prefix.is_empty() {
            [prefix, b"/", name].concat()
        } else {
            name.to_vec()
        }
    }
}

impl<'a, R: BufRead> Walk<'a, R> {
    pub(super) fn new(input: R, what: &'a str, limits: &'a Limits) -> Self {
        Self {
            input,
            what,
            limits,
            unread: 0,
            padding: 0,
            entries: 0,
            expanded: 0,
        }
    }

    /// Members seen so far.
    pub(super) fn entries(&self) -> u64 {
        self.entries
    }

    /// Bytes of all files seen so far, holes included.
    pub(super) fn expanded(&self) -> u64 {
        self.expanded
    }

    /// The next member; what was not read of the one before is skipped. `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Member>, StoreError> {
        let mut ahead = Ahead::default();
        loop {
            self.skip(self.unread + self.padding)?;
            (self.unread, self.padding) = (0, 0);
            let nothing_ahead = ahead.name.is_none() && ahead.link.is_none() && ahead.pax.is_none();
            let Some(header) = self.header()? else {
                if nothing_ahead {
                    return Ok(None);
                }
                return Err(self.corrupt("an extended header describes no member"));
            };
            self.entries += 1;
            if self.entries > self.limits.entries {
                return Err(StoreError::LimitExceeded {
                    what: format!("{}: number of entries", self.what),
                    limit: self.limits.entries.to_string(),
                });
            }
            let size = header
                .number("size", 124, 12)
                .map_err(|r| self.corrupt(&r))?;
            match header.kind() {
                b'L' if ahead.name.is_none() => ahead.name = Some(self.long_name(size)?),
                b'K' if ahead.link.is_none() => ahead.link = Some(self.long_name(size)?),
                b'x' if ahead.pax.is_none() => {
                    let records = self.small(size, MAX_PAX, "a pax header")?;
                    ahead.pax = Some(pax::parse(&records).map_err(|r| self.corrupt(&r))?);
                }
                b'L' | b'K' | b'x' => {
                    return Err(self.corrupt("two extended headers describe one member"));
                }
                // Global headers (a comment of git archive) and volume labels describe nothing.
                b'g' | b'V' => self.set_data(size)?,
                _ => return self.member(&header, size, ahead).map(Some),
            }
        }
    }

    /// Gives the stored bytes of the current member to `sink`, at most `length` of them.
    pub(super) fn read_data(
        &mut self,
        length: u64,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut left = length.min(self.unread);
        while left > 0 {
            let chunk = self
                .input
                .fill_buf()
                .map_err(|e| StoreError::from_read(self.what, e))?;
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

    /// Reads up to the end of the stream, which may be padded by zeros only.
    pub(super) fn finish(mut self) -> Result<(), StoreError> {
        loop {
            let chunk = self
                .input
                .fill_buf()
                .map_err(|e| StoreError::from_read(self.what, e))?;
            if chunk.is_empty() {
                return Ok(());
            }
            if chunk.iter().any(|byte| *byte != 0) {
                return Err(self.corrupt("there is data behind the end of the archive"));
            }
            let length = chunk.len();
            self.input.consume(length);
        }
    }

    fn member(&mut self, header: &Header, size: u64, ahead: Ahead) -> Result<Member, StoreError> {
        let mut pax = ahead.pax.unwrap_or_default();
        // Sparse records give the real name, and a made-up one in `path`.
        let name = pax.sparse.name.take().or(pax.path.take()).or(ahead.name);
        let name = name.unwrap_or_else(|| header.name());
        let refuse = |reason: String| StoreError::UnsafeEntry {
            what: self.what.to_owned(),
            entry: shown(&name),
            reason,
        };
        let path = MemberPath::parse(&name, self.limits).map_err(refuse)?;
        let link = pax.link_path.take().or(ahead.link);
        let link = link.unwrap_or_else(|| header.text(157, 100).to_vec());
        let kind = match header.kind() {
            // Before POSIX, a folder was a file with a slash at the end.
            0 | b'0' | b'7' if name.ends_with(b"/") => Kind::Folder,
            0 | b'0' | b'7' | b'S' => Kind::File,
            b'1' => Kind::HardLink,
            b'2' => Kind::Symlink,
            b'3' | b'4' => Kind::Device,
            b'5' => Kind::Folder,
            b'6' => Kind::Fifo,
            other => {
                return Err(refuse(format!(
                    "its type {:?} is unknown",
                    char::from(other)
                )));
            }
        };
        let stored = pax.size.unwrap_or(size);
        if kind != Kind::File && stored != 0 {
            return Err(refuse(
                "it is of a type without data but has a size".to_owned(),
            ));
        }
        let linked = match kind {
            Kind::HardLink => Some(
                MemberPath::parse(&link, self.limits)
                    .map_err(|reason| refuse(format!("target of the hard link: {reason}")))?,
            ),
            _ => None,
        };
        if kind == Kind::Symlink && (link.is_empty() || link.len() > 4095 || link.contains(&0)) {
            return Err(refuse(
                "target of the symbolic link is empty, too long or has NUL".into(),
            ));
        }
        let id = |said: Option<u64>, name: &str, at: usize| -> Result<u32, StoreError> {
            let id = match said {
                Some(id) => id,
                None => header.number(name, at, 8).map_err(refuse)?,
            };
            // The last one means "leave as it is" to the kernel.
            u32::try_from(id)
                .ok()
                .filter(|id| *id != u32::MAX)
                .ok_or_else(|| refuse(format!("{name} {id} is out of range")))
        };
        let mtime = match pax.mtime {
            Some(time) => time,
            None => Time {
                seconds: i64::try_from(header.number("mtime", 136, 12).unwrap_or_default())
                    .unwrap_or_default(),
                nanoseconds: 0,
            },
        };
        let mode = header.number("mode", 100, 8).map_err(refuse)? & 0o7777;
        let mode = u32::try_from(mode).unwrap_or_default();
        let (uid, gid) = (id(pax.uid, "uid", 108)?, id(pax.gid, "gid", 116)?);
        self.set_data(stored)?;
        let (size, segments) = self.sparse(header, &pax, stored)?;
        self.expanded = self.expanded.saturating_add(size);
        if self.expanded > self.limits.expanded {
            return Err(StoreError::LimitExceeded {
                what: format!("{}: size when unpacked", self.what),
                limit: format!("{} bytes", self.limits.expanded),
            });
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

    /// Size and map of a file, which may be sparse in one of four ways.
    fn sparse(
        &mut self,
        header: &Header,
        pax: &Pax,
        stored: u64,
    ) -> Result<(u64, Option<Vec<Segment>>), StoreError> {
        let (real_size, segments) = if header.kind() == b'S' {
            if !header.is_gnu() {
                return Err(self.corrupt("a sparse member has no GNU header"));
            }
            let real = header
                .number("real size", 483, 12)
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
                    .map_err(|error| StoreError::from_read(self.what, error))?;
                self.unread = self.unread.saturating_sub(taken);
                (real, segments)
            } else {
                (real, pax.sparse.segments.clone().unwrap_or_default())
            }
        } else {
            return Ok((stored, None));
        };
        sparse::check(&segments, real_size, self.unread).map_err(|r| self.corrupt(&r))?;
        Ok((real_size, Some(segments)))
    }

    /// The map of an old GNU sparse member, which goes on in blocks before the data.
    fn old_map(&mut self, header: &Header) -> Result<Vec<Segment>, StoreError> {
        let mut segments = Vec::new();
        sparse::old_entries(header.field(386, 96), &mut segments).map_err(|r| self.corrupt(&r))?;
        let mut goes_on = header.field(482, 1) != [0];
        while goes_on {
            let mut block = [0; BLOCK as usize];
            self.read_exact(&mut block)?;
            let (block, before) = (Header(block), segments.len());
            sparse::old_entries(block.field(0, 504), &mut segments)
                .map_err(|r| self.corrupt(&r))?;
            goes_on = block.field(504, 1) != [0];
            if goes_on && segments.len() == before {
                return Err(self.corrupt("a map of a sparse file goes on with nothing"));
            }
        }
        Ok(segments)
    }

    /// The next header, or `None` at the end mark or at the end of the stream.
    fn header(&mut self) -> Result<Option<Header>, StoreError> {
        let at_end = self
            .input
            .fill_buf()
            .map_err(|error| StoreError::from_read(self.what, error))?
            .is_empty();
        if at_end {
            return Ok(None);
        }
        let mut block = [0; BLOCK as usize];
        self.read_exact(&mut block)?;
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let header = Header(block);
        if !header.checksum_fits() {
            return Err(self.corrupt("a header has a wrong checksum"));
        }
        Ok(Some(header))
    }

    fn set_data(&mut self, size: u64) -> Result<(), StoreError> {
        let padding = (BLOCK - size % BLOCK) % BLOCK;
        if size.checked_add(padding).is_none() {
            return Err(self.corrupt("a member is larger than any file"));
        }
        (self.unread, self.padding) = (size, padding);
        Ok(())
    }

    fn long_name(&mut self, size: u64) -> Result<Vec<u8>, StoreError> {
        let mut name = self.small(size, MAX_NAME, "a long name")?;
        let end = name
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(name.len());
        name.truncate(end);
        Ok(name)
    }

    /// Reads all of a member that has to fit into memory.
    fn small(&mut self, size: u64, limit: u64, name: &str) -> Result<Vec<u8>, StoreError> {
        if size > limit {
            return Err(StoreError::LimitExceeded {
                what: format!("{}: {name} of {size} bytes", self.what),
                limit: format!("{limit} bytes"),
            });
        }
        self.set_data(size)?;
        let mut bytes = Vec::new();
        self.read_data(size, &mut |chunk| {
            bytes.extend_from_slice(chunk);
            Ok(())
        })?;
        Ok(bytes)
    }

    fn skip(&mut self, mut length: u64) -> Result<(), StoreError> {
        while length > 0 {
            let chunk = self
                .input
                .fill_buf()
                .map_err(|e| StoreError::from_read(self.what, e))?;
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

    fn read_exact(&mut self, block: &mut [u8]) -> Result<(), StoreError> {
        self.input
            .read_exact(block)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => self.corrupt("it ends within a header"),
                _ => StoreError::from_read(self.what, error),
            })
    }

    fn corrupt(&self, reason: &str) -> StoreError {
        StoreError::CorruptLayer {
            what: self.what.to_owned(),
            reason: reason.to_owned(),
        }
    }
}

/// A hostile name, cut and with what can't be shown replaced.
pub(super) fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name.get(..200).unwrap_or(name)).into_owned()
}
