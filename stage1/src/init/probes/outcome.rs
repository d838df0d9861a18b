//! What probes come to.

use crate::protocol::ProbeOutcome;

pub(super) fn failed(reason: impl Into<String>) -> ProbeOutcome {
    let reason = reason.into();
    ProbeOutcome::Failed { reason }
}

pub(super) fn unknown(reason: impl Into<String>) -> ProbeOutcome {
    let reason = reason.into();
    ProbeOutcome::Unknown { reason }
}
