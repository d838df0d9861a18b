//! What comes of files.

use std::path::Path;

use engine::pods::spec::PodSpec;
use pod::manifest::{Limit, RestartPolicy, Role, VolumeSource};

use crate::fuzzing::facts;
use crate::{Pods, Source, named, pods};

fn read(text: &str) -> Result<Pods, String> {
    let source = [Source { name: "f", text }];
    pods(&source, &[], &facts()).map_err(|error| error.to_string())
}

/// The one pod of a text.
fn one(text: &str) -> PodSpec {
    let mut pods = read(text).unwrap().pods;
    assert_eq!(pods.len(), 1);
    pods.pop().unwrap().spec
}

/// A pod with these lines in its `spec`.
fn pod(lines: &str) -> String {
    format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec:\n{lines}")
}

/// A pod of one container with these lines in it.
fn container(lines: &str) -> String {
    pod(&format!(
        "  containers:\n  - name: app\n    image: x.io/a:1\n{lines}"
    ))
}

fn env(spec: &PodSpec) -> Vec<&str> {
    let env = spec.apps[0].env.iter();
    env.map(|variable| variable.as_str()).collect()
}

#[test]
fn the_corpus_is_understood() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/e2e/data/pod-yaml");
    let mut count = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let found = read(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let names = found.pods.iter().filter_map(|plan| plan.spec.name.clone());
        let ended = named(&[Source {
            name: "f",
            text: &text,
        }])
        .unwrap();
        assert_eq!(ended.pods, names.collect::<Vec<_>>());
        count += 1;
    }
    assert!(count >= 9, "{count}");
}

#[test]
fn a_pod_has_kubernetes_defaults() {
    let spec = one(&container(""));
    assert_eq!(spec.grace_period.as_secs(), 30);
    let app = &spec.apps[0];
    assert_eq!(app.restart.policy, RestartPolicy::Always);
    assert_eq!(app.role, Role::Main);
    assert!(app.own_processes && !app.tty && app.exec.is_none());
}

#[test]
fn commands_replace_the_entry_point_and_arguments_the_rest() {
    let words = |lines: &str| {
        let app = one(&container(lines)).apps.remove(0);
        format!("{:?} {:?}", app.exec, app.arguments)
    };
    assert_eq!(words(""), "None []");
    assert_eq!(words("    args: [a]\n"), r#"None ["a"]"#);
    assert_eq!(words("    command: [/x, b]\n"), r#"Some("/x") ["b"]"#);
    assert_eq!(
        words("    command: [/x, b]\n    args: [c]\n"),
        r#"Some("/x") ["b", "c"]"#
    );
}

#[test]
fn init_containers_come_first_and_sidecars_stay() {
    let text = pod(
        "  restartPolicy: Never\n  initContainers:\n  - {name: a, image: x}\n  - {name: b, image: x, restartPolicy: Always}\n  \
         - {name: c, image: x, restartPolicy: OnFailure}\n  containers:\n  - {name: d, image: x}\n  - {name: e, image: x, \
         restartPolicy: Always}\n",
    );
    let spec = one(&text);
    let all: Vec<_> = spec
        .apps
        .iter()
        .map(|app| (app.role, app.restart.policy))
        .collect();
    assert_eq!(
        all,
        [
            (Role::Init, RestartPolicy::Never),
            (Role::Sidecar, RestartPolicy::Never),
            (Role::Init, RestartPolicy::OnFailure),
            (Role::Main, RestartPolicy::Never),
            (Role::Main, RestartPolicy::Always),
        ]
    );
}

#[test]
fn variables_come_in_order_and_later_ones_count() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\ndata: {a.b: 1x, C: 2x}\n---\n"
        .to_owned()
        + &container(
            "    envFrom: [{prefix: P_, configMapRef: {name: m}}]\n    env:\n    - {name: A, value: '$(P_C)-$(B)'}\n    - \
             {name: B, value: $(A)}\n    - {name: odd.name-x, value: ''}\n",
        );
    assert_eq!(
        env(&one(&text)),
        [
            "P_C=2x",
            "P_a.b=1x",
            "A=2x-$(B)",
            "B=2x-$(B)",
            "odd.name-x="
        ]
    );
}

#[test]
fn addresses_of_a_pod_are_filled_in_when_it_has_some() {
    let spec = one(&container(
        "    command: [/a, --at=$(IP):80]\n    env:\n    - {name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}\n",
    ));
    let app = &spec.apps[0];
    let (mark, _) = app.addresses.first_key_value().unwrap();
    assert_eq!(app.addresses.len(), 1);
    assert_eq!(app.arguments, [format!("--at={mark}:80")]);
    assert_eq!(env(&spec), [format!("IP={mark}")]);
    assert!(one(&container("")).apps[0].addresses.is_empty());
}

#[test]
fn limits_are_those_of_the_kernel() {
    let spec = one(&container(
        "    resources: {limits: {cpu: 1500m, memory: 64Mi, hugepages-2Mi: 4Mi}, requests: {memory: 32Mi}}\n",
    ));
    let resources = &spec.apps[0].resources;
    assert_eq!(resources.cpu.quota, Some(Limit::At(150_000)));
    assert_eq!(resources.cpu.shares, Some(1536));
    assert_eq!(resources.memory.limit, Some(Limit::At(64 << 20)));
    assert_eq!(resources.memory.reservation, Some(Limit::At(32 << 20)));
    assert_eq!(resources.hugepage_limits[0].page_size, "2MB");
    let small = one(&container("    resources: {requests: {cpu: 1m}}\n"));
    assert_eq!(small.apps[0].resources.cpu.shares, Some(2));
}

#[test]
fn a_group_of_files_is_the_volumes_and_the_apps() {
    let spec = one(&pod(
        "  securityContext: {fsGroup: 7, supplementalGroups: [8]}\n  containers: [{name: a, image: x}]\n  volumes:\n  - {name: \
         e, emptyDir: {}}\n  - {name: k, persistentVolumeClaim: {claimName: kept}}\n",
    ));
    assert_eq!(spec.apps[0].groups, ["8", "7"]);
    assert_eq!(spec.volume_group.unwrap().gid, 7);
    assert_eq!(spec.grouped_volumes.len(), 1);
    let VolumeSource::Empty { ownership, .. } = &spec.volumes[0].source else {
        panic!("{:?}", spec.volumes);
    };
    assert_eq!((ownership.gid, ownership.mode), (Some(7), Some(0o2777)));
}

#[test]
fn what_makes_no_sense_is_told_where_it_stands() {
    let volume = |volume: &str| {
        pod(&format!(
            "  containers: [{{name: a, image: x, volumeMounts: [{{name: v, mountPath: /v}}]}}]\n  volumes: [{volume}]\n"
        ))
    };
    let long = "x".repeat(64);
    for (text, reason) in [
        ("a: [", "f:1: "),
        (
            "- a",
            "an object of Kubernetes is expected, and this is a list",
        ),
        ("kind: Pod", "apiVersion is missing"),
        (
            "apiVersion: v1\nkind: Pod\nspec: {}",
            "f:1: metadata is missing",
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {}",
            "metadata: name is missing",
        ),
        (
            "apiVersion: v1\nkind: Nonsense",
            "kind Nonsense of v1 is not known",
        ),
        ("apiVersion: batch/v1\nkind: CronJob", "a timer of systemd"),
        (&pod("  containers: []\n"), "containers are missing"),
        (
            &container("").replace("web", "Web"),
            "f:3: metadata.name: `Web` is not a valid name",
        ),
        (&container("").replace("web", &long), "longer than 63"),
        (
            &container("    args: [1]\n"),
            "f:8: spec.containers[0].args[0]: a text is expected, and 1 without quotes is a number: write \"1\"",
        ),
        (
            &container("    tty: 5\n"),
            "true or false is expected, and this is \"5\"",
        ),
        (
            &container("    env: [{name: A, value: x}, {name: LISTEN_FDS, value: x}]\n"),
            "variable \"LISTEN_FDS\"",
        ),
        (
            &container("    env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}]\n"),
            "no Secret is called s",
        ),
        (
            &volume(
                "{name: v, downwardAPI: {items: [{path: a, fieldRef: {fieldPath: status.podIP}}]}}",
            ),
            "known too late",
        ),
        (
            &container("    volumeMounts: [{name: gone, mountPath: /a}]\n"),
            "the pod has no volume called gone",
        ),
        (
            &container("    livenessProbe: {exec: {command: [a]}, tcpSocket: {port: 1}}\n"),
            "exactly one action",
        ),
        (
            &container("    livenessProbe: {tcpSocket: {port: http}}\n"),
            "\"http\" is neither a port",
        ),
        (
            &container("    lifecycle: {postStart: {tcpSocket: {port: 1}}}\n"),
            "Kubernetes refuses it, too",
        ),
        (
            &container("    resources: {limits: {cpu: 1}, requests: {cpu: 2}}\n"),
            "more is requested than the limit",
        ),
        (
            &container("    resources: {limits: {nvidia.com/gpu: 1}}\n"),
            "there is no such resource",
        ),
        (
            &container("    resources: {limits: {nvidia.com/gpu: 2}}\n"),
            "one device is asked for by each name: write 1",
        ),
        (
            &container("    resources: {limits: {memory: 64m}}\n"),
            "\"64m\" is a part of a byte, since `m` stands for thousandths: write 64Mi, or 64M",
        ),
        (
            &container("    resources: {requests: {hugepages-2Mi: 4000m}}\n"),
            "write 4000Mi",
        ),
        (
            &container(
                "    restartPolicyRules: [{action: Restart, exitCodes: {operator: In, values: [1]}}]\n",
            ),
            "a restartPolicy of its own",
        ),
        (
            &container(
                "    restartPolicy: Never\n    restartPolicyRules: [{action: Restart, exitCodes: {operator: In, values: [256]}}]\n",
            ),
            "256 is out of range",
        ),
        (
            &container("    command: [\"a\\0b\"]\n"),
            "it holds the character NUL",
        ),
        (
            &container("    securityContext: {runAsNonRoot: true, runAsUser: 0}\n"),
            "excludes runAsUser 0",
        ),
        (
            &container(
                "    ports: [{containerPort: 1, hostPort: 9}, {containerPort: 2, hostPort: 9}]\n",
            ),
            "port 9 of the host is asked for twice",
        ),
        (
            &pod("  containers: [{name: a, image: x}, {name: a, image: y}]\n"),
            "another container called a",
        ),
        (
            &pod(
                "  initContainers: [{name: i, image: x, livenessProbe: {tcpSocket: {port: 1}}}]\n  containers: [{name: a, image: x}]\n",
            ),
            "neither probes nor hooks",
        ),
        (
            &volume("{name: v, configMap: {name: gone}}"),
            "no ConfigMap is called gone",
        ),
        (
            &volume("{name: v, nfs: {server: x, path: /}}"),
            "storage of a cluster",
        ),
        (
            &volume("{name: v, hostPath: {path: relative}}"),
            "is not absolute",
        ),
        (
            &volume("{name: v, emptyDir: {medium: HugePages}}"),
            "is not there: Memory, or none",
        ),
        (
            &volume("{name: v, secret: {secretName: s, items: [{key: k, path: ../x}]}}"),
            "not a path within the volume",
        ),
        (
            &volume("{name: v, configMap: {name: m, defaultMode: 644}}"),
            "without the first 0 they are decimal",
        ),
        (
            &(container("") + "---\n" + &container("")),
            "there is another pod called web",
        ),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(reason), "{text}\n{error}\n{reason}");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let error = read(&container(
        "    nonsense: 1\n    stdinOnce: true\n    volumeDevices: [x]\n",
    ))
    .unwrap_err();
    assert_eq!(error.matches("spec.containers[0]").count(), 3, "{error}");
}

#[test]
fn what_means_nothing_here_is_a_warning_by_name() {
    let text = pod(
        "  containers: [{name: a, image: x}]\n  nodeName: here\n  tolerations: []\n  priority: 7\n",
    );
    let text = text + "---\napiVersion: v1\nkind: Service\nmetadata: {name: s}\n";
    let warnings = read(&text).unwrap().warnings;
    let texts: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 3, "{texts:?}");
    assert!(
        texts[0].starts_with("f:6: spec.nodeName: ignored: "),
        "{texts:?}"
    );
    assert!(
        texts[1].starts_with("f:8: spec.priority: ignored: "),
        "{texts:?}"
    );
    assert!(texts[2].contains("Service is ignored"), "{texts:?}");
}

#[test]
fn files_of_an_end_may_say_what_a_start_can_not() {
    let text = container("    nonsense: 1\n");
    let source = [Source {
        name: "f",
        text: &text,
    }];
    assert_eq!(named(&source).unwrap().pods[0].as_str(), "web");
    let text = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db}\nspec:\n  volumeClaimTemplates:\n  - metadata: {name: data}\n";
    let named = named(&[Source { name: "f", text }]).unwrap();
    assert_eq!(named.pods[0].as_str(), "db-0");
    assert_eq!(named.volumes[0].as_str(), "data-db-0");
}
