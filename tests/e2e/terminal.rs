//! `fairing run --tty --interactive`: an app on a pseudo-terminal.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::time::Duration;

use harness::{FairingCommand, Host, Signal, wait_until};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use crate::stocked::{IDLE, IMAGE, busybox, detached};

fn on_terminal(host: &Host, script: &str) -> FairingCommand {
    let flags = ["run", "--rm", IMAGE, "--tty", "--interactive"];
    host.fairing(flags).args(["--", "/bin/sh", "-c", script])
}

#[test]
fn the_app_has_a_terminal_of_the_windows_size() {
    let host = busybox();
    let script = "tty; stty size; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo all $TERM; \
        echo through > /dev/tty; echo console > /dev/console; exit 4";
    let output = on_terminal(&host, script)
        .spawn_on_terminal(33, 111)
        .wait()
        .expect_code(4);
    for part in ["/dev/pts/0", "33 111", "all xterm", "through", "console"] {
        assert!(
            output.stdout.contains(&format!("{part}\r\n")),
            "{part}\n{output}"
        );
    }
}

#[test]
fn the_app_follows_the_windows_size() {
    let host = busybox();
    let script = format!("trap 'stty size' WINCH; trap 'exit 0' TERM; echo up; {IDLE}");
    let terminal = on_terminal(&host, &script).spawn_on_terminal(24, 80);
    terminal.wait_screen("up");
    for (rows, columns) in [(50, 132), (10, 40)] {
        terminal.resize(rows, columns);
        terminal.wait_screen(&format!("{rows} {columns}\r\n"));
    }
    let pid = i32::try_from(terminal.pid()).ok();
    let pid = pid.and_then(rustix::process::Pid::from_raw).unwrap();
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    terminal.wait().ok();
}

#[test]
fn keys_reach_the_app_and_are_echoed_once() {
    let host = busybox();
    let script = "echo up; read word; echo got $word";
    let mut terminal = on_terminal(&host, script).spawn_on_terminal(24, 80);
    terminal.wait_screen("up\r\n");
    terminal.type_keys("hello\r");
    let output = terminal.wait().ok();
    // Before it, there is the warning about the image.
    let expected = "\r\nup\r\nhello\r\ngot hello\r\n";
    assert!(output.stdout.ends_with(expected), "{:?}", output.stdout);
}

#[test]
fn control_keys_work_in_the_apps_terminal() {
    let host = busybox();
    let script = format!("trap 'echo interrupted; exit 5' INT; echo up; {IDLE}");
    let mut terminal = on_terminal(&host, &script).spawn_on_terminal(24, 80);
    terminal.wait_screen("up");
    terminal.type_keys("\x03");
    terminal.wait().expect_code(5).expect_stdout("interrupted");
    let mut terminal = on_terminal(&host, "echo up; cat; echo end").spawn_on_terminal(24, 80);
    terminal.wait_screen("up");
    terminal.type_keys("\x04");
    terminal.wait().ok().expect_stdout("end");
}

#[test]
fn the_apps_terminal_has_the_usual_settings() {
    let host = busybox();
    let script = "stty -a | grep -o -E '[-]?(icanon|echo|isig|opost)( |$)'";
    let output = on_terminal(&host, script)
        .spawn_on_terminal(24, 80)
        .wait()
        .ok();
    let settings: Vec<&str> = output.stdout.lines().map(str::trim).collect();
    for setting in ["echo", "icanon", "isig", "opost"] {
        assert!(settings.contains(&setting), "{setting}\n{output}");
    }
}

/// The user's side of a pseudo-terminal that stays the test's own.
fn own_terminal() -> (OwnedFd, File) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let user = rustix::fs::open(name.as_c_str(), flags, Mode::empty()).unwrap();
    (master, File::from(user))
}

#[test]
fn the_users_terminal_is_raw_while_the_app_runs_and_as_before_afterwards() {
    let host = busybox();
    let settings = |terminal: &File| {
        let all = tcgetattr(terminal).unwrap();
        (all.input_modes, all.output_modes, all.local_modes)
    };
    let pod = crate::stocked::detached(&host, &[], IDLE);
    let script = format!("echo up; {IDLE}");
    for command in [
        vec![
            "run",
            "--rm",
            "--grace-period=100ms",
            IMAGE,
            "--tty",
            "--interactive",
            "--",
        ],
        vec!["enter", "--tty", "--interactive", &pod, "--"],
    ] {
        let (_master, terminal) = own_terminal();
        let before = settings(&terminal);
        assert!(before.2.contains(LocalModes::ICANON | LocalModes::ECHO));
        let running = host
            .fairing(&command)
            .args(["/bin/sh", "-c", &script])
            .stdin_file(terminal.try_clone().unwrap())
            .spawn();
        running.wait_stdout("up");
        let raw = || (!settings(&terminal).2.contains(LocalModes::ICANON)).then_some(());
        wait_until("a raw terminal", Duration::from_secs(10), raw);
        running.signal(Signal::TERM);
        running.wait().expect_code(143);
        assert_eq!(settings(&terminal), before, "{command:?}");
    }
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn a_user_owns_the_terminal() {
    let host = busybox();
    let output = host
        .fairing([
            "run",
            "--rm",
            IMAGE,
            "--tty",
            "--interactive",
            "--user",
            "app",
        ])
        .args([
            "--",
            "/bin/sh",
            "-c",
            "stat -c %u $(tty); echo own > $(tty)",
        ])
        .spawn_on_terminal(24, 80)
        .wait()
        .ok();
    assert!(output.stdout.contains("1000\r\nown\r\n"), "{output}");
}

#[test]
fn an_app_can_have_a_terminal_where_the_caller_has_none() {
    let host = busybox();
    let script = "[ -t 0 ] && [ -t 1 ] && echo terminal; exit 6";
    let output = host
        .fairing(["run", "--rm", IMAGE, "--tty", "--", "/bin/sh", "-c", script])
        .run()
        .expect_code(6);
    assert_eq!(output.stdout, "terminal\r\n");
}

#[test]
fn without_tty_a_terminal_is_not_handed_on() {
    let host = busybox();
    let script = "[ -t 0 ] || [ -t 1 ] || [ -t 2 ] || echo none; echo x > /dev/tty || exit 8";
    let output = crate::stocked::shell(&host, script)
        .spawn_on_terminal(24, 80)
        .wait()
        .expect_code(8);
    assert!(output.stdout.contains("none"), "{output}");
}

#[test]
fn a_terminal_is_for_a_single_app() {
    let host = busybox();
    for flag in ["--tty", "--interactive"] {
        host.fairing(["run", IMAGE, flag, "---", IMAGE])
            .run()
            .expect_error(2, &[flag]);
    }
    assert_eq!(host.pod_folders(), []);
}

#[test]
fn the_end_of_the_users_input_is_the_end_of_the_terminals() {
    let host = busybox();
    let pod = detached(&host, &[], IDLE);
    for (typed, shown) in [
        ("", ""),
        ("line\n", "line\r\nline\r\n"),
        ("half", "halfhalf"),
    ] {
        let run = ["run", "--rm", IMAGE, "-it", "--", "/bin/cat"];
        let enter = ["enter", "-it", &pod, "--", "/bin/cat"];
        for command in [run.as_slice(), &enter] {
            let output = host.fairing(command).stdin(typed).run().ok();
            assert_eq!(output.stdout, shown, "{output}");
        }
    }
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn a_program_that_leaves_line_mode_finds_the_end_too() {
    let host = busybox();
    let pod = detached(&host, &[], IDLE);
    // As a shell with an editor: it takes keys one by one, and Ctrl-D is one of them. The nap lets the end come before.
    let script = "usleep 300000; stty -icanon; echo prompt; \
        until dd bs=1 count=1 2>/dev/null | od -An -tu1 | grep -qw 4; do :; done; echo end";
    let run = ["run", "--rm", IMAGE, "-it", "--", "/bin/sh", "-c", script];
    let enter = ["enter", "-it", &pod, "--", "/bin/sh", "-c", script];
    for command in [run.as_slice(), &enter] {
        let output = host.fairing(command).run().ok();
        assert!(output.stdout.ends_with("end\r\n"), "{output}");
    }
    host.fairing(["stop", "--force", &pod]).run().ok();
}
