//! The bytes of a file and its holes, which are told and not read: of a disk image they are nearly all.

use std::fs::File;
use std::io::{self, Read};

use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;

/// Bytes that are read at once.
const CHUNK: u64 = 256 << 10;

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
        let start = match seek(self.file, SeekFrom::Data(self.at)) {
            Ok(start) => start.min(self.size),
            // Nothing but a hole, to the end of the file. What the file lacks of the announced size is no hole.
            Err(Errno::NXIO) => {
                let end = seek(self.file, SeekFrom::End(0))?.clamp(self.at, self.size);
                self.data_end = self.size;
                return Ok(end - self.at);
            }
            // A file system that knows no holes.
            Err(Errno::INVAL | Errno::OPNOTSUPP) => {
                self.data_end = self.size;
                return Ok(0);
            }
            Err(error) => return Err(error.into()),
        };
        let end = seek(self.file, SeekFrom::Hole(start)).unwrap_or(self.size);
        self.data_end = end.clamp(start, self.size);
        seek(self.file, SeekFrom::Start(start))?;
        Ok(start - self.at)
    }
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
