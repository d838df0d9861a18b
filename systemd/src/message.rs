//! What a service manager is told: the text of a datagram of sd_notify(3).

use std::fmt::Write;
use std::time::Duration;

/// Longest status that is told, in bytes.
pub const STATUS_MAX: usize = 512;

/// One datagram: assignments, a line each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message(String);

impl Message {
    /// One that says nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn with(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "{name}={value}");
        self
    }

    /// The service has started, or has read its configuration again.
    pub fn ready(self) -> Self {
        self.with("READY", 1)
    }

    /// The service begins to end.
    pub fn stopping(self) -> Self {
        self.with("STOPPING", 1)
    }

    /// The service reads its configuration again since then, in microseconds of `CLOCK_MONOTONIC`.
    pub fn reloading(self, monotonic_usec: u64) -> Self {
        self.with("RELOADING", 1)
            .with("MONOTONIC_USEC", monotonic_usec)
    }

    /// What it does, for people: one line, and not more of it than [`STATUS_MAX`].
    pub fn status(self, text: &str) -> Self {
        let line: String = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let length = line.floor_char_boundary(STATUS_MAX);
        let line = line.get(..length).unwrap_or_default();
        self.with("STATUS", line)
    }

    /// It is alive.
    pub fn watchdog(self) -> Self {
        self.with("WATCHDOG", 1)
    }

    /// It is to be treated as one that isn't alive any more.
    pub fn watchdog_trigger(self) -> Self {
        self.with("WATCHDOG", "trigger")
    }

    /// This process is its main one.
    pub fn main_pid(self, pid: u32) -> Self {
        self.with("MAINPID", pid)
    }

    /// It may take so much longer from now on than it was given, to start or to end.
    pub fn extend_timeout(self, by: Duration) -> Self {
        self.with("EXTEND_TIMEOUT_USEC", by.as_micros())
    }

    /// Why it ends, as a number of errno(3).
    pub fn errno(self, errno: i32) -> Self {
        self.with("ERRNO", errno)
    }

    /// The code that it is about to exit with.
    pub fn exit_status(self, code: i32) -> Self {
        self.with("EXIT_STATUS", code)
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The datagram.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_assignment_is_a_line() {
        let message = Message::new().ready().status("up").main_pid(7);
        assert_eq!(message.as_bytes(), b"READY=1\nSTATUS=up\nMAINPID=7\n");
        let message = Message::new().extend_timeout(Duration::from_secs(2));
        assert_eq!(message.as_bytes(), b"EXTEND_TIMEOUT_USEC=2000000\n");
        assert!(Message::new().is_empty() && !message.is_empty());
    }

    #[test]
    fn a_status_can_say_nothing_but_itself() {
        let message = Message::new().status("a\nMAINPID=1\u{1b}[2J");
        assert_eq!(message.as_bytes(), b"STATUS=a MAINPID=1 [2J\n");
        let long = Message::new().status(&"ü".repeat(2000));
        assert!(long.as_bytes().len() <= STATUS_MAX + "STATUS=\n".len());
    }
}
