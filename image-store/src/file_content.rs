//! The bytes of a file and its holes, which are told and not read: of a disk image they are nearly all.

use std::fs::File;
use std::io::{self, Read};

use image_layer::Segment;
use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;

/// Bytes that are read at once.
const CHUNK: u64 = 256 << 10;
/// Shorter holes are not worth an entry in a map: they count as data.
const HOLE_MIN: u64 = 64 << 10;
/// Entries of a map, each of which takes memory here and in whoever reads the map again.
const SEGMENTS_MAX: usize = 1 << 20;

/// A part of a file.
pub(crate) enum Part<'a> {
    Data(&'a [u8]),
    /// So many zeros that take no space.
    Hole(u64),
}

/// The content of a file, part by part, to where it ends or `size` bytes are there.
pub(crate) struct Content<'a> {
    file: &'a File,
    size: u64,
    at: u64,
    /// Where the part that is being read ends.
    data_end: u64,
    buffer: Vec<u8>,
}

impl<'a> Content<'a> {
    /// Reads from the beginning of a file that nobody else reads by this descriptor.
    pub(crate) fn of(file: &'a File, size: u64) -> Self {
        let chunk = usize::try_from(size.clamp(1, CHUNK)).unwrap_or(1);
        Self {
            file,
            size,
            at: 0,
            data_end: 0,
            buffer: vec![0; chunk],
        }
    }

    /// The next part; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Part<'_>>> {
        if self.at >= self.size {
            return Ok(None);
        }
        if self.at >= self.data_end {
            let hole = self.find_data()?;
            if hole > 0 {
                self.at += hole;
                return Ok(Some(Part::Hole(hole)));
            }
        }
        let left = self.data_end - self.at;
        let wanted = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(self.buffer.len());
        let space = self.buffer.get_mut(..wanted).unwrap_or_default();
        let mut file = self.file;
        let count = loop {
            match file.read(space) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        self.at += count as u64;
        let bytes = self.buffer.get(..count).unwrap_or_default();
        Ok((count > 0).then_some(Part::Data(bytes)))
    }

    /// How many bytes there were less than announced, once there are no more parts.
    pub(crate) fn missing(&self) -> u64 {
        self.size.saturating_sub(self.at)
    }

    /// Finds the next data and goes there; gives the length of the hole before it.
    fn find_data(&mut self) -> io::Result<u64> {
        let Some((start, end)) = next_data(self.file, self.at, self.size)? else {
            // What the file lacks of the announced size is no hole.
            let end = seek(self.file, SeekFrom::End(0))?.clamp(self.at, self.size);
            self.data_end = self.size;
            return Ok(end - self.at);
        };
        self.data_end = end;
        seek(self.file, SeekFrom::Start(start))?;
        Ok(start - self.at)
    }
}

/// Where a file of this size has data between holes that are worth telling of; `None` if there are no such holes. What it
/// lacks of the size is a hole, too.
pub(crate) fn segments(file: &File, size: u64) -> io::Result<Option<Vec<Segment>>> {
    let mut segments: Vec<Segment> = Vec::new();
    let mut at = 0;
    while let Some((start, end)) = next_data(file, at, size)? {
        match segments.last_mut() {
            Some(last) if start - (last.offset + last.length) < HOLE_MIN => {
                last.length = end - last.offset;
            }
            last => {
                let offset = match last {
                    None if start < HOLE_MIN => 0,
                    _ => start,
                };
                let length = end - offset;
                segments.push(Segment { offset, length });
            }
        }
        if segments.len() > SEGMENTS_MAX {
            return Err(io::Error::other("it has too many holes"));
        }
        at = end;
    }
    if let Some(last) = segments.last_mut()
        && size - (last.offset + last.length) < HOLE_MIN
    {
        last.length = size - last.offset;
    }
    let is_whole = match segments.as_slice() {
        [] => size < HOLE_MIN,
        [only] => only.length == size,
        _ => false,
    };
    Ok((!is_whole).then_some(segments))
}

/// The first data of a file of this size from there on; the file's position is somewhere else afterwards.
fn next_data(file: &File, at: u64, size: u64) -> io::Result<Option<(u64, u64)>> {
    if at >= size {
        return Ok(None);
    }
    let start = match seek(file, SeekFrom::Data(at)) {
        Ok(start) => start,
        // Nothing but a hole, to the end of the file.
        Err(Errno::NXIO) => return Ok(None),
        // A file system that knows no holes.
        Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok(Some((at, size))),
        Err(error) => return Err(error.into()),
    };
    if start >= size {
        return Ok(None);
    }
    let end = seek(file, SeekFrom::Hole(start)).unwrap_or(size);
    Ok(Some((start, end.clamp(start + 1, size))))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    /// What the parts come to, how many bytes of holes, and how many are missing.
    fn read(file: &File, size: u64) -> (Vec<u8>, u64, u64) {
        let (mut bytes, mut holes) = (Vec::new(), 0);
        let mut content = Content::of(file, size);
        loop {
            match content.next().unwrap() {
                Some(Part::Data(data)) => bytes.extend_from_slice(data),
                Some(Part::Hole(length)) => {
                    holes += length;
                    bytes.resize(bytes.len() + usize::try_from(length).unwrap(), 0);
                }
                None => return (bytes, holes, content.missing()),
            }
        }
    }

    #[test]
    fn parts_and_holes_make_the_file() {
        let megabyte = 1 << 20;
        for (data, length) in [
            (vec![], 0),
            (vec![], 5 * megabyte),
            (vec![0], 5 * megabyte),
            (vec![3 * megabyte], 3 * megabyte + 7),
            (vec![megabyte, 4 * megabyte], 9 * megabyte + 1),
        ] {
            let file = tempfile::tempfile().unwrap();
            file.set_len(length).unwrap();
            let mut whole = vec![0; usize::try_from(length).unwrap()];
            for start in data {
                file.write_all_at(b"content", start).unwrap();
                let start = usize::try_from(start).unwrap();
                whole[start..start + 7].copy_from_slice(b"content");
            }
            let (bytes, _, missing) = read(&file, length);
            assert!(bytes == whole, "of {length} bytes");
            assert_eq!(missing, 0);
        }
    }

    #[test]
    fn a_map_tells_of_data_between_long_holes() {
        let (short, long) = (HOLE_MIN / 2, HOLE_MIN * 4);
        let at = |offset, length| Segment { offset, length };
        let one = 4096;
        for (data, length, expected) in [
            (vec![], 0, None),
            (vec![], short, None),
            (vec![], 1 << 40, Some(vec![])),
            (vec![0], one, None),
            (vec![0], long, Some(vec![at(0, one)])),
            (vec![long], long + one, Some(vec![at(long, one)])),
            // Short holes are data.
            (vec![short], short + one, None),
            (vec![0, short], short + one + short, None),
            (
                vec![short, long],
                2 * long,
                Some(vec![at(0, short + one), at(long, one)]),
            ),
        ] {
            let file = tempfile::tempfile().unwrap();
            file.set_len(length).unwrap();
            for start in &data {
                file.write_all_at(&[1; 4096], *start).unwrap();
            }
            let found = segments(&file, length).unwrap();
            assert_eq!(found, expected, "{data:?} of {length}");
            // As much as that of what has been cut off meanwhile.
            file.set_len(0).unwrap();
            let expected = (length >= HOLE_MIN).then(Vec::new);
            assert_eq!(segments(&file, length).unwrap(), expected);
        }
    }

    #[test]
    fn a_hole_costs_no_reading_however_large() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(1 << 40).unwrap();
        let mut content = Content::of(&file, 1 << 40);
        let mut parts = 0;
        while content.next().unwrap().is_some() {
            parts += 1;
        }
        assert!(parts <= 2, "{parts}");
    }

    #[test]
    fn a_file_that_shrank_or_grew_gives_what_was_announced_at_most() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(b"content", 0).unwrap();
        assert_eq!(read(&file, 3), (b"con".to_vec(), 0, 0));
        let (bytes, _, missing) = read(&file, 10);
        assert_eq!((bytes.as_slice(), missing), (&b"content"[..], 3));
    }
}
