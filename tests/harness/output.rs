//! What a command left when it ended.

use std::time::Duration;

/// What a command left when it ended.
#[derive(Debug, Clone)]
pub struct Output {
    /// The command, as typed.
    pub command: String,
    /// The exit code; `None` if a signal ended the command.
    pub code: Option<i32>,
    /// The signal that ended the command.
    pub signal: Option<i32>,
    /// Standard output; bytes that are no UTF-8 replaced.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// From start to exit.
    pub elapsed: Duration,
}

impl Output {
    /// Expects exit code 0.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.expect_code(0)
    }

    /// Expects this exit code.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert!(self.code == Some(code), "expected exit code {code}\n{self}");
        self
    }

    /// Expects an exit code, and one line on stderr that begins with `fairing: ` and holds all
    /// of `parts`.
    #[track_caller]
    pub fn expect_error(self, code: i32, parts: &[&str]) -> Self {
        let output = self.expect_code(code);
        let errors: Vec<&str> = output
            .stderr
            .lines()
            .filter(|line| line.starts_with("fairing: "))
            .collect();
        assert!(
            errors.len() == 1,
            "expected one line `fairing: …` on stderr\n{output}"
        );
        for part in parts {
            assert!(
                errors[0].contains(part),
                "the error does not name {part:?}\n{output}"
            );
        }
        output
    }

    /// Expects standard output to hold this text.
    #[track_caller]
    pub fn expect_stdout(self, part: &str) -> Self {
        assert!(
            self.stdout.contains(part),
            "stdout does not hold {part:?}\n{self}"
        );
        self
    }

    /// Expects standard error to hold this text.
    #[track_caller]
    pub fn expect_stderr(self, part: &str) -> Self {
        assert!(
            self.stderr.contains(part),
            "stderr does not hold {part:?}\n{self}"
        );
        self
    }

    /// Expects nothing on standard error.
    #[track_caller]
    pub fn expect_no_stderr(self) -> Self {
        assert!(self.stderr.is_empty(), "stderr is not empty\n{self}");
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        match serde_json::from_str(&self.stdout) {
            Ok(value) => value,
            Err(error) => panic!("stdout is no JSON: {error}\n{self}"),
        }
    }

    /// Standard output without white space around it.
    pub fn text(&self) -> &str {
        self.stdout.trim()
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(formatter, "$ {}", self.command)?;
        match (self.code, self.signal) {
            (Some(code), _) => writeln!(formatter, "exit code {code}, {:?}", self.elapsed)?,
            (None, signal) => writeln!(formatter, "signal {signal:?}, {:?}", self.elapsed)?,
        }
        writeln!(
            formatter,
            "--- stdout\n{}--- stderr\n{}---",
            self.stdout, self.stderr
        )
    }
}
