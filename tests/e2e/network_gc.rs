//! What collections say of networks whose plugins fail: each failure on a line of its own, once.

use std::time::Duration;

use harness::{FairingCommand, Host, ImageBuilder, Output, wait_until};

use crate::network_lab::Lab;
use crate::stocked::{IDLE, IMAGE, import};

/// Pods whose monitors were killed, in a network whose plugin takes nothing back.
fn dead_pods(lab: &Lab, count: usize) -> Vec<String> {
    lab.script(
        "stubborn",
        r#"case $CNI_COMMAND in
           ADD) printf '{"cniVersion": "1.0.0"}';;
           DEL) printf '{"code": 100, "msg": "it is mine"}'; exit 1;;
           esac"#,
    );
    let pods: Vec<_> = (0..count)
        .map(|_| {
            let run = collector(lab, &["run", "--detach", "--net=stubborn", IMAGE]);
            let run = run.args(["--", "/bin/sh", "-c", IDLE]).run().ok();
            run.text().to_owned()
        })
        .collect();
    lab.host.kill_all();
    for pod in &pods {
        wait_until("the pod to be dead", Duration::from_secs(60), || {
            let status = lab
                .host
                .fairing(["status", "--format=json", pod])
                .run()
                .ok();
            (status.json()["state"] != "running").then_some(())
        });
    }
    pods
}

fn collector(lab: &Lab, arguments: &[&str]) -> FairingCommand {
    let plugins = lab.host.base().join("bin");
    lab.host.fairing(arguments).env("CNI_PATH", plugins)
}

/// Expects a line for each pod, and none beside.
#[track_caller]
fn expect_lines(output: &Output, pods: &[String]) {
    assert_eq!(output.code, Some(125), "{output}");
    let lines: Vec<_> = output.stderr.lines().collect();
    assert_eq!(lines.len(), pods.len(), "{output}");
    let why = "network stubborn: plugin stubborn: DEL: it is mine (code 100)";
    for pod in pods {
        let of_pod: Vec<_> = lines.iter().filter(|line| line.contains(pod)).collect();
        assert_eq!(of_pod.len(), 1, "{output}");
        assert!(
            of_pod[0].starts_with(&format!("fairing: pod {pod} ")),
            "{output}"
        );
        assert!(of_pod[0].ends_with(why), "{output}");
    }
}

#[test]
fn each_failure_of_a_collection_is_told_once() {
    let lab = Lab::new();
    let before = lab.traces();
    let pods = dead_pods(&lab, 2);
    for _ in 0..2 {
        expect_lines(&collector(&lab, &["network", "gc"]).run(), &pods);
    }
    // Pods that are kept for a while are told of as well.
    expect_lines(&collector(&lab, &["gc"]).run(), &pods);
    expect_lines(&collector(&lab, &["rm", &pods[0]]).run(), &pods[..1]);
    // So are those that can't be removed for it, whether they ended just now or are tried again.
    for _ in 0..2 {
        let gc = collector(&lab, &["gc", "--grace-period=0s"]).run();
        expect_lines(&gc, &pods);
    }

    lab.script("stubborn", "exit 0");
    let gc = collector(&lab, &["gc", "--grace-period=0s"]).run().ok();
    assert_eq!(gc.stderr, "");
    lab.expect_nothing(&before);
}

#[test]
fn what_a_plugin_never_gives_back_can_be_given_up() {
    let lab = Lab::new();
    let pods = dead_pods(&lab, 1);
    expect_lines(&collector(&lab, &["network", "gc"]).run(), &pods);
    let status = |pod: &str| lab.host.fairing(["status", pod]).run().ok();
    let not_left = "network-not-left=stubborn";
    assert!(status(&pods[0]).stdout.contains(not_left));
    // It is told for the last time.
    expect_lines(&collector(&lab, &["network", "gc", "--force"]).run(), &pods);
    assert!(!status(&pods[0]).stdout.contains(not_left));
    collector(&lab, &["network", "gc"]).run().ok();
    collector(&lab, &["gc", "--grace-period=0s"]).run().ok();
    assert!(lab.host.pod_folders().is_empty());
}

#[test]
fn a_network_that_nobody_could_join_is_nobodys_failure() {
    let lab = Lab::new();
    let before = lab.traces();
    lab.script(
        "old",
        r#"printf '{"cniVersion": "0.2.0", "code": 1, "msg": "incompatible CNI versions"}'; exit 1"#,
    );
    // Neither has anybody joined one whose plugin is missing, or can't tell its versions.
    lab.host.write(
        "etc/net.d/missing.conflist",
        r#"{"cniVersion": "1.1.0", "name": "missing", "plugins": [{"type": "nowhere"}]}"#,
    );
    lab.host.write(
        "etc/net.d/several.conflist",
        r#"{"cniVersion": "1.0.0", "cniVersions": ["1.0.0", "1.1.0"], "name": "several", "plugins": [{"type": "old"}]}"#,
    );
    let run = collector(&lab, &["run", "--net=old", IMAGE]);
    let refused = run
        .run()
        .expect_error(125, &["old", "incompatible CNI versions"]);
    assert!(!refused.stderr.contains("undone"), "{refused}");
    for words in [&["network", "gc"][..], &["gc"]] {
        collector(&lab, words).run().ok();
    }
    assert!(lab.host.pod_folders().is_empty());
    lab.expect_traces(&before);
}

#[test]
fn gc_leaves_the_networks_of_pods_of_other_directories_alone() {
    let lab = Lab::new();
    let before = lab.traces();
    let run = lab
        .host
        .fairing(["run", "--detach", "--port=8080:80", IMAGE]);
    let run = run.args(["--", "/bin/sh", "-c", IDLE]).run().ok();
    let pod = run.text().to_owned();
    let joined = lab.traces();
    assert_ne!(joined, before);
    let other = lab.host.base().join("other");
    let (data, run_dir) = (other.join("data"), other.join("run"));
    let shared = lab.host.run_dir();
    // Directories of its own, and such that share the runtime directory by mistake.
    for run_dir in [&run_dir, &shared] {
        for words in [&["network", "gc"][..], &["gc", "--grace-period=0s"]] {
            let directories = ["--dir".as_ref(), data.as_os_str(), "--run-dir".as_ref()];
            let gc = lab.host.fairing(directories).args([run_dir]).args(words);
            gc.run().ok();
            assert_eq!(lab.traces(), joined);
        }
    }
    end(&lab, &pod);
    lab.expect_nothing(&before);
}

#[test]
fn where_another_fairing_has_networks_a_start_and_doctor_say_whose_they_are() {
    let lab = Lab::new();
    let before = lab.traces();
    let run = lab.host.fairing(["run", "--detach", IMAGE]);
    let run = run.args(["--", "/bin/sh", "-c", IDLE]).run().ok();
    let pod = run.text().to_owned();
    let other = Host::builder().on(&lab.machine).build();
    other.accept_unsigned();
    import(&other, &ImageBuilder::busybox().build(), IMAGE);
    let state = lab.host.run_dir().join("cni").display().to_string();
    let named =
        format!("another fairing, which keeps its state in {state}, has the firewall rules");
    let start = ["run", "--rm", IMAGE, "--", "/bin/true"];
    let refused = other.fairing(start).run();
    refused.expect_error(125, &[&named, "network namespace", "--net=host", "macvlan"]);
    let told = other.fairing(["doctor", "--quiet"]).run();
    let of_networks = |line: &str| line.starts_with("warning") && line.contains(&state);
    assert!(told.stdout.lines().any(of_networks), "{told}");
    // Its own are none of another's.
    let own = lab.host.fairing(["doctor", "--quiet"]).run();
    assert!(!own.stdout.contains("other fairings"), "{own}");
    other.fairing(["gc", "--grace-period=0s"]).run().ok();
    end(&lab, &pod);
    lab.expect_nothing(&before);
}

/// Ends a pod, and clears what its networks were made of.
fn end(lab: &Lab, pod: &str) {
    lab.host.fairing(["stop", "--force", pod]).run().ok();
    lab.host.fairing(["rm", pod]).run().ok();
    lab.host.fairing(["gc"]).run().ok();
}
