//! The entry points of the stage1 contract (see the crate `pod`), as every isolator has them.

use std::env;
use std::path::Path;

use crate::cgroup;
use crate::environment::{adopt, place};
use crate::failure::StartFailure;
use crate::host::copy;
use crate::monitor::{self, Isolator, remove_run_dir, report_failure};
use crate::networks;
use pod::PodUuid;

/// The exit code of who is called as nobody calls an isolator.
const USAGE: i32 = 2;

/// Does what the isolator's first argument names, for the pod in the working directory. `isolator` makes an isolator for
/// a pod with that runtime directory; `copies` says whether `copy` is an entry point of it. The result is the exit code.
pub fn answer<I: Isolator>(
    name: &str,
    isolator: impl FnOnce(PodUuid, &Path) -> I,
    copies: bool,
) -> i32 {
    let mut arguments = env::args().skip(1);
    match arguments.next().as_deref() {
        Some("run") => told(run(isolator)),
        Some("gc") => told(gc().map(|()| 0)),
        Some("copy") if copies => copy::copy(arguments.next().as_deref()),
        _ => {
            let all = if copies { "run|gc|copy" } else { "run|gc" };
            report_failure(
                None,
                &StartFailure::other(format!(
                    "this is an isolator of fairing, which calls it as `{name} {all}`"
                )),
            );
            USAGE
        }
    }
}

/// The exit code, after a failure has been said.
fn told(result: Result<i32, StartFailure>) -> i32 {
    result.unwrap_or_else(|failure| {
        report_failure(None, &failure);
        failure.kind.exit_code()
    })
}

/// The entry point `run`: the pod from its start to its end.
fn run<I: Isolator>(isolator: impl FnOnce(PodUuid, &Path) -> I) -> Result<i32, StartFailure> {
    let (pod, place) = adopt()?;
    let mut isolator = isolator(pod.uuid(), &place.run_dir);
    Ok(monitor::run(pod, place, &mut isolator))
}

/// The entry point `gc`: what a killed `run` may have left outside of the pod's directory.
///
/// Mounts, namespaces and machines die with the pod's processes. What can stay are cgroups, processes that are still on
/// their way out, places in networks, and the runtime directory.
fn gc() -> Result<(), StartFailure> {
    let place = place()?;
    cgroup::remove_recorded(&place.run_dir)?;
    networks::leave(&place.run_dir)?;
    remove_run_dir(&place.run_dir)
}
