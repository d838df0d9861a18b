//! A pod as a whole.

use super::field::{Schema, ignored, refused, yes};

const ONE_NODE: &str = "there is no other machine to run on";
const NO_ACCOUNTS: &str = "no server asks who an app is; a value for `fieldRef` alone";

/// `spec` of a pod.
pub(crate) static POD_SPEC: Schema = Schema {
    title: "spec of a Pod",
    fields: &[
        yes("containers", "the pod's apps"),
        yes("initContainers", "apps that come first, and sidecars"),
        refused(
            "ephemeralContainers",
            "`fairing enter` and `fairing app add` do that",
        ),
        yes("volumes", ""),
        yes("restartPolicy", "`Always` if nothing is said"),
        yes("terminationGracePeriodSeconds", "30 if nothing is said"),
        yes("activeDeadlineSeconds", "ends the pod with 124"),
        yes(
            "dnsPolicy",
            "without a cluster, all but `None` are the host's resolver",
        ),
        yes("dnsConfig", ""),
        yes("hostAliases", ""),
        yes("hostname", ""),
        yes("hostnameOverride", "counts more"),
        ignored("subdomain", "there is no domain of a cluster"),
        refused(
            "setHostnameAsFQDN",
            "there is no domain of a cluster; set `hostname`",
        ),
        yes("hostNetwork", ""),
        yes("hostIPC", "with the host's users alone"),
        yes(
            "hostPID",
            "with the host's users: `--userns=host` of `play`",
        ),
        yes(
            "hostUsers",
            "false: own users; true: the host's; else as configured",
        ),
        yes(
            "shareProcessNamespace",
            "else each app is process 1 of its own",
        ),
        yes("securityContext", ""),
        yes("imagePullSecrets", "Secrets of the same files"),
        yes("resources", "limits of all apps together"),
        yes("os", "`linux` alone"),
        yes(
            "runtimeClassName",
            "the isolator, unless `--stage1` names one",
        ),
        yes(
            "enableServiceLinks",
            "there are no services, so no variables of them",
        ),
        yes(
            "automountServiceAccountToken",
            "no server takes a token: there is none",
        ),
        ignored("serviceAccountName", NO_ACCOUNTS),
        ignored("serviceAccount", NO_ACCOUNTS),
        ignored("nodeName", ONE_NODE),
        ignored("nodeSelector", ONE_NODE),
        ignored("affinity", ONE_NODE),
        ignored("tolerations", ONE_NODE),
        ignored("topologySpreadConstraints", ONE_NODE),
        ignored("schedulerName", ONE_NODE),
        ignored("priorityClassName", "no pod makes way for another"),
        ignored("priority", "no pod makes way for another"),
        ignored("preemptionPolicy", "no pod makes way for another"),
        ignored("overhead", "nothing is reserved for pods"),
        refused(
            "readinessGates",
            "nobody sets conditions here: it would never be ready",
        ),
        refused("schedulingGates", "a pod with gates is not to start"),
        refused(
            "resourceClaims",
            "devices are asked for by `limits` of a container",
        ),
        ignored("workloadRef", ONE_NODE),
        ignored("schedulingGroup", ONE_NODE),
    ],
};

/// A line of `/etc/hosts`.
pub(crate) static HOST_ALIAS: Schema = Schema {
    title: "hostAliases",
    fields: &[yes("ip", ""), yes("hostnames", "")],
};

/// Whom apps ask for names.
pub(crate) static DNS_CONFIG: Schema = Schema {
    title: "dnsConfig",
    fields: &[
        yes("nameservers", "are asked in place of the usual ones"),
        yes("searches", ""),
        yes("options", ""),
    ],
};

/// An option of resolv.conf(5).
pub(crate) static DNS_OPTION: Schema = Schema {
    title: "options of dnsConfig",
    fields: &[yes("name", ""), yes("value", "")],
};

/// What a pod runs on.
pub(crate) static OS: Schema = Schema {
    title: "os",
    fields: &[yes("name", "`linux`")],
};

/// A name.
pub(crate) static LOCAL_REFERENCE: Schema = Schema {
    title: "imagePullSecrets",
    fields: &[yes("name", "")],
};
