//! The entry point `run`.

use stage1::environment::adopt;
use stage1::monitor::{self, report_failure};

use crate::isolator::Kvm;

/// Runs the pod in the working directory. The result is the exit code.
pub(crate) fn run() -> i32 {
    match adopt() {
        Ok((pod, place)) => {
            let mut isolator = Kvm::new(pod.uuid(), &place.run_dir);
            monitor::run(pod, place, &mut isolator)
        }
        Err(failure) => {
            report_failure(None, &failure);
            failure.kind.exit_code()
        }
    }
}
