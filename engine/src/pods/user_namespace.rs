//! Whether a pod gets a user namespace, and whose IDs those of the pod are.

use std::fs;
use std::path::Path;

use pod::feature::Feature;
use pod::id_blocks::IdRange;
use pod::kernel::runs_on;
use pod::manifest::UserNamespace;
use pod::stage1::Stage1;
use rustix::fs::statfs;

use super::spec::Users;
use crate::config::files::Config;
use crate::config::user_namespaces::UsualUsers;
use crate::error::{Error, UserNamespaceError};
use crate::observer::{HostUsers, Observer, Warning};

/// How many user namespaces the host allows; there is no such file where the kernel makes none (namespaces(7)).
const MOST: &str = "/proc/sys/user/max_user_namespaces";

/// Whose IDs those of a pod are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PodIds {
    /// The host's.
    Host,
    /// Those of a block of this range that is the pod's own.
    Block(IdRange),
    /// As somebody said.
    Mapped(UserNamespace),
}

/// What a pod gets of what was asked for, with images and pods in the directory `data`.
///
/// # Errors
/// [`UserNamespaceError`] if it can't have what somebody has asked for.
pub(super) fn resolve(
    asked: &Users,
    config: &Config,
    stage1: &Stage1,
    data: &Path,
    observer: &dyn Observer,
) -> Result<PodIds, Error> {
    let usual = config.usual_users();
    let ids = match (asked, usual) {
        (Users::Host, _) | (Users::Usual, Some(UsualUsers::Host)) => return Ok(PodIds::Host),
        (Users::Mapped(ids), _) => PodIds::Mapped(ids.clone()),
        (Users::Auto, _) | (Users::Usual, Some(UsualUsers::Auto)) => {
            PodIds::Block(config.id_range()?)
        }
        // Nobody has asked for it.
        (Users::Usual, None) => {
            if !stage1.manifest.features.contains(&Feature::UserNamespaces) {
                return Ok(PodIds::Host);
            }
            if let Some(reason) = lack(data) {
                observer.warning(Warning::HostUsers(reason));
                return Ok(PodIds::Host);
            }
            PodIds::Block(config.id_range()?)
        }
    };
    match unavailable() {
        Some(reason) => Err(UserNamespaceError::Unavailable(reason).into()),
        None => Ok(ids),
    }
}

/// Why pods can't have users of their own, with images and pods in the directory `data`.
pub fn lack(data: &Path) -> Option<HostUsers> {
    let kernel = unavailable().map(HostUsers::Kernel);
    kernel.or_else(|| unmapped(data).map(HostUsers::Filesystem))
}

/// Why the kernel makes no user namespaces, if it makes none.
fn unavailable() -> Option<&'static str> {
    match fs::read_to_string(MOST) {
        Err(_) => Some("it was built without them"),
        Ok(most) if most.trim() == "0" => Some("user.max_user_namespaces is 0"),
        Ok(_) => None,
    }
}

/// The kind of filesystem that a directory is on, if the kernel maps the owners of no files there.
fn unmapped(directory: &Path) -> Option<&'static str> {
    // Where it can't be told, it shows when the pod starts.
    let kind = statfs(directory).ok()?.f_type;
    let (_, name) = UNMAPPED.into_iter().find(|(magic, _)| *magic == kind)?;
    (name != TMPFS || !runs_on((6, 3))).then_some(name)
}

const TMPFS: &str = "tmpfs";

/// Kinds of filesystems that can hold pods, and whose files have the owners that they have (statfs(2),
/// mount_setattr(2)).
const UNMAPPED: [(i64, &str); 2] = [
    (0x6573_5546, "FUSE"),
    // It maps them since Linux 6.3.
    (0x0102_1994, TMPFS),
];
