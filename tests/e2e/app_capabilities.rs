//! Capabilities of apps by choice, and what goes with them.

use harness::{Host, ImageBuilder, Layer};

use crate::imported::{accepting_host, busybox_host, import};

/// Whose users a pod has: the host's and its own.
const USERS: [&str; 2] = ["host", "auto"];

fn probe_host() -> (Host, String) {
    let host = accepting_host();
    let image = import(&host, &ImageBuilder::probe().build(), "probe:1");
    (host, image)
}

/// The lines of one section of what the probe sees as an app with these flags.
fn seen(host: &Host, image: &str, users: &str, flags: &[&str], section: &str) -> harness::Output {
    let mut run = host.fairing(["run", "--rm", "--userns", users, image]);
    run = run.args(flags);
    run.args(["--", "/probe", section]).run().ok()
}

const USUAL: &str = "CHOWN DAC_OVERRIDE FOWNER FSETID KILL NET_BIND_SERVICE SETGID SETPCAP SETUID";

#[test]
fn root_has_what_is_added_and_not_what_is_dropped() {
    let (host, image) = probe_host();
    let with = |more: &str| {
        let mut all: Vec<&str> = USUAL.split(' ').chain(more.split(' ')).collect();
        all.sort_unstable();
        all.join(" ")
    };
    let few = "CHOWN DAC_OVERRIDE FOWNER FSETID NET_BIND_SERVICE SETGID SETPCAP SETUID";
    for users in USERS {
        for (flags, has) in [
            (&["--cap-add=NET_ADMIN"][..], with("NET_ADMIN")),
            (
                &["--cap-add", "cap_net_raw,IPC_LOCK"],
                with("NET_RAW IPC_LOCK"),
            ),
            (&["--cap-drop=CAP_KILL"], few.to_owned()),
            (&["--cap-drop=ALL"], "none".to_owned()),
            (&["--cap-drop=all", "--cap-add=KILL"], "KILL".to_owned()),
            (
                &["--caps-retain=CAP_CHOWN,CAP_NET_RAW"],
                "CHOWN NET_RAW".to_owned(),
            ),
            (&["--caps-remove=CAP_KILL"], few.to_owned()),
        ] {
            let output = seen(&host, &image, users, flags, "capabilities");
            for set in ["bounding", "permitted", "effective"] {
                output.clone().expect_stdout(&format!("{set} = {has}\n"));
            }
            output
                .expect_stdout("inheritable = none")
                .expect_stdout("ambient = none");
        }
    }
}

#[test]
fn another_user_has_what_is_added_by_name_and_nothing_else() {
    let (host, image) = probe_host();
    for users in USERS {
        let flags = [
            "--user",
            "app",
            "--cap-add",
            "NET_BIND_SERVICE",
            "--cap-drop",
            "KILL",
        ];
        let output = seen(&host, &image, users, &flags, "capabilities");
        for set in ["permitted", "effective", "inheritable", "ambient"] {
            output
                .clone()
                .expect_stdout(&format!("{set} = NET_BIND_SERVICE\n"));
        }
        let without = ["--user", "app", "--cap-drop", "KILL"];
        seen(&host, &image, users, &without, "capabilities")
            .expect_stdout("permitted = none")
            .expect_stdout("ambient = none");
    }
}

#[test]
fn a_command_that_enters_has_the_apps_capabilities() {
    let (host, image) = probe_host();
    for users in USERS {
        host.fairing([
            "run", "--detach", "--name", users, "--userns", users, &image,
        ])
        .args([
            "--cap-drop=ALL",
            "--cap-add=NET_RAW",
            "--",
            "/bin/sleep",
            "1000",
        ])
        .run()
        .ok();
        host.fairing(["enter", users, "--", "/probe", "capabilities"])
            .run()
            .ok()
            .expect_stdout("bounding = NET_RAW\n")
            .expect_stdout("effective = NET_RAW\n");
        host.fairing(["stop", "--force", users]).run().ok();
    }
}

#[test]
fn the_default_filter_leaves_to_a_capability_what_it_is_for() {
    let (host, image) = busybox_host();
    let mount = ["--", "/bin/mount", "-t", "tmpfs", "none", "/tmp"];
    for users in USERS {
        let run = |flags: &[&str]| {
            let run = host.fairing(["run", "--rm", "--userns", users, &image]);
            run.args(flags).args(mount).run()
        };
        run(&["--cap-add=SYS_ADMIN"]).ok();
        run(&["--cap-add=NET_ADMIN"]).expect_code(1);
        run(&[]).expect_code(1);
    }
}

#[test]
fn capabilities_that_nobody_can_give_are_refused() {
    let (host, image) = busybox_host();
    let refused = |flags: &[&str], code, part: &str| {
        let run = host.fairing(["run", "--rm", "--userns=host", &image]);
        run.args(flags)
            .args(["--", "/bin/true"])
            .run()
            .expect_error(code, &[part]);
    };
    refused(&["--cap-add=EVERYTHING"], 2, "capabilities(7)");
    refused(
        &["--cap-add=KILL", "--cap-drop=KILL"],
        2,
        "CAP_KILL is to be added, and dropped",
    );
    refused(&["--cap-add=ALL", "--cap-drop=ALL"], 2, "all capabilities");
    refused(&["--caps-retain=KILL", "--cap-add=CHOWN"], 2, "--cap-add");
    // What this machine's own root lacks.
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let permitted = status
        .lines()
        .find_map(|line| line.strip_prefix("CapPrm:\t"))
        .unwrap();
    let permitted = u64::from_str_radix(permitted, 16).unwrap();
    let names = [
        (23, "SYS_NICE"),
        (24, "SYS_RESOURCE"),
        (25, "SYS_TIME"),
        (22, "SYS_BOOT"),
    ];
    for (_, name) in names
        .iter()
        .filter(|(number, _)| permitted >> number & 1 == 0)
    {
        refused(&[&format!("--cap-add={name}")], 125, "isn't had here");
    }
    let all = host.fairing(["run", "--rm", "--userns=host", &image]);
    all.args(["--cap-add=ALL", "--", "/bin/true"]).run().ok();
}

#[test]
fn a_set_user_id_program_gives_privileges_only_where_that_is_asked_for() {
    let host = accepting_host();
    let program = std::fs::read(harness::probe_binary()).unwrap();
    let suid = Layer::new().file("suid", program, 0o4755);
    let image = import(&host, &ImageBuilder::probe().layer(suid).build(), "suid:1");
    for users in USERS {
        let identity = |flags: &[&str]| {
            let run = host.fairing(["run", "--rm", "--userns", users, &image, "--user", "app"]);
            let run = run.args(flags);
            run.args(["--", "/suid", "identity", "confinement"])
                .run()
                .ok()
        };
        let ids = "uid (real, effective, saved, file system) =";
        identity(&[])
            .expect_stdout(&format!("{ids} 1000 1000 1000 1000"))
            .expect_stdout("no new privileges = 1");
        for flag in [
            &["--no-new-privileges=false"][..],
            &["--security-opt", "no-new-privileges=false"],
        ] {
            identity(flag)
                .expect_stdout(&format!("{ids} 1000 0 0 0"))
                .expect_stdout("no new privileges = 0")
                .expect_stderr("no-new-privileges=false");
        }
        identity(&["--security-opt=no-new-privileges"]).expect_stdout("no new privileges = 1");
    }
}

#[test]
fn an_app_that_joins_gains_no_privileges_where_none_of_the_pod_does() {
    let (host, image) = busybox_host();
    host.fairing(["app", "sandbox", "--detach", "--name", "pod"])
        .run()
        .ok();
    host.fairing(["app", "add", "--start", "pod", &image])
        .args([
            "--app-name=one",
            "--no-new-privileges=false",
            "--",
            "/bin/sleep",
            "1000",
        ])
        .run()
        .expect_error(
            125,
            &[
                "app one can't gain privileges: no app that the pod began with could",
                "`fairing run --lifetime=until-stopped`",
            ],
        );
    // It may not do more, and nothing says that it may.
    let add = host.fairing(["app", "add", "pod", &image, "--app-name=one"]);
    let refused = add.args(["--privileged", "--", "/bin/true"]).run();
    assert!(
        !refused.stderr.contains("warning: --privileged"),
        "{refused}"
    );
    refused.expect_error(125, &["app one can't gain privileges"]);
    let add = host.fairing(["app", "add", "--start", "pod", &image]);
    add.args([
        "--app-name=two",
        "--cap-add=NET_RAW",
        "--",
        "/bin/sleep",
        "1000",
    ])
    .run()
    .ok()
    .expect_stderr("cap-add=CAP_NET_RAW");
    host.fairing(["stop", "--force", "pod"]).run().ok();
}

#[test]
fn what_an_app_is_given_is_warned_about_and_shown() {
    let (host, image) = busybox_host();
    let prepared = host
        .fairing(["prepare", "--userns=auto", "--name=wide", &image])
        .args([
            "--cap-add=NET_ADMIN",
            "--seccomp=unconfined",
            "--annotation=a.b/c=d",
        ])
        .args([
            "--security-opt=unmask=/proc/kcore",
            "--",
            "/bin/sleep",
            "1000",
        ])
        .run()
        .ok()
        .expect_stderr(
            "may do more than usual: cap-add=CAP_NET_ADMIN, seccomp=unconfined, unmask=/proc/kcore",
        );
    let uuid = prepared.text();
    let words = "cap-add=CAP_NET_ADMIN,seccomp=unconfined,unmask=/proc/kcore";
    host.fairing(["list"]).run().ok().expect_stdout("insecure");
    host.fairing(["list", "--no-trunc"])
        .run()
        .ok()
        .expect_stdout(words);
    host.fairing(["status", uuid])
        .run()
        .ok()
        .expect_stdout(&format!("app-busybox-widened={words}"))
        .expect_stdout("app-busybox-annotation=a.b/c=d");
    let docker = |template: &str, expected: &str| {
        host.fairing(["inspect", "--format", template, uuid])
            .run()
            .ok()
            .expect_stdout(expected);
    };
    docker("{{.HostConfig.CapAdd}}", "CAP_NET_ADMIN");
    host.fairing(["rm", uuid]).run().ok();
    // What is usual is no more than before.
    host.fairing(["prepare", "--name=usual", &image]).run().ok();
    let manifest = host.fairing(["list"]).run().ok();
    assert!(!manifest.stdout.contains("insecure"), "{manifest}");
    host.fairing(["rm", "usual"]).run().ok();
}

#[test]
fn a_privileged_app_has_all_but_devices_and_says_so_loudly() {
    let (host, image) = probe_host();
    for users in USERS {
        let output = seen(&host, &image, users, &["--privileged"], "confinement");
        output
            .expect_stdout("seccomp mode = 0")
            .expect_stdout("no new privileges = 0")
            .expect_stderr("--privileged: app probe has all capabilities");
        let capabilities = seen(&host, &image, users, &["--privileged"], "capabilities");
        capabilities
            .expect_stdout("SYS_ADMIN")
            .expect_stdout("SYS_MODULE");
        let mounts = host
            .fairing(["run", "--rm", "--userns", users, &image, "--privileged"])
            .args([
                "--",
                "/bin/sh",
                "-c",
                "grep -E ' /(proc|sys)' /proc/mounts; ls /dev",
            ])
            .run()
            .ok();
        let masked = mounts.stdout.contains("/proc/kcore") || mounts.stdout.contains(" sysfs ro");
        assert!(!masked, "{mounts}");
        assert!(!mounts.stdout.contains("kmsg"), "{mounts}");
    }
    for flags in [
        &["--privileged", "--cap-drop=ALL"][..],
        &["--privileged", "--security-opt=mask=/srv"],
        &["--privileged", "--no-new-privileges=true"],
    ] {
        let run = host.fairing(["run", "--rm", &image]);
        run.args(flags).run().expect_code(2);
    }
}

#[test]
fn a_privileged_pod_that_was_prepared_starts_as_such() {
    let (host, image) = probe_host();
    let uuid = host
        .fairing(["prepare", "--userns=auto", &image, "--privileged"])
        .args(["--", "/probe", "confinement"])
        .run()
        .ok();
    let uuid = uuid.text();
    host.fairing(["status", uuid])
        .run()
        .ok()
        .expect_stdout("widened=privileged");
    host.fairing(["inspect", "--format", "{{.HostConfig.Privileged}}", uuid])
        .run()
        .ok()
        .expect_stdout("true");
    host.fairing(["run-prepared", "--rm", uuid])
        .run()
        .ok()
        .expect_stdout("seccomp mode = 0");
}

#[test]
fn who_may_trace_looks_into_no_process_of_fairings() {
    let (host, image) = busybox_host();
    for flags in [&["--cap-add=SYS_PTRACE"][..], &["--privileged"], &[]] {
        let mut run = host.fairing(["run", "--rm", "--userns=auto", "--app-name=a", &image]);
        run = run.args(flags);
        let script = "ls /proc/1/fd /proc/1/root/ > /dev/null; echo $?; ls /proc/self/fd > /dev/null && echo own";
        let output = run.args(["--", "/bin/sh", "-c", script]).run().ok();
        assert_eq!(output.stdout, "1\nown\n", "{flags:?}: {output}");
        for place in ["/proc/1/fd", "/proc/1/root/"] {
            let line = output.stderr.lines().find(|line| line.contains(place));
            let line = line.unwrap_or_else(|| panic!("{output}"));
            assert!(line.ends_with("Permission denied"), "{line}");
        }
    }
}
