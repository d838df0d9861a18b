//! How an app is confined: from what is asked for to what its manifest says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use pod::containers_seccomp::{self, FILE_MAX, ProfileError};
use pod::manifest::{
    App, AppPath, Capability, CapabilitySets, DEFAULT_MASKED_PATHS, DEFAULT_READONLY_PATHS,
    HostNamespace, NotAPath, Seccomp, Security,
};

use rustix::fs::{CWD, Mode, OFlags, openat};

use super::apparmor;
use crate::error::{Error, SecurityError};

/// What is asked of an app's confinement. What is not said is the usual.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SecuritySpec {
    /// Whether nothing of it is wanted.
    pub privileged: bool,
    /// Whether what Kubernetes gives every container is the usual, of which nobody need be told.
    pub usual_of_kubernetes: bool,
    /// Which capabilities it has.
    pub capabilities: Capabilities,
    /// What decides on its system calls.
    pub seccomp: SeccompChoice,
    /// Whether executing a program can give it privileges, if that is said.
    pub new_privileges: Option<bool>,
    /// Paths that it can't read, beside the usual ones.
    pub mask: Vec<AppPath>,
    /// Usual ones that it can.
    pub unmask: Vec<Unmask>,
    /// All paths that it can't read, in the place of the usual ones; none if that is empty.
    pub masked_paths: Option<Vec<AppPath>>,
    /// The same for those that it can't write to.
    pub readonly_paths: Option<Vec<AppPath>>,
    /// Options of its `/proc`: `hidepid`, `gid` and `subset`.
    pub proc_options: BTreeMap<String, String>,
    /// Whether it can't write to its root filesystem.
    pub read_only: bool,
    /// Whether it may make cgroups below its own.
    pub writable_cgroups: bool,
    /// Its AppArmor profile.
    pub apparmor: Option<String>,
    /// What it is where nothing is said.
    pub usual: Usual,
}

/// How an app is confined where nothing is said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Usual {
    /// As it is good for most.
    #[default]
    Confined,
    /// Not at all: its isolator keeps it apart from nothing.
    Unconfined,
}

/// Capabilities that are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Capabilities {
    /// The usual ones, with some more and without some.
    Changed {
        /// Those more.
        add: Vec<CapabilityWord>,
        /// Those not.
        drop: Vec<CapabilityWord>,
    },
    /// These alone.
    Retained(BTreeSet<Capability>),
    /// These sets.
    Sets(CapabilitySets),
}

impl Default for Capabilities {
    fn default() -> Self {
        Self::Changed {
            add: Vec::new(),
            drop: Vec::new(),
        }
    }
}

/// A capability, or all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CapabilityWord {
    /// All that there are.
    All,
    /// This one.
    One(Capability),
}

/// What decides on system calls.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SeccompChoice {
    /// What is usual.
    #[default]
    Usual,
    /// The default filter.
    Default,
    /// Nothing.
    Unconfined,
    /// Nothing, where nobody has said anything of it, and that is usual.
    UnconfinedAsUsual,
    /// The profile in this file.
    File(PathBuf),
}

/// What is not to be masked or guarded against writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unmask {
    /// All of it.
    All,
    /// A path, or with `/*` at its end, what is below it.
    Path(String),
}

impl Unmask {
    fn covers(&self, path: &str) -> bool {
        match self {
            Self::All => true,
            Self::Path(pattern) => match pattern.strip_suffix('*') {
                Some(start) => path.starts_with(start),
                None => path == pattern.trim_end_matches('/'),
            },
        }
    }
}

/// Puts together what is asked for. Without anything that is nothing at all.
///
/// # Errors
/// [`SecurityError`].
pub(super) fn resolve(spec: &SecuritySpec) -> Result<Security, Error> {
    if let Some(profile) = &spec.apparmor {
        apparmor::require(profile)?;
    }
    if spec.privileged || asks_for_nothing(spec) {
        return Ok(Security {
            privileged: true,
            writable_cgroups: spec.writable_cgroups,
            apparmor_profile: spec.apparmor.clone(),
            no_new_privileges: false,
            proc_options: spec.proc_options.clone(),
            read_only_root: spec.read_only,
            ..Security::default()
        });
    }
    let is_confined = spec.usual == Usual::Confined;
    let capabilities = sets(&spec.capabilities, spec.usual)?;
    let bounding = capabilities.as_ref().map(|sets| &sets.bounding);
    let seccomp = match &spec.seccomp {
        SeccompChoice::Usual if is_confined => None,
        SeccompChoice::Default => None,
        SeccompChoice::Usual | SeccompChoice::Unconfined | SeccompChoice::UnconfinedAsUsual => {
            Some(Seccomp::Unconfined)
        }
        SeccompChoice::File(path) => {
            let usual = BTreeSet::from(Capability::DEFAULT);
            let profile = read(path)?;
            let profile = containers_seccomp::parse(&profile, bounding.unwrap_or(&usual));
            let profile = profile.map_err(|source| SecurityError::Profile {
                path: path.clone(),
                source,
            })?;
            Some(Seccomp::Profile {
                profile: Box::new(profile),
            })
        }
    };
    let changes_paths = !(spec.mask.is_empty() && spec.unmask.is_empty() && is_confined);
    let list = |usual: &[&str],
                whole: &Option<Vec<AppPath>>,
                more: &[AppPath]|
     -> Result<Option<Vec<AppPath>>, SecurityError> {
        let is_kept = |path: &str| !spec.unmask.iter().any(|unmask| unmask.covers(path));
        let kept: Vec<AppPath> = match whole {
            Some(whole) => whole.clone(),
            None => {
                let usual = usual.iter().filter(|path| is_confined && is_kept(path));
                let usual = usual.map(|path| AppPath::try_from((*path).to_owned()));
                usual.collect::<Result<_, NotAPath>>()?
            }
        };
        let all = kept.into_iter().chain(more.iter().cloned());
        Ok((changes_paths || whole.is_some()).then(|| all.collect()))
    };
    Ok(Security {
        capabilities,
        seccomp,
        unfiltered_as_usual: spec.seccomp == SeccompChoice::UnconfinedAsUsual,
        usual_of_kubernetes: spec.usual_of_kubernetes,
        no_new_privileges: !spec.new_privileges.unwrap_or(!is_confined),
        masked_paths: list(&DEFAULT_MASKED_PATHS, &spec.masked_paths, &spec.mask)?,
        readonly_paths: list(&DEFAULT_READONLY_PATHS, &spec.readonly_paths, &[])?,
        proc_options: spec.proc_options.clone(),
        read_only_root: spec.read_only,
        writable_cgroups: spec.writable_cgroups,
        apparmor_profile: spec.apparmor.clone(),
        ..Security::default()
    })
}

/// Whether nothing confines an app that is usually not confined.
fn asks_for_nothing(spec: &SecuritySpec) -> bool {
    let nothing = SecuritySpec {
        usual: Usual::Unconfined,
        proc_options: spec.proc_options.clone(),
        read_only: spec.read_only,
        ..SecuritySpec::default()
    };
    *spec == nothing
}

/// The sets that are asked for, as docker and podman understand the words: what is dropped is dropped from the usual
/// ones, without any usual ones if all are; and what is added by name is what users other than root have, too.
fn sets(asked: &Capabilities, usual: Usual) -> Result<Option<CapabilitySets>, SecurityError> {
    use CapabilityWord::{All, One};
    let all = || Capability::ALL.iter().copied();
    let usual_ones = || match usual {
        Usual::Confined => BTreeSet::from(Capability::DEFAULT),
        Usual::Unconfined => all().collect(),
    };
    let (bounding, named) = match asked {
        Capabilities::Retained(set) => (set.clone(), BTreeSet::new()),
        Capabilities::Sets(sets) => return Ok(Some(sets.clone())),
        Capabilities::Changed { add, drop } if add.is_empty() && drop.is_empty() => match usual {
            Usual::Confined => return Ok(None),
            Usual::Unconfined => (usual_ones(), BTreeSet::new()),
        },
        Capabilities::Changed { add, drop } => {
            if add.contains(&All) && drop.contains(&All) {
                return Err(SecurityError::AllAndNone);
            }
            if let Some(One(both)) = add.iter().find(|word| **word != All && drop.contains(word)) {
                return Err(SecurityError::AddedAndDropped(*both));
            }
            let mut bounding: BTreeSet<Capability> = match (add.contains(&All), drop.contains(&All))
            {
                (true, _) => all().collect(),
                (false, true) => BTreeSet::new(),
                (false, false) => usual_ones(),
            };
            let mut named = BTreeSet::new();
            for word in add {
                match word {
                    All => named.extend(all()),
                    One(one) => named.extend([*one]),
                }
            }
            bounding.extend(&named);
            for word in drop {
                if let One(one) = word {
                    bounding.remove(one);
                    named.remove(one);
                }
            }
            (bounding, named)
        }
    };
    Ok(Some(CapabilitySets {
        effective: bounding.clone(),
        permitted: bounding.clone(),
        bounding,
        inheritable: named.clone(),
        ambient: named,
    }))
}

/// Refuses capabilities that were asked for by name and that nobody on this machine could give: a pod with the host's users
/// has no others than its caller.
///
/// # Errors
/// [`SecurityError::NotHeld`], of the first.
pub(super) fn require_held<'a>(
    specs: impl IntoIterator<Item = &'a SecuritySpec>,
) -> Result<(), Error> {
    let mut held = None;
    for spec in specs {
        let named: Vec<Capability> = match &spec.capabilities {
            Capabilities::Retained(set) => set.iter().copied().collect(),
            // Whoever puts them together has seen what is held.
            Capabilities::Sets(_) => Vec::new(),
            Capabilities::Changed { add, .. } => {
                let named = add.iter().filter_map(|word| match word {
                    CapabilityWord::All => None,
                    CapabilityWord::One(one) => Some(*one),
                });
                named.collect()
            }
        };
        if named.is_empty() {
            continue;
        }
        let held = match held {
            Some(held) => held,
            None => *held.insert(permitted()?),
        };
        if let Some(missing) = named.iter().find(|one| held & one.bit() == 0) {
            return Err(SecurityError::NotHeld(*missing).into());
        }
    }
    Ok(())
}

/// Refuses an app that manages cgroups where all of the host's would be its.
///
/// # Errors
/// [`SecurityError::ManagesHostCgroups`].
pub(super) fn require_own_cgroups(
    app: &App,
    of_host: &BTreeSet<HostNamespace>,
) -> Result<(), Error> {
    let manages = app.systemd || app.security.writable_cgroups;
    match manages && of_host.contains(&HostNamespace::Cgroup) {
        true => Err(SecurityError::ManagesHostCgroups(app.name.clone()).into()),
        false => Ok(()),
    }
}

/// What this process may hand on.
pub(super) fn permitted() -> Result<u64, Error> {
    let own = rustix::thread::capabilities(None);
    let own = own.map_err(|errno| SecurityError::Capabilities(errno.into()))?;
    Ok(own.permitted.bits())
}

/// The text of a profile.
fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    // Nobody is waited for who would write into a FIFO.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = openat(CWD, path, flags, Mode::empty()).map(File::from);
    let file = file.map_err(|errno| Error::io("open", path)(errno.into()))?;
    let kind = file.metadata().map_err(Error::io("look at", path))?;
    if !kind.is_file() {
        return Err(Error::io("read", path)(std::io::Error::other(
            "it is not a regular file",
        )));
    }
    file.take(FILE_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(Error::io("read", path))?;
    match bytes.len() as u64 > FILE_MAX {
        true => Err(SecurityError::Profile {
            path: path.to_path_buf(),
            source: ProfileError::Malformed("it is larger than 1 MiB".to_owned()),
        }
        .into()),
        false => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CapabilityWord::{All, One};

    fn of(add: &[CapabilityWord], drop: &[CapabilityWord]) -> Result<Vec<&'static str>, String> {
        let asked = Capabilities::Changed {
            add: add.to_vec(),
            drop: drop.to_vec(),
        };
        let sets = sets(&asked, Usual::Confined).map_err(|error| error.to_string())?;
        let sets = sets.unwrap_or_default();
        Ok(sets.bounding.iter().map(|one| one.word()).collect())
    }

    #[test]
    fn capabilities_are_added_and_dropped_as_elsewhere() {
        let kill = One(Capability::Kill);
        let admin = One(Capability::NetAdmin);
        assert_eq!(of(&[], &[]).unwrap(), [""; 0]);
        assert_eq!(of(&[], &[All]).unwrap(), [""; 0]);
        assert_eq!(of(&[admin], &[All]).unwrap(), ["CAP_NET_ADMIN"]);
        assert_eq!(of(&[admin], &[]).unwrap().len(), 10);
        assert_eq!(of(&[], &[kill]).unwrap().len(), 8);
        assert_eq!(of(&[All], &[]).unwrap().len(), Capability::ALL.len());
        assert_eq!(
            of(&[All], &[kill]).unwrap().len(),
            Capability::ALL.len() - 1
        );
        assert!(of(&[kill], &[kill]).unwrap_err().contains("CAP_KILL"));
        assert!(of(&[All], &[All]).is_err());
    }

    #[test]
    fn what_is_added_by_name_is_what_other_users_have() {
        let asked = Capabilities::Changed {
            add: vec![One(Capability::NetRaw)],
            drop: Vec::new(),
        };
        let sets = sets(&asked, Usual::Confined).unwrap().unwrap();
        assert_eq!(sets.ambient, BTreeSet::from([Capability::NetRaw]));
        assert_eq!(sets.inheritable, sets.ambient);
        assert_eq!(sets.permitted, sets.bounding);
    }

    #[test]
    fn masks_are_added_and_taken_away_by_paths() {
        let path = |text: &str| AppPath::try_from(text.to_owned()).unwrap();
        let resolved = |mask: &[&str], unmask: &[Unmask]| {
            let spec = SecuritySpec {
                mask: mask.iter().map(|text| path(text)).collect(),
                unmask: unmask.to_vec(),
                ..SecuritySpec::default()
            };
            let Security {
                masked_paths,
                readonly_paths,
                ..
            } = resolve(&spec).unwrap();
            (masked_paths, readonly_paths)
        };
        assert_eq!(resolved(&[], &[]), (None, None));
        assert_eq!(resolved(&[], &[Unmask::All]), (Some(vec![]), Some(vec![])));
        let (masked, read_only) = resolved(&["/srv/x"], &[Unmask::Path("/proc/*".into())]);
        let masked = masked.unwrap();
        assert!(masked.contains(&path("/srv/x")) && masked.contains(&path("/sys/firmware")));
        assert!(!masked.contains(&path("/proc/kcore")));
        assert_eq!(read_only, Some(vec![]));
        let (masked, read_only) = resolved(&[], &[Unmask::Path("/proc/kcore".into())]);
        assert_eq!(masked.unwrap().len(), DEFAULT_MASKED_PATHS.len() - 1);
        assert_eq!(read_only.unwrap().len(), DEFAULT_READONLY_PATHS.len());
    }

    #[test]
    fn what_is_usually_not_confined_is_confined_by_what_is_asked_and_nothing_else() {
        let unconfined = || SecuritySpec {
            usual: Usual::Unconfined,
            ..SecuritySpec::default()
        };
        let of = |spec: SecuritySpec| resolve(&spec).unwrap();
        assert!(of(unconfined()).privileged);
        let read_only = of(SecuritySpec {
            read_only: true,
            ..unconfined()
        });
        assert!(read_only.privileged && read_only.read_only_root);
        let dropped = of(SecuritySpec {
            capabilities: Capabilities::Changed {
                add: Vec::new(),
                drop: vec![One(Capability::SysModule)],
            },
            ..unconfined()
        });
        let sets = dropped.capabilities.unwrap();
        assert_eq!(sets.bounding.len(), Capability::ALL.len() - 1);
        assert!(sets.ambient.is_empty());
        assert_eq!(dropped.seccomp, Some(Seccomp::Unconfined));
        assert_eq!(dropped.masked_paths, Some(Vec::new()));
        assert_eq!(dropped.readonly_paths, Some(Vec::new()));
        assert!(!dropped.no_new_privileges && !dropped.privileged);
        let filtered = of(SecuritySpec {
            seccomp: SeccompChoice::Default,
            new_privileges: Some(false),
            ..unconfined()
        });
        assert_eq!(filtered.seccomp, None);
        assert!(filtered.no_new_privileges);
        assert_eq!(
            filtered.capabilities.unwrap().bounding.len(),
            Capability::ALL.len()
        );
    }

    #[test]
    fn nothing_that_is_asked_says_nothing() {
        assert_eq!(
            resolve(&SecuritySpec::default()).unwrap(),
            Security::default()
        );
    }
}
