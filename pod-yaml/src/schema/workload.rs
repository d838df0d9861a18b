//! What makes pods in a cluster. Here each makes one.

use super::field::{Field, Schema, ignored, refused, yes};

const ONE_POD: &str = "there is one pod";
const SELECTOR: Field = ignored_quietly("selector");
const TEMPLATE_FIELD: Field = yes("template", "the pod");

/// It has to be there, so nothing is said of it.
const fn ignored_quietly(name: &'static str) -> Field {
    yes(name, "of no use where there is one pod")
}

/// What a pod is made of.
pub(crate) static TEMPLATE: Schema = Schema {
    title: "template",
    fields: &[yes("metadata", "labels and annotations"), yes("spec", "")],
};

/// `spec` of a deployment, and of a set of replicas.
pub(crate) static DEPLOYMENT_SPEC: Schema = Schema {
    title: "spec of a Deployment, ReplicaSet",
    fields: &[
        TEMPLATE_FIELD,
        yes(
            "replicas",
            "one pod, called `NAME-pod`; a warning if more are asked",
        ),
        SELECTOR,
        ignored("strategy", ONE_POD),
        ignored("minReadySeconds", ONE_POD),
        ignored("revisionHistoryLimit", ONE_POD),
        ignored("paused", ONE_POD),
        ignored("progressDeadlineSeconds", ONE_POD),
    ],
};

/// `spec` of a daemon set.
pub(crate) static DAEMON_SET_SPEC: Schema = Schema {
    title: "spec of a DaemonSet",
    fields: &[
        yes("template", "the pod, called `NAME-pod`"),
        SELECTOR,
        ignored("updateStrategy", ONE_POD),
        ignored("minReadySeconds", ONE_POD),
        ignored("revisionHistoryLimit", ONE_POD),
    ],
};

/// `spec` of a set of pods with volumes of their own.
pub(crate) static STATEFUL_SET_SPEC: Schema = Schema {
    title: "spec of a StatefulSet",
    fields: &[
        yes("template", "the pod, called `NAME-0`"),
        yes(
            "volumeClaimTemplates",
            "named volumes, called `CLAIM-NAME-0`",
        ),
        yes("replicas", "one pod; a warning if more are asked"),
        SELECTOR,
        ignored("serviceName", "there are no services"),
        ignored("podManagementPolicy", ONE_POD),
        ignored("updateStrategy", ONE_POD),
        ignored("minReadySeconds", ONE_POD),
        ignored("revisionHistoryLimit", ONE_POD),
        ignored(
            "persistentVolumeClaimRetentionPolicy",
            "volumes stay: `down --force`",
        ),
        refused("ordinals", "the pod has the number 0"),
    ],
};

/// A claim that is made for a pod.
pub(crate) static CLAIM_TEMPLATE: Schema = Schema {
    title: "volumeClaimTemplates",
    fields: &[
        yes("apiVersion", ""),
        yes("kind", ""),
        yes("metadata", ""),
        yes("spec", "as of a PersistentVolumeClaim"),
        ignored("status", "a cluster notes it"),
    ],
};

/// `spec` of a job.
pub(crate) static JOB_SPEC: Schema = Schema {
    title: "spec of a Job",
    fields: &[
        yes("template", "the pod, called `NAME-pod`"),
        yes(
            "backoffLimit",
            "restarts with `OnFailure`; 6 if nothing is said",
        ),
        yes(
            "activeDeadlineSeconds",
            "the shorter one of the job's and the pod's",
        ),
        yes("parallelism", "1; a warning if more are asked"),
        yes("completions", "1; a warning if more are asked"),
        SELECTOR,
        ignored("manualSelector", ONE_POD),
        ignored(
            "ttlSecondsAfterFinished",
            "`fairing gc` removes pods that have ended",
        ),
        yes("completionMode", "`NonIndexed` alone"),
        refused("suspend", "a job that is suspended is not to start"),
        refused("podFailurePolicy", "rules of failures are not there yet"),
        refused(
            "successPolicy",
            "there is one pod: its success is the job's",
        ),
        refused("backoffLimitPerIndex", "there is one pod, without an index"),
        refused("maxFailedIndexes", "there is one pod, without an index"),
        ignored("podReplacementPolicy", ONE_POD),
        ignored("managedBy", "there are no controllers"),
    ],
};
