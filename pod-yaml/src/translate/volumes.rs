//! Volumes of a pod, and what its apps mount.

use std::collections::BTreeMap;
use std::path::PathBuf;

use engine::devices::request::{ALL_ACCESS, DeviceRequest};
use engine::images::choice::Pull;
use engine::pods::spec::{AppSpec, HostPath, ImageVolume, PodSpec, VolumeFiles};
use pod::manifest::{
    DeviceAccess, HostKind, Medium, Mount, MountOption, MountSource, Volume, VolumeName,
    VolumeSource,
};
use pod::named_volumes::Ownership;

use super::about::About;
use super::environment::Environment;
use super::files::files;
use super::known::Known;
use super::pull::pull;
use crate::kubernetes::{
    Claim, Container, HostPathType, Propagation, Volume as Asked, VolumeKind, VolumeMount,
    check_sub_path,
};
use crate::reading::Error;

/// Permissions of an empty directory that all apps of a pod may write to.
const FOR_ALL: u32 = 0o777;
/// The same for a group, whose everything in it is.
const SET_GROUP: u32 = 0o2000;

/// What a mount has to know of a volume.
enum Kind {
    Device(PathBuf),
    Files(Vec<String>),
    Memory,
    Image,
    Directory,
}

/// The volumes of a pod, by their names.
#[derive(Default)]
pub(super) struct Volumes(BTreeMap<VolumeName, Kind>);

impl Volumes {
    /// Says of a pod what its volumes are.
    pub(super) fn of(
        about: &About<'_>,
        known: &Known,
        claims: &[Claim],
        spec: &mut PodSpec,
    ) -> Result<Self, Error> {
        let mut volumes = Self::default();
        for asked in &about.pod.spec.volumes {
            let name = asked.name.clone();
            if volumes.0.contains_key(&name) {
                let text = format!("there is another volume called {name}");
                return Err(asked.place.wrong(text));
            }
            let kind = add(asked, about, known, claims, spec)?;
            volumes.0.insert(name, kind);
        }
        Ok(volumes)
    }

    /// Says of an app what it mounts.
    pub(super) fn mount(
        &self,
        container: &Container,
        environment: &Environment,
        spec: &mut AppSpec,
    ) -> Result<(), Error> {
        let mut places = BTreeMap::new();
        for asked in &container.mounts {
            if places.insert(&asked.path, ()).is_some() {
                let text = format!("there is another mount on {}", asked.path.as_str());
                return Err(asked.place.wrong(text));
            }
            let Some(kind) = self.0.get(&asked.name) else {
                let text = format!("the pod has no volume called {}", asked.name);
                return Err(asked.place.wrong(text));
            };
            self.mount_one(asked, kind, container, environment, spec)?;
        }
        Ok(())
    }

    fn mount_one(
        &self,
        asked: &VolumeMount,
        kind: &Kind,
        container: &Container,
        environment: &Environment,
        spec: &mut AppSpec,
    ) -> Result<(), Error> {
        let sub_path = match &asked.sub_path_expr {
            None => asked.sub_path.clone(),
            Some(expr) => {
                let path = environment.expand(expr, &asked.place)?;
                check_sub_path(&path).map_err(|text| asked.place.wrong(text))?;
                Some(path)
            }
        };
        match kind {
            Kind::Device(path) => {
                if sub_path.is_some() {
                    return Err(asked.place.wrong("a device has no paths in it"));
                }
                spec.devices.push(DeviceRequest::Node {
                    host: path.clone(),
                    place: Some(asked.path.as_str().to_owned()),
                    access: DeviceAccess {
                        write: !asked.read_only,
                        ..ALL_ACCESS
                    },
                });
                return Ok(());
            }
            Kind::Files(paths) => {
                if let Some(wanted) = &sub_path {
                    let wanted = wanted.trim_end_matches('/');
                    let has = |path: &String| {
                        let rest = path.strip_prefix(wanted);
                        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                    };
                    if !paths.iter().any(has) {
                        let text = format!("volume {} has no file {wanted}", asked.name);
                        return Err(asked.place.wrong(text));
                    }
                }
            }
            Kind::Memory if sub_path.is_some() => {
                return Err(asked
                    .place
                    .wrong("what is in memory is empty at first: subPath is not there"));
            }
            Kind::Memory | Kind::Image | Kind::Directory => {}
        }
        if asked.propagation == Propagation::Bidirectional && !container.security.privileged {
            return Err(asked
                .place
                .wrong("Bidirectional is for privileged containers alone"));
        }
        let mut options = Vec::new();
        match (asked.read_only, asked.is_recursive) {
            (true, true) => options.push(MountOption::Rro),
            (true, false) => options.push(MountOption::Ro),
            (false, _) => {}
        }
        match asked.propagation {
            Propagation::None => {}
            Propagation::HostToContainer => options.push(MountOption::Rslave),
            Propagation::Bidirectional => options.push(MountOption::Rshared),
        }
        if matches!(kind, Kind::Directory) {
            // As in Kubernetes: what an image has at a place is hidden by what is mounted there.
            options.push(MountOption::Nocopy);
        }
        if matches!(kind, Kind::Memory) {
            options.push(MountOption::Exec);
        }
        spec.mounts.push(Mount {
            destination: asked.path.clone(),
            source: MountSource::Volume {
                name: asked.name.clone(),
                sub_path,
            },
            options,
            uid_mappings: Vec::new(),
            gid_mappings: Vec::new(),
            relabel: None,
        });
        Ok(())
    }
}

fn add(
    asked: &Asked,
    about: &About<'_>,
    known: &Known,
    claims: &[Claim],
    spec: &mut PodSpec,
) -> Result<Kind, Error> {
    let name = asked.name.clone();
    let group = about.fs_group();
    let mut read_only = false;
    let (source, kind) = match &asked.kind {
        VolumeKind::Empty { is_memory, size } => {
            let mode = group.map_or(FOR_ALL, |_| FOR_ALL | SET_GROUP);
            let (medium, kind) = match is_memory {
                true => (Medium::Memory, Kind::Memory),
                false => (Medium::Disk, Kind::Directory),
            };
            let source = VolumeSource::Empty {
                medium,
                size: *size,
                ownership: Ownership {
                    uid: None,
                    gid: group,
                    mode: Some(mode),
                },
            };
            (source, kind)
        }
        VolumeKind::HostPath { path, kind } => {
            let path = PathBuf::from(path);
            let (expected, make) = match kind {
                HostPathType::CharDevice | HostPathType::BlockDevice => {
                    let expected = match kind {
                        HostPathType::CharDevice => HostKind::CharDevice,
                        _ => HostKind::BlockDevice,
                    };
                    spec.host_paths.push(HostPath {
                        path: path.clone(),
                        kind: expected,
                        make: false,
                    });
                    return Ok(Kind::Device(path));
                }
                HostPathType::Any => (None, false),
                HostPathType::Directory => (Some(HostKind::Directory), false),
                HostPathType::DirectoryOrCreate => (Some(HostKind::Directory), true),
                HostPathType::File => (Some(HostKind::File), false),
                HostPathType::FileOrCreate => (Some(HostKind::File), true),
                HostPathType::Socket => (Some(HostKind::Socket), false),
            };
            spec.host_paths.extend(expected.map(|kind| HostPath {
                path: path.clone(),
                kind,
                make,
            }));
            let source = VolumeSource::Host {
                path,
                non_recursive: false,
                kind: expected,
            };
            (source, Kind::Directory)
        }
        VolumeKind::Claim {
            name: volume,
            read_only: is_read_only,
        } => {
            read_only = *is_read_only;
            let claim = claims.iter().find(|claim| claim.volume == *volume);
            let ownership = claim.map(|claim| claim.ownership).unwrap_or_default();
            if !read_only {
                spec.grouped_volumes.extend(group.map(|_| volume.clone()));
            }
            let source = VolumeSource::Named {
                volume: volume.clone(),
                ownership,
            };
            (source, Kind::Directory)
        }
        VolumeKind::Files {
            sources,
            default_mode,
        } => {
            read_only = true;
            let files = files(sources, *default_mode, known, about)?;
            let paths = files.iter().map(|file| file.path.clone()).collect();
            spec.files.push(VolumeFiles {
                volume: name.clone(),
                files,
            });
            let source = VolumeSource::Empty {
                medium: Medium::Disk,
                size: None,
                ownership: Ownership {
                    uid: None,
                    gid: group,
                    mode: Some(0o755),
                },
            };
            (source, Kind::Files(paths))
        }
        VolumeKind::Image {
            reference,
            pull: policy,
        } => {
            spec.image_volumes.push(ImageVolume {
                name,
                image: reference.clone(),
                pull: Some(policy.map_or_else(|| Pull::usual_of(reference), pull)),
            });
            return Ok(Kind::Image);
        }
    };
    spec.volumes.push(Volume {
        name,
        source,
        read_only,
    });
    Ok(kind)
}
