//! What the monitor says to whoever has started it.

use std::io::Write;
use std::os::fd::OwnedFd;

use pod::stage1::Readiness;

use super::diagnostics::Diagnostics;
use crate::failure::StartFailure;

/// Longest reason that is reported, in bytes: a pipe takes it whole, whether it is read or not. A part of it may be
/// the words of a pod init that was taken over.
const REASON_MAX: usize = 16 << 10;

/// Reports that every app runs.
pub(super) fn report_started(ready: &mut Option<OwnedFd>) {
    if let Some(fd) = ready.take() {
        report(fd, &Readiness::Started);
    }
}

/// Reports a failure to whoever waits. Gives the message back if nobody does.
pub(super) fn report_unless_told(ready: Option<OwnedFd>, failure: StartFailure) -> Option<String> {
    let StartFailure { kind, mut message } = failure;
    let Some(fd) = ready else {
        return Some(message);
    };
    message.truncate(message.floor_char_boundary(REASON_MAX));
    report(fd, &Readiness::Failed { kind, message });
    None
}

/// Reports a failure to whoever waits, or else on standard error.
pub fn report_failure(ready: Option<OwnedFd>, failure: &StartFailure) {
    let message = report_unless_told(ready, failure.clone());
    Diagnostics::default().conclude(message.as_deref());
}

fn report(ready: OwnedFd, readiness: &Readiness) {
    if let Ok(text) = serde_json::to_vec(readiness) {
        // Nobody may be waiting any more, which is their choice.
        let _ = std::fs::File::from(ready).write_all(&text);
    }
}
