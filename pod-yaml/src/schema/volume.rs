//! Volumes.

use super::field::{Schema, refused, yes};

const OF_CLUSTER: &str = "storage of a cluster: mount it here, and use `hostPath`";

/// A volume.
pub(crate) static VOLUME: Schema = Schema {
    title: "volumes",
    fields: &[
        yes("name", ""),
        yes("emptyDir", ""),
        yes("hostPath", ""),
        yes("persistentVolumeClaim", "a named volume"),
        yes("configMap", "read-only files, written once"),
        yes("secret", "the same"),
        yes("projected", "the same"),
        yes("downwardAPI", "the same"),
        yes("image", "read-only files of an image"),
        refused("ephemeral", "`emptyDir` is the same here"),
        refused("gitRepo", "an init container gets what is wanted"),
        refused("awsElasticBlockStore", OF_CLUSTER),
        refused("azureDisk", OF_CLUSTER),
        refused("azureFile", OF_CLUSTER),
        refused("cephfs", OF_CLUSTER),
        refused("cinder", OF_CLUSTER),
        refused("csi", OF_CLUSTER),
        refused("fc", OF_CLUSTER),
        refused("flexVolume", OF_CLUSTER),
        refused("flocker", OF_CLUSTER),
        refused("gcePersistentDisk", OF_CLUSTER),
        refused("glusterfs", OF_CLUSTER),
        refused("iscsi", OF_CLUSTER),
        refused("nfs", OF_CLUSTER),
        refused("photonPersistentDisk", OF_CLUSTER),
        refused("portworxVolume", OF_CLUSTER),
        refused("quobyte", OF_CLUSTER),
        refused("rbd", OF_CLUSTER),
        refused("scaleIO", OF_CLUSTER),
        refused("storageos", OF_CLUSTER),
        refused("vsphereVolume", OF_CLUSTER),
    ],
};

/// A directory that is empty at first.
pub(crate) static EMPTY_DIR: Schema = Schema {
    title: "emptyDir",
    fields: &[
        yes("medium", "`Memory`, which all apps share, or the disk"),
        yes(
            "sizeLimit",
            "of `Memory`; of the disk with a warning: not enforced",
        ),
    ],
};

/// A file or directory of the host.
pub(crate) static HOST_PATH: Schema = Schema {
    title: "hostPath",
    fields: &[
        yes("path", "absolute"),
        yes(
            "type",
            "compared with what is there; devices become devices",
        ),
    ],
};

/// A named volume.
pub(crate) static CLAIM_SOURCE: Schema = Schema {
    title: "persistentVolumeClaim",
    fields: &[
        yes(
            "claimName",
            "the volume's name; it is made if it is missing",
        ),
        yes("readOnly", ""),
    ],
};

/// Files of an image.
pub(crate) static IMAGE_SOURCE: Schema = Schema {
    title: "image",
    fields: &[
        yes("reference", "judged as the image of an app"),
        yes("pullPolicy", ""),
    ],
};

/// Files of a config map.
pub(crate) static CONFIG_MAP_SOURCE: Schema = Schema {
    title: "configMap",
    fields: &[
        yes("name", "of the same files, or of `--configmap`"),
        yes("items", ""),
        yes("defaultMode", "0644 if nothing is said"),
        yes("optional", ""),
    ],
};

/// Files of a secret.
pub(crate) static SECRET_SOURCE: Schema = Schema {
    title: "secret",
    fields: &[
        yes("secretName", ""),
        yes("items", ""),
        yes("defaultMode", "0644 if nothing is said"),
        yes("optional", ""),
    ],
};

/// A key that becomes a file.
pub(crate) static KEY_PATH: Schema = Schema {
    title: "items of configMap, secret",
    fields: &[yes("key", ""), yes("path", ""), yes("mode", "")],
};

/// Files of several sources.
pub(crate) static PROJECTED: Schema = Schema {
    title: "projected",
    fields: &[yes("sources", ""), yes("defaultMode", "")],
};

/// One of them.
pub(crate) static PROJECTION: Schema = Schema {
    title: "sources of projected",
    fields: &[
        yes("configMap", ""),
        yes("secret", ""),
        yes("downwardAPI", ""),
        refused("serviceAccountToken", "no server takes such a token"),
        refused("clusterTrustBundle", "there is no cluster"),
        refused("podCertificate", "there is no cluster"),
    ],
};

/// Files of a config map or a secret among others.
pub(crate) static CONFIG_MAP_PROJECTION: Schema = Schema {
    title: "configMap, secret of projected",
    fields: &[yes("name", ""), yes("items", ""), yes("optional", "")],
};

/// Files with what is known of the pod.
pub(crate) static DOWNWARD: Schema = Schema {
    title: "downwardAPI",
    fields: &[yes("items", ""), yes("defaultMode", "")],
};

/// One of them.
pub(crate) static DOWNWARD_FILE: Schema = Schema {
    title: "items of downwardAPI",
    fields: &[
        yes("path", ""),
        yes("fieldRef", "labels and annotations as a whole, too"),
        yes("resourceFieldRef", ""),
        yes("mode", ""),
    ],
};
