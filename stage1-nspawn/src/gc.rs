//! The entry point `gc`: what a killed `run` may have left outside of the pod's directory.
//!
//! Mounts and namespaces die with the pod's processes; what can stay are cgroups, processes that are still on
//! their way out, places in networks, and the runtime directory.

use pod::PodUuid;
use pod::manifest::{MANIFEST_FILE, Network, PodManifest};
use stage1::cgroup;
use stage1::failure::StartFailure;
use stage1::monitor::{remove_run_dir, report_failure};

use crate::network::PodNetworks;
use stage1::environment::place;

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
    leave_networks()?;
    remove_run_dir(&place.run_dir)
}

/// A pod whose manifest can't be understood may have joined any.
fn leave_networks() -> Result<(), StartFailure> {
    let folder = std::env::current_dir().map_err(StartFailure::os("find the pod's directory"))?;
    let network = PodManifest::load(&folder).map(|manifest| manifest.network);
    if matches!(network, Ok(Network::None | Network::Host)) || !folder.join(MANIFEST_FILE).exists()
    {
        return Ok(());
    }
    let uuid: Option<PodUuid> = folder
        .file_name()
        .and_then(|name| name.to_str()?.parse().ok());
    let uuid =
        uuid.ok_or_else(|| StartFailure::other("the name of the pod's directory is not a UUID"))?;
    PodNetworks::of(uuid)?.leave()
}
