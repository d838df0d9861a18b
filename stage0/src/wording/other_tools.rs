//! What docker, podman and rkt call things that are called otherwise here, or are not there yet.
//!
//! What stands in backquotes can be typed, and a test types it: a tip must not fail in turn.

const NAMED_VOLUMES: &str =
    "named volumes are not there yet; `--volume ./DIRECTORY:/PLACE` mounts one of the host";
const CAPABILITIES: &str =
    "choosing capabilities is not there yet: root of an app has few of them, other users none";
const HEALTH: &str = "health checks are not there yet";
const CPUSETS: &str = "binding to processors is not there yet; `--cpus 1.5` limits their time";
const SWAP: &str = "swap is not set apart: `--memory 64m` limits both together";
const ISOLATOR: &str = "`--stage1 NAME` names the isolator, or its directory, or an image of it";
const LOGS: &str =
    "logs are kept of each pod that runs with `--detach`; `fairing logs POD` shows them";
const NAMESPACES: &str = "sharing namespaces with other pods or the host is not there yet; the apps of a pod share network, IPC, process IDs and host name";
const USERS: &str = "user namespaces are not there yet";
const ADDRESS: &str = "ask the network: `--net default:IP=10.1.2.3`";
const KEYS: &str = "trust is not given on the way; `fairing trust add --prefix docker.io/team KEY` says whose images run";
const ANNOTATIONS: &str = "annotations are not there yet; `--label KEY=VALUE` is";
const OUTPUT: &str =
    "without `--detach` a pod's output is seen; `-i` lets an app read the standard input";
const READ_ONLY: &str = "read-only root filesystems are not there yet";
const QUIET: &str = "it is not there yet: what is told goes to standard error";
const SHARES: &str = "it is called `--cpu-shares 512`";
const REMOVAL: &str = "it is called `rm`: `fairing rm POD`, `fairing image rm IMAGE`, `fairing network rm NAME`, `fairing trust rm PREFIX`";
const DEVICES: &str = "devices of the host are not there yet";

/// Flags of other tools' `run`, without their dashes, in the order of their bytes.
const FLAGS: &[(&str, &str)] = &[
    ("a", OUTPUT),
    ("annotation", ANNOTATIONS),
    (
        "arch",
        "images for other platforms than this machine's don't run",
    ),
    ("attach", OUTPUT),
    (
        "authfile",
        "`fairing login REGISTRY` stores credentials, and those of podman and docker are read",
    ),
    ("blkio-weight", "limits of disks are not there yet"),
    ("c", SHARES),
    ("cap-add", CAPABILITIES),
    ("cap-drop", CAPABILITIES),
    ("cap-remove", CAPABILITIES),
    ("cap-retain", CAPABILITIES),
    ("caps-remove", CAPABILITIES),
    ("caps-retain", CAPABILITIES),
    ("cgroup-conf", "free settings of cgroups are not there yet"),
    ("cgroup-parent", "choosing a cgroup is not there yet"),
    ("cgroupns", NAMESPACES),
    ("cgroups", "each app has a cgroup of its own"),
    (
        "conmon-pidfile",
        "there is no conmon: the monitor is the process that was started",
    ),
    ("cpu", "it is called `--cpus 1.5`"),
    ("cpu-period", "processor time is limited by `--cpus 1.5`"),
    ("cpu-quota", "processor time is limited by `--cpus 1.5`"),
    ("cpuset-cpus", CPUSETS),
    ("cpuset-mems", CPUSETS),
    (
        "creds",
        "credentials are stored by `fairing login REGISTRY`",
    ),
    ("device", DEVICES),
    ("device-read-bps", "limits of disks are not there yet"),
    ("device-write-bps", "limits of disks are not there yet"),
    (
        "disable-content-trust",
        "`--insecure-options=image` runs an image that no rule lets run",
    ),
    ("dns-domain", "it is called `--dns-search DOMAIN`"),
    (
        "domainname",
        "write it into the host name: `--hostname web.example.com`",
    ),
    ("environment", "it is called `--env KEY=VALUE`"),
    (
        "expose",
        "every port of a pod is reached from its networks; `--port 8080:80` publishes one on the host",
    ),
    ("gidmap", USERS),
    ("gpus", DEVICES),
    (
        "group-add",
        "further groups are not there yet; `--group GROUP` sets the first",
    ),
    ("health-cmd", HEALTH),
    ("health-interval", HEALTH),
    ("health-retries", HEALTH),
    ("health-start-period", HEALTH),
    ("health-timeout", HEALTH),
    ("hooks-dir", "hooks are not there yet"),
    ("http-proxy", "name the variables: `--env http_proxy`"),
    ("init", "it is not needed: each pod has an init that reaps"),
    ("ip", ADDRESS),
    ("ip6", ADDRESS),
    ("ipc", NAMESPACES),
    ("isolation", ISOLATOR),
    (
        "label-file",
        "labels are not read from files yet; `--label KEY=VALUE` is there",
    ),
    ("link", "pods of one network find each other by their names"),
    ("log-driver", LOGS),
    ("log-opt", LOGS),
    (
        "mac-address",
        "ask the network: `--net default:MAC=02:00:00:00:00:07`",
    ),
    ("mds-register", "there is no metadata service"),
    (
        "memory-reservation",
        "soft limits are not there yet; `--memory 64m` is the limit",
    ),
    ("memory-swap", SWAP),
    ("memory-swappiness", SWAP),
    (
        "mnt-volume",
        "it is `--volume data,kind=empty` and `--mount volume=data,target=/data`",
    ),
    (
        "net-alias",
        "the pod's name is what others find it by: `--name web`",
    ),
    (
        "network-alias",
        "the pod's name is what others find it by: `--name web`",
    ),
    (
        "no-healthcheck",
        "it is not needed: there are no health checks yet",
    ),
    ("no-hosts", "the pod's own /etc/hosts is always written"),
    ("no-overlay", "apps always run on overlayfs"),
    ("no-store", "it is called `--pull always`"),
    (
        "oom-kill-disable",
        "an app that is out of memory always ends",
    ),
    ("oom-score-adj", "choosing the OOM score is not there yet"),
    (
        "os",
        "images for other platforms than this machine's don't run",
    ),
    ("pid", NAMESPACES),
    (
        "pidfile",
        "the monitor is the process that was started; `fairing status POD` shows its process ID",
    ),
    ("pids", "it is called `--pids-limit 100`"),
    (
        "platform",
        "images for other platforms than this machine's don't run",
    ),
    (
        "pod",
        "apps join a running pod by `fairing app add POD IMAGE`",
    ),
    ("pod-manifest", "pods from a manifest are not there yet"),
    (
        "preserve-fds",
        "sockets are handed over by socket activation alone (see docs/services.md)",
    ),
    ("private-users", USERS),
    (
        "privileged",
        "there is no such switch: `--insecure-options=seccomp,capabilities,paths` gives up what protects the host",
    ),
    (
        "pull-policy",
        "it is called `--pull always`, `--pull missing` or `--pull never`",
    ),
    ("q", QUIET),
    ("quiet", QUIET),
    ("read-only", READ_ONLY),
    ("readonly-rootfs", READ_ONLY),
    (
        "restart",
        "restarts are not there yet: let a systemd unit do it (see docs/services.md)",
    ),
    ("runtime", ISOLATOR),
    ("sdnotify", "sd_notify is not there yet"),
    (
        "seccomp",
        "choosing a filter is not there yet; `--insecure-options=seccomp` gives it up",
    ),
    ("secret", "secrets are not there yet"),
    (
        "security-opt",
        "all protections are on already, no_new_privs among them; choosing them is not there yet",
    ),
    ("shm-size", "choosing the size of /dev/shm is not there yet"),
    (
        "sig-proxy",
        "it is not needed: signals always reach the apps",
    ),
    (
        "signature",
        "signatures are kept where the image is; `fairing image sign --key KEY IMAGE` makes one",
    ),
    ("stage1-from-dir", ISOLATOR),
    ("stage1-hash", ISOLATOR),
    ("stage1-name", ISOLATOR),
    ("stage1-path", ISOLATOR),
    ("stage1-url", ISOLATOR),
    ("stderr", OUTPUT),
    ("stdin", OUTPUT),
    ("stdout", OUTPUT),
    (
        "stop-signal",
        "the image's stop signal is sent; choosing it is not there yet",
    ),
    ("storage-opt", "quotas are not there yet"),
    ("store-only", "it is called `--pull never`"),
    (
        "supplementary-gids",
        "further groups are not there yet; `--group GROUP` sets the first",
    ),
    ("sysctl", "kernel parameters are not there yet"),
    ("systemd", "running systemd in an app is not there yet"),
    (
        "timeout",
        "`timeout` of coreutils ends a pod that runs in the foreground",
    ),
    (
        "tls-verify",
        "it is called `--insecure-options=tls`, or `--insecure-options=http` for registries without TLS",
    ),
    ("trust-keys-from-https", KEYS),
    ("tz", "set the variable: `--env TZ=Europe/Berlin`"),
    ("uidmap", USERS),
    (
        "ulimit",
        "resource limits of processes are not there yet; `--memory 64m`, `--cpus 1.5` and `--pids-limit 100` are",
    ),
    ("umask", "choosing the umask is not there yet"),
    ("user-annotation", ANNOTATIONS),
    ("user-label", "it is called `--label KEY=VALUE`"),
    ("userns", USERS),
    ("uts", NAMESPACES),
    ("volume-driver", "drivers of volumes are not there"),
    ("volumes-from", "volumes of other pods are not there yet"),
];

/// Long flags that no program of an image has: after the image, too, they are meant for us.
const OF_APPS: &[&str] = &[
    "cap-add",
    "cap-drop",
    "caps-remove",
    "caps-retain",
    "mnt-volume",
    "no-overlay",
    "pod-manifest",
    "private-users",
    "privileged",
    "pull-policy",
    "readonly-rootfs",
    "security-opt",
    "stage1-from-dir",
    "stage1-hash",
    "stage1-name",
    "stage1-path",
    "stage1-url",
    "supplementary-gids",
    "ulimit",
    "user-annotation",
    "user-label",
    "volumes-from",
];

/// Commands of other tools, and what to say of them, in the order of their bytes.
const COMMANDS: &[(&str, &str)] = &[
    (
        "api-service",
        "there is no service; `fairing list --format json` is for programs",
    ),
    (
        "attach",
        "`fairing logs --follow POD` shows what a pod writes, `fairing enter -it POD` runs a shell in it",
    ),
    (
        "auto-update",
        "not there yet; `fairing fetch IMAGE` looks for a later image",
    ),
    (
        "build",
        "images are built elsewhere; `fairing image import FILE` takes what Buildah and Docker save",
    ),
    (
        "buildx",
        "images are built elsewhere; `fairing image import FILE` takes what Buildah and Docker save",
    ),
    ("commit", "images are built elsewhere"),
    (
        "compose",
        "there is no compose; several apps of one pod are separated by `---`",
    ),
    (
        "config",
        "settings are in files (see docs/configuration.md)",
    ),
    ("connect", "a pod joins networks at its start: `--net NAME`"),
    (
        "container",
        "commands for pods have no word before them: `fairing ps`, `fairing stop POD`",
    ),
    ("context", "there is no daemon to talk to"),
    (
        "cp",
        "copying files is not there yet; `fairing enter POD -- cat FILE` prints one, `fairing export POD FILE` gets all",
    ),
    (
        "create",
        "it is called `fairing prepare IMAGE`; `fairing start POD` starts the pod",
    ),
    ("delete", REMOVAL),
    (
        "diff",
        "showing what an app changed is not there yet; `fairing export POD FILE` gets all files",
    ),
    ("disconnect", "a pod leaves its networks at its end"),
    (
        "events",
        "events are not there yet; `fairing wait POD` waits for an end",
    ),
    ("farm", "images are built elsewhere"),
    (
        "generate",
        "generated units are not there yet (see docs/services.md)",
    ),
    ("healthcheck", HEALTH),
    (
        "init",
        "there is no machine to set up: pods run on this host",
    ),
    ("kube", "there is nothing for Kubernetes yet"),
    (
        "ls",
        "`fairing list` shows pods, `fairing image list` images, `fairing network list` networks",
    ),
    (
        "machine",
        "there is no machine to set up: pods run on this host",
    ),
    (
        "manifest",
        "`fairing image cat-manifest IMAGE` shows that of an image, `fairing cat-manifest POD` that of a pod",
    ),
    ("metadata-service", "there is no metadata service"),
    (
        "mount",
        "mounting files of an app is not there yet; `fairing export POD FILE` gets them, `fairing image extract IMAGE DIR` those of an image",
    ),
    (
        "pause",
        "pausing is not there yet; `fairing kill -s STOP POD` stops the main process of each app",
    ),
    ("play", "there is nothing for Kubernetes yet"),
    (
        "pod",
        "each pod is started by `fairing run IMAGE`, and apps join by `fairing app add POD IMAGE`",
    ),
    (
        "prune",
        "`fairing gc --grace-period=0s` removes ended pods, `fairing image gc --expire=0s` images that no pod needs, `fairing network gc` what dead pods hold of networks",
    ),
    ("remove", REMOVAL),
    (
        "rename",
        "a pod keeps its name; `fairing prepare --name web IMAGE` makes another",
    ),
    ("search", "registries are searched elsewhere"),
    (
        "secret",
        "secrets are not there yet; `--env-file FILE` passes variables",
    ),
    (
        "service",
        "there is no cluster of hosts; for systemd see docs/services.md",
    ),
    ("stack", "there is no cluster of hosts"),
    (
        "stats",
        "figures of running pods are not there yet; `fairing top POD` shows their processes",
    ),
    ("swarm", "there is no cluster of hosts"),
    ("umount", "mounting an app's files is not there yet"),
    (
        "unpause",
        "pausing is not there yet; `fairing kill -s CONT POD` continues the main process of each app",
    ),
    ("unshare", USERS),
    (
        "untag",
        "it is called `fairing image rm IMAGE`, which removes a name",
    ),
    (
        "update",
        "limits are set at the start: `fairing run --memory 64m IMAGE`",
    ),
    ("volume", NAMED_VOLUMES),
];

fn find(table: &'static [(&str, &str)], name: &str) -> Option<&'static str> {
    let place = table.binary_search_by_key(&name, |(name, _)| name).ok()?;
    table.get(place).map(|(_, says)| *says)
}

/// What is said of a flag of another tool, named without its dashes.
pub(crate) fn flag(name: &str) -> Option<&'static str> {
    find(FLAGS, name)
}

/// The same of one that is meant for us even after the image.
pub(crate) fn flag_of_apps(name: &str) -> Option<&'static str> {
    OF_APPS.contains(&name).then(|| flag(name)).flatten()
}

/// What is said of a command of another tool.
pub(crate) fn command(name: &str) -> Option<&'static str> {
    find(COMMANDS, name)
}

#[cfg(test)]
mod tests;
