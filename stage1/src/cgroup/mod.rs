//! The cgroups of a pod: one for the pod, and below it one for each app, made and removed as apps come and go.
//!
//! On version 1 they lie below the monitor's own cgroup in each hierarchy, so that the limits of a service hold
//! for its pods. On version 2 a cgroup with processes can't have children with controllers: there they lie
//! below the monitor's cgroup if that was delegated to it, and below the root otherwise.
//!
//! Below a parent that somebody has chosen lies the monitor's too: `monitor_seat` where nobody else manages cgroups, and
//! `scope` where systemd does.

mod aside;
mod details;
mod devices;
mod directory;
mod error;
mod freezer;
mod freezing;
mod further;
mod limits;
mod monitor_seat;
mod mountinfo;
pub(crate) mod numbers;
mod placement;
mod pod_cgroups;
mod record;
mod removal;
mod scope;
mod seat;
mod statistics;
mod weight;

#[cfg(test)]
mod tests;

pub use self::error::CgroupError;
pub use self::pod_cgroups::{PodCgroups, remove_recorded};
pub(crate) use self::statistics::LimitHits;
pub use self::statistics::Statistics;
