//! The pod's `/etc/hosts` while it runs: apps read it, and may write to it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use cni_glue::names::{Edit, PeerChanges, edits};
use rustix::io::{ReadWriteFlags, pwritev2};

/// A file that is larger is not looked at.
const LARGEST: u64 = 1 << 20;

/// The file, open since before any app ran: it is the one that they all see, and what they do to it can't
/// lead elsewhere.
#[derive(Debug)]
pub(super) struct HostsFile(pub(super) File);

impl HostsFile {
    /// Brings it up to date with the pods that there are.
    ///
    /// # Errors
    /// If it is too large, or an app has filled the filesystem that it is in.
    pub(super) fn update(&self, changes: &PeerChanges) -> io::Result<()> {
        let text = self.read()?;
        for edit in edits(&text, changes) {
            match edit {
                // A reader sees one of three lines: the old, a comment, the new.
                Edit::Blank { offset, length } => {
                    self.replace(offset, " ".repeat(length).as_bytes())
                }
                Edit::Fill { offset, line } => self.replace(offset, line.as_bytes()),
                Edit::Append(lines) => self.append(lines.as_bytes()),
            }?;
        }
        Ok(())
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        let length = self.0.metadata()?.len();
        if length > LARGEST {
            return Err(io::Error::other(format!(
                "it is {length} bytes long, and no more than {LARGEST} are read"
            )));
        }
        let mut text = vec![0; usize::try_from(length).unwrap_or_default()];
        let mut end = 0;
        // It may become shorter meanwhile.
        while let Some(rest) = text.get_mut(end..).filter(|rest| !rest.is_empty()) {
            match self.0.read_at(rest, end as u64)? {
                0 => break,
                count => end += count,
            }
        }
        text.truncate(end);
        Ok(text)
    }

    fn replace(&self, offset: u64, line: &[u8]) -> io::Result<()> {
        let Some((first, rest)) = line.split_first() else {
            return Ok(());
        };
        self.0.write_all_at(b"#", offset)?;
        self.0.write_all_at(rest, offset + 1)?;
        self.0.write_all_at(&[*first], offset)
    }

    /// Wherever the end is now, should an app have written since.
    fn append(&self, lines: &[u8]) -> io::Result<()> {
        let written = pwritev2(
            &self.0,
            &[io::IoSlice::new(lines)],
            0,
            ReadWriteFlags::APPEND,
        )?;
        match written == lines.len() {
            true => Ok(()),
            false => Err(io::ErrorKind::WriteZero.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Seek, Write};

    fn changes(name: &str) -> PeerChanges {
        PeerChanges {
            came: vec![("10.0.0.3".parse().unwrap(), name.into())],
            ..PeerChanges::default()
        }
    }

    fn file(text: &str) -> (HostsFile, File) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        (HostsFile(file.try_clone().unwrap()), file)
    }

    fn text(file: &mut File) -> String {
        file.rewind().unwrap();
        io::read_to_string(file).unwrap()
    }

    #[test]
    fn what_apps_append_and_what_comes_and_goes_are_side_by_side() {
        let (hosts, mut app) = file("127.0.0.1\tlocalhost\n");
        hosts.update(&changes("api")).unwrap();
        app.write_all(b"").unwrap();
        app.seek(io::SeekFrom::End(0)).unwrap();
        app.write_all(b"10.1.1.1 mine\n").unwrap();
        hosts
            .update(&PeerChanges {
                gone: changes("api").came,
                ..changes("db")
            })
            .unwrap();
        let lines = text(&mut app);
        let lines: Vec<_> = lines.lines().map(str::trim_end).collect();
        assert_eq!(
            lines,
            [
                "127.0.0.1\tlocalhost",
                "",
                "10.1.1.1 mine",
                "10.0.0.3\tdb\t# pod"
            ]
        );
        hosts.update(&changes("api")).unwrap();
        assert!(text(&mut app).lines().nth(1).unwrap().contains("api"));
    }

    #[test]
    fn a_file_that_was_made_huge_is_left_alone() {
        let (hosts, app) = file("x\n");
        app.set_len(LARGEST + 1).unwrap();
        let error = hosts.update(&changes("api")).unwrap_err().to_string();
        assert!(error.contains("1048577"), "{error}");
        assert_eq!(app.metadata().unwrap().len(), LARGEST + 1);
    }
}
