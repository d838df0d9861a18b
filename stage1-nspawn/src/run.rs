//! The entry point `run`.

use std::env;

use pod::lock::PodLock;
use pod::pods_dir::LockedPod;
use pod::stage1::ENV_LOCK_FD;
use stage1::failure::StartFailure;
use stage1::monitor::{self, Place, report_failure};

use crate::isolator::Nspawn;
use stage1::host::environment::{place, variable};

/// Runs the pod in the working directory. The result is the exit code.
pub(crate) fn run() -> i32 {
    match adopt() {
        Ok((pod, place)) => {
            let mut isolator = Nspawn::new(pod.uuid(), &place.run_dir);
            monitor::run(pod, place, &mut isolator)
        }
        Err(failure) => {
            report_failure(None, &failure);
            failure.kind.exit_code()
        }
    }
}

fn adopt() -> Result<(LockedPod, Place), StartFailure> {
    let lock = PodLock::from_inherited(&variable(ENV_LOCK_FD)?)?;
    let place = place()?;
    let folder = env::current_dir().map_err(StartFailure::os("find the pod's directory"))?;
    Ok((LockedPod::adopt(&folder, lock)?, place))
}
