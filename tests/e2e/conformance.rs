//! The contract with isolators, as a user sees it: the same pods in each isolator there is, and in a toy one of some
//! hundred lines of Python. What an isolator lacks stands in its list of features and nowhere else.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use harness::{FairingCommand, Host, Process, dist_dir, installed_kernel, wait_until};
use serde_json::Value;

use crate::stocked::{IMAGE, busybox, status, wait_log};

/// A virtual machine that a program translates takes its time.
const LIMIT: Duration = Duration::from_secs(60);

/// A copy of the toy that root alone can write.
fn toy(host: &Host) -> PathBuf {
    let directory = host.base().join("toy");
    fs::create_dir(&directory).unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("toy-isolator");
    for (name, mode) in [("stage1.json", 0o644), ("toy", 0o755)] {
        let copy = directory.join(name);
        fs::copy(source.join(name), &copy).unwrap();
        fs::set_permissions(&copy, Permissions::from_mode(mode)).unwrap();
    }
    directory
}

/// A host for each isolator, and the isolator.
fn each() -> Vec<(Host, PathBuf)> {
    let installed = fs::read_dir(dist_dir().join("lib/fairing/stage1")).unwrap();
    let mut all: Vec<_> = installed
        .map(|entry| (busybox(), entry.unwrap().path()))
        .collect();
    assert!(!all.is_empty());
    let host = busybox();
    let toy = toy(&host);
    all.push((host, toy));
    all
}

/// `fairing VERB` in this isolator, with nothing that needs a feature.
fn plain(host: &Host, isolator: &Path, verb: &str) -> FairingCommand {
    // No machine of the tests has one installed.
    let kernel = isolator
        .ends_with("kvm")
        .then(|| format!("--kvm-kernel={}", installed_kernel().display()));
    host.fairing([verb, "--stage1"])
        .arg(isolator)
        .args(kernel)
        .args(["--userns=host", net(isolator)])
        .limit(LIMIT)
}

/// The network that takes no feature: none, or the host's where nothing is kept apart from that.
fn net(isolator: &Path) -> &'static str {
    let manifest = fs::read(isolator.join("stage1.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    match manifest["isolates"] == false {
        true => "--net=host",
        false => "--net=none",
    }
}

/// A pod in the background that runs a script.
fn detached(host: &Host, isolator: &Path, name: &str, script: &str) -> String {
    let run = plain(host, isolator, "run").args(["--detach", "--name", name, IMAGE, "--"]);
    let output = run.args(["/bin/sh", "-c", script]).run().ok();
    output.text().to_owned()
}

#[test]
fn output_and_exit_code_are_the_apps() {
    for (host, isolator) in each() {
        let script = "echo out; echo err >&2; exit 3";
        let run =
            plain(&host, &isolator, "run").args(["--rm", IMAGE, "--", "/bin/sh", "-c", script]);
        let output = run.run().expect_code(3);
        assert_eq!(output.stdout, "out\n", "{isolator:?}");
        assert!(output.stderr.contains("err\n"), "{isolator:?}: {output}");
        let killed = [
            "--rm",
            IMAGE,
            "--",
            "/bin/sh",
            "-c",
            "sh -c 'kill -9 $$'; exit $?",
        ];
        let run = plain(&host, &isolator, "run").args(killed);
        run.run().expect_code(137);
        assert!(host.pod_folders().is_empty(), "{isolator:?}");
    }
}

#[test]
fn a_program_that_cant_be_started_is_told_in_front_and_behind() {
    for (host, isolator) in each() {
        for (flags, program, code) in [
            (&[][..], "/bin/nonsense", 127),
            (&[][..], "/etc", 126),
            (&["--user", "stranger"][..], "/bin/true", 119),
        ] {
            for detach in [&[][..], &["--detach"][..]] {
                let run = plain(&host, &isolator, "run").args(detach).arg(IMAGE);
                let output = run
                    .args(flags)
                    .args(["--", program])
                    .run()
                    .expect_code(code);
                assert!(!output.stderr.is_empty(), "{isolator:?}: {output}");
            }
        }
        assert!(host.pod_folders().is_empty(), "{isolator:?}");
        let prepare = plain(&host, &isolator, "prepare").args([IMAGE, "--", "/bin/nonsense"]);
        let pod = prepare.run().ok().text().to_owned();
        host.fairing(["run-prepared", &pod]).run().expect_code(127);
        assert_eq!(status(&host, &pod)["state"], "prepared", "{isolator:?}");
        host.fairing(["rm", &pod]).run().ok();
    }
}

#[test]
fn a_pod_in_the_background_is_seen_asked_to_end_and_remembered() {
    const SCRIPT: &str = "trap 'echo bye; exit 4' TERM; echo hi; while :; do usleep 20000; done";
    for (host, isolator) in each() {
        let pod = detached(&host, &isolator, "service", SCRIPT);
        wait_log(&host, &pod, "hi");
        let running = status(&host, "service");
        assert_eq!(running["state"], "running", "{isolator:?}");
        assert_eq!(running["apps"][0]["state"], "running", "{isolator:?}");
        let app = running["apps"][0]["pid"].as_u64();
        let is_elsewhere = isolator.ends_with("kvm");
        assert_eq!(app.is_none(), is_elsewhere, "{isolator:?}");
        assert!(app.is_none_or(|app| Process::read(u32::try_from(app).unwrap()).is_some()));
        let list = host.fairing(["list", "--format=json"]).run().ok().json();
        assert_eq!(list[0]["uuid"], Value::from(pod.as_str()), "{isolator:?}");
        // The name is taken.
        let run = plain(&host, &isolator, "run").args(["--name=service", IMAGE, "--", "/bin/true"]);
        run.run().expect_error(120, &["service"]);
        let waits = host.fairing(["wait", "service"]).limit(LIMIT).spawn();
        host.fairing(["stop", "service"]).limit(LIMIT).run().ok();
        assert_eq!(waits.wait().stdout, "4\n", "{isolator:?}");
        let ended = status(&host, "service");
        assert_eq!(ended["state"], "exited", "{isolator:?}");
        assert_eq!(ended["apps"][0]["exit-code"], 4, "{isolator:?}");
        wait_log(&host, &pod, "bye");
        host.fairing(["rm", "service"]).run().ok();
        host.expect_clean();
    }
}

#[test]
fn an_app_that_does_not_end_is_killed_after_the_grace_period() {
    for (host, isolator) in each() {
        let pod = detached(
            &host,
            &isolator,
            "deaf",
            "trap '' TERM; echo hi; while :; do usleep 20000; done",
        );
        wait_log(&host, &pod, "hi");
        let stop = host.fairing(["stop", "--grace-period=200ms", "deaf"]);
        stop.limit(LIMIT).run().ok();
        assert_eq!(
            status(&host, "deaf")["apps"][0]["exit-code"],
            137,
            "{isolator:?}"
        );
    }
}

#[test]
fn an_app_that_fails_ends_the_others_and_gives_the_pod_its_code() {
    for (host, isolator) in each() {
        if isolator.ends_with("fly") {
            // One app a pod.
            continue;
        }
        let run = plain(&host, &isolator, "run").args(["--rm", "--grace-period=1s"]);
        let run = run.args([IMAGE, "--app-name=one", "--"]);
        let one = run.args([
            "/bin/sh",
            "-c",
            "trap 'exit 0' TERM; while :; do usleep 20000; done",
        ]);
        let two = one.args(["---", IMAGE, "--app-name=two", "--"]);
        two.args(["/bin/sh", "-c", "exit 7"]).run().expect_code(7);
    }
}

#[test]
fn nothing_outlives_a_monitor_that_is_killed() {
    for (host, isolator) in each() {
        let script = "(setsid sleep 1000 &); echo hi; sleep 1000";
        let pod = detached(&host, &isolator, "victim", script);
        wait_log(&host, &pod, "hi");
        let monitor = status(&host, "victim")["monitor-pid"].as_u64().unwrap();
        let processes = host.processes();
        let monitor = processes.iter().find(|it| u64::from(it.pid) == monitor);
        monitor.expect("the monitor is the host's").kill();
        wait_until("the pod is dead", LIMIT, || {
            host.processes().is_empty().then_some(())
        });
        assert_eq!(status(&host, &pod)["state"], "exited", "{isolator:?}");
        host.collect();
        host.expect_clean();
    }
}

#[test]
fn what_a_pod_writes_stays_out_of_its_image() {
    for (host, isolator) in each() {
        let script = "echo changed > /bin/new; rm /bin/true; ls /bin/new";
        let run =
            plain(&host, &isolator, "run").args(["--rm", IMAGE, "--", "/bin/sh", "-c", script]);
        run.run().ok().expect_stdout("/bin/new\n");
        let run = plain(&host, &isolator, "run").args(["--rm", IMAGE, "--", "/bin/true"]);
        run.run().ok();
        host.fairing(["image", "verify", IMAGE]).run().ok();
    }
}

/// Whether an isolator lists a feature.
fn has(isolator: &Path, feature: &str) -> bool {
    let manifest = fs::read(isolator.join("stage1.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let mut features = manifest["features"].as_array().unwrap().iter();
    features.any(|listed| listed == feature)
}

#[test]
fn volumes_are_the_same_in_each_isolator_that_has_them() {
    let mut tried = 0;
    for (host, isolator) in each() {
        // fly doesn't move an app away from the host's directories.
        if !has(&isolator, "volumes") || isolator.ends_with("fly") {
            continue;
        }
        tried += 1;
        let source = host.base().join("source");
        fs::create_dir(&source).unwrap();
        fs::write(source.join("file"), "of the host\n").unwrap();
        let script = "cat /data/file; echo new > /data/new; echo x > /fixed/x || echo fixed; \
                      echo kept > /named/file; stat -c %a /memory";
        let run = plain(&host, &isolator, "run")
            .arg(format!("--volume={}:/data", source.display()))
            .arg(format!("--volume={}:/fixed:ro", source.display()))
            .args(["--volume=named:/named", "--tmpfs=/memory:mode=711"])
            .args(["--name=box", IMAGE, "--", "/bin/sh", "-c", script]);
        let output = run.run().ok();
        assert_eq!(output.stdout, "of the host\nfixed\n711\n", "{isolator:?}");
        let new = fs::read_to_string(source.join("new")).unwrap();
        assert_eq!(new, "new\n", "{isolator:?}");
        let exported = host.fairing(["volume", "export", "named"]).run().ok();
        assert!(exported.stdout.contains("kept\n"), "{isolator:?}");
        // And it is in the pod that has ended.
        let copied = host.fairing(["cp", "box:/named/file", "-"]).run().ok();
        assert!(copied.stdout.contains("kept\n"), "{isolator:?}");
    }
    assert!(tried >= 2);
}

#[test]
fn what_an_isolator_lacks_is_refused_by_the_word_of_its_list() {
    let host = busybox();
    let toy = toy(&host);
    for (flags, word) in [
        (&["--memory=64m"][..], "resources"),
        (&["--tty"], "tty"),
        (&["--volume=/etc:/mnt:ro"], "mounts"),
        (&["--cap-add=sys_admin"], "capabilities"),
        (&["--ulimit=nofile=64"], "rlimits"),
        (&["--device=/dev/null"], "devices"),
        (&["--hostname=x", "--sysctl=kernel.msgmax=9000"], "sysctl"),
        (
            &["--security-opt=no-new-privileges=false"],
            "new-privileges",
        ),
    ] {
        let run = plain(&host, &toy, "run")
            .args(flags)
            .args([IMAGE, "--", "/bin/true"]);
        run.run()
            .expect_error(125, &[&format!("`{word}`"), "isolator `toy`"]);
    }
    for (flags, word) in [
        (["--net=default", "--userns=host"], "networks"),
        (["--net=host", "--userns=host"], "host-network"),
        (["--net=none", "--userns=auto"], "user-namespaces"),
    ] {
        let run = host.fairing(["run", "--stage1"]).arg(&toy).args(flags);
        let output = run.args([IMAGE, "--", "/bin/true"]).run();
        output.expect_error(125, &[&format!("`{word}`"), "isolator `toy`"]);
    }
    assert!(host.pod_folders().is_empty());
    let pod = detached(&host, &toy, "plain", "echo hi; exec sleep 1000");
    wait_log(&host, &pod, "hi");
    for (words, word) in [
        (&["enter", "plain", "--", "/bin/true"][..], "exec"),
        (&["cp", "plain:/etc", "-"], "exec"),
        (&["attach", "plain"], "attach"),
        (&["pause", "plain"], "pause"),
        (&["update", "--memory=64m", "plain"], "update"),
        (&["app", "stop", "plain", "busybox"], "mutable"),
        (&["commit", "plain", "x"], "pause"),
    ] {
        let output = host.fairing(words).limit(LIMIT).run();
        output.expect_error(125, &[&format!("`{word}`"), "isolator `toy`"]);
    }
    // What no list has a word for, the isolator refuses itself.
    for (words, word) in [
        (&["stats", "--no-stream", "plain"][..], "stats"),
        (&["rename", "plain", "other"], "rename"),
    ] {
        let output = host.fairing(words).limit(LIMIT).run();
        output.expect_error(125, &[&format!("isolator toy knows no request `{word}`")]);
    }
    let top = host.fairing(["top", "plain"]).limit(LIMIT).run().ok();
    assert!(top.stdout.contains("sleep 1000"), "{top}");
    host.fairing(["stop", "--force", "plain"])
        .limit(LIMIT)
        .run()
        .ok();
}
