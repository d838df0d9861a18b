//! How an app is confined.

use engine::pods::security::{Capabilities, SeccompChoice, SecuritySpec, Unmask};
use engine::pods::spec::AppSpec;
use engine::selinux::LabelOption;
use pod::manifest::ImageGroups;

use super::plan::Facts;
use crate::kubernetes::{Container, PodSecurity, Profile, SelinuxOptions};
use crate::reading::Error;

/// Says it of an app.
pub(super) fn confine(
    container: &Container,
    pod: &PodSecurity,
    facts: &Facts,
    spec: &mut AppSpec,
) -> Result<(), Error> {
    let own = &container.security;
    let place = own.place.as_ref().unwrap_or(&container.place);
    let shared = own.shared.within(&pod.shared);
    spec.user = shared.run_as_user.map(|uid| uid.to_string());
    spec.group = shared.run_as_group.map(|gid| gid.to_string());
    spec.image_groups = match (pod.is_strict, shared.run_as_group) {
        (true, None) => Some(ImageGroups::LeftOut),
        (false, Some(_)) => Some(ImageGroups::Added),
        // That is so anyway.
        (true, Some(_)) | (false, None) => None,
    };
    spec.non_root = shared.run_as_non_root.unwrap_or_default();
    if spec.non_root && shared.run_as_user == Some(0) {
        return Err(place.wrong("runAsNonRoot excludes runAsUser 0"));
    }
    let groups = pod.supplemental_groups.iter().chain(&pod.fs_group);
    spec.groups = groups.map(ToString::to_string).collect();
    let seccomp = match &shared.seccomp {
        None => SeccompChoice::Usual,
        Some(Profile::RuntimeDefault) => SeccompChoice::Default,
        Some(Profile::Unconfined) => SeccompChoice::Unconfined,
        Some(Profile::Localhost(path)) => {
            if path.starts_with('/') || path.split('/').any(|part| part == "..") {
                return Err(place.wrong(format!("{path:?} is not a path below the profiles")));
            }
            SeccompChoice::File(facts.seccomp_profiles.join(path))
        }
    };
    spec.security = SecuritySpec {
        privileged: own.privileged,
        capabilities: Capabilities::Changed {
            add: own.add.clone(),
            drop: own.drop.clone(),
        },
        seccomp,
        new_privileges: own.allow_escalation,
        unmask: match own.is_unmasked {
            true => vec![Unmask::All],
            false => Vec::new(),
        },
        read_only: own.read_only_root,
        apparmor: match shared.apparmor {
            Some(Profile::Localhost(name)) => Some(name),
            // The kernel gives an app no profile by itself.
            None | Some(Profile::RuntimeDefault | Profile::Unconfined) => None,
        },
        ..SecuritySpec::default()
    };
    spec.labels = match own.privileged {
        true => vec![LabelOption::Disable],
        false => shared
            .selinux
            .map_or(Ok(Vec::new()), |asked| labels(&asked))?,
    };
    Ok(())
}

fn labels(asked: &SelinuxOptions) -> Result<Vec<LabelOption>, Error> {
    let parts = [
        ("user", &asked.user),
        ("role", &asked.role),
        ("type", &asked.kind),
        ("level", &asked.level),
    ];
    let mut labels = Vec::new();
    for (key, value) in parts {
        let Some(value) = value else {
            continue;
        };
        match LabelOption::parse(&format!("{key}:{value}")) {
            Ok(label) => labels.extend(label),
            Err(error) => {
                let place = asked.place.as_ref();
                return Err(place.map_or(Error(Vec::new()), |place| place.wrong(error)));
            }
        }
    }
    Ok(labels)
}
