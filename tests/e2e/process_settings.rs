//! What processes of apps are limited by and begin with: resource limits, groups, masks, scores, kernel parameters.

use std::time::Duration;

use harness::{Host, ImageBuilder, wait_until};

use crate::imported::{accepting_host, busybox_host, import};
use crate::stocked::status;

const USERS: [&str; 2] = ["--userns=host", "--userns=auto"];

/// What a shell script says as an app: flags of the pod, of the app.
fn told(host: &Host, image: &str, pod: &[&str], app: &[&str], script: &str) -> harness::Output {
    let run = host.fairing(["run", "--rm"]).args(pod).arg(image);
    run.args(app).args(["--", "/bin/sh", "-c", script]).run()
}

#[test]
fn resource_limits_are_those_that_are_asked_for() {
    let (host, image) = busybox_host();
    let script = "grep -E 'open files|core file|Max processes' /proc/self/limits";
    for users in USERS {
        let flags = [
            "--ulimit=nofile=100:200",
            "--ulimit",
            "core=0",
            "--ulimit",
            "RLIMIT_NPROC=77",
        ];
        let limits = told(&host, &image, &[users], &flags, script).ok();
        let lines: Vec<Vec<&str>> = limits
            .stdout
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        let values = |what: &str| {
            let line = lines.iter().find(|line| line.contains(&what)).unwrap();
            line.iter()
                .filter(|word| word.parse::<u64>().is_ok())
                .copied()
                .collect::<Vec<_>>()
        };
        assert_eq!(values("open"), ["100", "200"], "{limits}");
        assert_eq!(values("core"), ["0", "0"], "{limits}");
        assert_eq!(values("processes"), ["77", "77"], "{limits}");
    }
    let own = std::fs::read_to_string("/proc/self/limits").unwrap();
    let all = told(
        &host,
        &image,
        &[],
        &["--ulimit=host"],
        "cat /proc/self/limits",
    )
    .ok();
    assert_eq!(all.stdout, own);
}

#[test]
fn a_limit_that_cannot_be_had_is_refused_by_name() {
    let (host, image) = busybox_host();
    let run = |flag: &str| told(&host, &image, &[], &[flag], "true");
    // Above what any kernel takes.
    run("--ulimit=nofile=18446744073709551614")
        .expect_error(125, &["RLIMIT_NOFILE", "hard limit here"]);
    run("--ulimit=files=1").expect_error(2, &["there is no limit `files`"]);
    run("--ulimit=nofile=2:1").expect_error(2, &["above the hard limit"]);
}

#[test]
fn a_command_that_enters_has_the_apps_limits_and_mask() {
    let (host, image) = busybox_host();
    let run = host.fairing(["run", "--detach", "--name=pod", &image]);
    run.args([
        "--ulimit=nofile=50:60",
        "--umask=077",
        "--oom-score-adj=250",
    ])
    .args(["--", "/bin/sleep", "1000"])
    .run()
    .ok();
    let script = "ulimit -n; umask; cat /proc/self/oom_score_adj";
    host.fairing(["enter", "pod", "--", "/bin/sh", "-c", script])
        .run()
        .ok()
        .expect_stdout("50\n0077\n250\n");
    host.fairing(["stop", "--force", "pod"]).run().ok();
}

#[test]
fn groups_and_the_mask_are_those_that_are_asked_for() {
    let (host, image) = busybox_host();
    for users in USERS {
        let flags = ["--user=nobody", "--group-add=staff,77", "--umask", "0027"];
        let output = told(
            &host,
            &image,
            &[users],
            &flags,
            "id -G; umask; touch /tmp/x; stat -c %a /tmp/x",
        )
        .ok();
        let mut lines = output.stdout.lines();
        let groups = lines.next().unwrap();
        assert!(
            groups.split(' ').any(|id| id == "50") && groups.contains("77"),
            "{output}"
        );
        assert_eq!(lines.collect::<Vec<_>>(), ["0027", "640"], "{output}");
    }
    told(&host, &image, &[], &["--group-add=nonesuch"], "true").expect_error(
        119,
        &["the group `nonesuch` is not in the image's /etc/group"],
    );
    told(&host, &image, &[], &["--group-add=keep-groups"], "true").expect_code(2);
    told(
        &host,
        &image,
        &["--userns=auto"],
        &["--group-add=70000"],
        "true",
    )
    .expect_error(125, &["group 70000"]);
}

#[test]
fn a_score_that_may_not_be_lowered_is_clamped_with_a_word() {
    let (host, image) = busybox_host();
    let script = "cat /proc/self/oom_score_adj";
    for users in USERS {
        told(&host, &image, &[users], &["--oom-score-adj=300"], script)
            .ok()
            .expect_stdout("300\n");
    }
    let low = told(
        &host,
        &image,
        &["--userns=auto"],
        &["--oom-score-adj", "-1000"],
        script,
    )
    .ok();
    let own = std::fs::read_to_string("/proc/self/oom_score_adj").unwrap();
    assert_eq!(low.stdout, own);
    low.expect_stderr("gets the OOM score adjustment");
    told(&host, &image, &[], &["--oom-score-adj=1001"], script).expect_code(2);
}

#[test]
fn kernel_parameters_of_a_pod_are_set_and_others_refused() {
    let (host, image) = busybox_host();
    let script = "cat /proc/sys/net/core/somaxconn /proc/sys/kernel/shmmni /proc/sys/fs/mqueue/msg_max; \
                  df -k /dev/shm | tail -n 1 | awk '{print $2}'";
    let before = std::fs::read_to_string("/proc/sys/kernel/shmmni").unwrap();
    for users in USERS {
        let pod = [
            users,
            "--sysctl=net.core.somaxconn=77",
            "--sysctl",
            "kernel/shmmni=99",
            "--sysctl=fs.mqueue.msg_max=11",
            "--shm-size=2m",
        ];
        told(&host, &image, &pod, &[], script)
            .ok()
            .expect_stdout("77\n99\n11\n2048\n");
    }
    assert_eq!(
        std::fs::read_to_string("/proc/sys/kernel/shmmni").unwrap(),
        before
    );
    let refused = |pod: &[&str], part: &str| {
        told(&host, &image, pod, &[], "true").expect_error(2, &[part]);
    };
    refused(
        &["--sysctl=kernel.core_pattern=|/x"],
        "all of the machine share it",
    );
    refused(
        &["--sysctl=net/../kernel/panic=1"],
        "that is no name of one",
    );
    refused(&["--sysctl=kernel.hostname=x"], "host name");
    refused(&["--sysctl=kernel.sem=1\nx=2"], "more than one line");
    refused(
        &["--net=host", "--sysctl=net.ipv4.ip_forward=1"],
        "its network is the host's",
    );
    refused(
        &["--userns=host", "--ipc=host", "--sysctl=kernel.shmmni=1"],
        "its IPC is the host's",
    );
    told(
        &host,
        &image,
        &["--sysctl=net.no_such.thing=1"],
        &[],
        "true",
    )
    .expect_error(125, &["net/no_such/thing"]);
}

#[test]
fn a_read_only_root_leaves_memory_where_programs_write() {
    let (host, image) = busybox_host();
    let volume = host.base().join("volume");
    std::fs::create_dir(&volume).unwrap();
    let mount = format!("--volume={}:/data:noidmap", volume.display());
    let script = "for at in / /etc /tmp /run /var/tmp /dev/shm /data; do touch $at/x 2>/dev/null && echo $at; done; true";
    let in_memory = "/tmp\n/run\n/var/tmp\n/dev/shm\n";
    let flags = |users: &'static str| match users {
        "--userns=host" => (vec![mount.as_str()], format!("{in_memory}/data\n")),
        _ => (vec![], in_memory.to_owned()),
    };
    for users in USERS {
        for flag in ["--read-only", "--readonly-rootfs=true"] {
            let (mut app, expected) = flags(users);
            app.push(flag);
            let output = told(&host, &image, &[users], &app, script).ok();
            assert_eq!(output.stdout, expected, "{output}");
        }
        let app = ["--read-only", "--read-only-tmpfs=false"];
        let output = told(&host, &image, &[users], &app, script).ok();
        assert_eq!(output.stdout, "/dev/shm\n", "{output}");
    }
    // What is asked for at such a place is there instead.
    let app = ["--read-only", "--tmpfs=/run:size=1m"];
    told(&host, &image, &[], &app, "grep ' /run ' /proc/mounts")
        .ok()
        .expect_stdout("size=1024k");
}

#[test]
fn paths_are_masked_and_unmasked_by_choice() {
    let (host, image) = busybox_host();
    let script = "cat /etc/passwd; ls -A /srv; touch /srv/x || echo kept; echo 1 > /proc/sys/vm/swappiness; \
                  grep -cE ' /proc/(kcore|acpi|interrupts|keys) ' /proc/mounts; grep -c ' /proc/sys ' /proc/mounts";
    for users in USERS {
        let flags = [
            "--security-opt=mask=/etc/passwd:/srv:/nowhere",
            "--security-opt",
            "unmask=/proc/interrupts",
        ];
        let output = told(&host, &image, &[users, "--tmpfs=/srv"], &flags, script).ok();
        let lines: Vec<&str> = output.stdout.lines().collect();
        assert!(matches!(lines.as_slice(), ["kept", _, "1"]), "{output}");
        for all in ["unmask=ALL", "systempaths=unconfined"] {
            let script = "grep -E ' /proc/' /proc/mounts; grep -c ' /sys sysfs ro' /proc/mounts";
            let output = told(&host, &image, &[users], &["--security-opt", all], script).ok();
            assert_eq!(output.stdout, "1\n", "{output}");
            output.expect_stderr("unmask=ALL");
        }
    }
}

#[test]
fn an_apps_proc_shows_as_much_as_is_asked_for() {
    let (host, image) = busybox_host();
    for users in USERS {
        for more in ["--pid=pod", "--pid=private"] {
            let flags = [more, "--security-opt=proc-opts=subset=pid,hidepid=2"];
            let script = "cat /proc/self/comm; test -e /proc/meminfo || echo few; test -e /proc/sys || echo fewer";
            let output = told(&host, &image, &[users], &flags, script).ok();
            assert_eq!(output.stdout, "cat\nfew\nfewer\n", "{output}");
            let app = [
                "--user=app",
                more,
                "--security-opt=proc-opts=hidepid=invisible",
            ];
            let script = "ls -d /proc/1 /proc/$$ 2>/dev/null; true";
            let seen = told(&host, &image, &[users], &app, script).ok();
            assert_eq!(
                seen.stdout.contains("/proc/1\n"),
                more == "--pid=private",
                "{seen}"
            );
        }
    }
    let run = host.fairing(["run", "--rm", &image, "--security-opt=proc-opts=exec"]);
    run.run().expect_error(2, &["no option of /proc"]);
}

#[test]
fn an_app_can_be_process_1_of_its_own() {
    let (host, image) = busybox_host();
    for users in USERS {
        let output = told(
            &host,
            &image,
            &[users],
            &["--pid=private"],
            "echo $$; ls -d /proc/[0-9]*",
        )
        .ok();
        assert!(output.stdout.starts_with("1\n/proc/1\n"), "{output}");
        let output = told(
            &host,
            &image,
            &[users],
            &["--pid=pod", "--init"],
            "echo $$; cat /proc/1/comm",
        )
        .ok();
        assert!(!output.stdout.starts_with("1\n"), "{output}");
        output.expect_stdout("pod-init");
    }
    // A command finds the app's processes, and the app's end is that of all of them.
    let run = host.fairing(["run", "--detach", "--name=own", &image, "--pid=private"]);
    run.args(["--", "/bin/sh", "-c", "sleep 2000 & exec sleep 1000"])
        .run()
        .ok();
    host.fairing(["enter", "own", "--", "/bin/cat", "/proc/1/cmdline"])
        .run()
        .ok()
        .expect_stdout("sleep\u{0}1000");
    host.fairing(["stop", "--force", "own"]).run().ok();
    for (flag, part) in [
        ("--pid=host", "processes of the host"),
        ("--pid=container:x", "other pods"),
        ("--ipc=container:x", "other pods"),
        ("--cgroupns=container:x", "other pods"),
    ] {
        let run = host.fairing(["run", "--rm", flag, &image]);
        run.args(["--", "/bin/true"]).run().expect_error(2, &[part]);
    }
}

#[test]
fn a_pod_among_the_host_s_processes_ends_as_a_whole() {
    let host = accepting_host();
    let image = import(&host, &ImageBuilder::busybox().build(), "busybox:1");
    let run = host.fairing([
        "run",
        "--detach",
        "--userns=host",
        "--pid=host",
        "--name=seen",
        &image,
    ]);
    run.args([
        "--",
        "/bin/sh",
        "-c",
        "sleep 1000 & setsid sleep 2000 & exec sleep 3000",
    ])
    .run()
    .ok();
    let own = std::process::id();
    let cat = format!("/proc/{own}/comm");
    let enter = host
        .fairing(["enter", "seen", "--", "/bin/cat", &cat])
        .run()
        .ok();
    let name = std::fs::read_to_string(&cat).unwrap();
    assert_eq!(enter.stdout, name);
    host.fairing(["stop", "--force", "seen"]).run().ok();
    assert!(host.processes().is_empty(), "{:#?}", host.processes());
    // Nothing is left of one whose monitor is killed either.
    host.fairing(["rm", "seen"]).run().ok();
    let run = host.fairing([
        "run",
        "--detach",
        "--userns=host",
        "--pid=host",
        "--name=killed",
        &image,
    ]);
    run.args(["--", "/bin/sh", "-c", "setsid sleep 2000 & exec sleep 3000"])
        .run()
        .ok();
    let monitor = status(&host, "killed")["monitor-pid"].to_string();
    let killed = std::process::Command::new("kill")
        .args(["-KILL", &monitor])
        .status();
    assert!(killed.unwrap().success());
    wait_until("the end of all of it", Duration::from_secs(10), || {
        host.processes().is_empty().then_some(())
    });
    host.collect();
}

#[test]
fn a_pod_shares_ipc_and_host_name_with_the_host_where_that_is_asked_for() {
    let host = accepting_host();
    let image = import(&host, &ImageBuilder::probe().build(), "probe:1");
    let namespaces = |flags: &[&str]| {
        let run = host.fairing(["run", "--rm"]).args(flags);
        run.args([&image, "--", "/probe", "namespaces"]).run().ok()
    };
    let shared = namespaces(&["--userns=host", "--ipc=host", "--uts=host"]);
    shared
        .expect_stdout("ipc = the host's")
        .expect_stdout("uts = the host's")
        .expect_stdout("pid = its own")
        .expect_stderr("shares with the host what others have for themselves: ipc=host, uts=host");
    namespaces(&["--userns=auto", "--uts=host", "--ipc=private"])
        .expect_stdout("ipc = its own")
        .expect_stdout("uts = the host's");
    let (flags, script) = (["--userns=host", "--uts=host"], "hostname");
    let name = told(&host, &image, &flags, &[], script).ok();
    let own = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(name.stdout, own);
    told(&host, &image, &["--userns=auto", "--ipc=host"], &[], "true")
        .expect_error(2, &["can't share the host's IPC", "--userns=host"]);
    told(&host, &image, &["--uts=host", "--hostname=x"], &[], "true").expect_code(2);
    let own = std::process::id();
    let file = format!("/dev/shm/fairing-test-{own}");
    std::fs::write(&file, "of the host").unwrap();
    let flags = ["--userns=host", "--ipc=host"];
    let seen = told(&host, &image, &flags, &[], &format!("cat {file}"));
    std::fs::remove_file(&file).unwrap();
    seen.ok().expect_stdout("of the host");
    host.fairing([
        "prepare",
        "--userns=host",
        "--ipc=host",
        "--name=shared",
        &image,
    ])
    .run()
    .ok();
    host.fairing(["status", "shared"])
        .run()
        .ok()
        .expect_stdout("shared=ipc=host");
    host.fairing(["list", "--no-trunc"])
        .run()
        .ok()
        .expect_stdout("ipc=host");
    host.fairing(["rm", "shared"]).run().ok();
}

#[test]
fn variables_of_the_image_can_be_left_out_and_the_stop_signal_chosen() {
    let host = accepting_host();
    let image = ImageBuilder::busybox().env("A", "1").env("B", "2").build();
    let image = import(&host, &image, "variables:1");
    let script = "echo A=$A B=$B C=$C";
    let of = |flags: &[&str]| told(&host, &image, &[], flags, script).ok().stdout;
    assert_eq!(of(&["--unsetenv=A", "--env=C=3"]), "A= B=2 C=3\n");
    assert_eq!(of(&["--unsetenv-all", "--env=C=3"]), "A= B= C=3\n");
    let run = host.fairing(["run", "--rm", "--name=pod", &image, "--stop-signal=USR1"]);
    let script = "trap 'exit 7' USR1; echo up; sleep 1000 & wait";
    let pod = run.args(["--", "/bin/sh", "-c", script]).spawn();
    pod.wait_stdout("up");
    host.fairing(["stop", "pod"]).run().ok();
    pod.wait().expect_code(7);
}
