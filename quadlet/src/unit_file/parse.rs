//! Lines, sections and assignments, as systemd reads them. What it would leave out with a note in its log is a mistake here.

use std::path::Path;
use std::sync::Arc;

use super::entry::{Entry, Place};

/// What stands around words.
const BLANK: [char; 4] = [' ', '\t', '\n', '\r'];

/// A line that is not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The line, from 1 on.
    pub line: u32,
    /// What is wrong.
    pub reason: &'static str,
}

/// Reads a file.
///
/// # Errors
/// The first line that is not understood.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<Vec<Entry>, Mistake> {
    let mistake = |line, reason| Mistake { line, reason };
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let lines = before.iter().filter(|byte| **byte == b'\n').count();
        mistake(number(lines), "it is not UTF-8 text")
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader {
        path: Arc::from(path),
        section: None,
        entries: Vec::new(),
    };
    let mut continued: Option<(u32, String)> = None;
    for (index, line) in text.split('\n').enumerate() {
        let line_number = number(index);
        if line.contains('\0') {
            return Err(mistake(line_number, "it holds a NUL byte"));
        }
        let begins = line.trim_start_matches(BLANK);
        // Also between the parts of a continued line.
        if begins.starts_with(['#', ';']) {
            continue;
        }
        let (first, mut whole) = match continued.take() {
            Some((first, mut whole)) => {
                whole.push_str(begins);
                (first, whole)
            }
            None => (line_number, begins.to_owned()),
        };
        let whole_trimmed = whole.trim_end_matches('\r');
        let slashes = whole_trimmed.len() - whole_trimmed.trim_end_matches('\\').len();
        if slashes % 2 == 1 {
            let length = whole_trimmed.len();
            whole.truncate(length.saturating_sub(1));
            whole.push(' ');
            continued = Some((first, whole));
            continue;
        }
        reader.line(first, &whole)?;
    }
    if let Some((first, whole)) = continued {
        reader.line(first, &whole)?;
    }
    Ok(reader.entries)
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1)
}

struct Reader {
    path: Arc<Path>,
    section: Option<String>,
    entries: Vec<Entry>,
}

impl Reader {
    fn line(&mut self, line: u32, text: &str) -> Result<(), Mistake> {
        let mistake = |reason| Mistake { line, reason };
        let text = text.trim_matches(BLANK);
        if text.is_empty() {
            return Ok(());
        }
        if let Some(rest) = text.strip_prefix('[') {
            let name = rest
                .strip_suffix(']')
                .ok_or_else(|| mistake("a section is written [Name]"))?;
            self.section = Some(name.to_owned());
            return Ok(());
        }
        let (key, value) = text
            .split_once('=')
            .ok_or_else(|| mistake("an assignment is written Key=value"))?;
        let section = self.section.clone();
        let section = section.ok_or_else(|| mistake("it stands before the first [Section]"))?;
        let key = key.trim_end_matches(BLANK);
        if key.is_empty() {
            return Err(mistake("there is no key before the `=`"));
        }
        self.entries.push(Entry {
            section,
            key: key.to_owned(),
            value: value.trim_matches(BLANK).to_owned(),
            place: Place {
                path: Arc::clone(&self.path),
                line,
            },
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Vec<String>, (u32, &'static str)> {
        let entries = parse(Path::new("/x.container"), text.as_bytes());
        let entries = entries.map_err(|mistake| (mistake.line, mistake.reason))?;
        let shown = |entry: Entry| {
            let Entry {
                section,
                key,
                value,
                place,
            } = entry;
            format!("{}:{section}.{key}={value}", place.line)
        };
        Ok(entries.into_iter().map(shown).collect())
    }

    #[test]
    fn lines_are_read_as_systemd_does() {
        let all = of("\u{feff}# a\n; b\n\n[A]\n k = v = w \r\n[B]\nx=\n").unwrap();
        assert_eq!(all, ["5:A.k=v = w", "7:B.x="]);
        let all = of("[A]\nk=a \\\n  # no part of it\n  b\\\n c\nl=d\\\\\nm=e\\").unwrap();
        assert_eq!(all, ["2:A.k=a  b c", "6:A.l=d\\\\", "7:A.m=e"]);
    }

    #[test]
    fn what_systemd_would_leave_out_is_a_mistake() {
        for (text, line, part) in [
            ("k=v", 1, "before the first"),
            ("[A\nk=v", 1, "[Name]"),
            ("[A]\nword", 2, "Key=value"),
            ("[A]\n=v", 2, "no key"),
            ("[A]\nk=\0", 2, "NUL"),
        ] {
            let (at, reason) = of(text).unwrap_err();
            assert!(
                at == line && reason.contains(part),
                "{text:?}: {at} {reason}"
            );
        }
        let mistake = parse(Path::new("/x"), b"[A]\n\nk=\xff").unwrap_err();
        assert_eq!((mistake.line, mistake.reason), (3, "it is not UTF-8 text"));
    }
}
