//! What pod init itself may do, and what of it others can change.
//!
//! Root of an app has pod init's user, so that the kernel takes it for pod init's owner in places. What it can't do then is
//! tested by `root_of_an_app_has_no_hold_on_pod_init`.

use nix::unistd::{Gid, setresgid};
use pod::manifest::Capability;
use rustix::io::Errno;
use rustix::process::setsid;
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set, set_capabilities, set_no_new_privs,
};

use crate::app::child::drop_bounding_set;
use crate::app::confinement::{capability_mask, default_capabilities};
use crate::failure::StartFailure;
use crate::sys;

/// What starting an app takes, beside what the app itself may have: mounts, filters and namespaces; the root of another
/// mount namespace; the namespaces of an app that runs as another user; devices in `/dev`.
const OF_STARTS: [Capability; 4] = [
    Capability::SysAdmin,
    Capability::SysChroot,
    Capability::SysPtrace,
    Capability::Mknod,
];

/// A group that nobody is in.
const NOBODY: u32 = 65_534;

/// Leaves the caller's session, with its terminal, its scheduling group and its keys. Nothing else that is in the pod has been
/// started yet.
pub(super) fn leave_session() -> Result<(), StartFailure> {
    setsid().map_err(StartFailure::os("start a session"))?;
    match sys::join_new_session_keyring() {
        // A kernel without keys, or a filter around all of this that lets nobody at them.
        Ok(()) | Err(Errno::NOSYS | Errno::PERM) => {}
        Err(errno) => return Err(StartFailure::os("make a session keyring")(errno)),
    }
    Ok(())
}

/// Gains no privileges any more by executing a program, and nor does anything in the pod.
pub(super) fn forgo_new() -> Result<(), StartFailure> {
    set_no_new_privs(true).map_err(StartFailure::os("set no_new_privs"))
}

/// Has a saved group that no other process has. The kernel lets whoever has all of a process's users and groups set its
/// limits, whatever else that process may do (prlimit(2)), so that root of an app could take away pod init's descriptors.
/// Children have it, too, until they take on the app's groups.
pub(super) fn keep_limits() -> Result<(), StartFailure> {
    let unchanged = Gid::from_raw(u32::MAX);
    setresgid(unchanged, unchanged, Gid::from_raw(NOBODY))
        .map_err(StartFailure::os("set the saved group"))
}

/// The capabilities that stay, beside what apps want.
pub(super) fn kept() -> u64 {
    capability_mask(&OF_STARTS) | default_capabilities()
}

/// Gives up all but these: what no start of an app takes. Not in a pod whose apps may be given all that there is.
pub(super) fn give_up_capabilities(kept: u64) -> Result<(), StartFailure> {
    (|| {
        drop_bounding_set(u64::MAX, kept)?;
        clear_ambient_capability_set()?;
        // What the caller has not given can't be had.
        let own = rustix::thread::capabilities(None)?;
        let kept = CapabilitySet::from_bits_retain(kept) & own.permitted;
        let sets = CapabilitySets {
            effective: kept,
            permitted: kept,
            inheritable: CapabilitySet::empty(),
        };
        set_capabilities(None, sets)
    })()
    .map_err(StartFailure::os("give up capabilities"))
}
