//! Commands in containers, with streams.

use harness::wait_until;
use tonic::Code;

use crate::cri_containers::{EXITED, Ground, SOON, idle, security};
use crate::cri_streams::{
    PIPES, PROTOCOLS, SUCCESS, TERMINAL, WITH_AN_END, code, failure, open, pattern, refused,
};

/// Waits until a file is there in a container, and gives what it holds.
#[track_caller]
fn wait_file(ground: &Ground, id: &str, path: &str) -> String {
    wait_until(path, SOON, || {
        let text = ground.sh(id, &format!("cat {path} 2>/dev/null || true"));
        (!text.is_empty()).then_some(text)
    })
}

#[test]
fn a_command_is_written_to_and_its_output_errors_and_code_are_told() {
    let ground = Ground::new();
    let mut config = idle("web");
    config.working_dir = "/tmp".to_owned();
    security(&mut config).run_as_username = "app".to_owned();
    let id = ground.run(&config);
    for protocol in PROTOCOLS {
        let script = "read line; echo \"<$line>\"; pwd; id -u; echo err >&2; exit 7";
        let mut session = ground.command(protocol, &id, script, &PIPES);
        session.write(b"hello\n").unwrap();
        let outcome = session.finish();
        assert_eq!(outcome.stdout, b"<hello>\n/tmp\n1000\n", "{protocol:?}");
        assert_eq!(outcome.stderr, b"err\n", "{protocol:?}");
        assert_eq!(code(&outcome.status), "7", "{protocol:?}");
        assert!(outcome.orderly, "{protocol:?}");
        let well = ground.command(protocol, &id, "echo well", &["stdout"]);
        let outcome = well.finish();
        assert_eq!(
            (&*outcome.stdout, &*outcome.status),
            (&b"well\n"[..], SUCCESS)
        );
        // Of a signal, as shells say it.
        let killed = ground.command(protocol, &id, "kill -9 $$", &["stdout"]);
        assert_eq!(code(&killed.finish().status), "137");
    }
}

#[test]
fn megabytes_go_both_ways_at_once_and_end_where_their_client_ends_them() {
    let ground = Ground::new();
    let id = ground.run(&idle("web"));
    let bytes = pattern(4 << 20);
    for protocol in WITH_AN_END {
        let mut session = ground.command(protocol, &id, "cat; echo end >&2", &PIPES);
        session.write(&bytes).unwrap();
        session.end_stdin().unwrap();
        let outcome = session.finish();
        assert!(outcome.stdout == bytes, "{} bytes", outcome.stdout.len());
        assert_eq!(
            (&*outcome.stderr, &*outcome.status),
            (&b"end\n"[..], SUCCESS)
        );
    }
    // Where the end can't be told, the command has to know it.
    let script = format!("head -c {}", bytes.len());
    let mut session = ground.command(PROTOCOLS[1], &id, &script, &["stdin", "stdout"]);
    session.write(&bytes).unwrap();
    let outcome = session.finish();
    assert!(outcome.stdout == bytes, "{} bytes", outcome.stdout.len());
}

#[test]
fn a_command_in_a_terminal_has_the_size_that_its_client_gives_it() {
    let ground = Ground::new();
    let id = ground.run(&idle("web"));
    for protocol in PROTOCOLS {
        let script = "trap 'stty size; exit 3' WINCH; test -t 0 && test -t 2 && echo ready $TERM; \
             while :; do usleep 5000; done";
        let mut session = ground.command(protocol, &id, script, &TERMINAL);
        session.read_until("ready xterm").unwrap();
        session.resize(132, 50).unwrap();
        let outcome = session.finish();
        let text = String::from_utf8(outcome.stdout).unwrap();
        assert!(text.ends_with("50 132\r\n"), "{protocol:?}: {text}");
        assert_eq!(code(&outcome.status), "3");
    }
    // A shell is ended by the end of its input, and interrupted by a key.
    let mut session = ground.command(PROTOCOLS[0], &id, "sleep 1000; echo on; sh", &TERMINAL);
    wait_until("the command sleeps", SOON, || {
        (ground.sh(&id, "ps | grep -c '[s]leep 1000' || true") != "0").then_some(())
    });
    session.write(b"\x03").unwrap();
    let outcome = session.finish();
    assert_eq!(code(&outcome.status), "130");
}

#[test]
fn a_command_goes_on_without_its_client_and_nothing_of_it_stays_when_it_ends() {
    let ground = Ground::new();
    let id = ground.run(&idle("web"));
    let before = ground.descriptors();
    for (number, protocol) in PROTOCOLS.into_iter().enumerate() {
        let script = format!(
            "echo ready; cat >/dev/null; head -c 3000000 /dev/zero; echo done >/tmp/{number}"
        );
        let mut session = ground.command(protocol, &id, &script, &PIPES);
        session.read_until("ready").unwrap();
        drop(session);
        assert_eq!(wait_file(&ground, &id, &format!("/tmp/{number}")), "done");
    }
    // Shells in terminals have nobody to read from any more.
    for protocol in PROTOCOLS {
        let mut session = ground.command(protocol, &id, "echo ready; exec cat", &TERMINAL);
        session.read_until("ready").unwrap();
        drop(session);
    }
    wait_until("all commands have ended", SOON, || {
        (ground.sh(&id, "ps | grep -c '[c]at' || true") == "0").then_some(())
    });
    ground.wait_descriptors(before);
}

#[test]
fn who_never_reads_holds_up_its_own_command_and_takes_little_memory() {
    let ground = Ground::new();
    let id = ground.run(&idle("web"));
    let (before, descriptors) = (ground.memory(), ground.descriptors());
    let script = "i=0; while [ $i -lt 640 ]; do head -c 100000 /dev/zero; i=$((i+1)); \
         echo $i >/tmp/new; mv /tmp/new /tmp/written; done; echo all >/tmp/all";
    let mut sessions = Vec::new();
    for protocol in PROTOCOLS {
        sessions.push(ground.command(protocol, &id, script, &["stdout"]));
    }
    let mut last = String::new();
    wait_until("the commands wait", SOON, || {
        let now = wait_file(&ground, &id, "/tmp/written");
        let stands = now == last;
        last = now;
        stands.then_some(())
    });
    assert_eq!(
        ground.sh(&id, "test -e /tmp/all || echo not yet"),
        "not yet"
    );
    let grown = ground.memory().saturating_sub(before);
    assert!(grown < 16 << 10, "{grown} KiB more");
    // Without these clients, what their commands write holds nothing up.
    drop(sessions);
    assert_eq!(wait_file(&ground, &id, "/tmp/all"), "all");
    ground.wait_descriptors(descriptors);
}

#[test]
fn a_url_is_good_once_and_for_what_it_was_given() {
    let ground = Ground::new();
    let id = ground.run(&idle("web"));
    let url = || ground.exec_url(&id, &["/bin/echo", "hello"], &["stdout"]);
    let used = url().unwrap();
    assert!(used.starts_with("http://127.0.0.1:"), "{used}");
    let outcome = open(&used, PROTOCOLS[0], &["stdout"]).unwrap().finish();
    assert_eq!(outcome.stdout, b"hello\n");
    assert_eq!(refused(&used), 404);
    let other = url().unwrap().replace("/exec/", "/attach/");
    assert_eq!(refused(&other), 404);
    let (base, _) = used.rsplit_once('/').unwrap();
    for token in ["", "AAAAAAAAAAAAAAAAAAAAAA", "../exec/x", "%00"] {
        assert_eq!(refused(&format!("{base}/{token}")), 404, "{token}");
    }
}

#[test]
fn at_most_a_thousand_urls_wait_for_their_clients() {
    let ground = Ground::new();
    let id = ground.run(&idle("web"));
    let url = || ground.exec_url(&id, &["/bin/true"], &["stdout"]);
    let first = url().unwrap();
    let full = (0..1000).find_map(|_| url().err()).unwrap();
    assert_eq!(full.code(), Code::ResourceExhausted, "{full}");
    drop(open(&first, PROTOCOLS[0], &["stdout"]).unwrap());
    url().unwrap();
}

#[test]
fn what_can_not_be_executed_is_told_before_or_by_the_stream() {
    let ground = Ground::new();
    let id = ground.create(&idle("web"));
    let code_of = |id: &str, cmd: &[&str], streams: &[&str]| {
        let refused = ground.exec_url(id, cmd, streams).unwrap_err();
        refused.code()
    };
    let program = ["/bin/true"];
    assert_eq!(code_of(&id, &program, &PIPES), Code::FailedPrecondition);
    ground.try_start(&id).unwrap();
    assert_eq!(code_of("unknown", &program, &PIPES), Code::NotFound);
    assert_eq!(code_of("", &program, &PIPES), Code::InvalidArgument);
    assert_eq!(code_of(&id, &[], &PIPES), Code::InvalidArgument);
    assert_eq!(code_of(&id, &[""], &PIPES), Code::InvalidArgument);
    assert_eq!(code_of(&id, &program, &[]), Code::InvalidArgument);
    let both = ["stdout", "stderr", "resize"];
    assert_eq!(code_of(&id, &program, &both), Code::InvalidArgument);
    for protocol in PROTOCOLS {
        let url = ground.exec_url(&id, &["/no/such"], &PIPES).unwrap();
        let outcome = open(&url, protocol, &PIPES).unwrap().finish();
        let told = failure(&outcome.status);
        assert!(told.contains("/no/such"), "{told}");
    }
    // It has ended between the call and the client.
    let url = ground.exec_url(&id, &program, &PIPES).unwrap();
    ground.stop(&id, 0).unwrap();
    assert_eq!(ground.status(&id).state, EXITED);
    let told = open(&url, PROTOCOLS[0], &PIPES).unwrap().finish();
    let told = failure(&told.status);
    assert!(told.contains("web-0"), "{told}");
    assert_eq!(code_of(&id, &program, &PIPES), Code::FailedPrecondition);
}

#[test]
fn commands_end_with_their_container_and_clients_are_told() {
    let ground = Ground::new();
    let before = ground.descriptors();
    for (attempt, protocol) in (0..).zip(PROTOCOLS) {
        let mut config = idle("web");
        config.metadata.as_mut().unwrap().attempt = attempt;
        let id = ground.run(&config);
        let mut session = ground.command(protocol, &id, "echo ready; sleep 1000", &PIPES);
        session.read_until("ready").unwrap();
        ground.stop(&id, 0).unwrap();
        let outcome = session.finish();
        assert_eq!(code(&outcome.status), "137", "{protocol:?}");
    }
    ground.wait_descriptors(before);
}

#[test]
fn a_shim_that_is_killed_breaks_streams_and_nothing_else() {
    let mut ground = Ground::new();
    let id = ground.run(&idle("web"));
    let unused = ground.exec_url(&id, &["/bin/true"], &["stdout"]).unwrap();
    let script = "trap '' PIPE; echo ready; cat; echo done >/tmp/done";
    let mut session = ground.command(PROTOCOLS[0], &id, script, &PIPES);
    session.read_until("ready").unwrap();
    ground.cri.restart();
    assert!(!session.finish().orderly);
    assert_eq!(wait_file(&ground, &id, "/tmp/done"), "done");
    let session = ground.command(PROTOCOLS[2], &id, "echo again", &["stdout"]);
    assert_eq!(session.finish().stdout, b"again\n");
    assert!(open(&unused, PROTOCOLS[0], &["stdout"]).is_err());
}

#[test]
fn many_clients_at_once_have_a_command_each() {
    let ground = Ground::new();
    let id = ground.run(&idle("web"));
    let before = ground.descriptors();
    let mut sessions = Vec::new();
    for number in 0..24 {
        let protocol = PROTOCOLS[number % PROTOCOLS.len()];
        let script = format!("read line; echo {number} $line; exit {number}");
        sessions.push(ground.command(protocol, &id, &script, &PIPES));
    }
    for (number, mut session) in sessions.into_iter().enumerate().rev() {
        session.write(b"it is\n").unwrap();
        let outcome = session.finish();
        let text = String::from_utf8(outcome.stdout).unwrap();
        assert_eq!(text, format!("{number} it is\n"));
        match number {
            0 => assert_eq!(outcome.status, SUCCESS),
            _ => assert_eq!(code(&outcome.status), number.to_string()),
        }
    }
    ground.wait_descriptors(before);
}
