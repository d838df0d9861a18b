//! Pods in YAML: started, ended, and written again.

use std::fs;
use std::time::Duration;

use harness::{Computer, FairingCommand, Host, ImageBuilder, Signal, wait_until};
use serde_json::Value;

use crate::stocked::{IDLE, IMAGE, busybox, import, status, wait_log};

const SOON: Duration = Duration::from_secs(20);

/// A pod of this name with these lines below `spec`.
fn pod(name: &str, lines: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, labels: {{of: tests}}}}\nspec:\n{lines}"
    )
}

/// A pod of one app that runs this line of the shell, once.
fn once(name: &str, line: &str) -> String {
    let line = Value::from(line).to_string();
    pod(
        name,
        &format!(
            "  restartPolicy: Never\n  terminationGracePeriodSeconds: 1\n  containers:\n  - name: app\n    image: {IMAGE}\n    command: [/bin/sh, -c, {line}]\n"
        ),
    )
}

fn play(host: &Host, text: &str, flags: &[&str]) -> FairingCommand {
    let file = host.write("pod.yaml", text);
    host.fairing(["play"]).args(flags).arg(file)
}

#[test]
fn a_pod_in_the_foreground_is_as_any_program() {
    let host = busybox();
    play(&host, &once("one", "echo hello; exit 7"), &[])
        .run()
        .expect_code(7)
        .expect_stdout("hello");
    let listed = host
        .fairing([
            "list",
            "--all",
            "--format",
            "{{.Name}}",
            "--filter",
            "label=of=tests",
        ])
        .run()
        .ok();
    assert_eq!(listed.text(), "one");
    // A name is one pod's.
    play(&host, &once("one", "true"), &[])
        .run()
        .expect_error(120, &["one"]);
    play(&host, &once("one", "echo again"), &["--replace", "--wait"])
        .run()
        .ok()
        .expect_stdout("again");
    assert!(host.pod_uuids().len() >= 2);
    assert!(host.pod_folders().is_empty());
}

#[test]
fn standard_input_is_a_file_too() {
    let host = busybox();
    host.fairing(["kube", "play", "--wait", "-"])
        .stdin(once("one", "echo hello"))
        .run()
        .ok()
        .expect_stdout("hello");
}

#[test]
fn a_signal_ends_a_pod_that_would_start_again() {
    let host = busybox();
    let text = pod(
        "web",
        &format!(
            "  terminationGracePeriodSeconds: 1\n  containers:\n  - {{name: app, image: {IMAGE}, command: [/bin/sh, -c, 'echo up; {IDLE}']}}\n"
        ),
    );
    let running = play(&host, &text, &["--wait"]).spawn();
    running.wait_stdout("up");
    running.signal(Signal::TERM);
    running.wait();
    assert!(host.pod_folders().is_empty());
}

#[test]
fn several_pods_run_in_the_background_and_are_ended_by_their_file() {
    let host = busybox();
    let text = [
        once("one", &format!("echo first; {IDLE}")),
        once("two", &format!("echo second; {IDLE}")),
    ]
    .join("---\n");
    play(&host, &text, &[]).run().expect_error(
        2,
        &[
            "one pod alone runs in the foreground",
            "one, two",
            "--detach",
        ],
    );
    let started = play(&host, &text, &["--detach"]).run().ok();
    assert_eq!(started.text().lines().count(), 2, "{started}");
    wait_log(&host, "one", "first");
    wait_log(&host, "two", "second");
    let file = host.base().join("pod.yaml");
    let ended = host.fairing(["down"]).arg(&file).run().ok();
    assert_eq!(ended.text(), "two\none");
    // What is gone is gone.
    host.fairing(["kube", "down"])
        .arg(&file)
        .run()
        .ok()
        .expect_no_stderr();
    assert!(host.pod_folders().is_empty());
}

#[test]
fn one_that_does_not_start_leaves_those_before_it() {
    let host = busybox();
    let text = [
        once("one", IDLE),
        once("two", "x").replace(IMAGE, "test.example/gone:1\n    imagePullPolicy: Never"),
    ]
    .join("---\n");
    play(&host, &text, &["--detach"])
        .run()
        .expect_error(110, &["gone:1", "one run already", "fairing down"]);
    assert_eq!(status(&host, "one")["state"], "running");
    host.fairing(["play", "--down"])
        .arg(host.base().join("pod.yaml"))
        .run()
        .ok();
}

#[test]
fn pods_that_are_made_are_started_later() {
    let host = busybox();
    let made = play(&host, &once("one", "echo later"), &["--start=false"])
        .run()
        .ok();
    assert_eq!(status(&host, "one")["state"], "prepared");
    host.fairing(["run-prepared", "--rm", made.text()])
        .run()
        .ok()
        .expect_stdout("later");
}

#[test]
fn a_dry_run_prints_manifests_and_makes_nothing() {
    let host = busybox();
    let text = once("one", "true")
        + "  volumes:\n  - {name: new, hostPath: {path: /nonexistent/of-no-test, type: DirectoryOrCreate}}\n  - {name: kept, \
           persistentVolumeClaim: {claimName: kept}}\n";
    let made_later = host.base().join("made/later");
    let text = text.replace("/nonexistent/of-no-test", &made_later.display().to_string());
    let manifest = play(
        &host,
        &text,
        &["--dry-run", "--replace", "--annotation", "a=b"],
    )
    .run()
    .ok()
    .json();
    assert_eq!(manifest["name"], "one");
    assert_eq!(manifest["annotations"]["a"], "b");
    assert_eq!(manifest["apps"][0]["own-processes"], true);
    assert_eq!(manifest["apps"][0]["execution"]["args"][0], "/bin/sh");
    assert!(host.pod_uuids().is_empty() && !made_later.exists());
    host.fairing(["volume", "inspect", "kept"])
        .run()
        .expect_code(121);
}

#[test]
fn images_pass_the_policy() {
    let host = busybox();
    fs::remove_dir_all(host.local_config().join("trust.d")).unwrap();
    for flags in [&["--dry-run"][..], &["--detach"], &[]] {
        play(&host, &once("one", "true"), flags)
            .run()
            .expect_error(115, &["no trust rule covers test.example/busybox"]);
    }
    assert!(host.pod_uuids().is_empty());
}

#[test]
fn mistakes_are_told_with_file_and_line_and_nothing_starts() {
    let host = busybox();
    let text = once("one", "true") + "    nonsense: 1\n    tty: maybe\n";
    let told = play(&host, &text, &["--detach"]).run().expect_code(2);
    assert!(
        told.stderr
            .contains("pod.yaml:11: spec.containers[0].nonsense"),
        "{told}"
    );
    assert!(
        told.stderr.contains("pod.yaml:12: spec.containers[0].tty"),
        "{told}"
    );
    let aliases = "a: &a [*a]\n";
    play(&host, aliases, &[])
        .run()
        .expect_error(2, &["pod.yaml:1: ", "no end"]);
    play(&host, "# nothing\n", &[])
        .run()
        .expect_error(2, &["there is no pod"]);
    host.fairing(["play", "none.yaml"])
        .run()
        .expect_error(125, &["none.yaml"]);
    host.fairing(["play", "https://example.com/x.yaml"])
        .run()
        .expect_error(2, &["curl"]);
    let warned = play(
        &host,
        &(once("one", "true") + "  nodeName: here\n"),
        &["--wait"],
    )
    .run()
    .ok();
    assert!(
        warned
            .stderr
            .contains("pod.yaml:11: spec.nodeName: ignored: "),
        "{warned}"
    );
    assert!(host.pod_folders().is_empty());
}

#[test]
fn a_user_that_may_be_root_is_refused_where_that_is_asked_for() {
    let host = busybox();
    let text = |more: &str| {
        once("one", "id -u") + &format!("    securityContext: {{runAsNonRoot: true{more}}}\n")
    };
    play(&host, &text(""), &[])
        .run()
        .expect_error(2, &["must not run as root", "root"]);
    play(&host, &text(", runAsUser: 1234"), &["--wait"])
        .run()
        .ok()
        .expect_stdout("1234");
}

#[test]
fn apps_have_process_ids_of_their_own_unless_they_share_them() {
    let host = busybox();
    play(&host, &once("one", "echo pid $$$$"), &["--wait"])
        .run()
        .ok()
        .expect_stdout("pid 1\n");
    let shared = once("one", "echo pid $$$$") + "  shareProcessNamespace: true\n";
    let told = play(&host, &shared, &["--wait"]).run().ok();
    assert_ne!(told.text(), "pid 1");
}

#[test]
fn init_containers_sidecars_and_apps_come_in_order() {
    let host = busybox();
    let app = |name: &str, line: &str, more: &str| {
        let line = Value::from(line).to_string();
        format!(
            "  - name: {name}\n    image: {IMAGE}\n    command: [/bin/sh, -c, {line}]\n{more}    volumeMounts: [{{name: s, \
             mountPath: /s}}]\n"
        )
    };
    let text = pod(
        "web",
        &format!(
            "  restartPolicy: Never\n  terminationGracePeriodSeconds: 1\n  initContainers:\n{}{}  containers:\n{}  volumes: [{{name: s, \
             emptyDir: {{}}}}]\n",
            app("first", "echo first >> /s/log", ""),
            app(
                "side",
                &format!("echo side >> /s/log; {IDLE}"),
                "    restartPolicy: Always\n    startupProbe: {exec: {command: [grep, side, /s/log]}, periodSeconds: 1}\n"
            ),
            app("main", "cat /s/log", ""),
        ),
    );
    let told = play(&host, &text, &["--wait"]).run().ok();
    assert!(
        told.stdout.contains("first") && told.stdout.contains("side"),
        "{told}"
    );
}

#[test]
fn what_is_written_of_a_pod_makes_the_same_pod() {
    let host = busybox();
    let site = host.base().join("site");
    fs::create_dir(&site).unwrap();
    host.fairing([
        "run",
        "--detach",
        "--name",
        "web",
        "--label",
        "a=b",
        "--hostname",
        "other",
        "--grace-period",
        "3s",
    ])
    .args([
        "--hosts-entry",
        "192.0.2.1=db",
        "--sysctl",
        "net.core.somaxconn=64",
        "--timeout",
        "1h",
    ])
    .args([
        IMAGE,
        "--memory",
        "64m",
        "--cpus",
        "0.5",
        "--env",
        "A=$(B) $x",
        "--env",
        "YES=yes",
        "--cap-drop",
        "CHOWN",
    ])
    .args([
        "--cap-add",
        "NET_ADMIN",
        "--read-only",
        "--read-only-tmpfs=false",
        "--user",
        "7:8",
        "--restart",
        "on-failure",
    ])
    .args(["-v", "kept:/kept", "--tmpfs", "/memory:size=1m", "-v"])
    .arg(format!("{}:/site:ro", site.display()))
    .args([
        "--health-tcp",
        "80",
        "--workdir",
        "/tmp",
        "--stop-signal",
        "QUIT",
        "--seccomp",
        "unconfined",
    ])
    .args(["--", "/bin/sh", "-c", IDLE])
    .run()
    .ok();
    let manifest = |pod: &str| host.fairing(["cat-manifest", pod]).run().ok().json();
    let original = manifest("web");
    let written = host.fairing(["generate", "kube", "web"]).run().ok();
    let file = host.write("web.yaml", &written.stdout);
    let again = host
        .fairing(["play", "--dry-run"])
        .arg(&file)
        .run()
        .ok()
        .json();
    let parts = |manifest: &Value| {
        let mut manifest = manifest.clone();
        let whole = manifest.as_object_mut().unwrap();
        for key in [
            "uuid",
            "created",
            "streams",
            "volumes",
            "user-namespace",
            "selinux",
        ] {
            whole.remove(key);
        }
        let app = manifest["apps"][0].as_object_mut().unwrap();
        // They are volumes of the pod there.
        app.remove("mounts");
        // Its name was made of the image's.
        manifest
    };
    assert_eq!(parts(&original), parts(&again), "{written}");
    let places = |manifest: &Value| {
        let mounts = manifest["apps"][0]["mounts"].as_array().unwrap().clone();
        let mut places: Vec<_> = mounts
            .iter()
            .map(|mount| mount["destination"].to_string())
            .collect();
        places.sort();
        places
    };
    assert_eq!(places(&original), places(&again));
    host.fairing(["stop", "--force", "web"]).run().ok();
    host.fairing(["down", "--force"])
        .arg(&file)
        .run()
        .ok()
        .expect_stdout("kept");
    host.fairing(["kube", "generate", "web"])
        .run()
        .expect_code(121);
}

#[test]
fn generated_yaml_says_what_it_leaves_out() {
    let host = busybox();
    host.fairing([
        "prepare",
        "--name",
        "web",
        "--shm-size",
        "1m",
        IMAGE,
        "--ulimit",
        "nofile=64",
        "--",
        "/bin/true",
    ])
    .run()
    .ok();
    let file = host.base().join("web.yaml");
    let told = host
        .fairing(["generate", "kube", "web", "--filename"])
        .arg(&file)
        .run()
        .ok();
    for part in ["--shm-size", "--ulimit"] {
        assert!(told.stderr.contains(part), "{told}");
    }
    assert!(fs::read_to_string(&file).unwrap().contains("kind: Pod"));
    host.fairing(["rm", "web"]).run().ok();
}

#[test]
fn restarts_are_kubernetes() {
    let host = busybox();
    let text = once("web", "echo begun").replace("Never", "Always");
    play(&host, &text, &["--detach"]).run().ok();
    wait_until("it waits", SOON, || {
        let app = status(&host, "web")["apps"][0].clone();
        (app["state"] == "backing-off").then_some(())
    });
    host.fairing(["down"])
        .arg(host.base().join("pod.yaml"))
        .run()
        .ok();
}

#[test]
fn variables_and_arguments_have_the_address_of_the_pod() {
    let computer = Computer::new();
    let host = Host::builder().on(&computer).build();
    host.accept_unsigned();
    import(&host, &ImageBuilder::busybox().build(), IMAGE);
    let text = once(
        "web",
        "grep -q \"^$(IP)[[:space:]].*web\" /etc/hosts && echo same as $$IP",
    )
    .replace(
        "    command:",
        "    env: [{name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]\n    command:",
    );
    let told = play(&host, &text, &["--wait"]).run().ok();
    assert!(told.text().starts_with("same as 1"), "{told}");
}

#[test]
fn an_app_leaves_its_last_words_where_the_file_says() {
    let host = busybox();
    let text = once("web", "echo because > /why; exit 3") + "    terminationMessagePath: /why\n";
    play(&host, &text, &[]).run().expect_code(3);
    let told = host.fairing(["status", "web"]).run().ok();
    told.expect_stdout("because");
}
