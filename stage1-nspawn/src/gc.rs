//! The entry point `gc`: what a killed `run` may have left outside of the pod's directory.
//!
//! Mounts and namespaces die with the pod's processes; what can stay are cgroups, processes that are still on
//! their way out, places in networks, and the runtime directory.

use stage1::cgroup;
use stage1::failure::StartFailure;
use stage1::monitor::{remove_run_dir, report_failure};

use stage1::environment::place;
use stage1::networks;

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
    cgroup::remove_recorded(&place.run_dir)?;
    networks::leave()?;
    remove_run_dir(&place.run_dir)
}
