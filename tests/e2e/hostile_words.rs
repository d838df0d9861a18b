//! What an app writes to be taken for something else: entries of a log, keys that somebody typed, another's terminal.

use std::time::Duration;

use harness::{Host, ImageBuilder, wait_until};

use crate::stocked::{IDLE, IMAGE, busybox, detached, host_with, status, wait_log};

/// How long is waited on a machine that has much to do.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn what_looks_like_an_entry_of_a_log_is_a_line_of_one() {
    let host = busybox();
    let forged = "2001-01-01T00:00:00.000000000Z stderr F forged";
    let script = format!(
        "printf 'a\\033[2J\\r\\n\\0\\377\\n{forged}\\n'; printf '2001-01-01T00:00:00Z stdout P ' ; \
         head -c 100000 /dev/zero | tr '\\0' y; echo; echo end; {IDLE}"
    );
    let pod = detached(&host, &[], &script);
    wait_log(&host, &pod, "end\n");
    let logs = |flags: &[&str]| host.fairing(["logs"]).args(flags).arg(&pod).run().ok();
    let output = logs(&[]);
    assert_eq!(output.stderr, "");
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert_eq!(lines.len(), 5, "{lines:?}");
    assert_eq!(lines[0], "a\u{1b}[2J\r".trim_end_matches('\r'));
    assert_eq!(lines[2], forged);
    assert_eq!(
        lines[3].len(),
        "2001-01-01T00:00:00Z stdout P ".len() + 100_000
    );
    // Its time is the monitor's.
    assert_eq!(logs(&["--until", "2002-01-01T00:00:00Z"]).stdout, "");
    assert_eq!(
        logs(&["--since", "2002-01-01T00:00:00Z"]).stdout,
        output.stdout
    );
    assert_eq!(logs(&["--tail", "1"]).stdout, "end\n");
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn a_log_on_a_terminal_is_text_and_colours() {
    let host = busybox();
    // A title, questions that a terminal answers by typing, the clipboard, other lines overwritten; and a colour.
    let script = format!(
        "printf '\\033]0;title\\007\\033[21t\\033P$qm\\033\\\\\\033[6n\\033]52;c;eA==\\007\\n'; \
         printf 'true\\rforged\\n\\033[2J\\302\\2332J\\2332J\\n' >&2; \
         printf '\\033[31mred\\tgr\\303\\274n\\r\\nend\\n'; {IDLE}"
    );
    let pod = detached(&host, &[], &script);
    wait_log(&host, &pod, "end\n");
    let logs = || host.fairing(["logs", &pod]);
    let screen = logs().spawn_on_terminal(24, 80).wait().ok().stdout;
    for shown in [
        "^[]0;title^G^[[21t^[P$qm^[\\^[[6n^[]52;c;eA==^G\r\n",
        "true^Mforged\r\n",
        "^[[2J\u{fffd}2J\u{fffd}2J\r\n",
        "\u{1b}[31mred\tgr\u{fc}n\u{1b}[0m\r\nend\r\n",
    ] {
        assert!(screen.contains(shown), "{shown:?}: {screen:?}");
    }
    // A program gets the bytes that were written.
    let piped = logs().run().ok();
    assert!(piped.stdout.starts_with("\u{1b}]0;title\u{7}\u{1b}[21t"));
    assert!(piped.stderr.starts_with("true\rforged\n\u{1b}[2J"));
    host.fairing(["stop", "--force", &pod]).run().ok();
}

/// Plays an attack on a terminal, in a shell that looks afterwards at what it has to read.
fn on_a_shells_terminal(host: &Host, attack: &str) -> String {
    let script = "\"$@\"; stty -a; stty -icanon min 0 time 5; echo \"left [$(dd bs=100 count=1 2> /dev/null)]\"";
    let run = host.fairing(["run", "--rm", "--tty", "--interactive", IMAGE]);
    let run = run.args(["--", "/probe", "play", attack]);
    let terminal = run
        .through("/bin/sh", ["-c", script, "sh"])
        .spawn_on_terminal(24, 80);
    terminal.wait().ok().stdout
}

#[test]
fn what_an_app_does_to_its_terminal_stays_there() {
    let host = host_with(ImageBuilder::probe());
    for attack in ["inject", "line-disciplines"] {
        let screen = on_a_shells_terminal(&host, attack);
        assert!(screen.contains("left []"), "{attack}: {screen}");
        for setting in ["-icanon", "-echo ", "-isig", "-opost"] {
            assert!(!screen.contains(setting), "{attack}: {setting}: {screen}");
        }
    }
}

#[test]
fn a_terminal_that_its_app_has_stopped_or_taken_for_itself_holds_up_nobody() {
    let host = host_with(ImageBuilder::probe());
    for attack in ["output-off", "exclusive"] {
        let run = host.fairing([
            "run", "--detach", "--tty", IMAGE, "--", "/probe", "play", attack,
        ]);
        let pod = run.run().ok().text().to_owned();
        wait_until("the attack", PATIENCE, || {
            (!host.processes_named("probe").is_empty()).then_some(())
        });
        let enter = host.fairing(["enter", "-t", &pod, "--", "/bin/echo", "hello"]);
        let output = enter.spawn_on_terminal(24, 80).wait().ok();
        assert!(output.stdout.contains("hello"), "{attack}: {output}");
        host.fairing(["stop", "--grace-period=1s", &pod]).run().ok();
    }
}

#[test]
fn an_app_that_has_taken_all_its_terminals_is_entered_without_one() {
    let host = host_with(ImageBuilder::probe());
    let config = "[apps]\nmax-terminals = 8\n";
    std::fs::write(host.local_config().join("config.toml"), config).unwrap();
    let script = "i=0; while [ $i -lt 8 ]; do sleep 1000 3<> /dev/ptmx & i=$((i + 1)); done; \
        until /probe terminals 1 | grep NOSPC; do :; done; exec sleep 1000";
    let pod = detached(&host, &[], script);
    wait_log(&host, &pod, "0 terminals, then ENOSPC");
    let enter = |flags: &[&str]| {
        let enter = host.fairing(["enter"]).args(flags);
        enter.args([&pod, "--", "/bin/echo", "hello"])
    };
    let output = enter(&["-t"]).spawn_on_terminal(24, 80).wait();
    let why = "all pseudo-terminals that the app may have are taken";
    assert!(output.stdout.contains(why), "{output}");
    assert_eq!(enter(&[]).run().ok().stdout, "hello\n");
    assert_eq!(status(&host, &pod)["state"], "running");
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn no_word_of_an_image_controls_the_terminal_on_which_a_start_fails() {
    let hostile = "\n\u{1b}[2J\u{9b}1m\rfairing: ok";
    let program = format!("/bin/sh{hostile}");
    let images = [
        ImageBuilder::busybox().entrypoint([program.clone()]),
        ImageBuilder::busybox().workdir(&format!("/bin/sh/{hostile}")),
        ImageBuilder::busybox().user(hostile),
    ];
    for image in images {
        let host = host_with(image);
        for flags in [&[] as &[&str], &["--detach"]] {
            let run = host.fairing(["run", "--rm"]).args(flags).arg(IMAGE).run();
            assert_ne!(run.code, Some(0), "{run}");
            // That the image runs unsigned, and why it doesn't start.
            let told: Vec<&str> = run.stderr.split_terminator('\n').collect();
            assert!(told.len() == 2 && told[1].contains("[2J"), "{told:?}");
            let controls = told.iter().any(|line| line.contains(char::is_control));
            assert!(!controls, "{told:?}");
        }
    }
}
