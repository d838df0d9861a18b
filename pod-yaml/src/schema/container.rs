//! Containers: the pod's apps.

use super::field::{Schema, ignored, refused, yes};

/// A container.
pub(crate) static CONTAINER: Schema = Schema {
    title: "containers, initContainers",
    fields: &[
        yes("name", "the app's name"),
        yes("image", "judged as every image"),
        yes(
            "command",
            "in place of the entry point, with `$(NAME)` replaced",
        ),
        yes("args", "in place of the image's arguments, the same"),
        yes("workingDir", "made if it is missing"),
        yes("ports", ""),
        yes("env", ""),
        yes("envFrom", ""),
        yes("resources", ""),
        ignored(
            "resizePolicy",
            "`fairing update` changes limits without a restart",
        ),
        yes(
            "restartPolicy",
            "`Always` makes a sidecar of an init container",
        ),
        yes(
            "restartPolicyRules",
            "with a `restartPolicy` of the container's own",
        ),
        yes("volumeMounts", ""),
        refused(
            "volumeDevices",
            "block devices are `hostPath` volumes of their type",
        ),
        yes("livenessProbe", ""),
        yes("readinessProbe", ""),
        yes("startupProbe", ""),
        yes("lifecycle", ""),
        yes(
            "terminationMessagePath",
            "without either, there is no such file",
        ),
        yes("terminationMessagePolicy", ""),
        yes("imagePullPolicy", "also `Newer`, which is podman's"),
        yes("securityContext", ""),
        yes("stdin", "in the background, or in a pod of one app"),
        refused("stdinOnce", "standard input stays open while the app runs"),
        yes("tty", "in the background, or in a pod of one app"),
    ],
};

/// A rule of restarts.
pub(crate) static RESTART_RULE: Schema = Schema {
    title: "restartPolicyRules",
    fields: &[
        yes("action", "`Restart`, `RestartAllContainers`"),
        yes("exitCodes", ""),
    ],
};

/// Exit codes of a rule.
pub(crate) static EXIT_CODES: Schema = Schema {
    title: "exitCodes",
    fields: &[yes("operator", "`In`, `NotIn`"), yes("values", "")],
};

/// A port.
pub(crate) static PORT: Schema = Schema {
    title: "ports",
    fields: &[
        yes("name", "what probes call it"),
        yes("containerPort", ""),
        yes("hostPort", "published; ports without it are not"),
        yes("hostIP", ""),
        yes("protocol", "`TCP`, `UDP`, `SCTP`"),
    ],
};

/// A variable.
pub(crate) static ENV: Schema = Schema {
    title: "env",
    fields: &[
        yes("name", ""),
        yes("value", "with `$(NAME)` replaced; `$$` is `$`"),
        yes("valueFrom", ""),
    ],
};

/// Where the value of a variable is.
pub(crate) static ENV_SOURCE: Schema = Schema {
    title: "valueFrom",
    fields: &[
        yes("fieldRef", ""),
        yes("resourceFieldRef", ""),
        yes("configMapKeyRef", ""),
        yes("secretKeyRef", ""),
        refused("fileKeyRef", "values of files are not there yet"),
    ],
};

/// All keys of something as variables.
pub(crate) static ENV_FROM: Schema = Schema {
    title: "envFrom",
    fields: &[
        yes("prefix", ""),
        yes("configMapRef", ""),
        yes("secretRef", ""),
    ],
};

/// Something by its name.
pub(crate) static SOURCE_REFERENCE: Schema = Schema {
    title: "configMapRef, secretRef",
    fields: &[yes("name", "of the same files"), yes("optional", "")],
};

/// A field of the pod.
pub(crate) static FIELD_REF: Schema = Schema {
    title: "fieldRef",
    fields: &[
        yes("apiVersion", ""),
        yes(
            "fieldPath",
            "all that Kubernetes has; addresses not in files",
        ),
    ],
};

/// A limit or request of a container.
pub(crate) static RESOURCE_FIELD_REF: Schema = Schema {
    title: "resourceFieldRef",
    fields: &[
        yes("containerName", ""),
        yes("resource", "of cpu, memory and hugepages-SIZE"),
        yes("divisor", ""),
    ],
};

/// A key of something.
pub(crate) static KEY_REF: Schema = Schema {
    title: "configMapKeyRef, secretKeyRef",
    fields: &[yes("name", ""), yes("key", ""), yes("optional", "")],
};

/// Limits and requests.
pub(crate) static RESOURCES: Schema = Schema {
    title: "resources",
    fields: &[
        yes(
            "limits",
            "cpu, memory, hugepages-SIZE; `VENDOR/CLASS=DEVICE` (CDI)",
        ),
        yes("requests", "cpu: a share; memory: kept when it is short"),
        refused("claims", "devices are asked for by `limits`"),
    ],
};

/// A mount.
pub(crate) static VOLUME_MOUNT: Schema = Schema {
    title: "volumeMounts",
    fields: &[
        yes("name", ""),
        yes("mountPath", ""),
        yes("readOnly", ""),
        yes("recursiveReadOnly", "`IfPossible` is always possible"),
        yes("subPath", "made if it is missing, except in memory"),
        yes("subPathExpr", ""),
        yes("mountPropagation", ""),
        refused("bindMountOptions", "options of mounts are not there yet"),
    ],
};

/// A probe.
pub(crate) static PROBE: Schema = Schema {
    title: "livenessProbe, readinessProbe, startupProbe",
    fields: &[
        yes("exec", ""),
        yes("httpGet", ""),
        yes("tcpSocket", ""),
        yes("grpc", ""),
        yes("initialDelaySeconds", "0 if nothing is said"),
        yes("timeoutSeconds", "1"),
        yes("periodSeconds", "10"),
        yes("successThreshold", "1"),
        yes("failureThreshold", "3"),
        yes("terminationGracePeriodSeconds", "of the pod"),
    ],
};

/// A command.
pub(crate) static EXEC: Schema = Schema {
    title: "exec",
    fields: &[yes("command", "")],
};

/// A request.
pub(crate) static HTTP_GET: Schema = Schema {
    title: "httpGet",
    fields: &[
        yes("port", "a number, or the name of a port of the container"),
        yes("path", ""),
        yes("host", "the pod if nothing is said"),
        yes("scheme", "`HTTP` or `HTTPS`"),
        yes("httpHeaders", ""),
        refused("protocol", "requests are HTTP/1.1"),
    ],
};

/// A header.
pub(crate) static HTTP_HEADER: Schema = Schema {
    title: "httpHeaders",
    fields: &[yes("name", ""), yes("value", "")],
};

/// A connection.
pub(crate) static TCP_SOCKET: Schema = Schema {
    title: "tcpSocket",
    fields: &[yes("port", "as of `httpGet`"), yes("host", "")],
};

/// A question in gRPC.
pub(crate) static GRPC: Schema = Schema {
    title: "grpc",
    fields: &[
        yes("port", "a number"),
        yes("service", ""),
        refused("mode", "gRPC over TLS is not asked"),
    ],
};

/// What is done around a container's start and end.
pub(crate) static LIFECYCLE: Schema = Schema {
    title: "lifecycle",
    fields: &[
        yes("postStart", ""),
        yes("preStop", ""),
        yes("stopSignal", "in place of the image's"),
    ],
};

/// What a hook does.
pub(crate) static HANDLER: Schema = Schema {
    title: "postStart, preStop",
    fields: &[
        yes("exec", ""),
        yes("httpGet", ""),
        yes("sleep", ""),
        refused("tcpSocket", "Kubernetes refuses it, too"),
    ],
};

/// A wait.
pub(crate) static SLEEP: Schema = Schema {
    title: "sleep",
    fields: &[yes("seconds", "")],
};
