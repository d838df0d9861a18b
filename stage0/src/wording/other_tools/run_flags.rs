//! Flags of other tools' `run`.

use super::answers::{CERTIFICATES, HEALTH, SUBORDINATE};

const ISOLATOR: &str = "`--stage1 NAME` names the isolator, or its directory, or an image of it";
const ADDRESS: &str = "ask the network: `--net default:IP=10.1.2.3`";
const KEYS: &str = "trust is not given on the way; `fairing trust add --prefix docker.io/team KEY` says whose images run";
const OUTPUT: &str =
    "without `--detach` a pod's output is seen; `-i` lets an app read the standard input";
const QUIET: &str = "it is not there yet: what is told goes to standard error";
const SHARES: &str = "it is called `--cpu-shares 512`";
const DEVICES: &str = "`--device nvidia.com/gpu=all` gets what the vendor describes in /etc/cdi";
const ACCOUNTS: &str = "the image's /etc/passwd and /etc/group are left as they are; `--user 1000:1000` needs no entry in them";

/// Flags of other tools' `run`, without their dashes, in the order of their bytes.
pub(super) const FLAGS: &[(&str, &str)] = &[
    ("a", OUTPUT),
    (
        "arch",
        "images for other platforms than this machine's don't run",
    ),
    ("attach", OUTPUT),
    (
        "authfile",
        "`fairing login REGISTRY` stores credentials, and those of podman and docker are read",
    ),
    ("c", SHARES),
    ("cert-dir", CERTIFICATES),
    ("cgroups", "each app has a cgroup of its own"),
    (
        "chrootdirs",
        "/etc/hosts and the like are mounted where an app looks for them",
    ),
    (
        "conmon-pidfile",
        "there is no conmon: the monitor is the process that was started",
    ),
    ("cpu", "it is called `--cpus 1.5`"),
    ("cpu-count", "it is called `--cpus 1.5`"),
    ("cpu-percent", "processor time is limited by `--cpus 1.5`"),
    ("cpu-rt-period", "processor time is limited by `--cpus 1.5`"),
    (
        "cpu-rt-runtime",
        "processor time is limited by `--cpus 1.5`",
    ),
    (
        "creds",
        "credentials are stored by `fairing login REGISTRY`",
    ),
    ("decryption-key", "encrypted images are not there yet"),
    (
        "detach-keys",
        "a pod in the foreground ends with this command; `fairing run --detach --tty --interactive IMAGE` and then `fairing attach --detach-keys ctrl-x POD` make one that can be left",
    ),
    (
        "disable-content-trust",
        "`--insecure-options=image` runs an image that no rule lets run",
    ),
    ("dns-domain", "it is called `--dns-search DOMAIN`"),
    (
        "domainname",
        "write it into the host name: `--hostname web.example.com`",
    ),
    (
        "env-merge",
        "variables are not put together here; `--env KEY=VALUE` sets one",
    ),
    ("environment", "it is called `--env KEY=VALUE`"),
    (
        "expose",
        "every port of a pod is reached from its networks; `--port 8080:80` publishes one on the host",
    ),
    ("gpus", DEVICES),
    ("group-entry", ACCOUNTS),
    ("health-log-destination", HEALTH),
    ("health-max-log-count", HEALTH),
    ("health-max-log-size", HEALTH),
    ("hooks-dir", "hooks are not there yet"),
    ("hostuser", ACCOUNTS),
    ("http-proxy", "name the variables: `--env http_proxy`"),
    (
        "image-volume",
        "what an app writes at a place that its image calls a volume is kept with its pod; `--volume /PLACE` mounts one, `--tmpfs /PLACE` memory",
    ),
    (
        "init-ctr",
        "apps that run before the others are not there yet",
    ),
    (
        "init-path",
        "each pod has an init of its own, which is not chosen",
    ),
    (
        "intel-rdt-closid",
        "binding to parts of a processor is not there yet",
    ),
    (
        "io-maxbandwidth",
        "it is called `--device-read-bps /dev/sda:1mb`",
    ),
    (
        "io-maxiops",
        "it is called `--device-read-iops /dev/sda:1000`",
    ),
    ("ip", ADDRESS),
    ("ip6", ADDRESS),
    ("isolation", ISOLATOR),
    (
        "kernel-memory",
        "memory of the kernel counts, too: `--memory 64m`",
    ),
    ("link", "pods of one network find each other by their names"),
    ("link-local-ip", ADDRESS),
    (
        "mac-address",
        "ask the network: `--net default:MAC=02:00:00:00:00:07`",
    ),
    ("mds-register", "there is no metadata service"),
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
        "no-hostname",
        "the pod's own /etc/hostname is always written",
    ),
    ("no-hosts", "the pod's own /etc/hosts is always written"),
    ("no-overlay", "apps always run on overlayfs"),
    ("no-store", "it is called `--pull always`"),
    (
        "oom-kill-disable",
        "an app that is out of memory always ends",
    ),
    (
        "os",
        "images for other platforms than this machine's don't run",
    ),
    ("passwd", ACCOUNTS),
    ("passwd-entry", ACCOUNTS),
    (
        "personality",
        "choosing the execution domain is not there yet",
    ),
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
    (
        "pod-id-file",
        "apps join a running pod by `fairing app add POD IMAGE`",
    ),
    (
        "pod-manifest",
        "pods from a manifest are not there yet: images are judged when a pod is made, so a script or a unit keeps its command line",
    ),
    (
        "preserve-fds",
        "sockets are handed over by socket activation alone, as systemd.socket(5) has it",
    ),
    ("private-users", "it is called `--userns=auto`"),
    (
        "pull-policy",
        "it is called `--pull always`, `--pull missing` or `--pull never`",
    ),
    ("q", QUIET),
    ("quiet", QUIET),
    (
        "rdt-class",
        "binding to parts of a processor is not there yet",
    ),
    (
        "requires",
        "the apps of a pod start together; `---` separates them",
    ),
    (
        "rmi",
        "images that no pod needs are removed by `fairing image gc --expire=0s`",
    ),
    (
        "rootfs",
        "name it as an image: `fairing image import rootfs:DIR --name NAME`",
    ),
    ("runtime", ISOLATOR),
    ("runtime-flag", ISOLATOR),
    (
        "seccomp-policy",
        "the filter is always fairing's own; `--insecure-options=seccomp` gives it up",
    ),
    (
        "secret",
        "secrets are credentials of a service: LoadCredential= in its unit, and `--credential NAME` for an app",
    ),
    (
        "shm-size-systemd",
        "choosing the size of /dev/shm is not there yet",
    ),
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
    ("storage-opt", "quotas are not there yet"),
    ("store-only", "it is called `--pull never`"),
    ("subgidname", SUBORDINATE),
    ("subuidname", SUBORDINATE),
    (
        "tls-verify",
        "it is called `--insecure-options=tls`, or `--insecure-options=http` for registries without TLS",
    ),
    ("trust-keys-from-https", KEYS),
    ("tz", "set the variable: `--env TZ=Europe/Berlin`"),
    ("use-api-socket", "there is no daemon to talk to"),
    ("user-label", "it is called `--label KEY=VALUE`"),
    ("uuid-file", "it is called `--uuid-file-save FILE`"),
    (
        "variant",
        "images for other platforms than this machine's don't run",
    ),
    ("volume-driver", "drivers of volumes are not there"),
    ("volumes-from", "volumes of other pods are not there yet"),
];

/// Long flags that no program of an image has: after the image, too, they are meant for us.
pub(super) const OF_APPS: &[&str] = &[
    "mnt-volume",
    "no-overlay",
    "pod-manifest",
    "private-users",
    "pull-policy",
    "stage1-from-dir",
    "stage1-hash",
    "stage1-name",
    "stage1-path",
    "stage1-url",
    "user-label",
    "volumes-from",
];
