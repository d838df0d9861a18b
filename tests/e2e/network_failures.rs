//! Networks that can't be joined: one line says why, the exit code is that of the table, and nothing is left.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use harness::{FairingCommand, Running, Signal, wait_until};

use crate::network_lab::Lab;
use crate::stocked::IMAGE;

impl Lab {
    /// A network of a plugin that is a script.
    pub(crate) fn script(&self, name: &str, script: &str) {
        let plugin = self
            .host
            .write(format!("bin/{name}"), format!("#!/bin/sh\n{script}\n"));
        std::fs::set_permissions(&plugin, std::fs::Permissions::from_mode(0o755)).unwrap();
        self.host.write(
            format!("cni/{name}.conflist"),
            format!(
                r#"{{"cniVersion": "1.0.0", "name": "{name}", "plugins": [{{"type": "{name}"}}]}}"#
            ),
        );
    }

    /// `fairing run` with these flags, of a program that would succeed.
    pub(crate) fn run(&self, flags: &[&str]) -> FairingCommand {
        let run = self
            .host
            .fairing(["run"])
            .env("CNI_PATH", self.host.base().join("bin"));
        run.args(flags).args([IMAGE, "--exec", "/bin/true"])
    }

    #[track_caller]
    pub(crate) fn expect_nothing(&self, before: &str) {
        assert!(self.host.pod_folders().is_empty());
        self.expect_traces(before);
    }
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_starts() {
    let lab = Lab::new();
    let before = lab.traces();
    for (flags, parts) in [
        (
            &["--net=default,default"][..],
            &["--net", "default is named twice"][..],
        ),
        (
            &["--net=default", "--net=default:IP=10.0.0.1"],
            &["--net", "named twice"],
        ),
        (&["--net=host,default"], &["host", "can't be combined"]),
        (&["--net=all:IP=10.0.0.1"], &["all", "no arguments"]),
        (
            &["--net=default:ip=10.0.0.1"],
            &["network default", "no argument ip", "IP, MAC"],
        ),
        (&["--net=default:IP=x"], &["network default", "IP=x"]),
        (
            &["--net=default:MAC=ff:ff:ff:ff:ff:ff"],
            &["network default", "MAC=ff:ff"],
        ),
        (
            &["--net=ptp:MASTER=eth0"],
            &["network ptp", "no argument MASTER"],
        ),
        (&["--net=default:IP"], &["NAME:KEY=VALUE"]),
        (
            &["--port=8080:80", "--port=127.0.0.1:8080:81"],
            &["--port", "8080/tcp", "twice"],
        ),
        (&["--port=0:80"], &["0:80", "from 1 to 65535"]),
        (&["--port=65536:80"], &["65536:80", "from 1 to 65535"]),
        (&["--port=8000-8001:80"], &["different lengths"]),
        (&["--port=8001-8000:80"], &["ends before it begins"]),
        (&["--port=localhost:80:80"], &["the host's address is IPv4"]),
        (&["--port=80:80/icmp"], &["tcp, udp or sctp"]),
    ] {
        lab.run(flags).run().expect_error(2, parts);
    }
    for (flags, parts) in [
        (
            &["--net=default:IP=10.99.0.1"][..],
            &["network default", "10.99.0.1", "10.172.0.0/16"][..],
        ),
        (
            &["--net=default:IP=10.172.0.1"],
            &["network default", "10.172.0.1", "gateway"],
        ),
        (
            &["--net=macvlan:MASTER=nope"],
            &["network macvlan", "no interface nope"],
        ),
        (
            &["--net=macvlan:IP=10.0.0.1"],
            &["network macvlan", "10.0.0.1/24"],
        ),
        (
            &["--port=10.99.0.1:80:80"],
            &["10.99.0.1:80/tcp", "not an address of this host"],
        ),
    ] {
        lab.run(flags).run().expect_error(125, parts);
    }
    let unknown = lab.run(&["--net=nowhere"]).run();
    unknown.expect_error(121, &["no such network: nowhere", "there are: default"]);
    lab.host.collect();
    lab.expect_nothing(&before);
}

#[test]
fn an_address_is_one_pods() {
    let lab = Lab::new();
    let pod = lab.server("web", &["--net=default:IP=10.172.0.9"]);
    let run = lab.run(&["--net=default:IP=10.172.0.9"]).run();
    run.expect_error(125, &["network default", "10.172.0.9", &pod]);
    lab.stop(&[&pod]);
    lab.run(&["--net=default:IP=10.172.0.9"]).run().ok();
}

#[test]
fn plugins_that_misbehave_are_named_once() {
    let lab = Lab::new();
    let before = lab.traces();
    for (name, script, parts) in [
        (
            "crash",
            "[ $CNI_COMMAND = DEL ] || kill -SEGV $$",
            &["ADD", "SIGSEGV"][..],
        ),
        ("silent", "exit 0", &["ADD", "it is empty"]),
        (
            "garbage",
            "echo '<html>'",
            &["ADD", "it begins with \"<html>\""],
        ),
        (
            "bomb",
            "[ $CNI_COMMAND = DEL ] || head -c 100000000 /dev/zero",
            &["ADD", "longer than 1048576"],
        ),
        (
            "noise",
            "[ $CNI_COMMAND = DEL ] || { head -c 100000000 /dev/zero | tr '\\0' x >&2; exit 3; }",
            &["ADD", "exit status: 3", "xxx"],
        ),
        (
            "colour",
            r#"[ $CNI_COMMAND = DEL ] || { printf '{"code": 7, "msg": "\\u001b[31mred\\nfairing: all is well"}'; exit 1; }"#,
            &["ADD", "[31mred fairing: all is well (code 7)"],
        ),
    ] {
        lab.script(name, script);
        let run = lab.run(&["--net", name]).run();
        run.expect_error(125, &[&[name, "plugin"], parts].concat());
    }
    lab.run(&["--net", "crash"])
        .env("CNI_PATH", "/nowhere")
        .run()
        .expect_error(
            125,
            &["network crash: plugin crash: ADD: there is no such program in /nowhere"],
        );
    lab.expect_nothing(&before);
}

#[test]
fn what_a_plugin_does_not_take_back_is_told_and_gc_tries_again() {
    let lab = Lab::new();
    let before = lab.traces();
    let fixed = lab.host.base().join("fixed");
    let script = format!(
        "[ -e {} ] || {{ printf '{{\"code\": 100, \"msg\": \"%s broke\"}}' $CNI_COMMAND; exit 1; }}",
        fixed.display()
    );
    lab.script("broken", &script);
    // It doesn't read what it is told, which is more than a pipe takes.
    let filler = "x".repeat(200_000);
    lab.host.write(
        "cni/broken.conflist",
        format!(
            r#"{{"cniVersion": "1.0.0", "name": "broken", "plugins": [{{"type": "broken", "filler": "{filler}"}}]}}"#
        ),
    );
    let run = lab.run(&["--net=broken"]).run();
    run.expect_error(
        125,
        &[
            "ADD broke",
            "could not be undone",
            "DEL broke",
            "`fairing gc`",
        ],
    );
    let plugins = lab.host.base().join("bin");
    let gc = || {
        lab.host
            .fairing(["network", "gc"])
            .env("CNI_PATH", &plugins)
            .run()
    };
    gc().expect_error(125, &["network broken", "DEL broke"]);
    std::fs::write(&fixed, "").unwrap();
    gc().ok();
    lab.expect_nothing(&before);
}

#[test]
fn a_start_that_waits_for_a_plugin_ends_with_the_signal() {
    let lab = Lab::new();
    let before = lab.traces();
    let begun = lab.host.base().join("begun");
    let script = format!(
        "[ $CNI_COMMAND = DEL ] && exit; : > {}; exec sleep 1000",
        begun.display()
    );
    lab.script("slow", &script);
    for (signal, name, code) in [
        (Signal::INT, "SIGINT", 130),
        (Signal::TERM, "SIGTERM", 143),
        (Signal::HUP, "SIGHUP", 129),
    ] {
        let running: Running = lab.run(&["--net=slow"]).spawn();
        wait_until("the plugin to begin", Duration::from_secs(20), || {
            begun.exists().then_some(())
        });
        running.signal(signal);
        running
            .wait()
            .expect_error(code, &[name, "network slow", "plugin slow"]);
        lab.expect_nothing(&before);
        std::fs::remove_file(&begun).unwrap();
    }
    // Killed, it is cleared by gc.
    let running = lab.run(&["--net=slow"]).spawn();
    wait_until("the plugin to begin", Duration::from_secs(20), || {
        begun.exists().then_some(())
    });
    running.signal(Signal::KILL);
    running.wait();
    lab.host.kill_all();
    lab.host
        .fairing(["gc", "--grace-period=0s"])
        .env("CNI_PATH", lab.host.base().join("bin"))
        .run()
        .ok();
    lab.expect_nothing(&before);
}

/// Runs with a small file system as the directory of what lives until the next boot.
fn on_small(lab: &Lab, options: &str, flags: &[&str]) -> (harness::Output, String) {
    let run = lab.host.run_dir();
    let mount = |program: &str, arguments: &[&str]| {
        let status = std::process::Command::new(program)
            .args(arguments)
            .arg(&run)
            .status();
        assert!(status.unwrap().success(), "{program} {arguments:?}");
    };
    mount("mount", &["-t", "tmpfs", "-o", options, "fairing-test"]);
    let output = lab.run(flags).run();
    let left = files(&run.join("cni"));
    let pods = files(&run.join("pods"));
    mount("umount", &["-l"]);
    (output, format!("{left}{pods}"))
}

/// What is below a directory, but locks and records of networks.
fn files(folder: &Path) -> String {
    let find = std::process::Command::new("find")
        .arg(folder)
        .args([
            "!",
            "-type",
            "d",
            "!",
            "-name",
            "*.lock",
            "!",
            "-path",
            "*/locks/*",
            "!",
            "-name",
            "network.json",
        ])
        .output();
    String::from_utf8(find.unwrap().stdout).unwrap()
}

#[test]
fn a_full_disk_is_told_by_its_exit_code_and_nothing_stays() {
    let lab = Lab::new();
    let before = lab.traces();
    let mut failures = 0;
    for inodes in 2..=40 {
        let options = format!("size=1m,nr_inodes={inodes}");
        let (output, left) = on_small(&lab, &options, &["--rm", "--port=8080:80"]);
        assert_eq!(left, "", "{inodes}: {output}");
        if output.code == Some(0) {
            break;
        }
        output.expect_error(117, &["No space left"]);
        failures += 1;
    }
    assert!(failures > 10, "{failures}");
    // Nobody remembers the network that was made in the end; the next pod finds it, and gc removes it.
    lab.run(&["--rm", "--port=8080:80"]).run().ok();
    assert_eq!(lab.host.pod_folders(), []);
    lab.host.collect();
    lab.expect_traces(&before);
}

#[test]
fn what_is_read_only_or_not_permitted_is_named() {
    let lab = Lab::new();
    let (output, _) = on_small(&lab, "ro", &[]);
    output.expect_error(125, &["cannot create", "Read-only file system"]);
    let before = lab.traces();
    let run = lab
        .run(&[])
        .through("setpriv", ["--bounding-set", "-net_admin"]);
    let output = run.run();
    assert!(!output.stderr.contains("undone"), "{output}");
    output.expect_error(125, &["not permitted", "CAP_NET_ADMIN"]);
    lab.expect_nothing(&before);
}
