//! `fairing enter`: commands inside of an app that runs.

use std::collections::BTreeSet;
use std::time::Duration;

use harness::{Host, ImageBuilder, Process, wait_until};

use crate::stocked::{IDLE, IMAGE, busybox, detached, host_with, status, wait_log};

/// What a process can see of its own identity and surroundings.
const REPORT: &str = "id -u; id -g; id -G; pwd; \
    grep -E '^(Cap|NoNewPrivs|Seccomp|Groups)' /proc/self/status; \
    for space in cgroup ipc mnt net pid uts; do readlink /proc/self/ns/$space; done; \
    ulimit -n; umask; env | grep -vE '^(SHLVL|_|OLDPWD)=' | sort";

fn app_pid(host: &Host, pod: &str) -> u32 {
    let pid = status(host, pod)["apps"][0]["pid"].as_u64();
    u32::try_from(pid.expect("the app runs")).unwrap()
}

#[test]
fn a_command_is_what_the_app_is() {
    let image = ImageBuilder::busybox().env("OF", "the image").user("app");
    let host = host_with(image);
    let output = host
        .fairing([
            "run",
            "--detach",
            IMAGE,
            "--workdir",
            "/var",
            "--env",
            "A=b",
        ])
        .args([
            "--",
            "/bin/sh",
            "-c",
            &format!("{REPORT}; echo end; {IDLE}"),
        ])
        .run()
        .ok();
    let pod = output.text();
    wait_log(&host, pod, "end\n");
    let of_app = host.fairing(["logs", pod]).run().ok().stdout;
    let entered = host
        .fairing(["enter", pod, "--", "/bin/sh", "-c", REPORT])
        .env("OF_THE_CALLER", "must not get in")
        .run()
        .ok();
    assert_eq!(of_app.strip_suffix("end\n").unwrap(), entered.stdout);
    assert!(
        entered.stdout.starts_with("1000\n1000\n1000 50\n/var\n"),
        "{entered}"
    );
    assert!(
        entered.stdout.contains("CapEff:\t0000000000000000"),
        "{entered}"
    );
    assert!(entered.stdout.contains("OF=the image\n"), "{entered}");
    host.fairing(["stop", "--force", pod]).run().ok();
}

#[test]
fn a_command_is_in_the_apps_cgroup_and_namespaces_and_ends_with_the_pod() {
    let host = busybox();
    let pod = detached(&host, &[], &format!("echo up; {IDLE}"));
    let session = host
        .fairing(["enter", &pod, "--", "/bin/sleep", "1000"])
        .spawn();
    let command = wait_until("the command", Duration::from_secs(10), || {
        let mut found = host.processes_named("sleep");
        found.pop()
    });
    let app = Process::read(app_pid(&host, &pod)).unwrap();
    assert_eq!(command.cgroups, app.cgroups);
    assert!(app.cgroups.contains(&pod));
    assert_eq!(command.namespaces, app.namespaces);
    host.fairing(["stop", "--force", &pod]).run().ok();
    assert!(!command.is_alive());
    let output = session.wait();
    assert!(output.code.is_some_and(|code| code != 0), "{output}");
}

#[test]
fn the_exit_code_is_the_commands() {
    let host = busybox();
    let pod = detached(&host, &[], IDLE);
    let enter = |command: &[&str]| {
        let entered = host.fairing(["enter", &pod, "--"]);
        entered.args(command).run()
    };
    for code in [0, 7, 255] {
        enter(&["/bin/sh", "-c", &format!("exit {code}")]).expect_code(code);
    }
    enter(&["/bin/sh", "-c", "kill -KILL $$"]).expect_code(137);
    enter(&["/no/such"]).expect_error(127, &["such"]);
    enter(&["nosuch"]).expect_error(127, &["nosuch"]);
    enter(&["/etc/passwd"]).expect_error(126, &["/etc/passwd"]);
    assert_eq!(status(&host, &pod)["state"], "running");
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn output_input_and_arguments_pass_unchanged() {
    let host = busybox();
    let pod = detached(&host, &[], IDLE);
    let script = "echo out; echo err >&2; printf '[%s]' \"$@\"";
    let output = host
        .fairing(["enter", &pod, "--", "/bin/sh", "-c", script, "sh"])
        .args(["a b", "", "$HOME", "--tty", "---"])
        .run()
        .ok();
    assert_eq!(output.stdout, "out\n[a b][][$HOME][--tty][---]");
    assert_eq!(output.stderr, "err\n");
    let text: String = (0..100_000).map(|number| format!("{number}\n")).collect();
    let output = host
        .fairing(["enter", "--interactive", &pod, "--", "/bin/cat"])
        .stdin(text.clone())
        .run()
        .ok();
    assert!(
        output.stdout == text,
        "{} bytes came back",
        output.stdout.len()
    );
    // Standard input stays open here: a `cat` that had it would not end.
    let deaf = host.fairing(["enter", &pod, "--", "/bin/cat"]).stdin_open();
    assert_eq!(deaf.spawn().wait().ok().stdout, "");
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn a_command_that_reads_nothing_ends_its_session_with_its_own_code() {
    let host = busybox();
    let pod = detached(&host, &[], IDLE);
    for code in [0, 3] {
        let script = format!("exit {code}");
        host.fairing([
            "enter",
            "--interactive",
            &pod,
            "--",
            "/bin/sh",
            "-c",
            &script,
        ])
        .stdin("x".repeat(3 << 20))
        .run()
        .expect_code(code);
    }
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn variables_can_be_added() {
    let host = busybox();
    let pod = detached(&host, &[], IDLE);
    let output = host
        .fairing([
            "enter", "--env", "A=flag", "--env", "OWN", &pod, "--", "/bin/sh", "-c",
        ])
        .arg("echo $A $OWN")
        .env("OWN", "callers")
        .run()
        .ok();
    assert_eq!(output.stdout, "flag callers\n");
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn one_of_several_apps_is_chosen_by_name() {
    let host = busybox();
    let output = host
        .fairing([
            "run",
            "--detach",
            IMAGE,
            "--app-name",
            "a",
            "--env",
            "I=a",
            "--",
        ])
        .args([
            "/bin/sh",
            "-c",
            IDLE,
            "---",
            IMAGE,
            "--app-name",
            "b",
            "--env",
            "I=b",
        ])
        .args(["--", "/bin/sh", "-c", IDLE])
        .run()
        .ok();
    let pod = output.text();
    for name in ["a", "b"] {
        let output = host
            .fairing([
                "enter", "--app", name, pod, "--", "/bin/sh", "-c", "echo $I",
            ])
            .run()
            .ok();
        assert_eq!(output.text(), name);
    }
    host.fairing(["enter", pod, "--", "/bin/true"])
        .run()
        .expect_error(2, &["--app", "a, b"]);
    host.fairing(["enter", "--app", "c", pod, "--", "/bin/true"])
        .run()
        .expect_error(121, &["`c`", "a, b"]);
    host.fairing(["stop", "--force", pod]).run().ok();
}

#[test]
fn only_a_running_pod_can_be_entered() {
    let host = busybox();
    let pod = detached(&host, &[], "true");
    host.fairing(["status", "--wait", &pod]).run().ok();
    host.fairing(["enter", &pod, "--", "/bin/true"])
        .run()
        .expect_error(125, &[&pod, "it has ended"]);
}

#[test]
fn a_command_can_have_a_terminal() {
    let host = busybox();
    let pod = detached(&host, &[], IDLE);
    let script = "trap 'stty size' WINCH; stty size; tty; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && \
         echo $TERM; while :; do usleep 5000; done";
    let mut terminal = host
        .fairing([
            "enter",
            "--tty",
            "--interactive",
            &pod,
            "--",
            "/bin/sh",
            "-c",
        ])
        .arg(script)
        .spawn_on_terminal(30, 100);
    terminal.wait_screen("xterm");
    assert!(
        terminal.screen().contains("30 100"),
        "{}",
        terminal.screen()
    );
    assert!(
        terminal.screen().contains("/dev/pts/"),
        "{}",
        terminal.screen()
    );
    terminal.resize(50, 132);
    terminal.wait_screen("50 132");
    // Through the terminal of the command, not as a signal to `fairing`.
    terminal.type_keys("\x03");
    terminal.wait().expect_code(130);
    assert_eq!(status(&host, &pod)["state"], "running");
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn a_person_at_a_terminal_gets_a_shell() {
    let host = busybox();
    let pod = detached(&host, &["--hostname", "inside"], IDLE);
    let mut terminal = host.fairing(["enter", &pod]).spawn_on_terminal(24, 80);
    terminal.wait_screen("# ");
    terminal.type_keys("hostname; exit 3\r");
    terminal.wait().expect_code(3).expect_stdout("inside\r\n");
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn off_a_terminal_a_command_is_asked_for_unless_a_script_comes() {
    let host = busybox();
    let pod = detached(&host, &["--name", "web"], IDLE);
    for flags in [&[][..], &["--tty"], &["--workdir", "/tmp"]] {
        let enter = host.fairing(["enter"]).args(flags);
        enter.arg("web").run().expect_error(
            2,
            &[
                "pod web",
                "`fairing enter web -- COMMAND`",
                "`fairing enter -i web`",
            ],
        );
    }
    let script = host
        .fairing(["exec", "-i", "web"])
        .stdin("echo in; exit 3\n");
    assert_eq!(script.run().expect_code(3).stdout, "in\n");
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn many_commands_at_once_end_each_with_its_own_code() {
    let host = busybox();
    let pod = detached(&host, &[], IDLE);
    let sessions: Vec<_> = (1..=20)
        .map(|code| {
            host.fairing(["enter", &pod, "--", "/bin/sh", "-c"])
                .arg(format!("echo {code}; exit {code}"))
                .spawn()
        })
        .collect();
    let mut seen = BTreeSet::new();
    for (session, code) in sessions.into_iter().zip(1..) {
        let output = session.wait().expect_code(code);
        assert_eq!(output.text(), code.to_string());
        seen.insert(code);
    }
    assert_eq!(seen.len(), 20);
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn a_command_starts_where_it_is_told_to_and_nowhere_outside() {
    let host = busybox();
    let script = format!("rm -r /w; {IDLE}");
    let pod = host
        .fairing(["run", "--detach", IMAGE, "--workdir", "/w/x"])
        .args(["--", "/bin/sh", "-c", &format!("cd /; {script}")])
        .run()
        .ok();
    let pod = pod.text();
    let pwd = |flags: &[&str]| {
        let enter = host.fairing(["enter"]).args(flags);
        enter.args([pod, "--", "/bin/pwd"]).run()
    };
    wait_until("the directory's end", Duration::from_secs(10), || {
        (pwd(&[]).code == Some(125)).then_some(())
    });
    pwd(&[]).expect_error(125, &["/w/x", "No such file"]);
    assert_eq!(pwd(&["--workdir", "/var"]).ok().stdout, "/var\n");
    pwd(&["-w", "/no"]).expect_error(125, &["/no", "No such file"]);
    pwd(&["-w", "/etc/passwd"]).expect_error(125, &["/etc/passwd", "Not a directory"]);
    assert_eq!(pwd(&["-w", "/var/../../.."]).ok().stdout, "/\n");
    for bad in ["", "var"] {
        pwd(&["--workdir", bad]).expect_error(2, &["--workdir"]);
    }
    // What the kernel shows of pod init leads out of the root, and nobody gets there.
    for outside in ["/proc/1/root", "/proc/1/cwd"] {
        pwd(&["-w", outside]).expect_error(125, &[outside]);
    }
    host.fairing(["stop", "--force", pod]).run().ok();
}
