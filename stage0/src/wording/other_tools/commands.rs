//! Commands of other tools.

use super::answers::HEALTH;

const REMOVAL: &str = "it is called `rm`: `fairing rm POD`, `fairing image rm IMAGE`, `fairing network rm NAME`, `fairing volume rm NAME`, `fairing trust rm PREFIX`";

/// What to say of a command, in the order of their bytes.
pub(super) const COMMANDS: &[(&str, &str)] = &[
    (
        "api-service",
        "there is no service; `fairing list --format json` is for programs",
    ),
    ("artifact", "artifacts that are no images are not there yet"),
    ("bake", "images are built elsewhere"),
    (
        "build",
        "images are built elsewhere; `fairing image import FILE` takes what Buildah and Docker save",
    ),
    ("builder", "images are built elsewhere"),
    (
        "buildx",
        "images are built elsewhere; `fairing image import FILE` takes what Buildah and Docker save",
    ),
    ("checkpoint", "checkpoints are not there yet"),
    (
        "cleanup",
        "nothing is left of a pod that ends but its record: `fairing rm POD`",
    ),
    ("clone", "a pod is made anew: `fairing run IMAGE`"),
    (
        "compose",
        "there is no compose; several apps of one pod are separated by `---`",
    ),
    ("config", "settings are in files: fairing(1) names them"),
    ("connect", "a pod joins networks at its start: `--net NAME`"),
    ("connection", "there is no daemon to talk to"),
    (
        "container",
        "commands for pods have no word before them: `fairing ps`, `fairing stop POD`",
    ),
    ("context", "there is no daemon to talk to"),
    ("delete", REMOVAL),
    ("dial-stdio", "there is no daemon to talk to"),
    ("disconnect", "a pod leaves its networks at its end"),
    (
        "events",
        "events are not there yet; `fairing wait POD` waits for an end",
    ),
    (
        "exists",
        "what there is tells: `fairing inspect NAME` exits with 0 or another code",
    ),
    ("farm", "images are built elsewhere"),
    ("healthcheck", HEALTH),
    (
        "import",
        "it is called `fairing image import rootfs:FILE --name NAME`",
    ),
    (
        "init",
        "each pod has an init of its own; a pod is made without being started by `fairing prepare IMAGE`",
    ),
    (
        "install",
        "there is nothing to install: images run by `fairing run IMAGE`",
    ),
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
        "migrate",
        "there is nothing to migrate: pods need no daemon",
    ),
    (
        "mount",
        "mounting files of an app is not there yet; `fairing export POD FILE` gets them, `fairing image extract IMAGE DIR` those of an image",
    ),
    ("node", "there is no cluster of hosts"),
    (
        "plugin",
        "there are no plugins but those of networks: `fairing network list`",
    ),
    (
        "pod",
        "each pod is started by `fairing run IMAGE`, and apps join by `fairing app add POD IMAGE`",
    ),
    (
        "prune",
        "`fairing gc --grace-period=0s` removes ended pods, `fairing image gc` what no image of a name needs, `fairing network gc` what dead pods hold of networks",
    ),
    (
        "quadlet",
        "files in /etc/fairing/pods.d become units: `fairing units check` and `fairing units list` tell of them",
    ),
    ("remove", REMOVAL),
    ("renumber", "there is nothing to number anew"),
    (
        "reset",
        "`fairing stop --all`, `fairing rm --all` and `fairing image gc --expire=0s` remove what there is",
    ),
    ("restore", "checkpoints are not there yet"),
    ("runlabel", "commands of labels are not run"),
    (
        "sbom",
        "what is known of an image is listed by `fairing image signatures IMAGE`",
    ),
    ("scan", "images are scanned elsewhere"),
    ("scout", "images are scanned elsewhere"),
    (
        "scp",
        "`fairing save IMAGE` writes to a pipe, and `fairing load` reads from one",
    ),
    ("search", "registries are searched elsewhere"),
    (
        "secret",
        "secrets are not there yet; `--env-file FILE` passes variables",
    ),
    (
        "service",
        "there is no cluster of hosts, and no daemon; for systemd see systemd.unit(5): a unit runs `fairing run IMAGE`",
    ),
    ("stack", "there is no cluster of hosts"),
    ("swarm", "there is no cluster of hosts"),
    ("umount", "mounting an app's files is not there yet"),
    ("unmount", "mounting an app's files is not there yet"),
    ("unshare", "pods of users other than root are not there yet"),
    (
        "untag",
        "it is called `fairing image rm IMAGE`, which removes a name",
    ),
];

/// The same of commands of a group, where it is another thing.
pub(super) const OF_GROUPS: &[(&str, &str)] = &[
    (
        "container prune",
        "`fairing gc --grace-period=0s` removes ended pods",
    ),
    (
        "image diff",
        "comparing images is not there yet; `fairing image extract IMAGE DIR` gets the files of one",
    ),
    (
        "image exists",
        "`fairing image inspect IMAGE` exits with 0 or another code",
    ),
    (
        "image mount",
        "mounting images is not there yet; `fairing image extract IMAGE DIR` gets the files of one",
    ),
    (
        "image scp",
        "`fairing save IMAGE` writes to a pipe, and `fairing load` reads from one",
    ),
    (
        "image tree",
        "layers are listed by `fairing image inspect IMAGE`",
    ),
    (
        "image trust",
        "rules are shown by `fairing trust list`, and what they say of an image by `fairing trust explain IMAGE`",
    ),
    ("image umount", "images are not mounted"),
    ("image unmount", "images are not mounted"),
    (
        "network exists",
        "`fairing network inspect NETWORK` exits with 0 or another code",
    ),
    (
        "network prune",
        "`fairing network rm NETWORK` removes one; `fairing network gc` what dead pods hold",
    ),
    (
        "network reload",
        "rules of networks repair themselves as the next pod starts",
    ),
    (
        "network update",
        "remove it and create it anew: `fairing network create NETWORK`",
    ),
    (
        "system check",
        "`fairing image verify --all` reads all that is stored, and `fairing doctor` looks at the machine",
    ),
    (
        "system events",
        "events are not there yet; `fairing wait POD` waits for an end",
    ),
    (
        "system prune",
        "`fairing gc --grace-period=0s` removes ended pods, `fairing image gc` what no image of a name needs, `fairing network gc` what dead pods hold of networks",
    ),
    ("system service", "there is no daemon, and none is needed"),
    (
        "trust inspect",
        "rules are shown by `fairing trust list`, and what they say of an image by `fairing trust explain IMAGE`",
    ),
    (
        "trust key",
        "keys are made by `fairing trust keygen NAME`, and shown by `fairing trust show FILE`",
    ),
    (
        "trust set",
        "`fairing trust add --prefix docker.io/team KEY` lets signed images run, `fairing trust allow --unsigned docker.io/team` any; rules that reject are written by hand",
    ),
    (
        "trust sign",
        "it is called `fairing image sign --key KEY IMAGE`",
    ),
    (
        "trust signer",
        "whose images run is said by `fairing trust add --prefix docker.io/team KEY`",
    ),
    (
        "volume exists",
        "`fairing volume inspect VOLUME` exits with 0 or another code",
    ),
    (
        "volume mount",
        "`fairing volume inspect VOLUME` tells where its files are",
    ),
    (
        "volume reload",
        "volumes are directories: there is nothing to reload",
    ),
    (
        "volume update",
        "remove it and create it anew: `fairing volume create VOLUME`",
    ),
];
