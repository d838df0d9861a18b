//! `--stage1=fly`: an app that is a part of the machine, in a root directory of its own.

use std::fs;
use std::time::Duration;

use harness::{Computer, FairingCommand, Host, Process, Signal, wait_until};
use rustix::process::{Pid, kill_process};

use crate::stocked::{IDLE, IMAGE, busybox, detached, import, status, wait_log};
use crate::trust::unsigned;

const FLY: [&str; 2] = ["--stage1=fly", "--net=host"];

/// What leaves processes behind in each way there is: a child, one in another session, and one whose parent has gone.
const LEAVES: &str = "sleep 1001 & setsid sleep 1002 & (setsid sleep 1003 &); echo up";

/// Runs a script in an app with these flags of the pod.
fn fly(host: &Host, flags: &[&str], script: &str) -> FairingCommand {
    host.fairing(["run", "--rm"])
        .args(FLY)
        .args(flags)
        .args([IMAGE, "--", "/bin/sh", "-c", script])
}

/// A pod in the background that leaves processes behind and does not want to end.
fn stubborn(host: &Host) -> String {
    let script = format!("{LEAVES}; trap '' TERM; {IDLE}");
    let pod = detached(host, &FLY, &script);
    wait_log(host, &pod, "up");
    pod
}

fn pid(host: &Host, pod: &str, whose: &str) -> u32 {
    u32::try_from(status(host, pod)[whose].as_u64().unwrap()).unwrap()
}

fn kill(pid: u32) {
    Process::read(pid).unwrap().kill();
}

/// The processes of a pod's apps.
fn sleepers(host: &Host) -> Vec<Process> {
    let mut all = host.processes();
    all.retain(|process| process.command_line.starts_with("sleep"));
    all
}

fn wait_gone(host: &Host) {
    wait_until("the end of all processes", Duration::from_secs(10), || {
        host.processes().is_empty().then_some(())
    });
}

#[test]
fn the_app_is_a_process_of_the_machine_in_a_root_of_its_own() {
    let host = busybox();
    let own = |name: &str| {
        let link = fs::read_link(format!("/proc/self/ns/{name}")).unwrap();
        link.display().to_string()
    };
    let script = format!(
        "for n in cgroup ipc net pid user uts mnt; do readlink /proc/self/ns/$n; done; \
         hostname; test -d /proc/{} && echo found",
        std::process::id()
    );
    let output = fly(&host, &[], &script).run().ok();
    let lines: Vec<&str> = output.stdout.lines().collect();
    let shared = ["cgroup", "ipc", "net", "pid", "user", "uts"].map(own);
    assert_eq!(lines[..6], shared);
    assert_ne!(lines[6], own("mnt"));
    let name = rustix::system::uname();
    assert_eq!(lines[7], name.nodename().to_str().unwrap());
    assert_eq!(lines[8], "found", "the machine's processes are seen");
    // The image's files, and the machine's devices.
    let seen = fly(&host, &[], "ls /; ls /dev").run().ok().stdout;
    assert!(seen.lines().any(|line| line == "bin"), "{seen}");
    for name in fs::read_dir("/dev").unwrap() {
        let name = name.unwrap().file_name();
        assert!(
            seen.lines().any(|line| line == name.to_str().unwrap()),
            "{name:?} is missing in {seen}"
        );
    }
}

#[test]
fn the_network_is_the_machines_though_nobody_says_so() {
    let computer = Computer::new();
    computer.sh("ip link add of-the-machine type bridge");
    let host = Host::builder().on(&computer).build();
    host.accept_unsigned();
    import(&host, &harness::ImageBuilder::busybox().build(), IMAGE);
    let output = host
        .fairing(["run", "--rm", "--stage1=fly", IMAGE, "--"])
        .args(["cat", "/proc/net/dev"])
        .run()
        .ok();
    assert!(output.stdout.contains("of-the-machine"), "{output}");
}

#[test]
fn that_nothing_keeps_it_apart_is_told_recorded_and_shown() {
    let host = busybox();
    let started = host
        .fairing(["run", "--detach", "--name=agent"])
        .args(FLY)
        .args([IMAGE, "--", "/bin/sh", "-c", IDLE])
        .run()
        .ok();
    for part in ["`fly`", "keeps nothing apart", "pid=host"] {
        assert!(started.stderr.contains(part), "{started}");
    }
    let shown = status(&host, "agent");
    assert_eq!(shown["stage1"], "fly");
    let shared = serde_json::json!(["cgroup", "ipc", "pid", "uts"]);
    assert_eq!(shown["host-namespaces"], shared);
    assert_eq!(shown["apps"][0]["widened"][0], "privileged");
    let listed = host.fairing(["list", "--full"]).run().ok();
    assert!(listed.stdout.contains("pid=host"), "{listed}");
    assert!(listed.stdout.contains("privileged"), "{listed}");
    let short = host.fairing(["list"]).run().ok();
    assert!(short.stdout.contains("insecure"), "{short}");
    let template = "{{.HostConfig.PidMode}} {{.HostConfig.Privileged}}";
    let inspected = host.fairing(["inspect", "--format", template, "agent"]);
    assert_eq!(inspected.run().ok().text(), "host true");
    host.fairing(["stop", "--force", "agent"]).run().ok();
}

#[test]
fn nothing_confines_it_but_what_is_asked_for() {
    let host = busybox();
    let show = "grep -E 'CapEff|Seccomp:|NoNewPrivs' /proc/self/status";
    let all = fly(&host, &[], show).run().ok().stdout;
    assert!(all.contains("Seccomp:\t0") && all.contains("NoNewPrivs:\t0"));
    let mask = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("CapEff"));
        u64::from_str_radix(line.unwrap().split_whitespace().nth(1).unwrap(), 16).unwrap()
    };
    let own = fs::read_to_string("/proc/self/status").unwrap();
    assert_eq!(mask(&all), mask(&own));
    let asked = host
        .fairing(["run", "--rm"])
        .args(FLY)
        .args([IMAGE, "--cap-drop=SYS_MODULE", "--seccomp=default"])
        .args(["--no-new-privileges=true", "--read-only"])
        .args(["--security-opt=mask=/proc/version", "--"])
        .args(["/bin/sh", "-c"])
        .arg(format!("{show}; cat /proc/version; touch /file"))
        .run()
        .expect_code(1);
    let text = &asked.stdout;
    assert_eq!(mask(text), mask(&own) & !(1 << 16));
    assert!(
        text.contains("Seccomp:\t2") && text.contains("NoNewPrivs:\t1"),
        "{asked}"
    );
    assert!(!text.contains("Linux version"), "{asked}");
    assert!(asked.stderr.contains("Read-only file system"), "{asked}");
}

#[test]
fn what_it_can_not_do_is_refused_by_name_before_anything_starts() {
    let host = busybox();
    let of_pod = [
        (
            "--net=none",
            "no network of its own: it has the host's; --net=host",
        ),
        ("--net=default", "network"),
        ("--userns=auto", "user-namespaces"),
        ("--hostname=x", "host name"),
        ("--uts=private", "no host name of its own"),
        ("--ipc=private", "no IPC of its own"),
        ("--cgroupns=private", "leave --cgroupns out"),
        ("--shm-size=1m", "shm-size"),
    ];
    let of_app = [
        ("--device=/dev/fuse", "devices"),
        ("--pid=private", "pid-namespace"),
        ("--tmpfs=/dev/of-app/deep", "mounts nothing on /dev/of-app"),
        ("--volume=/etc:/sys/of-app", "mounts nothing on /sys/of-app"),
        ("--security-opt=proc-opts=hidepid=2", "proc-options"),
    ];
    let refused = |of_pod: &[&str], of_app: &[&str], lacks: &str| {
        host.fairing(["run", "--rm", "--stage1=fly"])
            .args(of_pod)
            .arg(IMAGE)
            .args(of_app)
            .run()
            .expect_error(125, &["`fly`", lacks]);
    };
    for (flag, lacks) in of_pod {
        let net = (!flag.starts_with("--net")).then_some("--net=host");
        let flags: Vec<&str> = net.into_iter().chain([flag]).collect();
        refused(&flags, &["--", "/bin/true"], lacks);
    }
    for (flag, lacks) in of_app {
        refused(&["--net=host"], &[flag, "--", "/bin/true"], lacks);
    }
    let two = ["--", "/bin/true", "---", IMAGE, "--", "/bin/true"];
    refused(&["--net=host"], &two, "several-apps");
    host.fairing(["app", "sandbox", "--stage1=fly", "--net=host"])
        .run()
        .expect_error(125, &["fly", "mutable"]);
    let pod = detached(&host, &FLY, IDLE);
    host.fairing(["app", "add", &pod, IMAGE])
        .run()
        .expect_error(125, &["fly", "mutable"]);
    host.fairing(["stop", "--force", &pod]).run().ok();
    host.fairing(["rm", &pod]).run().ok();
    host.expect_clean();
}

#[test]
fn nothing_unsigned_flies() {
    let (_registry, host, image) = unsigned();
    host.fairing(["run", "--rm"])
        .args(FLY)
        .args([&image, "--", "/bin/true"])
        .run()
        .expect_error(115, &[&image, "no trust rule covers"]);
    host.expect_clean();
}

#[test]
fn apps_do_alike_under_both_isolators() {
    let host = busybox();
    let source = host.base().join("source");
    fs::create_dir(&source).unwrap();
    let volume = format!("--volume={}:/data", source.display());
    for isolator in [
        &["--stage1=nspawn", "--net=none", "--userns=host"][..],
        &FLY,
    ] {
        let app = |flags: &[&str], script: &str| {
            host.fairing(["run", "--rm"])
                .args(isolator)
                .arg(IMAGE)
                .args(flags)
                .args(["--", "/bin/sh", "-c", script])
                .run()
        };
        app(&[], "exit 42").expect_code(42);
        app(&[], "kill -TERM $$").expect_code(143);
        let streams = app(&[], "echo out; echo err >&2").ok();
        assert_eq!(streams.stdout, "out\n");
        assert!(streams.stderr.contains("err\n"), "{streams}");
        let who = app(
            &["--user=7:8", "--workdir=/tmp/new", "--env=GREETING=hello"],
            "id -u; id -g; pwd; echo $GREETING",
        );
        assert_eq!(who.ok().stdout, "7\n8\n/tmp/new\nhello\n");
        let limits = "ulimit -n; cat /proc/self/oom_score_adj";
        let limited = app(&["--ulimit=nofile=64", "--oom-score-adj=7"], limits);
        assert_eq!(limited.ok().stdout, "64\n7\n");
        app(&[&volume], "echo written > /data/file; echo gone > /file").ok();
        let written = fs::read_to_string(source.join("file")).unwrap();
        assert_eq!(written, "written\n");
        app(&["--memory=16m"], "head -c 64m /dev/zero | tail").expect_code(137);
        host.fairing(["run", "--rm"])
            .args(isolator)
            .args([IMAGE, "--", "/no/program"])
            .run()
            .expect_error(127, &["/no/program"]);
        host.expect_clean();
    }
    assert!(!std::path::Path::new("/file").exists());
}

#[test]
fn a_terminal_of_its_is_one_of_the_machines() {
    let host = busybox();
    host.fairing(["run", "--rm"])
        .args(FLY)
        .args([IMAGE, "--tty", "--interactive", "--", "/bin/sh", "-c"])
        .arg("tty; stty size; test -c $(tty) && echo there")
        .spawn_on_terminal(33, 111)
        .wait()
        .expect_stdout("/dev/pts/")
        .expect_stdout("33 111")
        .expect_stdout("there");
}

#[test]
fn what_the_machine_mounts_later_is_seen_and_what_the_app_mounts_stays_with_it() {
    let host = busybox();
    let source = host.base().join("source");
    fs::create_dir(&source).unwrap();
    let name = "fairing-test-late";
    let script = format!(
        "mkdir /dev/shm/{name}-own && mount -t tmpfs own /dev/shm/{name}-own && touch /data/ready; \
         until test -e /data/go; do usleep 5000; done; ls /dev/shm/{name}; \
         umount /dev/shm/{name}-own; rmdir /dev/shm/{name}-own"
    );
    // In a mount namespace whose mounts are shared among themselves, as a machine's are.
    let late = format!(
        "exec 3>&-; d={0}; mkdir -p /dev/shm/{name}; {{ until test -e $d/ready; do sleep 0.01; done; \
         mountpoint -q /dev/shm/{name}-own && touch $d/leaked; \
         mount -t tmpfs late /dev/shm/{name}; touch /dev/shm/{name}/seen $d/go; }} & exec \"$@\"",
        source.display()
    );
    let volume = format!("--volume={}:/data", source.display());
    let command = host
        .fairing(["run", "--rm"])
        .args(FLY)
        .args([IMAGE, &volume, "--", "/bin/sh", "-c", &script]);
    let output = command
        .through(
            "unshare",
            ["--mount", "--propagation=shared", "sh", "-c", &late, "sh"],
        )
        .run()
        .ok();
    assert_eq!(output.stdout, "seen\n");
    assert!(!source.join("leaked").exists());
    fs::remove_dir(format!("/dev/shm/{name}")).unwrap();
}

#[test]
fn a_mount_of_the_app_on_a_shared_volume_is_the_machines_too() {
    let host = busybox();
    let source = host.base().join("source");
    fs::create_dir(&source).unwrap();
    let top = format!(
        "mount --make-shared -t tmpfs top {0} && mkdir {0}/in && \"$@\" && cat {0}/in/file",
        source.display()
    );
    let volume = format!("--volume={}:/data:rshared", source.display());
    let script = "mount -t tmpfs own /data/in && echo mounted > /data/in/file";
    let output = host
        .fairing(["run", "--rm"])
        .args(FLY)
        .args([IMAGE, &volume, "--", "/bin/sh", "-c", script])
        .through(
            "unshare",
            ["--mount", "--propagation=private", "sh", "-c", &top, "sh"],
        )
        .run()
        .ok();
    assert_eq!(output.stdout, "mounted\n");
}

#[test]
fn it_is_entered_copied_from_paused_and_looked_into_like_any_other() {
    let host = busybox();
    let pod = detached(&host, &FLY, &format!("{LEAVES}; echo kept > /kept; {IDLE}"));
    wait_log(&host, &pod, "up");
    let enter = |arguments: &[&str]| {
        let command = host.fairing(["enter", &pod, "--"]);
        command.args(arguments.iter()).run()
    };
    assert_eq!(enter(&["cat", "/kept"]).ok().stdout, "kept\n");
    enter(&["sh", "-c", "exit 5"]).expect_code(5);
    let copied = host.base().join("copied");
    host.fairing(["cp", &format!("{pod}:/kept")])
        .arg(&copied)
        .run()
        .ok();
    assert_eq!(fs::read_to_string(copied).unwrap(), "kept\n");
    let top = host.fairing(["top", &pod]).run().ok();
    for part in ["sleep 1001", "sleep 1002", "sleep 1003"] {
        assert!(top.stdout.contains(part), "{top}");
    }
    let own = std::process::id().to_string();
    let numbers = |line: &str| line.split_whitespace().nth(1).map(str::to_owned);
    assert!(
        top.stdout.lines().filter_map(numbers).all(|pid| pid != own),
        "only what is the pod's: {top}"
    );
    host.fairing(["pause", &pod]).run().ok();
    assert_eq!(status(&host, &pod)["apps"][0]["state"], "paused");
    host.fairing(["resume", &pod]).run().ok();
    let stats = host
        .fairing(["stats", "--no-stream", "--format", "json", &pod])
        .run()
        .ok();
    assert!(stats.stdout.contains("memory"), "{stats}");
    host.fairing(["stop", "--force", &pod]).run().ok();
    wait_gone(&host);
    // Its files can be had from now on, too.
    let ended = host.fairing(["cp", &format!("{pod}:/kept"), "-"]).run();
    assert!(ended.ok().stdout.contains("kept"));
}

#[test]
fn what_the_app_leaves_running_ends_with_it() {
    let host = busybox();
    fly(&host, &[], &format!("{LEAVES}; exit 6"))
        .run()
        .expect_code(6);
    assert!(host.processes().is_empty());
    host.expect_clean();
    let pod = stubborn(&host);
    assert_eq!(sleepers(&host).len(), 3);
    host.fairing(["stop", "--grace-period=0s", &pod]).run().ok();
    assert!(host.processes().is_empty());
    assert_eq!(status(&host, &pod)["exit-code"], 137);
}

#[test]
fn a_killed_monitor_leaves_no_process() {
    let host = busybox();
    let pod = stubborn(&host);
    kill(pid(&host, &pod, "monitor-pid"));
    // Without anybody who clears up.
    wait_gone(&host);
    host.collect();
    host.expect_clean();
}

#[test]
fn a_killed_pod_init_leaves_no_process_and_a_record_of_that() {
    let host = busybox();
    let pod = stubborn(&host);
    kill(pid(&host, &pod, "init-pid"));
    wait_gone(&host);
    let ended = status(&host, &pod);
    assert_eq!(ended["exit-code"], 137);
    let failure = ended["failure"].as_str().unwrap();
    assert!(failure.contains("pod init was killed"), "{ended}");
}

/// Kills both, the monitor before it has seen that pod init is gone.
fn kill_monitor_and_init(host: &Host, pod: &str) {
    let (monitor, init) = (pid(host, pod, "monitor-pid"), pid(host, pod, "init-pid"));
    let stopped = Pid::from_raw(monitor.cast_signed()).unwrap();
    kill_process(stopped, Signal::STOP).unwrap();
    kill(init);
    kill(monitor);
    wait_until("the monitor's end", Duration::from_secs(10), || {
        let is_gone = Process::read(monitor).is_none_or(|left| left.state == 'Z');
        is_gone.then_some(())
    });
}

#[test]
fn stop_ends_what_runs_where_monitor_and_pod_init_are_killed_at_once() {
    for how in [&["--force"][..], &[], &["--all"]] {
        let host = busybox();
        let pod = stubborn(&host);
        kill_monitor_and_init(&host, &pod);
        assert_eq!(sleepers(&host).len(), 3);
        let which = if how == ["--all"] {
            None
        } else {
            Some(pod.as_str())
        };
        let stop = || host.fairing(["stop"]).args(how).args(which).run();
        let stopped = stop().ok();
        assert_eq!(stopped.stdout, format!("{pod}\n"));
        assert_eq!(
            stopped.stderr,
            format!("pod {pod} had lost its monitor; what was left of it has ended\n")
        );
        assert!(sleepers(&host).is_empty());
        let again = stop().ok();
        assert_eq!(again.stdout, "");
        assert_eq!(
            again.stderr.contains("has already stopped"),
            which.is_some()
        );
        host.fairing(["rm", &pod]).run().ok();
        host.expect_clean();
    }
}

#[test]
fn what_is_left_where_monitor_and_pod_init_are_killed_at_once_gc_ends() {
    for paused in [false, true] {
        let host = busybox();
        let pod = stubborn(&host);
        if paused {
            host.fairing(["pause", &pod]).run().ok();
        }
        kill_monitor_and_init(&host, &pod);
        assert_eq!(sleepers(&host).len(), 3);
        host.collect();
        assert!(sleepers(&host).is_empty());
        host.expect_clean();
    }
}

#[test]
fn a_pod_in_the_foreground_ends_by_signals_of_its_monitor() {
    let host = busybox();
    let running = fly(
        &host,
        &[],
        &format!("trap 'echo bye; exit 3' TERM; {LEAVES}; {IDLE}"),
    )
    .spawn();
    running.wait_stdout("up");
    running.signal(Signal::TERM);
    let output = running.wait().expect_code(3);
    assert!(output.stdout.ends_with("bye\n"), "{output}");
    assert!(host.processes().is_empty());
}
