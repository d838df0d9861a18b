//! Lines of an app's log, in the format of the container runtime interface:
//! `RFC3339Nano stdout|stderr F|P text`.

/// Which of its streams an app wrote to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A line, or the part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When it was written, in a form that sorts by time.
    pub time: String,
    /// Where it was written.
    pub stream: Stream,
    /// Whether the line goes on in the next entry of the stream.
    pub is_partial: bool,
    /// What was written, without the line break.
    pub text: Vec<u8>,
}

/// Parses a line, without its line break; `None` if it isn't one of a log.
pub(super) fn parse(line: &[u8]) -> Option<LogLine> {
    let mut parts = line.splitn(4, |byte| *byte == b' ');
    let time = std::str::from_utf8(parts.next()?).ok()?;
    let looks_like_time = time.len() >= "1970-01-01T00:00:00Z".len()
        && time.is_ascii()
        && time.as_bytes().get(10) == Some(&b'T');
    let stream = match parts.next()? {
        b"stdout" => Stream::Stdout,
        b"stderr" => Stream::Stderr,
        _ => return None,
    };
    // Other tags may follow the first after colons.
    let is_partial = match parts.next()?.split(|byte| *byte == b':').next()? {
        b"F" => false,
        b"P" => true,
        _ => return None,
    };
    looks_like_time.then(|| LogLine {
        time: time.to_owned(),
        stream,
        is_partial,
        text: parts.next().unwrap_or_default().to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Option<LogLine> {
        parse(text.as_bytes())
    }

    #[test]
    fn full_and_partial_lines_are_understood() {
        let full = line("2026-01-02T03:04:05.000000006Z stdout F two  words ").unwrap();
        assert_eq!(full.time, "2026-01-02T03:04:05.000000006Z");
        assert_eq!((full.stream, full.is_partial), (Stream::Stdout, false));
        assert_eq!(full.text, b"two  words ");
        let partial = line("2026-01-02T03:04:05.000000006Z stderr P x").unwrap();
        assert_eq!((partial.stream, partial.is_partial), (Stream::Stderr, true));
    }

    #[test]
    fn empty_lines_and_later_tags_are_understood() {
        assert_eq!(line("2026-01-02T03:04:05Z stdout F ").unwrap().text, b"");
        assert_eq!(line("2026-01-02T03:04:05Z stdout F").unwrap().text, b"");
        assert!(
            line("2026-01-02T03:04:05Z stdout P:new x")
                .unwrap()
                .is_partial
        );
    }

    #[test]
    fn any_bytes_are_a_text() {
        let entry = parse(b"2026-01-02T03:04:05Z stdout F \xff\0\x1b").unwrap();
        assert_eq!(entry.text, b"\xff\0\x1b");
    }

    #[test]
    fn other_lines_are_none() {
        for bad in [
            "",
            "hello",
            "2026-01-02T03:04:05Z",
            "2026-01-02T03:04:05Z stdin F x",
            "2026-01-02T03:04:05Z stdout X x",
            "yesterday stdout F x",
        ] {
            assert_eq!(line(bad), None, "{bad}");
        }
    }
}
