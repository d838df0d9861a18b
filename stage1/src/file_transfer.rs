//! The process in an app that sends files over its standard output as a tar stream, or makes files of one that comes over its
//! standard input.
//!
//! It is pod init's program, executed by a descriptor, so that the image need have none for it. It is what any command in
//! the app is, and may do no more: what stands in the way of it is the app's own.

use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use file_copy::{Arrival, CopyError, LeftOut, Receiver, Rules, Sent, Source, send};
use image_layer::Limits;
use pod::control::{FileCopy, SentFiles};

use crate::failure::{StartFailure, one_line};

/// The argument by which the program is asked for it; the next one says what is copied.
pub const COPY: &str = "copy";

/// How many of those that are left out are named.
const NAMED_MAX: u64 = 20;
/// Bytes on their way.
const BUFFER: usize = 64 << 10;

/// The words by which pod init's program copies this.
pub(crate) fn argv(copy: &FileCopy) -> Result<Vec<String>, StartFailure> {
    let copy = serde_json::to_string(copy).map_err(StartFailure::os("say what is copied"))?;
    Ok(vec!["fairing-copy".to_owned(), COPY.to_owned(), copy])
}

/// Copies what these words say, as [`copy`] does.
pub fn run(what: &str) -> i32 {
    match serde_json::from_str(what) {
        Ok(what) => copy(what),
        Err(error) => {
            tell(&format!("this is not to be copied: {error}"));
            1
        }
    }
}

/// Copies. What is left out is told on standard error, and last why it failed. The result is the exit code.
pub fn copy(what: FileCopy) -> i32 {
    match go(what) {
        Ok(()) => 0,
        Err(error) => {
            if !error.is_broken_pipe() {
                tell(&error.to_string());
            }
            1
        }
    }
}

fn go(copy: FileCopy) -> Result<(), CopyError> {
    let mut count = 0;
    let mut left_out = |path: &Path, why: LeftOut| {
        count += 1;
        if count <= NAMED_MAX {
            tell(&why.told_of(path));
        }
    };
    let copied = match copy {
        FileCopy::Out { path, follow } => {
            let path = PathBuf::from(path.as_str());
            let out = BufWriter::with_capacity(BUFFER, io::stdout().lock());
            send(&Source { path, follow }, out, &mut left_out)
        }
        FileCopy::In { path, of, owners } => {
            let arrival = Arrival {
                path: PathBuf::from(path.as_str()),
                of: match of {
                    SentFiles::Named { name } => Sent::Named(PathBuf::from(name)),
                    SentFiles::Content => Sent::Content,
                    SentFiles::Archive => Sent::Archive,
                },
            };
            let rules = Rules {
                owners,
                trusted: true,
                limits: Limits::default(),
            };
            let input = BufReader::with_capacity(BUFFER, io::stdin().lock());
            Receiver::receive(&arrival, input, &rules, &mut left_out)
        }
    };
    if count > NAMED_MAX {
        tell(&format!("{} more are left out", count - NAMED_MAX));
    }
    copied
}

fn tell(line: &str) {
    // Nobody is there to be told.
    let _ = writeln!(io::stderr(), "{}", one_line(line));
}
