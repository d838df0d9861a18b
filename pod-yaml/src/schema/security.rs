//! How apps are confined.

use super::field::{Field, Schema, ignored, refused, yes};

const WINDOWS: Field = refused("windowsOptions", "pods run on Linux");

/// `securityContext` of a pod.
pub(crate) static POD_SECURITY: Schema = Schema {
    title: "securityContext of a Pod",
    fields: &[
        yes("runAsUser", "what a container says counts more, also below"),
        yes("runAsGroup", ""),
        yes("runAsNonRoot", "the image's user has to be a number then"),
        yes("supplementalGroups", ""),
        yes("supplementalGroupsPolicy", ""),
        yes("fsGroup", "the group of empty, named and written volumes"),
        yes("fsGroupChangePolicy", ""),
        yes("seccompProfile", "without it the usual filter, not none"),
        yes("appArmorProfile", ""),
        yes("seLinuxOptions", ""),
        ignored(
            "seLinuxChangePolicy",
            "labels are options of mounts where they can be",
        ),
        yes("sysctls", ""),
        WINDOWS,
    ],
};

/// `securityContext` of a container.
pub(crate) static CONTAINER_SECURITY: Schema = Schema {
    title: "securityContext of a container",
    fields: &[
        yes("runAsUser", ""),
        yes("runAsGroup", ""),
        yes("runAsNonRoot", ""),
        yes("privileged", "as `--privileged`: no devices by it"),
        yes("allowPrivilegeEscalation", "false if nothing is said"),
        yes(
            "capabilities",
            "added to the usual ones of apps, and dropped",
        ),
        yes("readOnlyRootFilesystem", ""),
        yes(
            "procMount",
            "`Unmasked`: nothing of /proc and /sys is masked",
        ),
        yes("seccompProfile", ""),
        yes("appArmorProfile", ""),
        yes("seLinuxOptions", ""),
        WINDOWS,
    ],
};

/// A kernel parameter.
pub(crate) static SYSCTL: Schema = Schema {
    title: "sysctls",
    fields: &[yes("name", ""), yes("value", "")],
};

/// Labels of SELinux.
pub(crate) static SELINUX: Schema = Schema {
    title: "seLinuxOptions",
    fields: &[
        yes("user", ""),
        yes("role", ""),
        yes("type", ""),
        yes("level", ""),
    ],
};

/// A filter of system calls, or a profile of AppArmor.
pub(crate) static PROFILE: Schema = Schema {
    title: "seccompProfile, appArmorProfile",
    fields: &[
        yes("type", "`RuntimeDefault`, `Unconfined`, `Localhost`"),
        yes(
            "localhostProfile",
            "below `--seccomp-profile-root`, or a loaded profile's name",
        ),
    ],
};

/// Capabilities.
pub(crate) static CAPABILITIES: Schema = Schema {
    title: "capabilities",
    fields: &[yes("add", "names or `ALL`"), yes("drop", "names or `ALL`")],
};
