//! What every isolator shares.
//!
//! - [`monitor`] is the host side: the process that the user started. It owns the pod's lock, its
//!   streams, logs, control socket and exit records, and knows nothing of how the pod is isolated but
//!   what [`monitor::Isolator`] tells it.
//! - [`init`] is pid 1 inside of the pod, on the host's kernel or on a guest's. It starts the apps, reaps,
//!   and decides when the pod ends.
//! - [`app`] puts one app together: root filesystem, identity, confinement, execution.
//! - [`cgroup`] makes and removes the cgroups of a pod and its apps.
//! - [`seccomp`] makes system call filters.
//! - [`protocol`] is what monitor and pod init say to each other, and [`link`] carries it.
//! - [`first_root`] is what a machine boots to: pod init, modules of its kernel, and words for both.
//! - [`awakening`] is what they say before that where the machine is a copy of a template.
//! - [`host`] is what isolators share that run apps on the host's kernel.
//! - [`entry_points`] is how fairing calls an isolator.
//! - [`overlay`] makes root filesystems, and [`mounts`] what else an app mounts, wherever the host's files are seen.

pub mod app;
pub mod awakening;
pub mod cgroup;
pub mod entry_points;
pub mod environment;
pub mod failure;
pub mod file_transfer;
pub mod first_root;
pub mod host;
pub mod init;
pub mod link;
pub mod monitor;
pub mod mounts;
pub mod networks;
pub mod overlay;
pub mod pod_ids;
pub mod protocol;
pub mod seccomp;
mod settling;
pub mod sys;
mod timing;
