//! `[Pod]` and `[Kube]`.

use super::key::Meaning::{Own, Pod};
use super::key::{ALIAS, GLOBAL, Key, MODULE, REMAP, SUBORDINATE, lines, one, refused, words};

/// In the order of their names.
pub(crate) const POD: &[Key] = &[
    lines("AddHost", Pod("--add-host=")),
    refused("ContainersConfModule", MODULE),
    lines("DNS", Pod("--dns=")),
    lines("DNSOption", Pod("--dns-opt=")),
    lines("DNSSearch", Pod("--dns-search=")),
    one(
        "ExitPolicy",
        Own("nothing if `stop`; `continue` is `--lifetime=until-stopped`"),
    ),
    words("GIDMap", Pod("--gidmap=")),
    refused("GlobalArgs", GLOBAL),
    one("HostName", Pod("--hostname=")),
    one("IP", Own("`IP=` of the network in `--net`")),
    one("IP6", Own("the same; there is room for one of both")),
    words("Label", Own("`--label`")),
    lines("Network", Own("`--net`; may be a `.network`")),
    refused("NetworkAlias", ALIAS),
    one("PodName", Own("`--name`")),
    words("PodmanArgs", Own("further flags of the pod, as they are")),
    lines("PublishPort", Pod("--port=")),
    refused("RemapGid", REMAP),
    refused("RemapUid", REMAP),
    refused("RemapUidSize", REMAP),
    refused("RemapUsers", REMAP),
    one("ServiceName", Own("the unit's name, without `.service`")),
    one("ShmSize", Pod("--shm-size=")),
    one(
        "StopTimeout",
        Own("`--grace-period`, and a `TimeoutStopSec=` that is longer"),
    ),
    refused("SubGIDMap", SUBORDINATE),
    refused("SubUIDMap", SUBORDINATE),
    words("UIDMap", Pod("--uidmap=")),
    one(
        "UserNS",
        Own("`--userns`: `auto`, `host` or ranges; other words of podman are refused"),
    ),
    lines("Volume", Own("`--volume` of each app")),
];

/// In the order of their names.
pub(crate) const KUBE: &[Key] = &[
    words(
        "AutoUpdate",
        Own("the annotation `io.containers.autoupdate`; `NAME/registry` for one app"),
    ),
    lines("ConfigMap", Own("`--configmap`; relative to the file")),
    refused("ContainersConfModule", MODULE),
    refused(
        "ExitCodePropagation",
        "the service ends with the pod's exit code: that of the first app that failed",
    ),
    refused("GlobalArgs", GLOBAL),
    one("KubeDownForce", Own("`--force` of `fairing down`")),
    one(
        "LogDriver",
        Own("`--log-driver`; `passthrough` is `none`: the journal has the output"),
    ),
    lines("LogOpt", Pod("--log-opt=")),
    lines("Network", Own("`--network`; may be a `.network`")),
    words(
        "PodmanArgs",
        Own("further flags of `fairing play`, as they are"),
    ),
    lines("PublishPort", Pod("--publish=")),
    refused("RemapGid", REMAP),
    refused("RemapUid", REMAP),
    refused("RemapUidSize", REMAP),
    refused("RemapUsers", REMAP),
    one("ServiceName", Own("the unit's name, without `.service`")),
    one(
        "SetWorkingDirectory",
        Own("`WorkingDirectory=`: that of the `yaml` or of the `unit`"),
    ),
    one(
        "UserNS",
        Own("`--userns`: `auto`, `host` or ranges; other words of podman are refused"),
    ),
    lines("Yaml", Own("the files; relative to this one")),
];
