//! Whose a line is, where several apps write to one terminal.

use pod::AppName;

use super::attachments::Output;

/// Puts the names of apps before their lines.
#[derive(Debug, Default)]
pub(super) struct LineNames {
    /// Whose line has no end yet.
    open: Option<(AppName, Output)>,
}

impl LineNames {
    /// Names the lines of what an app has written. A line of another one that has no end gets one.
    pub(super) fn name(&mut self, app: &AppName, output: Output, bytes: &mut Vec<u8>) {
        let (&[.., last], false) = (bytes.as_slice(), bytes.is_empty()) else {
            return;
        };
        let mut goes_on = match self.open.take() {
            Some((open, stream)) => (open == *app && stream == output, true),
            None => (false, false),
        };
        let mut named = Vec::with_capacity(bytes.len() + 64);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            match goes_on {
                (true, _) => {}
                (false, has_open) => {
                    if has_open {
                        named.push(b'\n');
                    }
                    named.extend_from_slice(app.as_str().as_bytes());
                    named.extend_from_slice(b": ");
                }
            }
            named.extend_from_slice(line);
            goes_on = (false, false);
        }
        if last != b'\n' {
            self.open = Some((app.clone(), output));
        }
        *bytes = named;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_named_once_and_stands_alone() {
        let mut names = LineNames::default();
        let mut screen = Vec::new();
        for (app, output, text) in [
            ("web", Output::Stdout, "one\ntwo\nhalf"),
            ("web", Output::Stdout, " and half\n"),
            ("db", Output::Stdout, "open"),
            ("web", Output::Stdout, "other\n"),
            ("db", Output::Stdout, ""),
            ("db", Output::Stdout, "out"),
            ("db", Output::Stderr, "err\n"),
        ] {
            let mut bytes = text.as_bytes().to_vec();
            names.name(&app.parse().unwrap(), output, &mut bytes);
            screen.extend(bytes);
        }
        let expected = "web: one\nweb: two\nweb: half and half\ndb: open\nweb: other\n\
             db: out\ndb: err\n";
        assert_eq!(String::from_utf8(screen).unwrap(), expected);
    }
}
