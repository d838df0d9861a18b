//! What keeps a container within its bounds.

use std::path::PathBuf;

use engine::pods::security::{SeccompChoice, SecuritySpec};
use engine::pods::spec::AppSpec;
use engine::selinux::LabelOption;
use pod::manifest::AppPath;

use super::capabilities;
use super::field::SECURITY;
use crate::api::security_profile::ProfileType;
use crate::api::{LinuxContainerSecurityContext, SeLinuxOption, SecurityProfile};
use crate::error::CriError;

/// Before the names of profiles of the node, in old requests and some new ones.
const LOCALHOST: &str = "localhost/";

/// Most paths that are masked, or read-only: each is mounted at the start.
const PATHS_MAX: usize = 1024;

/// Says it of an app.
pub(super) fn set(
    security: &LinuxContainerSecurityContext,
    spec: &mut AppSpec,
) -> Result<(), CriError> {
    let is_privileged = security.privileged;
    spec.security = SecuritySpec {
        privileged: is_privileged,
        usual_of_kubernetes: true,
        // Nonsense is refused also where it would not count.
        capabilities: capabilities::of(security.capabilities.as_ref())?,
        seccomp: match (seccomp(security)?, is_privileged) {
            (_, true) => SeccompChoice::Unconfined,
            (asked, false) => asked,
        },
        new_privileges: Some(!security.no_new_privs),
        // All that there are, and none if none is named.
        masked_paths: Some(paths("masked_paths", &security.masked_paths)?),
        readonly_paths: Some(paths("readonly_paths", &security.readonly_paths)?),
        read_only: security.readonly_rootfs,
        apparmor: apparmor(security)?.filter(|_| !is_privileged),
        ..SecuritySpec::default()
    };
    spec.labels = match (is_privileged, &security.selinux_options) {
        (true, _) => vec![LabelOption::Disable],
        (false, Some(options)) => labels(options)?,
        (false, None) => Vec::new(),
    };
    Ok(())
}

/// A profile, in the words of the present.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Profile {
    Default,
    Unconfined,
    Localhost(String),
}

fn seccomp(security: &LinuxContainerSecurityContext) -> Result<SeccompChoice, CriError> {
    #[expect(deprecated, reason = "kubelets of old say it so")]
    let old = &security.seccomp_profile_path;
    let profile = profile("seccomp", security.seccomp.as_ref(), old)?;
    Ok(match profile {
        Some(Profile::Default) => SeccompChoice::Default,
        // Who says nothing wants nothing, as the interface has it; what was asked for by name is what people are warned of.
        None => SeccompChoice::UnconfinedAsUsual,
        Some(Profile::Unconfined) => SeccompChoice::Unconfined,
        Some(Profile::Localhost(path)) => {
            let path = PathBuf::from(path);
            let is_whole = !path.as_os_str().as_encoded_bytes().contains(&0);
            match path.is_absolute() && is_whole {
                true => SeccompChoice::File(path),
                false => {
                    let reason = "it is no absolute path";
                    return Err(invalid("seccomp.localhost_ref", reason));
                }
            }
        }
    })
}

fn apparmor(security: &LinuxContainerSecurityContext) -> Result<Option<String>, CriError> {
    #[expect(deprecated, reason = "kubelets of old say it so")]
    let old = &security.apparmor_profile;
    Ok(
        match profile("apparmor", security.apparmor.as_ref(), old)? {
            Some(Profile::Localhost(name)) => Some(name),
            // The kernel gives an app no profile by itself, and fairing brings none.
            None | Some(Profile::Default | Profile::Unconfined) => None,
        },
    )
}

fn profile(
    field: &str,
    profile: Option<&SecurityProfile>,
    old: &str,
) -> Result<Option<Profile>, CriError> {
    let local = |name: &str| match name.strip_prefix(LOCALHOST).unwrap_or(name) {
        "" => Err(invalid(field, "a profile of the node has no name")),
        name => Ok(Profile::Localhost(name.to_owned())),
    };
    let Some(profile) = profile else {
        return match old {
            "" => Ok(None),
            "runtime/default" | "docker/default" => Ok(Some(Profile::Default)),
            "unconfined" => Ok(Some(Profile::Unconfined)),
            name if name.starts_with(LOCALHOST) => local(name).map(Some),
            name => Err(invalid(field, &format!("there is no profile {name:?}"))),
        };
    };
    match ProfileType::try_from(profile.profile_type) {
        Ok(ProfileType::RuntimeDefault) => Ok(Some(Profile::Default)),
        Ok(ProfileType::Unconfined) => Ok(Some(Profile::Unconfined)),
        Ok(ProfileType::Localhost) => local(&profile.localhost_ref).map(Some),
        Err(_) => Err(invalid(field, "there is no such type of profiles")),
    }
}

fn paths(field: &str, paths: &[String]) -> Result<Vec<AppPath>, CriError> {
    if paths.len() > PATHS_MAX {
        return Err(invalid(
            field,
            &format!("{} are more than {PATHS_MAX}", paths.len()),
        ));
    }
    let path = |path: &String| {
        AppPath::try_from(path.clone())
            .map_err(|error| CriError::invalid(format!("{SECURITY}.{field}"), error))
    };
    paths.iter().map(path).collect()
}

fn labels(asked: &SeLinuxOption) -> Result<Vec<LabelOption>, CriError> {
    let parts = [
        ("user", &asked.user),
        ("role", &asked.role),
        ("type", &asked.r#type),
        ("level", &asked.level),
    ];
    let mut labels = Vec::new();
    for (key, value) in parts.iter().filter(|(_, value)| !value.is_empty()) {
        let label = LabelOption::parse(&format!("{key}:{value}")).map_err(|error| {
            CriError::invalid(format!("{SECURITY}.selinux_options.{key}"), error)
        })?;
        labels.extend(label);
    }
    Ok(labels)
}

fn invalid(field: &str, reason: &str) -> CriError {
    CriError::invalid(format!("{SECURITY}.{field}"), reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(change: impl FnOnce(&mut LinuxContainerSecurityContext)) -> Result<AppSpec, String> {
        let mut security = LinuxContainerSecurityContext::default();
        change(&mut security);
        let mut spec = AppSpec::default();
        set(&security, &mut spec).map_err(|error| error.to_string())?;
        Ok(spec)
    }

    fn some(kind: ProfileType, name: &str) -> Option<SecurityProfile> {
        Some(SecurityProfile {
            profile_type: kind as i32,
            localhost_ref: name.to_owned(),
        })
    }

    #[test]
    fn profiles_of_system_calls() {
        let seccomp =
            |profile| of(|security| security.seccomp = profile).map(|spec| spec.security.seccomp);
        assert_eq!(seccomp(None).unwrap(), SeccompChoice::UnconfinedAsUsual);
        let default = some(ProfileType::RuntimeDefault, "");
        assert_eq!(seccomp(default).unwrap(), SeccompChoice::Default);
        let unconfined = some(ProfileType::Unconfined, "");
        assert_eq!(seccomp(unconfined).unwrap(), SeccompChoice::Unconfined);
        for name in ["/p.json", "localhost//p.json"] {
            let file = seccomp(some(ProfileType::Localhost, name)).unwrap();
            assert_eq!(file, SeccompChoice::File("/p.json".into()));
        }
        for name in ["", "localhost/", "p.json", "/p\0"] {
            seccomp(some(ProfileType::Localhost, name)).unwrap_err();
        }
    }

    #[test]
    fn no_profile_is_for_who_is_privileged() {
        let local = some(ProfileType::Localhost, "localhost//p.json");
        let spec = of(|security| {
            security.privileged = true;
            security.seccomp.clone_from(&local);
            security.apparmor = local;
        });
        let security = spec.unwrap().security;
        assert_eq!(security.seccomp, SeccompChoice::Unconfined);
        assert_eq!(security.apparmor, None);
        // Nonsense is refused all the same.
        let nonsense = some(ProfileType::Localhost, "");
        of(|security| (security.privileged, security.seccomp) = (true, nonsense)).unwrap_err();
    }

    #[test]
    #[expect(deprecated, reason = "kubelets of old say it so")]
    fn profiles_in_the_words_of_old() {
        let seccomp = |path: &str| {
            of(|security| security.seccomp_profile_path = path.to_owned())
                .map(|spec| spec.security.seccomp)
        };
        assert_eq!(seccomp("runtime/default").unwrap(), SeccompChoice::Default);
        assert_eq!(seccomp("unconfined").unwrap(), SeccompChoice::Unconfined);
        let file = SeccompChoice::File("/p.json".into());
        assert_eq!(seccomp("localhost//p.json").unwrap(), file);
        seccomp("nonsense").unwrap_err();
        let apparmor = of(|security| security.apparmor_profile = "localhost/mine".to_owned());
        assert_eq!(apparmor.unwrap().security.apparmor.as_deref(), Some("mine"));
    }

    #[test]
    fn paths_are_those_that_are_named_and_no_others() {
        let usual = of(|_| ()).unwrap().security;
        assert_eq!(usual.masked_paths, Some(Vec::new()));
        assert_eq!(usual.readonly_paths, Some(Vec::new()));
        let named = of(|security| security.masked_paths = vec!["/proc/kcore".to_owned()]).unwrap();
        assert_eq!(named.security.masked_paths.unwrap().len(), 1);
        let refused = of(|security| security.readonly_paths = vec!["proc".to_owned()]).unwrap_err();
        assert!(refused.contains("readonly_paths: "), "{refused}");
    }

    #[test]
    fn labels_have_parts() {
        let options = SeLinuxOption {
            r#type: "container_t".to_owned(),
            level: "s0:c1,c2".to_owned(),
            ..SeLinuxOption::default()
        };
        let some = Some(options.clone());
        let labels = of(|security| security.selinux_options = some.clone())
            .unwrap()
            .labels;
        assert_eq!(labels.len(), 2);
        let privileged = of(|s| (s.privileged, s.selinux_options) = (true, some.clone()));
        assert_eq!(privileged.unwrap().labels, [LabelOption::Disable]);
        let bad = Some(SeLinuxOption {
            level: "c1 ".to_owned(),
            ..options
        });
        of(|security| security.selinux_options = bad).unwrap_err();
    }
}
