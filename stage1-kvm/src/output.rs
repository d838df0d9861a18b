//! What a machine and the program that runs it have said for people, if anything.

use std::os::fd::OwnedFd;

use rustix::io::read;
use stage1::failure::one_line;

/// Bytes that are looked at: whoever says more is not waited for.
const MOST: usize = 64 << 10;
/// Bytes of a line that is quoted.
const QUOTED_MAX: usize = 300;

/// What is waiting at descriptors that don't block.
#[derive(Debug)]
pub(crate) struct Output {
    /// What the program writes to its standard error.
    pub(crate) errors: OwnedFd,
    /// The machine's console.
    pub(crate) console: OwnedFd,
}

impl Output {
    /// The line that says most of why the machine has ended: of the program, or else of pod init or the kernel.
    pub(crate) fn reason(&self) -> Option<String> {
        let of_program = all(&self.errors);
        reason(&of_program).or_else(|| reason(&all(&self.console)))
    }
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

fn reason(text: &str) -> Option<String> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let telling = ["fairing: ", "Kernel panic"];
    let told = lines
        .clone()
        .find(|line| telling.iter().any(|word| line.contains(word)));
    let line = told.or_else(|| lines.next_back())?;
    let end = line.floor_char_boundary(QUOTED_MAX);
    let line = one_line(line.get(..end).unwrap_or_default());
    // Pod init names itself; the kernel tells the time.
    let line = line
        .rsplit_once("fairing: ")
        .map_or(line.as_str(), |(_, said)| said);
    let line = match line
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("] "))
    {
        Some((time, said)) if time.trim().parse::<f64>().is_ok() => said,
        _ => line,
    };
    Some(line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn the_line_that_tells_most_is_quoted() {
        for (text, expected) in [
            ("", None),
            ("\n \n", None),
            ("one\ntwo\n", Some("two")),
            (
                "a\nfairing: cannot load x\n[ 1.0] Kernel panic - y\n",
                Some("cannot load x"),
            ),
            (
                "[    1.234567] Kernel panic - not syncing: z\nmore\n",
                Some("Kernel panic - not syncing: z"),
            ),
            ("qemu: no\u{1b}[2J memory\n", Some("qemu: no [2J memory")),
        ] {
            assert_eq!(reason(text).as_deref(), expected, "{text:?}");
        }
        let long = "ä".repeat(1000);
        assert_eq!(reason(&long).unwrap().len(), 300);
    }
}
