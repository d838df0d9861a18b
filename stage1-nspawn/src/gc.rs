//! The entry point `gc`: what a killed `run` may have left outside of the pod's folder.
//!
//! Mounts and namespaces die with the pod's processes; what can stay are cgroups, processes that are still on
//! their way out, and the runtime folder.

use stage1::failure::StartFailure;
use stage1::monitor::{remove_run_dir, report_failure};

use crate::cgroup::record;
use crate::place;

/// Clears up after the pod in the working directory. The result is the exit code.
pub(crate) fn gc() -> i32 {
    match clear() {
        Ok(()) => 0,
        Err(failure) => {
            report_failure(None, &failure);
            failure.kind.exit_code()
        }
    }
}

fn clear() -> Result<(), StartFailure> {
    let place = place()?;
    for folder in record::load(&place.run_dir)? {
        crate::cgroup::removal::remove_tree(&folder)?;
    }
    remove_run_dir(&place.run_dir)
}
