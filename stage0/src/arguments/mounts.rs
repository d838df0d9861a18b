//! What is mounted in an app: `--volume`, `--mount` and `--tmpfs`, as docker, podman and rkt have them.

mod anonymous;
mod mount;
mod options;
mod place;
mod tmpfs;
mod volume;

pub(crate) use self::anonymous::{AnonymousMount, Namer};
pub(crate) use self::mount::{MountWord, mount};
pub(crate) use self::options::{id, mode};
pub(crate) use self::tmpfs::tmpfs;
pub(crate) use self::volume::{VolumeWord, volume};
