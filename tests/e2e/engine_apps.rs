//! The engine as a library: what a CRI shim does with apps beside starting them. It connects to what listens in a pod, takes
//! apps out of pods that have ended, and asks what they use.

use std::io::{Read, Write};
use std::time::Duration;

use cni_glue::config::Selection;
use engine::Engine;
use engine::observer::Warnings;
use engine::pods::app_at_rest::remove_app_at_rest;
use engine::pods::background;
use engine::pods::port_forward;
use engine::pods::prepare::prepare;
use engine::pods::security::SecuritySpec;
use engine::pods::spec::{AppSpec, PodSpec};
use engine::pods::usage::measure;
use engine::pods::writable_layer::writable_layer;
use harness::{Host, dist_dir, wait_until};
use pod::activation::ActivationSockets;
use pod::manifest::Streams;
use pod::{AppName, PodEntry};

use crate::engine_threads::engine_of;
use crate::stocked::{IDLE, IMAGE, busybox, status, wait_log};

fn entry(engine: &Engine, pod: &str) -> PodEntry {
    let found = engine.pods().by_uuid(pod.parse().unwrap()).unwrap();
    found.expect("the pod is there")
}

fn name(text: &str) -> AppName {
    text.parse().unwrap()
}

fn run(host: &Host, flags: &[&str], script: &str) -> String {
    let run = host.fairing(["run", "--detach"]).args(flags);
    let run = run.args([IMAGE, "--app-name=web", "--", "/bin/sh", "-c", script]);
    run.run().ok().text().to_owned()
}

#[test]
fn who_listens_at_localhost_in_a_pod_is_reached_from_outside() {
    let host = busybox();
    let engine = engine_of(&host);
    let listen = "nc -ll -p 7001 -e /bin/cat & echo listens; exec sleep 1000";
    let pod = run(&host, &["--net=none"], listen);
    wait_log(&host, &pod, "listens");
    let entry_of = entry(&engine, &pod);
    let before = std::fs::read_link("/proc/thread-self/ns/net").unwrap();
    let connect = |port| port_forward::connect(&entry_of, &engine.directories, port);
    for _ in 0..2 {
        let mut stream = wait_until("somebody listens", Duration::from_secs(10), || {
            connect(7001).ok()
        });
        stream.write_all(b"hello").unwrap();
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"hello");
    }
    let error = connect(7003).unwrap_err().to_string();
    assert!(
        error.contains("nobody listens at port 7003 of the pod: 127.0.0.1:7003"),
        "{error}"
    );
    assert_eq!(
        std::fs::read_link("/proc/thread-self/ns/net").unwrap(),
        before
    );
    host.fairing(["stop", "--force", &pod]).run().ok();
    let error = connect(7001).unwrap_err().to_string();
    assert!(error.contains("no pod has"), "{error}");
}

#[test]
fn an_app_leaves_a_pod_that_has_ended_with_its_files() {
    let host = busybox();
    let engine = engine_of(&host);
    let pod = run(
        &host,
        &[],
        "echo said; trap 'exit 0' TERM; while :; do usleep 5000; done",
    );
    let running = entry(&engine, &pod);
    let error = remove_app_at_rest(&running, &name("web"), &engine).unwrap_err();
    assert!(error.to_string().contains("is running"), "{error}");
    wait_log(&host, &pod, "said");
    host.fairing(["stop", &pod]).run().ok();
    let ended = entry(&engine, &pod);
    let files = ended.path.join("apps/web");
    assert!(files.exists());
    assert!(remove_app_at_rest(&ended, &name("web"), &engine).unwrap());
    assert!(!files.exists());
    assert_eq!(status(&host, &pod)["apps"], serde_json::json!([]));
    // Once more is as good.
    assert!(!remove_app_at_rest(&ended, &name("web"), &engine).unwrap());
    assert!(!remove_app_at_rest(&ended, &name("other"), &engine).unwrap());
    host.fairing(["rm", &pod]).run().ok();
    assert!(!remove_app_at_rest(&ended, &name("web"), &engine).unwrap());
}

#[test]
fn what_a_pod_uses_is_told_in_the_words_of_kubelets() {
    let host = busybox();
    let engine = engine_of(&host);
    let pod = run(&host, &["--memory=64m", "--net=none"], IDLE);
    let (all, refused) = measure(&[entry(&engine, &pod)], &engine.directories);
    assert!(refused.is_empty());
    let measured = all.values().next().expect("it runs");
    let web = &measured.stats.apps[0];
    assert!(web.memory.anonymous.unwrap() > 0, "{web:?}");
    assert!(web.memory.page_faults.unwrap() > 0, "{web:?}");
    let available = web.memory.available().unwrap();
    assert_eq!(available, (64 << 20) - web.memory.working_set.unwrap());
    assert!((1..=3).contains(&web.pids.processes.unwrap()), "{web:?}");
    assert!(
        web.cpu.user_ns.is_some() && web.cpu.system_ns.is_some(),
        "{web:?}"
    );
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn what_an_app_has_written_is_counted() {
    let host = busybox();
    let engine = engine_of(&host);
    let script = "head -c 1000000 /dev/zero > /big; mkdir /d; echo x > /d/small; echo written; exec sleep 1000";
    let pod = run(&host, &[], script);
    wait_log(&host, &pod, "written");
    let patience = Duration::from_secs(10);
    let count = |app| writable_layer(&entry(&engine, &pod), &name(app), patience);
    let (written, is_all) = count("web");
    assert!(is_all && written.bytes >= 1_000_000, "{written:?}");
    assert!((3..40).contains(&written.entries), "{written:?}");
    assert_eq!(count("db").0.entries, 0);
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn whole_lists_of_guarded_paths_take_the_place_of_the_usual_ones() {
    let host = busybox();
    let engine = engine_of(&host);
    let path = |text: &str| text.to_owned().try_into().unwrap();
    let script = "grep -q . /proc/version && echo readable || echo masked; \
                  test -w /proc/sys/kernel/domainname && echo writable || echo guarded; \
                  ls /sys/firmware | wc -l; echo done; sleep 1000";
    for (masked, expected) in [
        (vec![], "readable"),
        (vec![path("/proc/version")], "masked"),
    ] {
        let app = AppSpec {
            name: Some(name("web")),
            exec: Some("/bin/sh".to_owned()),
            arguments: vec!["-c".to_owned(), script.to_owned()],
            security: SecuritySpec {
                masked_paths: Some(masked),
                readonly_paths: Some(Vec::new()),
                ..SecuritySpec::default()
            },
            ..AppSpec::of(IMAGE)
        };
        let spec = PodSpec {
            streams: Streams::Log,
            remove_on_exit: true,
            isolator: dist_dir()
                .join("lib/fairing/stage1/nspawn")
                .display()
                .to_string(),
            ..PodSpec::new(Selection::None.into(), vec![app])
        };
        let warnings = Warnings::default();
        let sockets = ActivationSockets::default();
        let prepared = prepare(&engine, &spec, &sockets, &warnings).unwrap();
        let patience = Duration::from_secs(30);
        let uuid = background::start(prepared, &engine, patience, &warnings)
            .unwrap()
            .to_string();
        wait_log(&host, &uuid, "done");
        let logs = host.fairing(["logs", &uuid]).run().ok();
        let logs = logs.expect_stdout(expected).expect_stdout("writable");
        drop(logs);
        let manifest = host.fairing(["cat-manifest", &uuid]).run().ok().json();
        let security = &manifest["apps"][0]["security"];
        assert_eq!(security["readonly-paths"], serde_json::json!([]));
        host.fairing(["stop", "--force", &uuid]).run().ok();
    }
}

#[test]
fn a_log_at_a_given_path_is_the_caller_s() {
    let host = busybox();
    let path = host.base().join("logs/web/0.log");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let option = format!("--log-opt=path={}", path.display());
    let script = "echo one; trap 'echo two' USR1; while :; do usleep 5000; done";
    let run = host.fairing(["run", "--detach", IMAGE, "--app-name=web", &option, "--"]);
    let pod = run
        .args(["/bin/sh", "-c", script])
        .run()
        .ok()
        .text()
        .to_owned();
    let read = |path: &std::path::Path| std::fs::read_to_string(path).unwrap_or_default();
    wait_until("the first line", Duration::from_secs(10), || {
        read(&path).contains("stdout F one\n").then_some(())
    });
    wait_log(&host, &pod, "one");
    let old = path.with_extension("old");
    std::fs::rename(&path, &old).unwrap();
    let client = harness::ControlClient::connect(&host, &pod);
    let reopened = client.ask(&serde_json::json!({"type": "reopen-log", "app": "web"}));
    assert_eq!(reopened["type"], "done");
    host.fairing(["kill", "--signal=USR1", &pod]).run().ok();
    wait_until("the second line", Duration::from_secs(10), || {
        read(&path).contains("stdout F two\n").then_some(())
    });
    assert!(!read(&old).contains("two"));
    host.fairing(["stop", "--force", &pod]).run().ok();
    host.fairing(["rm", &pod]).run().ok();
    assert!(path.exists() && old.exists(), "they stay");
    let missing = format!(
        "--log-opt=path={}",
        host.base().join("none/0.log").display()
    );
    host.fairing(["run", "--rm", IMAGE, &missing])
        .run()
        .expect_code(125)
        .expect_stderr("none/0.log of app busybox");
}
