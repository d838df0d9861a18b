//! What is mounted in a container.

use std::path::PathBuf;

use engine::pods::spec::{AppSpec, ImageMount};
use pod::manifest::{AppPath, Mount, MountOption, MountSource, Relabel};

use super::mount_place;
use crate::api::{self, MountPropagation};
use crate::container::facts::SandboxFacts;
use crate::error::CriError;
use crate::user_namespace;

const FIELD: &str = "config.mounts";
/// Most of them: each is a few system calls at the start.
const MOST: usize = 4096;

/// Says it of an app, whose images of mounts are called as they are in the request.
pub(super) fn set(
    mounts: &[api::Mount],
    sandbox: &SandboxFacts<'_>,
    is_privileged: bool,
    spec: &mut AppSpec,
) -> Result<(), CriError> {
    if mounts.len() > MOST {
        let reason = format!("{} are more than {MOST}", mounts.len());
        return Err(CriError::invalid(FIELD, reason));
    }
    for mount in mounts {
        let destination = AppPath::try_from(mount.container_path.clone())
            .map_err(|error| CriError::invalid(format!("{FIELD}.container_path"), error))?;
        if let Some(reason) = mount_place::lack(&destination, &mount.host_path) {
            return Err(CriError::invalid(format!("{FIELD}.container_path"), reason));
        }
        let of = |field: &str| format!("{FIELD}[{}].{field}", mount.container_path);
        let propagation = propagation(mount, &of)?;
        if sandbox.is_in_machine && propagation == MountOption::Rshared {
            return Err(CriError::unsupported(
                of("propagation"),
                "what is mounted in a virtual machine is never seen on the host",
            ));
        }
        let mut options = vec![access(mount, &of)?, propagation];
        if is_privileged {
            options.extend([MountOption::Suid, MountOption::Dev]);
        }
        options.extend(further(mount, &of)?);
        match &mount.image {
            Some(image) if !image.image.is_empty() => {
                require_of_image(mount, &of)?;
                spec.image_mounts.push(ImageMount {
                    image: image.image.clone(),
                    destination,
                    sub_path: sub_path(mount, &of)?,
                    options: further(mount, &of)?,
                });
            }
            _ => {
                options.push(idmap(mount, sandbox, &of)?);
                spec.mounts.push(Mount {
                    source: MountSource::Host {
                        path: host_path(mount, &of)?,
                    },
                    destination,
                    options,
                    uid_mappings: Vec::new(),
                    gid_mappings: Vec::new(),
                    relabel: mount.selinux_relabel.then_some(Relabel::Private),
                });
            }
        }
    }
    Ok(())
}

/// A part of an image is read, and nothing else can be said of it.
fn require_of_image(mount: &api::Mount, of: &dyn Fn(&str) -> String) -> Result<(), CriError> {
    let refused = [
        (
            !mount.host_path.is_empty(),
            "host_path",
            "an image is mounted, and no path of the host",
        ),
        (
            !mount.readonly,
            "readonly",
            "the files of an image can't be written to",
        ),
        (
            mount.propagation != MountPropagation::PropagationPrivate as i32,
            "propagation",
            "nothing is mounted below the files of an image",
        ),
        (
            mount.selinux_relabel,
            "selinux_relabel",
            "the files of an image can't be labelled",
        ),
    ];
    match refused.into_iter().find(|(is_so, ..)| *is_so) {
        Some((_, field, reason)) => Err(CriError::invalid(of(field), reason)),
        None => Ok(()),
    }
}

fn sub_path(mount: &api::Mount, of: &dyn Fn(&str) -> String) -> Result<Option<String>, CriError> {
    let path = &mount.image_sub_path;
    if path.is_empty() {
        return Ok(None);
    }
    let is_plain = |part: &str| !matches!(part, "" | "." | "..");
    match path.split('/').all(is_plain) && !path.contains('\0') {
        true => Ok(Some(path.clone())),
        false => Err(CriError::invalid(
            of("image_sub_path"),
            "it is no path within the image",
        )),
    }
}

fn host_path(mount: &api::Mount, of: &dyn Fn(&str) -> String) -> Result<PathBuf, CriError> {
    if mount.host_path.is_empty() {
        return Err(CriError::missing(of("host_path")));
    }
    if !mount.image_sub_path.is_empty() {
        return Err(CriError::invalid(
            of("image_sub_path"),
            "no image is mounted",
        ));
    }
    let path = PathBuf::from(&mount.host_path);
    match path.is_absolute() && !mount.host_path.contains('\0') {
        true => Ok(path),
        false => Err(CriError::invalid(of("host_path"), "it is not absolute")),
    }
}

fn access(mount: &api::Mount, of: &dyn Fn(&str) -> String) -> Result<MountOption, CriError> {
    if !mount.recursive_read_only {
        return Ok(match mount.readonly {
            true => MountOption::Ro,
            false => MountOption::Rw,
        });
    }
    let invalid = |reason: &str| CriError::invalid(of("recursive_read_only"), reason);
    if !mount.readonly {
        return Err(invalid("it is given without readonly"));
    }
    match mount.propagation == MountPropagation::PropagationPrivate as i32 {
        true => Ok(MountOption::Rro),
        false => Err(invalid("it is given with a propagation other than private")),
    }
}

fn propagation(mount: &api::Mount, of: &dyn Fn(&str) -> String) -> Result<MountOption, CriError> {
    match MountPropagation::try_from(mount.propagation) {
        Ok(MountPropagation::PropagationPrivate) => Ok(MountOption::Rprivate),
        Ok(MountPropagation::PropagationHostToContainer) => Ok(MountOption::Rslave),
        Ok(MountPropagation::PropagationBidirectional) => Ok(MountOption::Rshared),
        Err(_) => Err(CriError::invalid(
            of("propagation"),
            "there is no such propagation",
        )),
    }
}

/// Whose the files are, in a sandbox with users of its own.
fn idmap(
    mount: &api::Mount,
    sandbox: &SandboxFacts<'_>,
    of: &dyn Fn(&str) -> String,
) -> Result<MountOption, CriError> {
    if mount.uid_mappings.is_empty() && mount.gid_mappings.is_empty() {
        return Ok(MountOption::Noidmap);
    }
    let asked = user_namespace::mapped(&mount.uid_mappings, &mount.gid_mappings)?;
    match Some(&asked) == sandbox.users {
        true => Ok(MountOption::Idmap),
        false => Err(CriError::unsupported(
            of("uid_mappings"),
            "a mount has the mappings of its sandbox (userns_options), which are those that kubelets give, or none",
        )),
    }
}

/// Options as mount(8) names them.
fn further(mount: &api::Mount, of: &dyn Fn(&str) -> String) -> Result<Vec<MountOption>, CriError> {
    let option = |word: &String| {
        Ok(match word.as_str() {
            "nosuid" => MountOption::Nosuid,
            "suid" => MountOption::Suid,
            "nodev" => MountOption::Nodev,
            "dev" => MountOption::Dev,
            "noexec" => MountOption::Noexec,
            "exec" => MountOption::Exec,
            "noatime" => MountOption::Noatime,
            "relatime" => MountOption::Relatime,
            "nosymfollow" => MountOption::Nosymfollow,
            other => {
                let reason = format!("there is no option {other:?}");
                return Err(CriError::invalid(of("mount_options"), reason));
            }
        })
    };
    mount.mount_options.iter().map(option).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Change = fn(&mut api::Mount);
    use crate::api::{IdMapping, ImageSpec, PodSandboxConfig};
    use pod::manifest::UserNamespace;

    fn of(change: impl FnOnce(&mut api::Mount)) -> Result<AppSpec, String> {
        let mut mount = api::Mount {
            container_path: "/data".to_owned(),
            host_path: "/srv".to_owned(),
            ..api::Mount::default()
        };
        change(&mut mount);
        let users = UserNamespace::of_block(65_536);
        let sandbox = SandboxFacts {
            is_privileged: false,
            config: &PodSandboxConfig::default(),
            users: Some(&users),
            is_in_machine: false,
            hostname: "h",
            target: None,
        };
        let mut spec = AppSpec::default();
        set(&[mount], &sandbox, false, &mut spec).map_err(|error| error.to_string())?;
        Ok(spec)
    }

    fn options(change: impl FnOnce(&mut api::Mount)) -> Vec<MountOption> {
        of(change).unwrap().mounts[0].options.clone()
    }

    const BOTH: i32 = MountPropagation::PropagationBidirectional as i32;

    #[test]
    fn paths_of_the_host_are_mounted_as_asked() {
        use MountOption::{Idmap, Noidmap, Ro, Rprivate, Rro, Rshared, Rw};
        assert_eq!(options(|_| ()), [Rw, Rprivate, Noidmap]);
        assert_eq!(options(|m| m.readonly = true), [Ro, Rprivate, Noidmap]);
        assert_eq!(options(|m| m.propagation = BOTH), [Rw, Rshared, Noidmap]);
        let recursive = options(|m| (m.readonly, m.recursive_read_only) = (true, true));
        assert_eq!(recursive, [Rro, Rprivate, Noidmap]);
        let block = UserNamespace::of_block(65_536);
        let mapping = vec![IdMapping {
            host_id: 65_536,
            container_id: 0,
            length: block.uid_mappings[0].size.get(),
        }];
        let mapped = options(|m| (m.uid_mappings, m.gid_mappings) = (mapping.clone(), mapping));
        assert_eq!(mapped, [Rw, Rprivate, Idmap]);
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_place_and_field() {
        let cases: [(&str, Change); 11] = [
            ("container_path", |m| m.container_path = "data".into()),
            ("container_path", |m| m.container_path = "/proc".into()),
            ("container_path", |m| m.container_path = "/a/..".into()),
            ("[/data].host_path", |m| m.host_path.clear()),
            ("[/data].host_path", |m| m.host_path = "srv".into()),
            ("recursive_read_only", |m| m.recursive_read_only = true),
            ("recursive_read_only", |m| {
                (m.readonly, m.recursive_read_only, m.propagation) = (true, true, BOTH);
            }),
            ("propagation", |m| m.propagation = 7),
            ("image_sub_path", |m| m.image_sub_path = "x".into()),
            ("mount_options", |m| m.mount_options = vec!["loop".into()]),
            ("userns_options", |m| {
                m.uid_mappings = vec![IdMapping::default()]
            }),
        ];
        for (field, change) in cases {
            let refused = of(change).unwrap_err();
            assert!(refused.contains(field), "{refused}");
        }
    }

    #[test]
    fn images_are_mounted_to_be_read_with_a_path_within() {
        let image = |m: &mut api::Mount| {
            m.host_path.clear();
            m.readonly = true;
            m.image = Some(ImageSpec {
                image: "sha256:1".to_owned(),
                ..ImageSpec::default()
            });
        };
        let spec = of(image).unwrap();
        assert_eq!(spec.image_mounts[0].image, "sha256:1");
        assert!(spec.mounts.is_empty());
        let cases: [(&str, Change); 5] = [
            ("readonly", |m| m.readonly = false),
            ("host_path", |m| m.host_path = "/srv".into()),
            ("image_sub_path", |m| m.image_sub_path = "../x".into()),
            ("image_sub_path", |m| m.image_sub_path = "/x".into()),
            ("propagation", |m| m.propagation = BOTH),
        ];
        for (field, change) in cases {
            let refused = of(|mount| {
                image(mount);
                change(mount);
            });
            let refused = refused.unwrap_err();
            assert!(refused.contains(field), "{refused}");
        }
    }
}
