//! What can exist on one host alone, and so goes only over a link between two processes of it.

use std::os::fd::OwnedFd;

use crate::app::cgroup::CgroupSeat;

/// What comes with a message to a pod init on the monitor's own kernel. One in a machine of its own gets
/// nothing, and makes it itself.
#[derive(Debug, Default)]
pub enum HandedOver {
    /// Nothing.
    #[default]
    Nothing,
    /// With [`crate::protocol::ToInit::App`].
    App(AppResources),
    /// With [`crate::protocol::ToInit::Start`]: the network namespace that pod init enters.
    Network(OwnedFd),
}

/// What an app stands on.
#[derive(Debug)]
pub struct AppResources {
    /// Its root filesystem, a mount that is attached to nothing.
    pub root: OwnedFd,
    /// Its seat in its cgroup.
    pub seat: CgroupSeat,
    /// The sockets that it is handed, as many as [`crate::protocol::AppSpec::sockets`] has names.
    pub sockets: Vec<OwnedFd>,
}
