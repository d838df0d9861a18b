//! Pods in the foreground, as who sits before a terminal has them.

use crate::stocked::{IDLE, IMAGE, busybox, shell};

#[test]
fn lines_of_several_apps_have_names_on_a_terminal_and_nowhere_else() {
    let host = busybox();
    let script = "echo out; echo err >&2; usleep 200000; printf 'no end'; usleep 600000";
    let run = || {
        let run = host.fairing(["run", "--rm", IMAGE, "--app-name", "web", "--"]);
        let run = run.args(["/bin/sh", "-c", script, "---", IMAGE, "--app-name", "db"]);
        run.args(["--", "/bin/sh", "-c", "usleep 500000; echo two"])
    };
    let output = run().spawn_on_terminal(24, 80).wait().ok();
    for line in ["web: out\r\n", "web: err\r\n", "web: no end\r\ndb: two\r\n"] {
        assert!(
            output.stdout.contains(line),
            "{line:?} in {:?}",
            output.stdout
        );
    }
    let output = run().run().ok();
    assert!(
        output.stdout.starts_with("out\n") && output.stdout.contains("no end"),
        "{output}"
    );
    assert!(!output.stdout.contains(": "), "{output}");
    // Of one there is no doubt.
    let output = shell(&host, "echo alone")
        .spawn_on_terminal(24, 80)
        .wait()
        .ok();
    assert!(
        output.stdout.ends_with("\r\nalone\r\n"),
        "{:?}",
        output.stdout
    );
}

#[test]
fn control_c_interrupts_then_stops_then_kills_and_says_so() {
    let host = busybox();
    let script = "trap 'echo interrupted' INT; trap 'echo asked' TERM; echo up; ";
    let mut terminal = host
        .fairing([
            "run",
            "--rm",
            "--grace-period=1h",
            IMAGE,
            "--",
            "/bin/sh",
            "-c",
        ])
        .arg(format!("{script}{IDLE}"))
        .spawn_on_terminal(24, 80);
    terminal.wait_screen("up");
    terminal.type_keys("\x03");
    terminal.wait_screen("fairing: the apps are interrupted; Ctrl-C once more stops the pod");
    terminal.wait_screen("interrupted\r\n");
    terminal.type_keys("\x03");
    terminal.wait_screen("fairing: the pod is being stopped; Ctrl-C once more kills it");
    terminal.wait_screen("asked\r\n");
    terminal.type_keys("\x03");
    terminal
        .wait()
        .expect_code(137)
        .expect_stdout("fairing: the pod is killed");
}

#[test]
fn control_c_escalates_in_silence_where_standard_error_is_no_terminal() {
    let host = busybox();
    let script = "trap 'echo interrupted' INT; trap 'echo asked' TERM; echo up; ";
    let file = host.base().join("said");
    let to_file = format!("exec \"$@\" 2>{}", file.display());
    let mut terminal = host
        .fairing(["run", "--rm", "--grace-period=1h", IMAGE, "--"])
        .args(["/bin/sh", "-c", &format!("{script}{IDLE}")])
        .through("sh", ["-c", &to_file, "sh"])
        .spawn_on_terminal(24, 80);
    terminal.wait_screen("up");
    terminal.type_keys("\x03");
    terminal.wait_screen("interrupted\r\n");
    terminal.type_keys("\x03");
    terminal.wait_screen("asked\r\n");
    terminal.type_keys("\x03");
    terminal.wait().expect_code(137);
    let said = std::fs::read_to_string(file).unwrap();
    assert!(!said.contains("fairing: "), "{said}");
}
