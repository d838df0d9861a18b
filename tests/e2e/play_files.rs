//! What pods in YAML have of files: config maps, secrets, volumes of all kinds.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;

use harness::{FairingCommand, Host};
use serde_json::Value;

use crate::stocked::{IMAGE, busybox};

/// A pod that runs this line of the shell once, with these mounts and volumes, and with lines of its own for `spec`.
fn pod(line: &str, mounts: &str, volumes: &str, spec: &str) -> String {
    let line = Value::from(line).to_string();
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: files}}\nspec:\n  restartPolicy: Never\n{spec}  containers:\n  - name: app\n    \
         image: {IMAGE}\n    command: [/bin/sh, -c, {line}]\n    volumeMounts: [{mounts}]\n  volumes: [{volumes}]\n"
    )
}

fn play(host: &Host, text: &str) -> FairingCommand {
    let file = host.write("pod.yaml", text);
    host.fairing(["play", "--wait"]).arg(file)
}

const TEXTS: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: texts}\ndata: {a: one, b: two}\nbinaryData: {c: AP8=}\n---\n\
     apiVersion: v1\nkind: Secret\nmetadata: {name: hidden}\nstringData: {token: quiet}\n---\n";

#[test]
fn files_have_their_permissions_and_nobody_writes_to_them() {
    let host = busybox();
    let text = TEXTS.to_owned()
        + &pod(
            "cat /t/a /t/b; od -An -tx1 /t/c; stat -c %a /t/a /s/deep/token /s/deep; cat /s/deep/token; cat /one; touch /t/a || echo \
             read-only; touch /t/new || echo read-only",
            "{name: t, mountPath: /t}, {name: s, mountPath: /s}, {name: t, mountPath: /one, subPath: a}",
            "{name: t, configMap: {name: texts, defaultMode: 0640}}, {name: s, secret: {secretName: hidden, items: [{key: token, path: \
             deep/token, mode: 0400}]}}",
            "",
        );
    let told = play(&host, &text).run().ok();
    assert!(
        told.stdout
            .starts_with("onetwo 00 ff\n640\n400\n755\nquietone"),
        "{told}"
    );
    assert_eq!(told.stdout.matches("read-only").count(), 2, "{told}");
    // Nothing of a secret is left.
    assert!(host.pod_folders().is_empty());
}

#[test]
fn the_manifest_of_a_pod_does_not_tell_its_secrets() {
    let host = busybox();
    let text = TEXTS.to_owned() + &pod("true", "", "{name: s, secret: {secretName: hidden}}", "");
    let file = host.write("pod.yaml", &text);
    let shown = host
        .fairing(["--debug", "play", "--dry-run"])
        .arg(&file)
        .run()
        .ok();
    assert!(
        !shown.stdout.contains("quiet") && !shown.stderr.contains("quiet"),
        "{shown}"
    );
    let made = host
        .fairing(["play", "--start=false"])
        .arg(&file)
        .run()
        .ok();
    let shown = host.fairing(["cat-manifest", made.text()]).run().ok();
    assert!(!shown.stdout.contains("quiet"), "{shown}");
    let pods = host.data_dir().join("pods");
    assert_eq!(fs::metadata(pods).unwrap().mode() & 0o077, 0);
    host.fairing(["rm", "files"]).run().ok();
}

#[test]
fn config_maps_of_other_files_are_found_and_missing_ones_are_not() {
    let host = busybox();
    let text = pod(
        "cat /t/a",
        "{name: t, mountPath: /t}",
        "{name: t, configMap: {name: texts}}",
        "",
    );
    play(&host, &text)
        .run()
        .expect_error(2, &["no ConfigMap is called texts", "--configmap"]);
    let more = host.write("texts.yaml", TEXTS);
    play(&host, &text)
        .arg("--configmap")
        .arg(more)
        .run()
        .ok()
        .expect_stdout("one");
}

#[test]
fn memory_is_shared_and_has_its_size() {
    let host = busybox();
    let text = pod(
        "df -k /m | tail -n 1 | awk '{print $2}'; echo x >/m/x; cat /n/x",
        "{name: m, mountPath: /m}, {name: m, mountPath: /n}",
        "{name: m, emptyDir: {medium: Memory, sizeLimit: 1Mi}}",
        "",
    );
    play(&host, &text).run().ok().expect_stdout("1024\nx");
}

#[test]
fn an_empty_directory_is_for_every_user_and_for_a_group() {
    let host = busybox();
    let line = "touch /e/file; stat -c '%u %g %a' /e /e/file; id -G";
    let volumes = "{name: e, emptyDir: {}}";
    let mounts = "{name: e, mountPath: /e}";
    let user = "  securityContext: {runAsUser: 1234, runAsGroup: 1235}\n";
    let told = play(&host, &pod(line, mounts, volumes, user)).run().ok();
    assert!(told.stdout.contains("0 0 777\n1234 1235 644"), "{told}");
    let group = "  securityContext: {runAsUser: 1234, runAsGroup: 1235, fsGroup: 77}\n";
    let told = play(&host, &pod(line, mounts, volumes, group)).run().ok();
    assert!(
        told.stdout.contains("0 77 2777\n1234 77 644\n1235 77"),
        "{told}"
    );
}

#[test]
fn a_claim_is_a_named_volume_whose_files_a_group_gets() {
    let host = busybox();
    let claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: kept\n  labels: {of: tests}\n  annotations: \
         {volume.podman.io/uid: \"70\"}\nspec: {accessModes: [ReadWriteOnce]}\n---\n";
    let text = |line: &str, spec: &str| {
        claim.to_owned()
            + &pod(
                line,
                "{name: k, mountPath: /k}, {name: k, mountPath: /part, subPath: a/b}",
                "{name: k, persistentVolumeClaim: {claimName: kept}}",
                spec,
            )
    };
    let told = play(
        &host,
        &text("stat -c %u /k; echo x >/part/x; chmod 600 /k/a/b/x", ""),
    )
    .run()
    .ok();
    assert_eq!(told.text(), "70");
    let group = "  securityContext: {fsGroup: 77}\n";
    let told = play(&host, &text("stat -c '%g %a' /k/a/b/x", group))
        .run()
        .ok();
    assert_eq!(told.text(), "77 660");
    let labelled = host
        .fairing(["volume", "list", "--quiet", "--filter", "label=of=tests"])
        .run()
        .ok();
    assert_eq!(labelled.text(), "kept");
    let file = host.base().join("pod.yaml");
    host.fairing(["down"]).arg(&file).run().ok();
    host.fairing(["volume", "inspect", "kept"]).run().ok();
    host.fairing(["down", "--force"])
        .arg(&file)
        .run()
        .ok()
        .expect_stdout("kept");
    host.fairing(["volume", "inspect", "kept"])
        .run()
        .expect_code(121);
}

#[test]
fn what_is_at_a_path_of_the_host_is_compared_and_made() {
    let host = busybox();
    let place = |name: &str| host.base().join(name).display().to_string();
    fs::write(place("file"), "x").unwrap();
    let _socket = UnixListener::bind(place("socket")).unwrap();
    symlink("file", place("link")).unwrap();
    let run = |name: &str, kind: &str| {
        let volume = format!(
            "{{name: h, hostPath: {{path: {}, type: {kind}}}}}",
            place(name)
        );
        play(
            &host,
            &pod("ls -ld /h", "{name: h, mountPath: /h}", &volume, ""),
        )
        .run()
    };
    for (name, kind) in [
        ("made/deep", "DirectoryOrCreate"),
        ("made", "Directory"),
        ("made-file", "FileOrCreate"),
        ("file", "File"),
        ("link", "File"),
        ("socket", "Socket"),
    ] {
        run(name, kind).ok();
    }
    assert_eq!(
        fs::metadata(place("made-file")).unwrap().mode() & 0o777,
        0o644
    );
    for (name, kind, reason) in [
        ("file", "Directory", "is not a directory"),
        ("made", "File", "is not a regular file"),
        ("file", "Socket", "is not a socket"),
        ("gone", "Directory", "is not there: a directory is needed"),
        ("file", "BlockDevice", "is not a block device"),
    ] {
        run(name, kind).expect_error(125, &[reason]);
    }
}

#[test]
fn a_device_of_the_host_can_be_used() {
    let host = busybox();
    let text = pod(
        "head -c 2 /dev/nothing | wc -c",
        "{name: d, mountPath: /dev/nothing}",
        "{name: d, hostPath: {path: /dev/zero, type: CharDevice}}",
        "",
    );
    let told = play(&host, &text).run().ok();
    assert_eq!(told.text(), "2");
}

#[test]
fn parts_of_volumes_are_made_and_lead_nowhere_else() {
    let host = busybox();
    let directory = host.base().join("shared");
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
    let outside = host.base().join("outside");
    fs::create_dir(&outside).unwrap();
    symlink(&outside, directory.join("out")).unwrap();
    let volume = format!("{{name: h, hostPath: {{path: {}}}}}", directory.display());
    let run = |sub_path: &str| {
        let mounts = format!("{{name: h, mountPath: /h, {sub_path}}}");
        play(&host, &pod("touch /h/x", &mounts, &volume, "")).run()
    };
    run("subPath: new/part").ok();
    assert!(directory.join("new/part/x").exists());
    run("subPath: ../outside").expect_error(2, &["not a path within the volume"]);
    let led_out = run("subPath: out/part");
    assert_ne!(led_out.code, Some(0), "{led_out}");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn variables_come_of_everything_that_is_known() {
    let host = busybox();
    let text = TEXTS.to_owned()
        + &pod("echo $P_a $TOKEN $NAME $NODE $CPU \"$SELF\"", "", "", "").replace(
            "    volumeMounts",
            "    envFrom: [{prefix: P_, configMapRef: {name: just, optional: true}}]\n    env:\n    - {name: P_a, valueFrom: \
             {configMapKeyRef: {name: texts, key: a}}}\n    - {name: TOKEN, valueFrom: {secretKeyRef: {name: hidden, key: token}}}\n    - \
             {name: NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}\n    - {name: NODE, valueFrom: {fieldRef: {fieldPath: \
             spec.nodeName}}}\n    - {name: CPU, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}\n    - {name: SELF, value: \
             '$(NAME)-$$(NAME)'}\n    resources: {limits: {cpu: 1500m}}\n    volumeMounts",
        );
    let node = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let told = play(&host, &text).run().ok();
    assert_eq!(
        told.text(),
        format!("one quiet files {} 2 files-$(NAME)", node.trim())
    );
}
