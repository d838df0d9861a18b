//! Kubernetes' objects, as far as they mean something here: core/v1, apps/v1 and batch/v1.

mod claim;
mod container;
mod document;
mod environment;
mod keyed;
mod metadata;
mod pod;
mod probe;
mod resources;
mod security;
mod volume;
mod workload;

pub(crate) use self::claim::Claim;
pub(crate) use self::container::{
    Container, Propagation, PullPolicy, RestartPolicy, VolumeMount, check_sub_path,
};
pub(crate) use self::document::{Document, Head, heads, read_all};
pub(crate) use self::environment::{EnvSource, FieldRef, KeyRef, ResourceFieldRef};
pub(crate) use self::keyed::{ConfigMap, Secret};

pub(crate) use self::pod::{DnsPolicy, Pod, PodSpec};
pub(crate) use self::probe::{Action, Handler, Port, Probe};
pub(crate) use self::resources::{Amounts, Resources};
pub(crate) use self::security::{PodSecurity, Profile, SelinuxOptions};
pub(crate) use self::volume::{
    DownwardFile, HostPathType, KeyedFiles, Projection, Volume, VolumeKind,
};
