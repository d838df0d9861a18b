//! What the monitor says to whoever has started it.

use std::io::Write;
use std::os::fd::OwnedFd;

use pod::exit::FailureKind;
use pod::stage1::Readiness;

use crate::failure::StartFailure;

/// Reports that every app runs.
pub(super) fn report_started(ready: &mut Option<OwnedFd>) {
    report(ready.take(), &Readiness::Started);
}

/// Reports a failure to whoever waits, or else on standard error.
pub fn report_failure(ready: Option<OwnedFd>, failure: &StartFailure) {
    let StartFailure { kind, message } = failure.clone();
    match ready {
        Some(_) => report(ready, &Readiness::Failed { kind, message }),
        None => warn(&message),
    }
}

fn report(ready: Option<OwnedFd>, readiness: &Readiness) {
    if let (Some(fd), Ok(text)) = (ready, serde_json::to_vec(readiness)) {
        // Nobody may be waiting any more, which is their choice.
        let _ = std::fs::File::from(fd).write_all(&text);
    }
}

/// One line on standard error, as the CLI prints its own.
pub(super) fn warn(message: &str) {
    let _ = writeln!(std::io::stderr(), "fairing: {message}");
}

/// The failure of a pod whose pid 1 was killed from outside.
pub(super) fn init_was_killed() -> StartFailure {
    StartFailure {
        kind: FailureKind::Other,
        message: "pod init was killed".into(),
    }
}
