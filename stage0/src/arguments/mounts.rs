//! What is mounted in an app: `--volume`, `--mount` and `--tmpfs`, as docker, podman and rkt have them.

mod mount;
mod options;
mod place;
mod tmpfs;
mod volume;

pub(crate) use self::mount::mount;
pub(crate) use self::tmpfs::tmpfs;
pub(crate) use self::volume::{VolumeWord, volume};
