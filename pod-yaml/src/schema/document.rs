//! What stands at the top of documents.

use super::field::{Field, Schema, ignored, refused, yes};

const OF_CLUSTER: &str = "a cluster notes it";

/// `metadata` of everything.
pub(crate) static METADATA: Schema = Schema {
    title: "metadata",
    fields: &[
        yes("name", "the name; of a pod, also its host name"),
        yes("labels", "`fairing list --filter label=KEY=VALUE`"),
        yes("annotations", "noted in the pod"),
        yes(
            "namespace",
            "a value for `fieldRef`; names are unique on the machine",
        ),
        refused("generateName", "a name has to be given"),
        ignored("uid", OF_CLUSTER),
        ignored("resourceVersion", OF_CLUSTER),
        ignored("generation", OF_CLUSTER),
        ignored("creationTimestamp", OF_CLUSTER),
        ignored("deletionTimestamp", OF_CLUSTER),
        ignored("deletionGracePeriodSeconds", OF_CLUSTER),
        ignored("ownerReferences", OF_CLUSTER),
        ignored("finalizers", OF_CLUSTER),
        ignored("managedFields", OF_CLUSTER),
        ignored("selfLink", OF_CLUSTER),
    ],
};

const API_VERSION: Field = yes("apiVersion", "");
const KIND: Field = yes("kind", "");
const OWN_METADATA: Field = yes("metadata", "");
const STATUS: Field = ignored("status", OF_CLUSTER);

/// A pod.
pub(crate) static POD: Schema = Schema {
    title: "Pod",
    fields: &[API_VERSION, KIND, OWN_METADATA, yes("spec", ""), STATUS],
};

/// What makes pods.
pub(crate) static WORKLOAD: Schema = Schema {
    title: "Deployment, DaemonSet, ReplicaSet, StatefulSet, Job",
    fields: &[
        API_VERSION,
        KIND,
        yes("metadata", "the pod is called after `name`"),
        yes("spec", ""),
        STATUS,
    ],
};

/// Texts that pods refer to.
pub(crate) static CONFIG_MAP: Schema = Schema {
    title: "ConfigMap",
    fields: &[
        API_VERSION,
        KIND,
        OWN_METADATA,
        yes("data", ""),
        yes("binaryData", "in base64"),
        yes("immutable", "what a pod got never changes anyway"),
    ],
};

/// The same of texts that nobody else is to see.
pub(crate) static SECRET: Schema = Schema {
    title: "Secret",
    fields: &[
        API_VERSION,
        KIND,
        OWN_METADATA,
        yes("data", "in base64"),
        yes("stringData", "counts more than `data`"),
        yes(
            "type",
            "those of docker's logins are for `imagePullSecrets`",
        ),
        yes("immutable", "what a pod got never changes anyway"),
    ],
};

/// A named volume.
pub(crate) static CLAIM: Schema = Schema {
    title: "PersistentVolumeClaim",
    fields: &[
        API_VERSION,
        KIND,
        yes(
            "metadata",
            "`volume.podman.io/uid` and `gid` are annotations that count",
        ),
        yes("spec", ""),
        STATUS,
    ],
};

/// Documents in a document.
pub(crate) static LIST: Schema = Schema {
    title: "List",
    fields: &[API_VERSION, KIND, OWN_METADATA, yes("items", "documents")],
};

/// What is asked of a named volume.
pub(crate) static CLAIM_SPEC: Schema = Schema {
    title: "spec of a PersistentVolumeClaim",
    fields: &[
        yes("accessModes", "any: all pods of the machine may have it"),
        yes("resources", ""),
        ignored("storageClassName", "volumes are directories of the machine"),
        yes("volumeMode", "`Filesystem` alone"),
        ignored("volumeName", "the volume is called as the claim"),
        ignored("selector", "the volume is called as the claim"),
        refused("dataSource", "`fairing volume import` fills a volume"),
        refused("dataSourceRef", "`fairing volume import` fills a volume"),
        ignored(
            "volumeAttributesClassName",
            "volumes are directories of the machine",
        ),
    ],
};

/// How large a named volume is.
pub(crate) static CLAIM_RESOURCES: Schema = Schema {
    title: "resources of a PersistentVolumeClaim",
    fields: &[
        yes(
            "requests",
            "a minimum, which nothing checks: the disk is shared",
        ),
        refused(
            "limits",
            "`fairing volume create --size` makes a limited one",
        ),
    ],
};
