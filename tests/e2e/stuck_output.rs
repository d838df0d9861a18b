//! Streams that nobody reads: the pod can still be looked at and ended.

use std::fs::File;
use std::io::{BufRead, BufReader, PipeWriter, Read, Write};
use std::os::fd::OwnedFd;
use std::time::Duration;

use harness::{Host, Signal, wait_until};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::stocked::{IDLE, IMAGE, busybox, detached, shell, status, wait_log};

fn file(end: PipeWriter) -> File {
    File::from(OwnedFd::from(end))
}

/// Waits until nobody could write into the pipe. How many bytes that are depends on the writes.
pub(crate) fn wait_full(pipe: &PipeWriter) {
    wait_until("a full pipe", Duration::from_secs(20), || {
        let mut writer = [PollFd::new(pipe, PollFlags::OUT)];
        let room = poll(&mut writer, Some(&Timespec::default())).unwrap();
        (room == 0).then_some(())
    });
}

#[track_caller]
fn expect_ended(host: &Host, pod: &str, code: i32) {
    let record = status(host, pod);
    assert_eq!(record["state"], "exited");
    assert_eq!(record["exit-code"], code);
    assert!(host.processes().is_empty(), "{:#?}", host.processes());
}

/// Floods both streams of a pod, which go to one pipe that is not read, and ends it.
fn flood(flags: &[&str]) {
    let host = busybox();
    let (_reader, writer) = std::io::pipe().unwrap();
    let [stdout, stderr] = [(); 2].map(|()| file(writer.try_clone().unwrap()));
    // Who ignores the request to end has to be killed after the grace period.
    let script = "trap '' TERM; yes out & yes err >&2 & wait";
    let running = host
        .fairing(["run", "--name", "flood", "--grace-period=500ms", IMAGE])
        .args(flags)
        .args(["--", "/bin/sh", "-c", script])
        .stdout_file(stdout)
        .stderr_file(stderr)
        .spawn();
    wait_full(&writer);
    let live = host
        .fairing(["status", "--format", "json", "flood"])
        .limit(Duration::from_secs(5))
        .run()
        .ok();
    assert_eq!(live.json()["state"], "running");
    assert!(running.is_running());
    running.signal(Signal::TERM);
    running.wait_for(Duration::from_secs(8)).expect_code(137);
    expect_ended(&host, "flood", 137);
}

#[test]
fn a_pod_whose_output_is_not_read_can_be_ended() {
    flood(&[]);
}

#[test]
fn a_pod_whose_terminals_output_is_not_read_can_be_ended() {
    flood(&["--tty"]);
}

#[test]
fn a_pod_whose_output_is_not_read_can_be_stopped_by_another_command() {
    let host = busybox();
    let (_reader, writer) = std::io::pipe().unwrap();
    let running = host
        .fairing(["run", "--name", "flood", "--grace-period=500ms", IMAGE])
        .args(["--tty", "--", "/bin/sh", "-c", "trap '' TERM; yes"])
        .stdout_file(file(writer.try_clone().unwrap()))
        .spawn();
    wait_full(&writer);
    host.fairing(["stop", "flood"])
        .limit(Duration::from_secs(8))
        .run()
        .ok();
    running.wait_for(Duration::from_secs(8)).expect_code(137);
    expect_ended(&host, "flood", 137);
}

#[test]
fn an_app_that_does_not_read_its_terminal_can_be_ended() {
    let host = busybox();
    let (reader, mut writer) = std::io::pipe().unwrap();
    // A terminal that makes lines of its input throws away what is too much.
    let script = format!("stty raw -echo; echo up; {IDLE}");
    let running = host
        .fairing(["run", "--name", "deaf", "--grace-period=500ms", IMAGE])
        .args(["--tty", "--interactive", "--", "/bin/sh", "-c", &script])
        .stdin_file(File::from(OwnedFd::from(reader)))
        .spawn();
    running.wait_stdout("up");
    let flags = fcntl_getfl(&writer).unwrap();
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).unwrap();
    let mut refused = 0;
    wait_until("all buffers full", Duration::from_secs(20), || {
        while writer.write(&[b'x'; 4096]).is_ok() {
            refused = 0;
        }
        // Nobody has taken any of it for a while.
        refused += 1;
        (refused == 100).then_some(())
    });
    assert_eq!(status(&host, "deaf")["state"], "running");
    running.signal(Signal::TERM);
    running.wait_for(Duration::from_secs(8)).expect_code(143);
    expect_ended(&host, "deaf", 143);
}

/// `fairing run … | head -1`.
fn reader_that_closes(flags: &[&str], script: &str) -> (Host, harness::Output) {
    let host = busybox();
    let (reader, writer) = std::io::pipe().unwrap();
    let running = host
        .fairing(["run", "--name", "cut", IMAGE])
        .args(flags)
        .args(["--", "/bin/sh", "-c", script])
        .stdout_file(file(writer))
        .spawn();
    let mut line = String::new();
    BufReader::new(reader).read_line(&mut line).unwrap();
    assert_eq!(line.trim_end(), "line");
    let output = running.wait_for(Duration::from_secs(10));
    (host, output)
}

#[test]
fn a_reader_that_closes_ends_the_pod() {
    let (host, output) = reader_that_closes(&[], "exec yes line");
    output.expect_code(128 + Signal::PIPE.as_raw());
    expect_ended(&host, "cut", 128 + Signal::PIPE.as_raw());
}

#[test]
fn a_reader_that_closes_ends_a_pod_with_a_terminal() {
    let (host, output) = reader_that_closes(&["--tty"], "exec yes line");
    let code = output.code.expect("an exit code");
    assert_ne!(code, 0, "{output}");
    expect_ended(&host, "cut", code);
}

#[test]
fn a_reader_that_closes_ends_a_command_with_and_without_a_terminal() {
    let host = busybox();
    let pod = detached(&host, &[], IDLE);
    for flags in [[].as_slice(), &["--tty"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        let running = host
            .fairing(["enter"])
            .args(flags)
            .args([&pod, "--", "/bin/yes", "line"])
            .stdout_file(file(writer))
            .spawn();
        let mut line = String::new();
        BufReader::new(reader).read_line(&mut line).unwrap();
        assert_eq!(line.trim_end(), "line");
        // By the signal itself, as any program whose reader closes.
        let output = running.wait_for(Duration::from_secs(10));
        assert_eq!(output.signal, Some(Signal::PIPE.as_raw()), "{output}");
    }
    host.fairing(["stop", "--force", &pod]).run().ok();
}

/// What takes nothing, as a disk that is full.
fn full() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

#[test]
fn output_that_is_lost_is_no_success() {
    const TOLD: &[&str] = &["cannot write to standard output", "No space left"];
    let host = busybox();
    let pod = detached(&host, &[], &format!("echo hi; {IDLE}"));
    wait_log(&host, &pod, "hi");
    let run = ["run", "--rm", IMAGE, "--", "/bin/echo", "hi"];
    let tty = ["run", "--rm", IMAGE, "--tty", "--", "/bin/echo", "hi"];
    let enter = ["enter", &pod, "--", "/bin/echo", "hi"];
    for command in [
        run.as_slice(),
        &tty,
        &enter,
        &["logs", &pod],
        &["list"],
        &["status", &pod],
        &["image", "list"],
        &["version"],
    ] {
        let lost = host.fairing(command).stdout_file(full()).run();
        lost.expect_error(117, TOLD);
    }
    // What a program says of itself counts more.
    let failing = "echo hi; exit 3";
    shell(&host, failing)
        .stdout_file(full())
        .run()
        .expect_error(3, TOLD);
    host.fairing(["enter", &pod, "--", "/bin/sh", "-c", failing])
        .stdout_file(full())
        .run()
        .expect_error(3, TOLD);
    // That a program was told of it by a signal is nothing of its own.
    let flood = ["run", "--rm", IMAGE, "--", "/bin/yes"];
    let tty_flood = ["run", "--rm", IMAGE, "--tty", "--", "/bin/yes"];
    let enter_flood = ["enter", &pod, "--", "/bin/yes"];
    let enter_tty_flood = ["enter", "--tty", &pod, "--", "/bin/yes"];
    for command in [flood.as_slice(), &tty_flood, &enter_flood, &enter_tty_flood] {
        let lost = host.fairing(command).stdout_file(full()).run();
        lost.expect_error(117, TOLD);
    }
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn output_to_a_stream_that_was_closed_is_lost_as_on_a_full_disk() {
    const TOLD: &[&str] = &["cannot write to standard output", "Bad file descriptor"];
    let host = busybox();
    let pod = detached(&host, &[], &format!("echo hi; {IDLE}"));
    wait_log(&host, &pod, "hi");
    let closed = |command: &[&str]| {
        let shell = ["-c", "exec \"$@\" >&-", "sh"];
        host.fairing(command).through("/bin/sh", shell).run()
    };
    for command in [
        ["run", "--rm", IMAGE, "--", "/bin/echo", "hi"].as_slice(),
        &["enter", &pod, "--", "/bin/echo", "hi"],
        &["logs", &pod],
        &["list"],
    ] {
        closed(command).expect_error(125, TOLD);
    }
    let stderr = "echo lost >&2";
    for command in [
        ["run", "--rm", IMAGE, "--", "/bin/sh", "-c", stderr].as_slice(),
        &["enter", &pod, "--", "/bin/sh", "-c", stderr],
    ] {
        let shell = ["-c", "exec \"$@\" 2>&-", "sh"];
        let lost = host.fairing(command).through("/bin/sh", shell).run();
        lost.expect_code(125);
    }
    // Who writes nothing loses nothing.
    closed(&["run", "--rm", IMAGE, "--", "/bin/true"]).ok();
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn an_output_that_does_not_block_gets_everything() {
    let host = busybox();
    let pod = detached(&host, &[], &format!("seq 100000; echo end; {IDLE}"));
    wait_log(&host, &pod, "end\n");
    let flood = ["/bin/head", "-c", "1000000", "/dev/zero"];
    let run = [["run", "--rm", IMAGE, "--"].as_slice(), &flood].concat();
    let enter = [["enter", &pod, "--"].as_slice(), &flood].concat();
    for (command, size) in [
        (run, 1_000_000),
        (enter, 1_000_000),
        (vec!["logs", &pod], 588_895 + "end\n".len()),
    ] {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let flags = fcntl_getfl(&writer).unwrap();
        fcntl_setfl(&writer, flags | OFlags::NONBLOCK).unwrap();
        let running = host
            .fairing(&command)
            .stdout_file(file(writer.try_clone().unwrap()))
            .spawn();
        wait_full(&writer);
        drop(writer);
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes.len(), size, "{command:?}");
        running.wait().ok();
    }
    host.fairing(["stop", "--force", &pod]).run().ok();
}
