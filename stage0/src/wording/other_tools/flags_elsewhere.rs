//! Flags of other tools' commands, but `run`.

use super::answers::{CERTIFICATES, RETRIES};

const LATEST: &str =
    "the pod is named: `fairing ps --latest --quiet` prints the one that was made last";
const FILTERED: &str = "choosing pods by a filter is not there yet; `fairing ps --filter name=web --quiet` prints their UUIDs";
const LOGIN: &str = "credentials are stored by `fairing login REGISTRY`";
const AUTHFILE: &str =
    "`fairing login REGISTRY` stores credentials, and those of podman and docker are read";
const TLS: &str = "it is called `--insecure-options=tls`, or `--insecure-options=http` for registries without TLS";
const PLATFORM: &str = "images for other platforms than this machine's don't run; `fairing image copy --platform linux/arm64 IMAGE oci:DIR` writes one into a directory";
const AS_IT_IS: &str = "an image is written as it is, so that its digest stays the same";
const TAGS: &str = "each image is named, with its tag";
const DAEMON: &str = "there is no daemon to talk to";
const ENDINGS: &str =
    "the image's stop signal is sent; `fairing kill --signal INT POD` sends another";
const CONFINED: &str = "a command has the confinement of its app, which is set at the start: `fairing run` has --cap-add and --privileged";
const SORTED: &str = "sorting is not there yet; `--format json` is for programs that do";
const SIZES: &str = "sizes are summed up by `fairing system df`";
const DEBUG: &str = "it is called `--debug`";
const STORAGE: &str = "images are always unpacked for overlayfs";
const UNUSED: &str = "images that no pod needs are removed by `fairing image gc --expire=0s`";
const SIGNING: &str = "it is called `fairing image sign --key KEY IMAGE`";
const FEW: &str = "networks are few: `--format json` is for programs that choose";
const SCOPES: &str = "there is no cluster of hosts";

/// Flags, several names of one a row, by the commands that they are of.
type Table = (
    &'static [&'static str],
    &'static [(&'static str, &'static str)],
);

/// What is said of each. The first table is of the flags before all commands.
pub(super) const ELSEWHERE: &[Table] = &[
    (
        &[""],
        &[
            ("log-level l syslog noout D", DEBUG),
            ("root", "it is called `--dir DIR`"),
            ("runroot", "it is called `--run-dir DIR`"),
            (
                "storage-driver storage-opt s imagestore transient-store",
                STORAGE,
            ),
            (
                "H host context c url connection r remote identity ssh tls tlscacert tlscert tlskey tlsverify",
                DAEMON,
            ),
            (
                "config module user-config",
                "`--local-config DIR` names the directory of settings, /etc/fairing by default",
            ),
            (
                "cgroup-manager",
                "a pod's cgroups are below the one of the process that starts it",
            ),
            (
                "network-cmd-path network-config-dir network-backend",
                "networks are configured in net.d of the directory that `--local-config DIR` names",
            ),
            ("events-backend", "events are not there yet"),
            ("tmpdir", "what is unfinished is kept below `--dir DIR`"),
            (
                "runtime runtime-flag conmon",
                "a pod's isolator is chosen by `fairing run --stage1 NAME IMAGE`",
            ),
            ("hooks-dir cdi-spec-dir", "hooks are not there yet"),
            ("volumepath", "volumes are kept below `--dir DIR`"),
            (
                "default-mounts-file",
                "each app says what it mounts: `fairing run --volume ./DIRECTORY:/PLACE IMAGE`",
            ),
            (
                "cpuprofile memory-profile trace",
                "profiles are made by other programs",
            ),
            ("docker podman", "there is no mode of other tools"),
        ],
    ),
    (
        &["enter"],
        &[
            ("privileged cap-add", CONFINED),
            ("l latest", LATEST),
            (
                "detach-keys",
                "there is nothing to detach from: `--detach` runs a command in the background",
            ),
            (
                "preserve-fds preserve-fd",
                "a command has the three standard streams alone",
            ),
            ("cidfile", "it is called `fairing enter POD`"),
            ("app-name", "it is called `--app web`"),
        ],
    ),
    (
        &["start"],
        &[
            ("l latest", LATEST),
            ("f filter", FILTERED),
            ("checkpoint checkpoint-dir", "checkpoints are not there yet"),
        ],
    ),
    (
        &[
            "stop", "restart", "rm", "kill", "logs", "top", "port", "inspect", "wait", "status",
            "export",
        ],
        &[("l latest", LATEST), ("filter", FILTERED)],
    ),
    (
        &["commit"],
        &[
            (
                "f format",
                "images are made in OCI's form; `fairing save IMAGE` writes Docker's",
            ),
            (
                "s squash",
                "an image of one layer is made of files: `fairing export POD app.tar` and `fairing image import rootfs:app.tar --name NAME`",
            ),
            (
                "iidfile",
                "the image's name is printed: `fairing image inspect NAME` has its digests",
            ),
            (
                "include-volumes",
                "volumes are kept apart: `fairing volume export NAME`",
            ),
        ],
    ),
    (
        &["cp"],
        &[(
            "overwrite",
            "files are replaced by files, as always; a directory in the place of a file is not",
        )],
    ),
    (&["stop", "restart"], &[("s signal", ENDINGS)]),
    (
        &["stop"],
        &[(
            "app",
            "the app `web` of a pod is stopped by `fairing app stop POD web`",
        )],
    ),
    (
        &["volume rm"],
        &[(
            "a all",
            "volumes that no pod needs are removed by `fairing volume prune`",
        )],
    ),
    (
        &["restart"],
        &[("running", "it is called `fairing restart --all`")],
    ),
    (
        &["rm"],
        &[
            (
                "t time",
                "pods that run are killed; `fairing stop --time 5 POD` lets them end before",
            ),
            ("depend", "no pod depends on another"),
            ("link", "pods have no links"),
        ],
    ),
    (
        &["wait"],
        &[(
            "exit-first-match",
            "the pods are waited for one after the other",
        )],
    ),
    (
        &["status"],
        &[(
            "wait-ready",
            "`fairing run --detach IMAGE` waits until a pod is up",
        )],
    ),
    (
        &["logs"],
        &[
            ("details", "labels are shown by `fairing inspect POD`"),
            ("names", "of several apps, each line has its app's name"),
            ("color", "there are no colours"),
        ],
    ),
    (
        &["inspect"],
        &[("s size", SIZES), ("humanize", "sizes are in bytes")],
    ),
    (
        &["ps", "list"],
        &[
            ("s size", SIZES),
            ("ns namespace", "each pod has namespaces of its own"),
            ("p pod", "each row is an app of a pod"),
            ("sort order", SORTED),
            ("sync", "it is not needed: the kernel knows what runs"),
            ("w watch", "watch(1) does it"),
            ("external", "there are no pods but fairing's own"),
            (
                "fields",
                "a template chooses: `--format '{{.Names}}'` prints names alone",
            ),
        ],
    ),
    (
        &["image list", "images"],
        &[
            ("tree", "layers are listed by `fairing image inspect IMAGE`"),
            ("n", "it is called `--noheading`"),
            ("sort order", SORTED),
            (
                "history",
                "earlier names are not kept; an image's steps are shown by `fairing history IMAGE`",
            ),
            (
                "fields",
                "a template chooses: `--format '{{.Name}}'` prints names alone",
            ),
        ],
    ),
    (
        &["image gc"],
        &[
            (
                "filter",
                "choosing is not there yet: `--expire 30d` goes by the last use",
            ),
            ("build-cache external", "images are built elsewhere"),
        ],
    ),
    (
        &["image rm", "rmi"],
        &[
            ("a all", UNUSED),
            (
                "no-prune",
                "layers stay until `fairing image gc` removes them",
            ),
            ("platform", PLATFORM),
        ],
    ),
    (
        &["history", "image history"],
        &[
            ("q quiet", "the steps of a build have no IDs"),
            ("H human", "`--format json` shows plain numbers"),
            ("platform", PLATFORM),
        ],
    ),
    (
        &["save", "load", "image save", "image load"],
        &[
            ("platform", PLATFORM),
            ("compress uncompressed", AS_IT_IS),
            (
                "signature-policy",
                "rules are shown by `fairing trust list`",
            ),
        ],
    ),
    (
        &["fetch", "image fetch"],
        &[
            ("platform arch os variant", PLATFORM),
            ("a all-tags", TAGS),
            ("tls-verify", TLS),
            ("creds", LOGIN),
            ("authfile", AUTHFILE),
            ("cert-dir", CERTIFICATES),
            ("policy", "it is called `--pull missing`"),
            ("no-store", "it is called `--pull always`"),
            ("store-only", "it is called `--pull never`"),
            ("decryption-key", "encrypted images are not there yet"),
            (
                "disable-content-trust",
                "it is called `--insecure-options=image`",
            ),
            (
                "signature",
                "signatures are kept where the image is; `fairing image sign --key KEY IMAGE` makes one",
            ),
            ("full", "digests are always printed in full"),
        ],
    ),
    (
        &["push", "image push"],
        &[
            ("a all-tags", TAGS),
            (
                "f format compress compression-format compression-level force-compression encrypt-layer encryption-key add-compression",
                AS_IT_IS,
            ),
            (
                "digestfile",
                "the digest is printed: `fairing push IMAGE` writes it to standard output",
            ),
            ("remove-signatures", "it is called `--no-signatures`"),
            (
                "sign-by sign-by-sigstore sign-by-sigstore-private-key sign-by-sq-fingerprint sign-passphrase-file",
                SIGNING,
            ),
            ("disable-content-trust", SIGNING),
            (
                "platform",
                "an index is written with all that the store has of it",
            ),
            ("tls-verify", TLS),
            ("creds", LOGIN),
            ("authfile", AUTHFILE),
            ("cert-dir", CERTIFICATES),
            ("retry retry-delay", RETRIES),
        ],
    ),
    (
        &["login"],
        &[
            (
                "p password",
                "everyone on this machine would see it: `--password-stdin` reads it from a pipe, and on a terminal it is asked for",
            ),
            (
                "secret",
                "secrets are not there yet; `--password-stdin` reads a password from a pipe",
            ),
            ("v verbose", DEBUG),
            ("compat-auth-file", "it is called `--authfile FILE`"),
        ],
    ),
    (
        &["login", "logout"],
        &[
            ("tls-verify", TLS),
            ("cert-dir", CERTIFICATES),
            ("compat-auth-file", "it is called `--authfile FILE`"),
        ],
    ),
    (
        &["trust"],
        &[(
            "prefix root skip-fingerprint-review",
            "it is called `fairing trust add --prefix docker.io/team KEY`",
        )],
    ),
    (&["network list"], &[("f filter", FEW)]),
    (&["network inspect"], &[("s scope v verbose", SCOPES)]),
    (
        &["network rm"],
        &[
            (
                "f force",
                "a network that pods are in stays: `fairing stop POD` ends one",
            ),
            (
                "t time",
                "a network that pods are in stays: `fairing stop --time 5 POD` ends one",
            ),
        ],
    ),
    (
        &["network create"],
        &[
            (
                "gateway",
                "the first address is the host's: `--subnet 10.1.2.0/24` makes it 10.1.2.1",
            ),
            (
                "ip-range aux-address",
                "a pod gets any address of the network, or the one it asks for: `fairing run --net NETWORK:IP=10.1.2.3 IMAGE`",
            ),
            (
                "ipv6 ipv4",
                "each network has both kinds of addresses; `--subnet6 fd00:1::/64` chooses those of IPv6",
            ),
            ("label", "networks have no labels yet"),
            ("o opt", "there are `--mtu 1400` and `--master eth0`"),
            (
                "disable-dns",
                "names are in the pods' /etc/hosts, and no server is asked for them",
            ),
            (
                "dns",
                "name servers are each pod's: `fairing run --dns 1.1.1.1 IMAGE`",
            ),
            ("interface-name", "the bridge's name is fairing's own"),
            ("route", "routes are not there yet"),
            (
                "attachable ingress scope config-from config-only",
                "there is no cluster of hosts",
            ),
            (
                "ipam-driver ipam-opt",
                "addresses are handed out by the network itself",
            ),
        ],
    ),
    (
        &["system df"],
        &[(
            "v verbose",
            "each image's size is shown by `fairing image list`",
        )],
    ),
    (&["gc"], &[("no-overlay", "apps always run on overlayfs")]),
];

/// Words that a command doesn't take, beside its own.
pub(super) const OPERANDS: &[(&str, &str)] = &[(
    "top",
    "choosing columns is not there yet; `fairing top POD` shows what there are",
)];
