//! Whether a pod gets a user namespace, and whose IDs those of the pod are.

use std::fs;

use pod::feature::Feature;
use pod::id_blocks::IdRange;
use pod::manifest::UserNamespace;
use pod::stage1::Stage1;

use super::spec::Users;
use crate::config::files::Config;
use crate::config::user_namespaces::UsualUsers;
use crate::error::{Error, UserNamespaceError};
use crate::observer::{Observer, Warning};

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

/// What a pod gets of what was asked for.
///
/// # Errors
/// [`UserNamespaceError`] if it can't have what somebody has asked for.
pub(super) fn resolve(
    asked: &Users,
    config: &Config,
    stage1: &Stage1,
    observer: &dyn Observer,
) -> Result<PodIds, Error> {
    let usual = config.usual_users();
    let ids = match (asked, usual) {
        (Users::Host, _) | (Users::Usual, Some(UsualUsers::Host)) => return Ok(PodIds::Host),
        (Users::Mapped(ids), _) => PodIds::Mapped(ids.clone()),
        (Users::Auto, _) | (Users::Usual, Some(UsualUsers::Auto)) => {
            PodIds::Block(config.id_range()?)
        }
        (Users::Usual, None) if !BUILT_IN => return Ok(PodIds::Host),
        // Nobody has asked for it.
        (Users::Usual, None) => {
            if !stage1.manifest.features.contains(&Feature::UserNamespaces) {
                return Ok(PodIds::Host);
            }
            if let Some(reason) = unavailable() {
                observer.warning(Warning::HostUsers(reason));
                return Ok(PodIds::Host);
            }
            return Ok(PodIds::Block(config.id_range()?));
        }
    };
    match unavailable() {
        Some(reason) => Err(UserNamespaceError::Unavailable(reason).into()),
        None => Ok(ids),
    }
}

/// Whether pods get user namespaces where neither flag nor configuration says anything of it.
const BUILT_IN: bool = false;

/// Why the kernel makes no user namespaces, if it makes none.
fn unavailable() -> Option<&'static str> {
    match fs::read_to_string(MOST) {
        Err(_) => Some("it was built without them"),
        Ok(most) if most.trim() == "0" => Some("user.max_user_namespaces is 0"),
        Ok(_) => None,
    }
}
