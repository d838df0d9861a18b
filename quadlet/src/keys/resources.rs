//! `[Volume]`, `[Image]`, and small ones.

use super::key::Meaning::{Own, Pod};
use super::key::{GLOBAL, Key, MODULE, PLATFORM, one, refused, words};

const FILESYSTEM: &str = "volumes are directories of this host; a .mount unit mounts a filesystem, and Volume=/PATH:/PLACE gives it to an app";
const LOGIN: &str =
    "`fairing login REGISTRY` stores credentials, and those of podman and docker are read";

/// In the order of their names.
pub(crate) const VOLUME: &[Key] = &[
    refused("ContainersConfModule", MODULE),
    one(
        "Copy",
        Own("nothing if true; false is refused: `nocopy` in Volume= says so"),
    ),
    refused("Device", FILESYSTEM),
    one("Driver", Own("nothing if `local`; others are refused")),
    one("GID", Pod("--gid=")),
    refused("GlobalArgs", GLOBAL),
    one("Group", Own("`--gid`: a number")),
    refused(
        "Image",
        "an image is mounted by Mount=type=image,source=IMAGE,target=PLACE",
    ),
    words("Label", Pod("--label=")),
    one("Options", Own("`--opt`: `size=` alone")),
    words(
        "PodmanArgs",
        Own("further flags of `fairing volume create`, as they are"),
    ),
    one("ServiceName", Own("the unit's name, without `.service`")),
    refused("Type", FILESYSTEM),
    one("UID", Pod("--uid=")),
    one("User", Own("`--uid`: a number")),
    one("VolumeName", Own("the name")),
];

/// In the order of their names.
pub(crate) const IMAGE: &[Key] = &[
    refused("AllTags", "an image is fetched by one name"),
    refused("Arch", PLATFORM),
    refused("AuthFile", LOGIN),
    refused(
        "CertDir",
        "certificates are those in /etc/fairing/certs.d/REGISTRY",
    ),
    refused("ContainersConfModule", MODULE),
    refused("Creds", LOGIN),
    refused("DecryptionKey", "encrypted images are not there yet"),
    refused("GlobalArgs", GLOBAL),
    one("Image", Own("the image that `fairing fetch` brings")),
    one(
        "ImageTag",
        Own("the name by which containers run it, such as that in an archive"),
    ),
    refused("OS", PLATFORM),
    words(
        "PodmanArgs",
        Own("further flags of `fairing fetch`, as they are"),
    ),
    one("Policy", Pod("--pull=")),
    one("Retry", Pod("--retry=")),
    one("RetryDelay", Pod("--retry-delay=")),
    one("ServiceName", Own("the unit's name, without `.service`")),
    refused(
        "TLSVerify",
        "the registry's settings say so: see registries in docs/images.md",
    ),
    refused("Variant", PLATFORM),
];

/// `[Build]` has no keys that mean anything: such a file is refused as a whole.
pub(crate) const BUILD: &[Key] = &[];
/// The same of `[Artifact]`.
pub(crate) const ARTIFACT: &[Key] = &[];

/// What all kinds of files have.
pub(crate) const QUADLET: &[Key] = &[one(
    "DefaultDependencies",
    Own("whether the unit waits for `network-online.target`"),
)];
