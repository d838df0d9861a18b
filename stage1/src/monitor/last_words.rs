//! Why an app has ended, in its own words: what it has written to a file that is bound into it, or the end of its log.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use pod::app_dir;
use pod::manifest::{App, TerminationMessage, TerminationMessagePolicy};
use rustix::fs::{XattrFlags, fsetxattr};

use super::log_file::LOG_FILE;
use crate::failure::StartFailure;

/// How much of a log is looked at, in bytes: each line has a time before it.
const LOG_END: u64 = 32 << 10;
/// How long a message is at most as a text of JSON, in bytes: there is room for it on a full disk.
const WRITTEN_MAX: usize = 6 << 10;

/// Makes the file of an app that is about to start, empty and for everybody to write.
///
/// # Errors
/// What failed, for which app.
pub(super) fn make_room(pod_dir: &Path, app: &App) -> Result<(), StartFailure> {
    if app.termination_message.is_none() {
        return Ok(());
    }
    let path = app_dir::termination_message(pod_dir, &app.name);
    let made = make(&path, app);
    made.map_err(|error| {
        let what = format!("make the file for the last words of app {}", app.name);
        StartFailure::other(format!("cannot {what}: {error}"))
    })
}

fn make(path: &Path, app: &App) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    let file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(0o666))?;
    if let Some(label) = &app.security.mount_label {
        let label = String::from(label.clone());
        fsetxattr(
            &file,
            c"security.selinux",
            label.as_bytes(),
            XattrFlags::empty(),
        )?;
    }
    Ok(())
}

/// What an app that has ended has left; `None` if nothing.
pub(super) fn read(pod_dir: &Path, app: &App, has_failed: bool) -> Option<String> {
    let TerminationMessage { policy, .. } = app.termination_message.as_ref()?;
    let path = app_dir::termination_message(pod_dir, &app.name);
    let own = begin_of(&path).unwrap_or_default();
    let text = match own.is_empty() && has_failed {
        true if *policy == TerminationMessagePolicy::FallbackToLogsOnError => {
            let log = pod::manifest::app_dir(pod_dir, &app.name).join(LOG_FILE);
            end_of_log(&end_of(&log).unwrap_or_default())
        }
        _ => readable(&own),
    };
    (!text.is_empty()).then_some(text)
}

fn begin_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = u64::try_from(TerminationMessage::LENGTH_MAX).unwrap_or(u64::MAX);
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn end_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_END)))?;
    let mut bytes = Vec::new();
    file.take(LOG_END).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The last lines of a log, without what stands before each: the time, the stream, and whether the line is whole.
fn end_of_log(log: &[u8]) -> String {
    let text = String::from_utf8_lossy(log);
    let mut lines: Vec<&str> = Vec::new();
    let mut length = 0;
    for entry in text.lines().rev().take(TerminationMessage::LOG_LINES_MAX) {
        let Some(line) = entry.splitn(4, ' ').nth(3) else {
            continue;
        };
        length += line.len() + 1;
        if length > TerminationMessage::LOG_MAX {
            break;
        }
        lines.push(line);
    }
    lines.reverse();
    readable(lines.join("\n").as_bytes())
}

/// A text that does no harm to who looks at it, no longer than there is room for.
fn readable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut room = WRITTEN_MAX;
    let kept = text
        .chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .take_while(|c| {
            let length = match c {
                '\n' | '\t' | '"' | '\\' => 2,
                other => other.len_utf8(),
            };
            room.checked_sub(length).map(|left| room = left).is_some()
        });
    kept.collect::<String>().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(lines: &[String]) -> Vec<u8> {
        let entry = |line: &String| format!("2026-01-01T00:00:00.000000000Z stderr F {line}\n");
        lines.iter().map(entry).collect::<String>().into_bytes()
    }

    #[test]
    fn the_end_of_a_log_is_its_last_lines_as_they_were_written() {
        let lines = ["a  b".to_owned(), String::new(), "it is c".to_owned()];
        assert_eq!(end_of_log(&entries(&lines)), "a  b\n\nit is c");
        let many: Vec<String> = (0..100).map(|number| number.to_string()).collect();
        let end = end_of_log(&entries(&many));
        assert!(end.starts_with("20\n") && end.ends_with("\n99"), "{end}");
        let long: Vec<String> = (0..10).map(|_| "x".repeat(500)).collect();
        assert_eq!(end_of_log(&entries(&long)).lines().count(), 4);
        assert_eq!(end_of_log(b"no entry\n"), "");
    }

    #[test]
    fn what_is_kept_fits_where_it_is_written() {
        assert_eq!(readable(b"a\x1b[31mb\x07\nc\n\n"), "a[31mb\nc");
        assert_eq!(readable(b"\xff"), "\u{fffd}");
        let quotes = readable(&vec![b'"'; 9000]);
        assert_eq!(quotes.len(), WRITTEN_MAX / 2);
        assert_eq!(readable(&vec![b'a'; 9000]).len(), WRITTEN_MAX);
    }
}
