//! One file after the other, made into a unit.

mod app;
mod container;
mod flags;
mod kube;
mod oneshot;
mod pod;
mod references;
mod service;
mod work;

pub(crate) use self::container::container;
pub(crate) use self::kube::{kube, yaml_files};
pub(crate) use self::oneshot::{image, network, volume};
pub(crate) use self::pod::pod;
pub(crate) use self::work::{NeededFile, Work};
