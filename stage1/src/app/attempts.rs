//! What became of the paths at which a program was looked for, told over the pipe of the start's report.
//!
//! The half that writes runs between clone and exec: no allocation, no locks.

use std::ffi::{CStr, CString};

use pod::exit::FailureKind;
use rustix::fs::{AtFlags, CWD, FileType, statat};
use rustix::io::Errno;

use crate::app::command_line::CommandLine;
use crate::sys;

/// The number of paths that are told of. `PATH` has no more folders in practice.
const TOLD_MAX: usize = 16;
/// Bytes of one of them: its place among the candidates, what it is, the error.
const ENTRY: usize = 7;

/// What is at a path that could not be executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Found {
    /// A file of any kind; the error says what is wrong.
    File,
    /// A directory.
    Directory,
    /// A program, whose interpreter is missing.
    WithoutInterpreter,
}

/// What is told of the paths where something was.
#[derive(Debug)]
pub(crate) struct Attempts {
    told: [u8; TOLD_MAX * ENTRY],
    count: usize,
}

/// A whole report of a failed execve(2): no longer than `PIPE_BUF`, so that it arrives in one piece.
pub(crate) const ATTEMPTS_MAX: usize = TOLD_MAX * ENTRY;

impl Attempts {
    /// None, as of a step before the last one.
    pub(crate) fn none() -> Self {
        Self {
            told: [0; ATTEMPTS_MAX],
            count: 0,
        }
    }

    /// What goes over the pipe.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.told.get(..self.count * ENTRY).unwrap_or_default()
    }

    /// Tells which of several places an earlier step failed at.
    pub(crate) fn name_place(&mut self, place: usize, errno: Errno) {
        self.add(place, Found::File, errno);
    }

    fn add(&mut self, place: usize, found: Found, errno: Errno) {
        let Some(entry) = self.told.chunks_exact_mut(ENTRY).nth(self.count) else {
            return;
        };
        let [low, high, what, code @ ..] = entry else {
            return;
        };
        [*low, *high] = u16::try_from(place).unwrap_or(u16::MAX).to_le_bytes();
        *what = found as u8;
        code.copy_from_slice(&errno.raw_os_error().to_le_bytes());
        self.count += 1;
    }

    /// Tries each candidate as execvp(3) does. Returns only if none could be executed, with the error that says most.
    pub(crate) fn execute(&mut self, command: &CommandLine) -> Errno {
        let mut answer = Errno::NOENT;
        for (place, candidate) in command.sought.candidates.iter().enumerate() {
            let errno = sys::execve(candidate, &command.argv, &command.envp);
            if let Some(found) = look_at(candidate, errno) {
                self.add(place, found, errno);
            }
            match errno {
                // A path through what is no directory, or a file system that doesn't answer, is no more than none.
                Errno::NOENT | Errno::NOTDIR | Errno::STALE | Errno::NODEV | Errno::TIMEDOUT => {}
                Errno::ACCESS => answer = Errno::ACCESS,
                other => return other,
            }
        }
        answer
    }
}

/// What is at a path that execve(2) refused with `errno`. `None` if there is nothing.
fn look_at(path: &CStr, errno: Errno) -> Option<Found> {
    let missing = matches!(errno, Errno::NOENT | Errno::NOTDIR);
    match statat(CWD, path, AtFlags::empty()) {
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
            Some(Found::Directory)
        }
        Ok(_) if missing => Some(Found::WithoutInterpreter),
        Err(_) if missing => None,
        Ok(_) | Err(_) => Some(Found::File),
    }
}

/// Why `asked` could not be executed in `what`, from the report of the process: `errno` is the error that says most,
/// `told` what it wrote of the `candidates`.
pub(crate) fn explain(
    asked: &str,
    candidates: &[CString],
    what: &str,
    errno: Errno,
    told: &[u8],
) -> (FailureKind, String) {
    let paths: Vec<String> = told
        .chunks_exact(ENTRY)
        .filter_map(|entry| tell(candidates, entry))
        .collect();
    let kind = match errno {
        Errno::NOENT | Errno::NOTDIR => FailureKind::NotFound,
        _ => FailureKind::NotExecutable,
    };
    let why = match paths.as_slice() {
        [] if asked.contains('/') => match kind {
            FailureKind::NotFound => "there is no such file in the image".to_owned(),
            _ => reason(errno),
        },
        [] => match kind {
            FailureKind::NotFound => nowhere(candidates),
            _ => reason(errno),
        },
        paths => paths.join("; "),
    };
    let place = what.strip_prefix("the command in ").unwrap_or(what);
    (kind, format!("cannot execute `{asked}` in {place}: {why}"))
}

/// The place that an earlier step failed at ([`Attempts::name_place`]).
pub(crate) fn named_place(told: &[u8]) -> Option<usize> {
    let &[low, high, ..] = told else {
        return None;
    };
    Some(usize::from(u16::from_le_bytes([low, high])))
}

/// Where a program is not.
fn nowhere(candidates: &[CString]) -> String {
    let paths: Vec<_> = candidates
        .iter()
        .take(TOLD_MAX)
        .map(|path| path.to_string_lossy())
        .collect();
    let more = match candidates.len() > TOLD_MAX {
        true => ", …",
        false => "",
    };
    let paths = paths.join(", ");
    format!("the image has no {paths}{more} (looked for as PATH says)")
}

/// One path and what is wrong with it.
fn tell(candidates: &[CString], entry: &[u8]) -> Option<String> {
    let &[low, high, found, a, b, c, d] = entry else {
        return None;
    };
    let path = candidates.get(usize::from(u16::from_le_bytes([low, high])))?;
    let errno = Errno::from_raw_os_error(i32::from_le_bytes([a, b, c, d]));
    let wrong = match found {
        n if n == Found::Directory as u8 => "is a directory".to_owned(),
        n if n == Found::WithoutInterpreter as u8 => {
            "is there, but the interpreter or loader that it names is not in the image".to_owned()
        }
        _ => reason(errno),
    };
    let path = path.to_string_lossy();
    Some(match wrong.strip_prefix("is ") {
        Some(rest) => format!("`{path}` is {rest}"),
        None => format!("`{path}`: {wrong}"),
    })
}

fn reason(errno: Errno) -> String {
    match errno {
        Errno::NOEXEC => {
            "is neither a program for this machine nor a script that begins with `#!`".to_owned()
        }
        errno => errno.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(attempts: &[(usize, Found, Errno)]) -> Attempts {
        let mut all = Attempts::none();
        for &(place, found, errno) in attempts {
            all.add(place, found, errno);
        }
        all
    }

    #[test]
    fn every_path_where_something_is_gets_named() {
        let candidates = ["/a/x", "/b/x", "/c/x"].map(|path| CString::new(path).unwrap());
        let explained = |asked: &str, attempts: &[(usize, Found, Errno)], errno| {
            let attempts = told(attempts);
            explain(asked, &candidates, "app web", errno, attempts.as_bytes())
        };
        let rows = [
            (
                explained("x", &[], Errno::NOENT),
                FailureKind::NotFound,
                "cannot execute `x` in app web: the image has no /a/x, /b/x, /c/x \
                 (looked for as PATH says)",
            ),
            (
                explained("/a/x", &[], Errno::NOTDIR),
                FailureKind::NotFound,
                "cannot execute `/a/x` in app web: there is no such file in the image",
            ),
            (
                explained(
                    "x",
                    &[
                        (0, Found::Directory, Errno::ACCESS),
                        (2, Found::File, Errno::ACCESS),
                    ],
                    Errno::ACCESS,
                ),
                FailureKind::NotExecutable,
                "cannot execute `x` in app web: `/a/x` is a directory; `/c/x`: Permission denied \
                 (os error 13)",
            ),
            (
                explained(
                    "x",
                    &[(1, Found::WithoutInterpreter, Errno::NOENT)],
                    Errno::NOENT,
                ),
                FailureKind::NotFound,
                "cannot execute `x` in app web: `/b/x` is there, but the interpreter or loader \
                 that it names is not in the image",
            ),
            (
                explained("x", &[(1, Found::File, Errno::NOEXEC)], Errno::NOEXEC),
                FailureKind::NotExecutable,
                "cannot execute `x` in app web: `/b/x` is neither a program for this machine nor \
                 a script that begins with `#!`",
            ),
        ];
        for ((kind, message), expected_kind, expected) in rows {
            assert_eq!((kind, message.as_str()), (expected_kind, expected));
        }
    }

    #[test]
    fn a_report_is_bounded_and_what_is_odd_in_it_is_passed_over() {
        let many: Vec<_> = (0..100)
            .map(|place| (place, Found::File, Errno::ACCESS))
            .collect();
        assert_eq!(told(&many).as_bytes().len(), ATTEMPTS_MAX);
        let odd = [9, 9, 9, 9, 9, 9, 9, 1];
        let (_, message) = explain("x", &[], "app web", Errno::ACCESS, &odd);
        assert_eq!(
            message,
            "cannot execute `x` in app web: Permission denied (os error 13)"
        );
    }
}
