//! Pods in the background: starting, watching, stopping and removing them.

use std::time::Duration;

use harness::{Process, Signal, wait_until};
use serde_json::json;

use crate::stocked::{IDLE, IMAGE, busybox, detached, status, wait_log};

/// An app that says that it is up, and when it is asked to end that it has heard.
fn polite() -> String {
    format!("trap 'echo bye; exit 0' TERM; trap 'echo second' USR1; echo first; {IDLE}")
}

fn monitor(pod: &serde_json::Value) -> Process {
    let pid = pod["monitor-pid"].as_u64().unwrap();
    Process::read(u32::try_from(pid).unwrap()).expect("the monitor runs")
}

#[test]
fn a_detached_pod_runs_on_in_a_session_of_its_own() {
    let host = busybox();
    let output = host
        .fairing([
            "run", "--detach", "--name", "web", IMAGE, "--", "/bin/sh", "-c",
        ])
        .arg(polite())
        .run()
        .ok();
    assert_eq!(output.stdout.lines().count(), 1, "{output}");
    let live = status(&host, output.text());
    assert_eq!(live["name"], "web");
    assert_eq!(live["state"], "running");
    assert_eq!(live["apps"][0]["state"], "running");
    let monitor = monitor(&live);
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", monitor.pid)).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let session = fields.split(' ').nth(3).unwrap();
    assert_eq!(session, monitor.pid.to_string());
    host.fairing(["stop", "web"]).run().ok();
}

#[test]
fn a_detached_pod_that_can_not_start_says_why_and_leaves_nothing() {
    let host = busybox();
    for (program, code) in [("/no/such", 127), ("/etc/passwd", 126)] {
        let output = host
            .fairing(["run", "--detach", IMAGE, "--exec", program])
            .run()
            .expect_error(code, &[program.rsplit('/').next().unwrap()]);
        assert_eq!(output.stdout, "");
    }
    assert_eq!(host.pod_folders(), []);
}

#[test]
fn a_detached_app_has_no_standard_input_and_no_terminal_unless_asked_for() {
    let host = busybox();
    let output = host
        .fairing(["run", "--detach", "--interactive", "--tty", IMAGE, "--"])
        .args(["/bin/sh", "-c", "tty; cat"])
        .run()
        .ok();
    let pod = output.text().to_owned();
    // It waits for what somebody who attaches may type.
    wait_log(&host, &pod, "/dev/pts/0");
    assert_eq!(status(&host, &pod)["state"], "running");
    host.fairing(["stop", "--force", &pod]).run().ok();
    let pod = detached(&host, &[], "cat; echo end");
    host.fairing(["status", "--wait", &pod]).run().ok();
    assert_eq!(host.fairing(["logs", &pod]).run().ok().stdout, "end\n");
}

#[test]
fn logs_keep_both_streams_and_outlive_the_app() {
    let host = busybox();
    let pod = detached(
        &host,
        &[],
        "echo one; echo two >&2; echo three; printf four",
    );
    host.fairing(["status", "--wait", &pod]).run().ok();
    let output = host.fairing(["logs", &pod]).run().ok();
    // A last line without an end is ended, as the log format has it.
    assert_eq!(output.stdout, "one\nthree\nfour\n");
    assert_eq!(output.stderr, "two\n");
    let output = host.fairing(["logs", "--tail", "1", &pod]).run().ok();
    assert_eq!(output.stdout.lines().last(), Some("four"));
    assert!(!output.stdout.contains("one"), "{output}");
    let output = host.fairing(["logs", "--timestamps", &pod]).run().ok();
    let line = output.stdout.lines().next().unwrap();
    let (time, text) = line.split_once(' ').unwrap();
    assert_eq!(text, "one");
    assert!(time.len() >= 20 && time.contains('T'), "{output}");
}

#[test]
fn logs_of_several_apps_tell_them_apart() {
    let host = busybox();
    let pod = host
        .fairing(["run", "--detach", IMAGE, "--app-name", "a", "--"])
        .args(["/bin/echo", "of a", "---", IMAGE, "--app-name", "b", "--"])
        .args(["/bin/echo", "of b"])
        .run()
        .ok();
    let pod = pod.text();
    host.fairing(["status", "--wait", pod]).run().ok();
    let output = host.fairing(["logs", pod]).run().ok();
    let mut lines: Vec<&str> = output.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["a: of a", "b: of b"]);
    let output = host.fairing(["logs", "--app", "b", pod]).run().ok();
    assert_eq!(output.stdout, "of b\n");
    host.fairing(["logs", "--app", "c", pod])
        .run()
        .expect_error(121, &["no app", "c"]);
}

#[test]
fn logs_can_be_followed_to_the_pods_end() {
    let host = busybox();
    let pod = detached(&host, &[], &polite());
    let follower = host.fairing(["logs", "--follow", &pod]).spawn();
    follower.wait_stdout("first\n");
    assert!(!follower.stdout().contains("second"));
    let monitor = monitor(&status(&host, &pod));
    harness_kill(monitor.pid, Signal::USR1);
    follower.wait_stdout("second\n");
    assert!(follower.is_running());
    host.fairing(["stop", &pod]).run().ok();
    assert_eq!(follower.wait().ok().stdout, "first\nsecond\nbye\n");
}

fn harness_kill(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(pid.unwrap(), signal).unwrap();
}

#[test]
fn following_a_pod_that_has_ended_shows_its_log_and_ends() {
    let host = busybox();
    let pod = detached(&host, &[], "echo done");
    host.fairing(["status", "--wait", &pod]).run().ok();
    let output = host.fairing(["logs", "-f", &pod]).run().ok();
    assert_eq!(output.stdout, "done\n");
}

#[test]
fn a_foreground_pod_has_no_logs() {
    let host = busybox();
    host.fairing(["run", "--name", "fg", IMAGE, "--exec", "/bin/true"])
        .run()
        .ok();
    host.fairing(["logs", "fg"])
        .run()
        .expect_error(125, &["foreground", "--detach"]);
}

#[test]
fn list_shows_an_app_that_has_ended_in_a_pod_that_runs_on() {
    let host = busybox();
    let shell = |name: &str, script: &str| {
        [IMAGE, "--app-name", name, "--", "/bin/sh", "-c", script].map(str::to_owned)
    };
    host.fairing(["run", "--detach", "--name", "two"])
        .args(shell("brief", "exit 0"))
        .arg("---")
        .args(shell("long", IDLE))
        .run()
        .ok();
    let output = wait_until("the end of an app", Duration::from_secs(10), || {
        let output = host.fairing(["list"]).run().ok();
        output.stdout.contains("exited (0)").then_some(output)
    });
    let line_of = |app: &str| {
        let found = output.stdout.lines().find(|line| line.contains(app));
        found.expect("a line for each app")
    };
    assert!(line_of(" brief ").contains(" exited (0) "), "{output}");
    assert!(line_of(" long ").contains(" running "), "{output}");
    host.fairing(["rm", "--force", "two"]).run().ok();
}

#[test]
fn list_shows_each_pod_with_its_state() {
    let host = busybox();
    let ended = detached(&host, &["--name", "ended"], "exit 3");
    host.fairing(["status", "--wait", &ended]).run().ok();
    let running = detached(&host, &["--name", "running"], &polite());
    let output = host.fairing(["list", "--no-trunc"]).run().ok();
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{output}");
    assert!(lines[0].starts_with("UUID"), "{output}");
    let line_of = |uuid: &str| {
        let found = lines.iter().find(|line| line.starts_with(&uuid[..8]));
        *found.expect("a line for each pod")
    };
    assert!(line_of(&ended).contains("exited (3)"), "{output}");
    assert!(line_of(&running).contains(" running "), "{output}");
    for line in &lines[1..] {
        assert!(line.contains(IMAGE), "{output}");
    }
    let output = host.fairing(["list", "--full", "--no-legend"]).run().ok();
    assert!(output.stdout.contains(&running) && output.stdout.contains(&ended));
    assert!(!output.stdout.contains("UUID"), "{output}");
    host.fairing(["stop", &running]).run().ok();
}

#[test]
fn status_shows_the_apps_and_why_their_images_may_run() {
    let host = busybox();
    let pod = detached(&host, &["--name", "shown"], &polite());
    let output = host.fairing(["status", "shown"]).run().ok();
    let lines: Vec<&str> = output.stdout.lines().collect();
    for expected in [
        format!("uuid={pod}").as_str(),
        "name=shown",
        "state=running",
        "networks=none",
        format!("app-busybox-image={IMAGE}").as_str(),
    ] {
        assert!(lines.contains(&expected), "{expected}\n{output}");
    }
    let rule = "app-busybox-verified=accept-unsigned, rule \"*\" of ";
    assert!(output.stdout.contains(rule), "{output}");
    let pid = |key: &str| {
        let line = lines.iter().find_map(|line| line.strip_prefix(key));
        Process::read(line.unwrap().parse().unwrap()).unwrap()
    };
    let (monitor, init) = (pid("pid="), pid("init-pid="));
    assert_eq!(init.parent, monitor.pid);
    host.fairing(["stop", "shown"]).run().ok();
    let output = host.fairing(["status", "shown"]).run().ok();
    assert!(output.stdout.contains("state=exited\n"), "{output}");
    assert!(output.stdout.contains("exit-code=0\n"), "{output}");
    assert!(output.stdout.contains("app-busybox=0\n"), "{output}");
}

#[test]
fn status_waits_for_the_end() {
    let host = busybox();
    let pod = detached(&host, &[], &format!("trap 'exit 6' USR1; echo up; {IDLE}"));
    wait_log(&host, &pod, "up");
    let brief = host
        .fairing(["status", "--wait=50ms", "--format", "json", &pod])
        .run()
        .ok();
    assert!(brief.elapsed >= Duration::from_millis(50), "{brief}");
    assert_eq!(brief.json()["state"], "running");
    let waiting = host
        .fairing(["status", "--wait", "--format", "json", &pod])
        .spawn();
    harness_kill(monitor(&status(&host, &pod)).pid, Signal::USR1);
    let record = waiting.wait().ok().json();
    assert_eq!(record["state"], "exited");
    assert_eq!(record["exit-code"], 6);
}

#[test]
fn stop_asks_the_apps_to_end_and_waits_for_it() {
    let host = busybox();
    let pod = detached(&host, &[], &polite());
    wait_log(&host, &pod, "first");
    assert_eq!(host.fairing(["stop", &pod]).run().ok().text(), pod);
    assert!(host.pod_processes(&pod).is_empty());
    assert_eq!(status(&host, &pod)["exit-code"], 0);
    let log = host.fairing(["logs", &pod]).run().ok();
    assert_eq!(log.stdout, "first\nbye\n");
    host.fairing(["stop", &pod]).run().ok();
}

#[test]
fn stop_kills_after_the_grace_period() {
    let host = busybox();
    let script = format!("trap '' TERM; echo up; {IDLE}");
    let pod = detached(&host, &["--grace-period=300ms"], &script);
    wait_log(&host, &pod, "up");
    let output = host.fairing(["stop", &pod]).run().ok();
    assert!(output.elapsed >= Duration::from_millis(300), "{output}");
    let record = status(&host, &pod);
    assert_eq!(record["exit-code"], 137);
    assert_eq!(record["apps"][0]["outcome"]["signal"], 9);
}

#[test]
fn stop_with_force_asks_nobody() {
    let host = busybox();
    let pod = detached(&host, &[], &polite());
    wait_log(&host, &pod, "first");
    let output = host.fairing(["stop", "--force", &pod]).run().ok();
    assert!(output.elapsed < Duration::from_secs(8), "{output}");
    assert_eq!(status(&host, &pod)["exit-code"], 137);
    assert_eq!(host.fairing(["logs", &pod]).run().ok().stdout, "first\n");
}

#[test]
fn stop_ends_those_it_can_when_one_is_unknown() {
    let host = busybox();
    let pods = [(); 2].map(|()| detached(&host, &[], &polite()));
    host.fairing(["stop", &pods[0], "unknown", &pods[1]])
        .run()
        .expect_error(121, &["unknown"]);
    for pod in &pods {
        assert_eq!(status(&host, pod)["state"], "exited");
    }
}

#[test]
fn rm_removes_what_does_not_run() {
    let host = busybox();
    let pod = detached(&host, &[], &polite());
    host.fairing(["rm", &pod])
        .run()
        .expect_error(125, &[&pod, "stop"]);
    assert_eq!(status(&host, &pod)["state"], "running");
    host.fairing(["stop", &pod]).run().ok();
    assert_eq!(host.fairing(["rm", &pod]).run().ok().text(), pod);
    assert_eq!(host.pod_folders(), []);
    host.fairing(["status", &pod])
        .run()
        .expect_error(121, &[&pod]);
}

#[test]
fn rm_with_force_ends_the_pod_first() {
    let host = busybox();
    let pod = detached(&host, &[], &polite());
    host.fairing(["rm", "--force", &pod]).run().ok();
    assert!(host.pod_processes(&pod).is_empty());
    assert_eq!(host.pod_folders(), []);
    assert!(host.leftovers().is_empty(), "{}", host.leftovers());
}

#[test]
fn a_detached_pod_with_rm_goes_by_itself() {
    let host = busybox();
    let pod = detached(&host, &["--rm"], &polite());
    host.fairing(["stop", &pod]).run().ok();
    assert_eq!(host.pod_folders(), []);
    assert!(host.leftovers().is_empty(), "{}", host.leftovers());
    let pod = detached(&host, &["--rm"], "exit 4");
    wait_until("the pod to go", Duration::from_secs(10), || {
        host.pod_folders().is_empty().then_some(())
    });
    host.fairing(["status", &pod])
        .run()
        .expect_error(121, &[&pod]);
}

#[test]
fn gc_keeps_pods_for_the_grace_period() {
    let host = busybox();
    let running = detached(&host, &[], &polite());
    let ended = detached(&host, &[], "true");
    host.fairing(["status", "--wait", &ended]).run().ok();
    for grace in ["--grace-period=30m", "--grace-period=1h"] {
        host.fairing(["gc", grace]).run().ok();
    }
    host.fairing(["gc"]).run().ok();
    assert_eq!(status(&host, &ended)["state"], "exited");
    let output = host.fairing(["gc", "--grace-period=0s"]).run().ok();
    assert!(output.stdout.contains(&ended), "{output}");
    assert!(!output.stdout.contains(&running), "{output}");
    host.fairing(["status", &ended]).run().expect_code(121);
    assert_eq!(status(&host, &running)["state"], "running");
    host.fairing(["stop", &running]).run().ok();
}

#[test]
fn gc_keeps_the_image_of_what_runs() {
    let host = busybox();
    let pod = detached(
        &host,
        &[],
        &format!("trap 'cat /etc/passwd; exit' TERM; echo up; {IDLE}"),
    );
    wait_log(&host, &pod, "up");
    host.fairing(["image", "rm", IMAGE])
        .run()
        .expect_error(125, &[IMAGE, &pod]);
    host.collect();
    host.fairing(["stop", &pod]).run().ok();
    let log = host.fairing(["logs", &pod]).run().ok();
    assert!(log.stdout.contains("nobody:x:65534"), "{log}");
}

#[test]
fn a_start_in_the_background_without_descriptors_says_so_and_leaves_nothing() {
    let host = busybox();
    for descriptors in 5..=8 {
        let limited = format!("ulimit -n {descriptors} && exec \"$@\"");
        host.fairing(["app", "sandbox", "--detach", "--name", "few"])
            .through("/bin/sh", ["-c", &limited, "sh"])
            .run()
            .expect_error(125, &[]);
        let listed = host.fairing(["list", "--format", "json"]).run().ok().json();
        assert_eq!(listed, json!([]), "{descriptors} descriptors");
        assert!(!host.data_dir().join("pods/names/few").is_symlink());
    }
}

#[test]
fn a_file_that_may_not_grow_is_told_of_and_ends_apps_as_ever() {
    let host = busybox();
    host.fairing(["prepare", "--name", "small", IMAGE])
        .through("/bin/sh", ["-c", "ulimit -f 0 && exec \"$@\"", "sh"])
        .run()
        .expect_error(125, &["File too large"]);
    assert_eq!(host.pod_folders(), []);
    // Without a shell, which ignores some itself.
    let grep = ["/bin/grep", "SigIgn:", "/proc/self/status"];
    let ignored = host.fairing(["run", "--rm", IMAGE, "--"]).args(grep);
    let ignored = ignored.run().ok();
    assert_eq!(ignored.text(), "SigIgn:\t0000000000000000");
}

#[test]
fn the_name_of_a_pod_whose_manifest_is_damaged_goes_with_it() {
    let host = busybox();
    let pod = detached(&host, &["--name", "torn"], IDLE);
    host.fairing(["stop", "torn"]).run().ok();
    let folder = host.data_dir().join("pods");
    std::fs::write(folder.join("run").join(&pod).join("pod.json"), "{").unwrap();
    host.fairing(["rm", "torn"]).run().ok();
    let names = || std::fs::read_dir(folder.join("names")).unwrap().count();
    assert_eq!(names(), 0);
    std::os::unix::fs::symlink(&pod, folder.join("names/stale")).unwrap();
    host.fairing(["gc"]).run().ok();
    assert_eq!(names(), 0);
}
