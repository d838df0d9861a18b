//! Who makes the cgroups of pods, and where.

use engine::config::cri::CgroupDriver;
use engine::machine::cgroup_lack;
use pod::manifest::CgroupParent;
use systemd::manager::is_booted;

use crate::api;
use crate::error::CriError;

const FIELD: &str = "config.linux.cgroup_parent";
/// Where systemd puts what says nothing of that.
const USUAL_SLICE: &str = "system.slice";

/// Who makes cgroups. What a kubelet is told of it has to be so for as long as that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Driver {
    /// Monitors, below the directory that the kubelet names.
    Cgroupfs,
    /// systemd: a scope for each pod.
    Systemd,
    /// systemd, unless a kubelet that was told otherwise names a directory.
    SystemdUnlessNamed,
}

impl Driver {
    /// The one that the configuration names, or that suits this machine.
    pub(crate) fn of(setting: Option<CgroupDriver>) -> Self {
        match setting.unwrap_or_default() {
            CgroupDriver::Cgroupfs => Self::Cgroupfs,
            CgroupDriver::Systemd => Self::Systemd,
            CgroupDriver::Auto if is_booted() => Self::SystemdUnlessNamed,
            CgroupDriver::Auto => Self::Cgroupfs,
        }
    }

    /// Why pods can't have cgroups by it, if they can't.
    pub(crate) fn lack(self) -> Option<&'static str> {
        let setting = (self == Self::Systemd).then_some(CgroupDriver::Systemd);
        cgroup_lack(setting)
    }

    /// In the interface's words.
    pub(crate) fn told(self) -> api::CgroupDriver {
        match self {
            Self::Cgroupfs => api::CgroupDriver::Cgroupfs,
            Self::Systemd | Self::SystemdUnlessNamed => api::CgroupDriver::Systemd,
        }
    }

    /// Where the pod of a sandbox has its cgroups; `None` for beside the shim's own. The kubelet says it in the words of the
    /// driver.
    ///
    /// # Errors
    /// If it is no such place.
    pub(crate) fn parent(self, text: &str) -> Result<Option<CgroupParent>, CriError> {
        let parent = match (self, text) {
            (Self::Cgroupfs, "") => return Ok(None),
            // What systemd looks after doesn't lie in the cgroup of a service that comes and goes.
            (Self::Systemd | Self::SystemdUnlessNamed, "") => CgroupParent::slice(USUAL_SLICE),
            (Self::Cgroupfs, path) => CgroupParent::cgroupfs(path),
            (Self::Systemd, path) => CgroupParent::slice(path),
            (Self::SystemdUnlessNamed, path) => path.parse(),
        };
        if matches!(parent, Ok(CgroupParent::Cgroupfs(_))) && !text.starts_with('/') {
            let hint = match text.ends_with(".slice") {
                true => of_another("cgroupfs"),
                false => String::new(),
            };
            let reason = format!("{text:?} is not absolute{hint}");
            return Err(CriError::invalid(FIELD, reason));
        }
        parent.map(Some).map_err(|error| {
            let hint = match self {
                Self::Systemd => of_another("systemd"),
                Self::Cgroupfs | Self::SystemdUnlessNamed => String::new(),
            };
            CriError::invalid(FIELD, format!("{error}{hint}"))
        })
    }
}

/// What helps a kubelet that speaks the words of the other driver.
fn of_another(driver: &str) -> String {
    format!(
        "; the driver here is {driver}: give the kubelet the same `cgroupDriver`, or set `cgroup-driver` of [cri] to the kubelet's"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(driver: Driver, text: &str) -> Result<Option<String>, String> {
        let parent = driver.parent(text);
        let parent = parent.map_err(|error| error.to_string())?;
        Ok(parent.map(|parent| parent.to_string()))
    }

    #[test]
    fn a_kubelet_speaks_the_words_of_the_driver() {
        let some = |text: &str| Ok(Some(text.to_owned()));
        let path = "/kubepods/burstable/pod1";
        let slice = "/kubepods.slice/kubepods-pod1.slice";
        assert_eq!(at(Driver::Cgroupfs, ""), Ok(None));
        assert_eq!(at(Driver::Cgroupfs, path), some(path));
        // A directory can be called as a slice is.
        assert_eq!(at(Driver::Cgroupfs, slice), some(slice));
        assert_eq!(at(Driver::Systemd, ""), some("system.slice"));
        assert_eq!(at(Driver::Systemd, slice), some("kubepods-pod1.slice"));
        let refused = at(Driver::Systemd, path).unwrap_err();
        assert!(
            refused.starts_with("config.linux.cgroup_parent: "),
            "{refused}"
        );
        let either = Driver::SystemdUnlessNamed;
        assert_eq!(at(either, ""), some("system.slice"));
        assert_eq!(at(either, slice), some("kubepods-pod1.slice"));
        assert_eq!(at(either, path), some(path));
        let long = format!("/{}", "a/".repeat(5000));
        for driver in [Driver::Cgroupfs, Driver::Systemd, either] {
            for bad in [
                "/a/../b",
                "..",
                "a/b",
                "/a\0b",
                "/a/b\0.slice",
                "\n.slice",
                &long,
            ] {
                let refused = at(driver, bad).unwrap_err();
                assert!(
                    refused.starts_with("config.linux.cgroup_parent: "),
                    "{bad:?}: {refused}"
                );
            }
        }
    }

    #[test]
    fn what_is_configured_counts() {
        assert_eq!(Driver::of(Some(CgroupDriver::Systemd)), Driver::Systemd);
        assert_eq!(Driver::of(Some(CgroupDriver::Cgroupfs)), Driver::Cgroupfs);
        assert_eq!(Driver::of(None).lack(), None);
        assert_eq!(Driver::Systemd.lack().is_none(), is_booted());
        let told = Driver::of(None).told();
        let expected = match is_booted() {
            true => api::CgroupDriver::Systemd,
            false => api::CgroupDriver::Cgroupfs,
        };
        assert_eq!(told, expected);
    }
}
