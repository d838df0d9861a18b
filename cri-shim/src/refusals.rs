//! Refusals and failures of what was to change something, for who reads the journal: kubelets tell of them where few look, and
//! try again each second. A line that was written lately is not written again.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tonic::Code;

use crate::error::CriError;
use crate::journal::{self, Priority, plain};

/// How long a line is not written again.
const QUIET: Duration = Duration::from_secs(30);
/// Most lines in such a time, however many clients are refused.
const LINES_MAX: usize = 256;
/// Longest name of what was to be changed, and longest reason, in bytes.
const SUBJECT_MAX: usize = 512;
const REASON_MAX: usize = 2048;

/// The lines that were written lately. Forgetting them costs some lines, and nothing else.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<Lately>);

#[derive(Debug, Default)]
struct Lately {
    written: BTreeMap<String, Instant>,
    left_out: u64,
}

impl Refusals {
    /// Writes that a call came to nothing, unless that was written lately.
    pub(crate) fn tell(&self, call: &str, subject: &str, error: &CriError) {
        let code = error.code();
        let line = line(call, subject, code, &error.to_string());
        let lines = self.lock().lines(line, Instant::now());
        for line in lines {
            journal::line(priority(code), &line);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lately> {
        // Each entry is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a caller has done wrong, or can't have here, is no failure of this program.
fn priority(code: Code) -> Priority {
    match code {
        Code::Unknown | Code::Internal => Priority::Error,
        _ => Priority::Warning,
    }
}

fn line(call: &str, subject: &str, code: Code, reason: &str) -> String {
    let (subject, reason) = (plain(subject, SUBJECT_MAX), plain(reason, REASON_MAX));
    format!("{call} of {subject}: {code:?}: {reason}")
}

impl Lately {
    /// The lines to write for this one: it, if it is new, and how many were left out before.
    fn lines(&mut self, line: String, now: Instant) -> Vec<String> {
        self.written
            .retain(|_, at| now.saturating_duration_since(*at) < QUIET);
        if self.written.contains_key(&line) {
            return Vec::new();
        }
        if self.written.len() >= LINES_MAX {
            self.left_out += 1;
            return Vec::new();
        }
        self.written.insert(line.clone(), now);
        match std::mem::take(&mut self.left_out) {
            0 => vec![line],
            more => vec![
                format!("{more} refusals and failures were too many for the journal"),
                line,
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_tried_each_second_is_written_now_and_then() {
        let (mut lately, begun) = (Lately::default(), Instant::now());
        let mut written = 0;
        for second in 0..65 {
            let now = begun + Duration::from_secs(second);
            written += lately.lines("same".to_owned(), now).len();
        }
        assert_eq!(written, 3);
        assert_eq!(lately.lines("other".to_owned(), begun).len(), 1);
    }

    #[test]
    fn many_lines_are_counted_where_they_are_too_many() {
        let (mut lately, now) = (Lately::default(), Instant::now());
        let all = 0..LINES_MAX + 10;
        let written = all.flat_map(|number| lately.lines(number.to_string(), now));
        assert_eq!(written.count(), LINES_MAX);
        assert_eq!(lately.written.len(), LINES_MAX);
        let later = lately.lines("later".to_owned(), now + QUIET);
        let most = "10 refusals and failures were too many for the journal";
        assert_eq!(later, [most, "later"]);
        assert_eq!(lately.lines("last".to_owned(), now + QUIET), ["last"]);
    }

    #[test]
    fn a_line_says_what_was_asked_of_whom_and_why_not() {
        let reason = "no\nsuch thing";
        let told = line("StartContainer", "web of a/b", Code::NotFound, reason);
        assert_eq!(
            told,
            "StartContainer of web of a/b: NotFound: no such thing"
        );
        let long = line("X", &"s".repeat(9999), Code::Unknown, &"r".repeat(9999));
        assert!(long.len() < 3000, "{}", long.len());
    }
}
