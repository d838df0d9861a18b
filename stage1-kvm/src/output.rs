//! What a machine and the program that runs it have said for people, if anything.

use std::os::fd::OwnedFd;

use rustix::fs::{Mode, fchmod};
use rustix::io::{Errno, read};
use rustix::pipe::{PipeFlags, pipe_with};
use stage1::failure::{StartFailure, one_line};

/// Bytes that are looked at: whoever says more is not waited for.
const MOST: usize = 64 << 10;
/// Bytes of a line that is quoted.
const QUOTED_MAX: usize = 300;
/// What every kernel says in a machine without PCI.
const NO_PCI: &str = "PCI: Fatal";

/// What is waiting at descriptors that don't block.
#[derive(Debug)]
pub(crate) struct Output {
    /// What the program writes to its standard error.
    pub(crate) errors: OwnedFd,
    /// The machine's console.
    pub(crate) console: OwnedFd,
}

impl Output {
    /// Makes it, with where the machine's console and where the program's errors are to be written.
    ///
    /// # Errors
    /// If there can't be more descriptors.
    pub(crate) fn new() -> Result<(Self, OwnedFd, OwnedFd), StartFailure> {
        let (console, of_machine) = pipe()?;
        let (errors, of_program) = pipe()?;
        Ok((Self { errors, console }, of_machine, of_program))
    }

    /// Why the machine has ended, behind "the virtual machine ended": by the last line of the program, or else by one of pod
    /// init or the kernel. Who is root in there may write that, too, so it is told as the machine's own words.
    pub(crate) fn reason(&self) -> Option<String> {
        let of_program = last_line(&self.errors).map(|line| format!(": {line}"));
        of_program.or_else(|| {
            let told = told(&all(&self.console))?;
            Some(format!(" and said: {told}"))
        })
    }

    /// The last line that says anything, of a machine that has not ended: its program's, or else that of its console.
    pub(crate) fn last_line(&self) -> Option<String> {
        last_line(&self.errors).or_else(|| last_line(&self.console))
    }
}

impl Output {
    /// What the machine has said itself: pod init, or its kernel before it gave up.
    pub(crate) fn word_of_machine(&self) -> Option<String> {
        told(&all(&self.console))
    }
}

/// The last line of what is waiting there.
pub(crate) fn last_line(errors: &OwnedFd) -> Option<String> {
    let text = all(errors);
    let mut lines = text.lines().map(str::trim);
    let says = |line: &&str| !line.is_empty() && !line.contains(NO_PCI);
    lines.rfind(says).map(quoted)
}

/// A pipe into which who runs the machine may write, and that is read once the machine has ended.
pub(crate) fn pipe() -> Result<(OwnedFd, OwnedFd), StartFailure> {
    let made = (|| {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        // It is opened again by who is not root.
        fchmod(&writer, Mode::from_raw_mode(0o622))?;
        Ok((reader, writer))
    })();
    made.map_err(StartFailure::os::<Errno>("make a pipe for a machine"))
}

fn all(fd: &OwnedFd) -> String {
    let mut bytes = vec![0; MOST];
    let mut length = 0;
    while let Some(space) = bytes.get_mut(length..).filter(|space| !space.is_empty()) {
        match read(fd, space) {
            Ok(count) if count > 0 => length += count,
            // Nothing more is there.
            _ => break,
        }
    }
    bytes.truncate(length);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What pod init has said on the console, which names itself, or the kernel before it gave up. What else it says is of no
/// account.
fn told(console: &str) -> Option<String> {
    const OF_POD_INIT: &str = "fairing: ";
    const PANIC: &str = "Kernel panic";
    let of_pod_init = console
        .lines()
        .find_map(|line| Some(line.split_once(OF_POD_INIT)?.1));
    let panic = || {
        console
            .lines()
            .find_map(|line| line.get(line.find(PANIC)?..))
    };
    of_pod_init.or_else(panic).map(quoted)
}

fn quoted(line: &str) -> String {
    let end = line.floor_char_boundary(QUOTED_MAX);
    one_line(line.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn output(errors: &str, console: &str) -> Output {
        let end = |text: &str| {
            let (mut writer, reader) = UnixStream::pair().unwrap();
            writer.write_all(text.as_bytes()).unwrap();
            reader.set_nonblocking(true).unwrap();
            reader.into()
        };
        Output {
            errors: end(errors),
            console: end(console),
        }
    }

    #[test]
    fn the_line_that_tells_why_is_quoted_and_no_other() {
        let panic = "[    1.234567] Kernel panic - not syncing: z\nmore\n";
        for (errors, console, expected) in [
            ("", "", None),
            ("\n \n", "PCI: no\n", None),
            ("one\ntwo\n\n", panic, Some(": two")),
            ("", panic, Some(" and said: Kernel panic - not syncing: z")),
            (
                "",
                &format!("x\nfairing: cannot load x\n{panic}"),
                Some(" and said: cannot load x"),
            ),
            (
                "qemu: no\u{1b}[2J memory\n",
                "",
                Some(": qemu: no [2J memory"),
            ),
        ] {
            let reason = output(errors, console).reason();
            assert_eq!(reason.as_deref(), expected, "{errors:?} {console:?}");
        }
        let long = output(&"ä".repeat(1000), "").reason();
        assert_eq!(long.unwrap().len(), 302);
    }
}
