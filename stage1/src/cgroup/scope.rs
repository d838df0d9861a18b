//! The monitor's scope in a slice of systemd, which alone makes cgroups there (systemd's documentation,
//! `CONTROL_GROUP_INTERFACE`). The scope is delegated: the pod's cgroups are the monitor's to make in it.

use std::time::Duration;

use pod::manifest::SliceName;
use systemd::bus::{ScopeRequest, make_scope};

use super::error::CgroupError;

/// How long systemd may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Has systemd put this process into a scope of the pod `name`. It goes when the last process has left it.
pub(super) fn enter(name: &str, slice: &SliceName) -> Result<(), CgroupError> {
    let request = ScopeRequest {
        name: &format!("fairing-{name}.scope"),
        description: &format!("Pod {name}"),
        slice: slice.as_str(),
        pid: std::process::id(),
    };
    make_scope(request, PATIENCE).map_err(|source| CgroupError::NoScope {
        slice: slice.as_str().to_owned(),
        source,
    })
}
