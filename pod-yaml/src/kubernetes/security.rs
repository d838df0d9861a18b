//! How apps are confined.

use engine::pods::security::CapabilityWord;
use pod::manifest::Capability;

use crate::reading::{At, Error, Object, Place};
use crate::schema::{CAPABILITIES, CONTAINER_SECURITY, POD_SECURITY, PROFILE, SELINUX, SYSCTL};

/// A filter of system calls, or a profile of AppArmor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Profile {
    RuntimeDefault,
    Unconfined,
    Localhost(String),
}

/// Parts of labels of SELinux.
#[derive(Debug, Clone, Default)]
pub(crate) struct SelinuxOptions {
    pub(crate) place: Option<Place>,
    pub(crate) user: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) level: Option<String>,
}

/// What both a pod and a container may say: what a container says counts more.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shared {
    pub(crate) run_as_user: Option<u32>,
    pub(crate) run_as_group: Option<u32>,
    pub(crate) run_as_non_root: Option<bool>,
    pub(crate) seccomp: Option<Profile>,
    pub(crate) apparmor: Option<Profile>,
    pub(crate) selinux: Option<SelinuxOptions>,
}

/// `securityContext` of a pod.
#[derive(Debug, Clone, Default)]
pub(crate) struct PodSecurity {
    pub(crate) shared: Shared,
    pub(crate) supplemental_groups: Vec<u32>,
    /// Whether the image's groups of the user are left out.
    pub(crate) is_strict: bool,
    pub(crate) fs_group: Option<u32>,
    pub(crate) fs_group_on_root_mismatch: bool,
    pub(crate) sysctls: Vec<(String, String)>,
}

/// `securityContext` of a container.
#[derive(Debug, Clone, Default)]
pub(crate) struct ContainerSecurity {
    pub(crate) place: Option<Place>,
    pub(crate) shared: Shared,
    pub(crate) privileged: bool,
    pub(crate) allow_escalation: Option<bool>,
    pub(crate) add: Vec<CapabilityWord>,
    pub(crate) drop: Vec<CapabilityWord>,
    pub(crate) read_only_root: bool,
    pub(crate) is_unmasked: bool,
}

impl Shared {
    fn read(object: &Object<'_>) -> Result<Self, Error> {
        Ok(Self {
            run_as_user: object.read("runAsUser", id)?,
            run_as_group: object.read("runAsGroup", id)?,
            run_as_non_root: object.flag("runAsNonRoot")?,
            seccomp: object.read("seccompProfile", profile)?,
            apparmor: object.read("appArmorProfile", profile)?,
            selinux: object.read("seLinuxOptions", selinux)?,
        })
    }

    /// This, with what the pod says where nothing is said.
    pub(crate) fn within(&self, pod: &Self) -> Self {
        Self {
            run_as_user: self.run_as_user.or(pod.run_as_user),
            run_as_group: self.run_as_group.or(pod.run_as_group),
            run_as_non_root: self.run_as_non_root.or(pod.run_as_non_root),
            seccomp: self.seccomp.clone().or_else(|| pod.seccomp.clone()),
            apparmor: self.apparmor.clone().or_else(|| pod.apparmor.clone()),
            selinux: self.selinux.clone().or_else(|| pod.selinux.clone()),
        }
    }
}

/// The ID of a user or a group.
fn id(at: &At<'_>) -> Result<u32, Error> {
    match at.number()? {
        u32::MAX => Err(at.wrong("the kernel takes it for no change")),
        id => Ok(id),
    }
}

impl PodSecurity {
    pub(crate) fn read(at: &At<'_>) -> Result<Self, Error> {
        let object = at.object(&POD_SECURITY)?;
        Ok(Self {
            shared: Shared::read(&object)?,
            supplemental_groups: object.each("supplementalGroups", id)?,
            is_strict: object
                .choice(
                    "supplementalGroupsPolicy",
                    &[("Merge", false), ("Strict", true)],
                )?
                .unwrap_or_default(),
            fs_group: object.read("fsGroup", id)?,
            fs_group_on_root_mismatch: object
                .choice(
                    "fsGroupChangePolicy",
                    &[("Always", false), ("OnRootMismatch", true)],
                )?
                .unwrap_or_default(),
            sysctls: object.each("sysctls", |at| {
                let object = at.object(&SYSCTL)?;
                let value = object.need("value", |at| at.raw().map(str::to_owned))?;
                Ok((object.name("name")?, value))
            })?,
        })
    }
}

impl ContainerSecurity {
    pub(crate) fn read(at: &At<'_>) -> Result<Self, Error> {
        let object = at.object(&CONTAINER_SECURITY)?;
        let capabilities = object.read("capabilities", |at| {
            let object = at.object(&CAPABILITIES)?;
            Ok((
                object.each("add", capability)?,
                object.each("drop", capability)?,
            ))
        })?;
        let (add, drop) = capabilities.unwrap_or_default();
        let read = Self {
            place: Some(at.place()),
            shared: Shared::read(&object)?,
            privileged: object.flag("privileged")?.unwrap_or_default(),
            allow_escalation: object.flag("allowPrivilegeEscalation")?,
            add,
            drop,
            read_only_root: object.flag("readOnlyRootFilesystem")?.unwrap_or_default(),
            is_unmasked: object
                .choice("procMount", &[("Default", false), ("Unmasked", true)])?
                .unwrap_or_default(),
        };
        if read.privileged && read.allow_escalation == Some(false) {
            return Err(at.wrong(
                "what is privileged may gain privileges: allowPrivilegeEscalation can't be false",
            ));
        }
        Ok(read)
    }
}

fn capability(at: &At<'_>) -> Result<CapabilityWord, Error> {
    let text = at.text()?;
    if text.eq_ignore_ascii_case("all") {
        return Ok(CapabilityWord::All);
    }
    let named = Capability::named(&text).map(CapabilityWord::One);
    named.ok_or_else(|| at.wrong(format!("there is no capability {text:?}")))
}

fn profile(at: &At<'_>) -> Result<Profile, Error> {
    let object = at.object(&PROFILE)?;
    let local = object.text("localhostProfile")?;
    let kind = object.need("type", At::text)?;
    match (&*kind, local) {
        ("RuntimeDefault", None) => Ok(Profile::RuntimeDefault),
        ("Unconfined", None) => Ok(Profile::Unconfined),
        ("Localhost", Some(local)) => Ok(Profile::Localhost(local)),
        ("Localhost", None) => Err(at.wrong("localhostProfile is missing")),
        ("RuntimeDefault" | "Unconfined", Some(_)) => {
            Err(at.wrong("localhostProfile is for type Localhost"))
        }
        _ => Err(at.wrong("type is none of RuntimeDefault, Unconfined, Localhost")),
    }
}

fn selinux(at: &At<'_>) -> Result<SelinuxOptions, Error> {
    let object = at.object(&SELINUX)?;
    Ok(SelinuxOptions {
        place: Some(at.place()),
        user: object.text("user")?,
        role: object.text("role")?,
        kind: object.text("type")?,
        level: object.text("level")?,
    })
}
