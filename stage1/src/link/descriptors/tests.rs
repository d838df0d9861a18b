use crate::app::cgroup::{CgroupSeat, HierarchyTasks};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;

use pod::control::WindowSize;
use pod::exit::Outcome;
use rustix::process::{PidfdFlags, getpid, pidfd_open};
use rustix::pty::{OpenptFlags, openpt};

use super::*;
use crate::failure::StartFailure;
use crate::protocol::{ExecSpec, FileText, Names, ProcessStreams};

fn command(streams: ProcessStreams) -> ToInit {
    ToInit::Exec(Box::new(ExecSpec {
        id: 1,
        app: None,
        argv: vec!["true".into()],
        env: Vec::new(),
        workdir: None,
        user: None,
        copy: None,
        timeout_ms: None,
        streams,
    }))
}

fn ends() -> (ToChild, ToParent) {
    let (monitor, init) = pair(None).unwrap();
    (monitor, ToParent::new(init))
}

/// A pod init that says what it likes.
fn hostile() -> (ToChild, SeqPacket) {
    let (monitor, init) = pair(None).unwrap();
    (monitor, SeqPacket::from_fd(init))
}

fn own_pidfd() -> OwnedFd {
    pidfd_open(getpid(), PidfdFlags::empty()).unwrap()
}

fn terminal() -> OwnedFd {
    openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap()
}

fn started(terminal: Option<StreamId>) -> FromInit {
    FromInit::ExecStarted { id: 1, terminal }
}

/// Whether nobody else has the other end of a pipe any more.
fn is_closed_elsewhere(mut reader: File) -> bool {
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).is_ok_and(|read| read == 0)
}

#[test]
fn what_another_has_taken_from_an_output_is_not_waited_for() {
    let (mut monitor, _init) = ends();
    let (_, output) = monitor.open_output().unwrap();
    let read = rustix::io::read(&output, &mut [0; 1]);
    assert_eq!(read, Err(rustix::io::Errno::AGAIN));
}

#[test]
fn each_side_gets_its_end_of_the_streams_that_a_message_names() {
    let (mut monitor, mut init) = ends();
    let (stdin, input) = monitor.open_input().unwrap();
    let (stdout, output) = monitor.open_output().unwrap();
    let (stderr, error) = monitor.open_output().unwrap();
    let streams = ProcessStreams::Pipes {
        stdin: Some(stdin),
        stdout,
        stderr,
    };
    monitor
        .send(&command(streams), HandedOver::Nothing)
        .unwrap();
    let mut told = init.wait().unwrap();
    File::from(input).write_all(b"in").unwrap();
    for (stream, text) in [(stdout, b"out"), (stderr, b"err")] {
        File::from(told.streams.take(stream).unwrap())
            .write_all(text)
            .unwrap();
    }
    let read = |fd| std::io::read_to_string(File::from(fd)).unwrap();
    assert_eq!(read(told.streams.take(stdin).unwrap()), "in");
    assert_eq!((read(output), read(error)), ("out".into(), "err".into()));
    assert!(matches!(
        told.streams.take(stdin),
        Err(LinkError::Protocol(_))
    ));
}

#[test]
fn an_app_gets_its_root_its_seat_and_all_of_its_sockets_in_order() {
    let (mut monitor, mut init) = ends();
    let file = |text: &str| {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        OwnedFd::from(file)
    };
    let text = |fd: OwnedFd| {
        let mut file = File::from(fd);
        std::io::Seek::rewind(&mut file).unwrap();
        std::io::read_to_string(file).unwrap()
    };
    let sockets: Vec<String> = (0..2 * DESCRIPTORS_MAX + 1)
        .map(|n| n.to_string())
        .collect();
    let resources = AppResources {
        root: file("root"),
        seat: CgroupSeat::V1 {
            tasks: ["memory", "pids"]
                .map(|name| HierarchyTasks {
                    controllers: name.into(),
                    file: file(name),
                })
                .into(),
            directory: file("directory"),
            pids_max: Some(file("pids.max")),
            event_control: None,
        },
        proc: Some(file("proc")),
        dev: Some(file("dev")),
        sys: None,
        mounts: Vec::new(),
        sockets: sockets.iter().map(|text| file(text)).collect(),
    };
    let size = WindowSize { rows: 1, cols: 2 };
    let terminal = monitor.open_terminal().unwrap();
    // Any message will do.
    let message = ToInit::Resize { terminal, size };
    monitor.send(&message, HandedOver::App(resources)).unwrap();
    let InitRequest {
        message: received,
        handed_over: HandedOver::App(app),
        ..
    } = init.wait().unwrap()
    else {
        panic!("nothing was handed over");
    };
    assert_eq!(received, message);
    assert_eq!(text(app.root), "root");
    let CgroupSeat::V1 {
        tasks,
        directory,
        pids_max,
        event_control,
    } = app.seat
    else {
        panic!("another seat");
    };
    assert_eq!(tasks.len(), 2);
    for (tasks, name) in tasks.into_iter().zip(["memory", "pids"]) {
        assert_eq!(
            (tasks.controllers.as_str(), text(tasks.file).as_str()),
            (name, name)
        );
    }
    assert_eq!(text(directory), "directory");
    assert_eq!(app.proc.map(text).as_deref(), Some("proc"));
    assert_eq!(app.dev.map(text).as_deref(), Some("dev"));
    assert!(app.sys.is_none());
    assert_eq!(pids_max.map(text).as_deref(), Some("pids.max"));
    assert!(event_control.is_none());
    let received: Vec<String> = app.sockets.into_iter().map(text).collect();
    assert_eq!(received, sockets);
}

#[test]
fn a_terminal_comes_with_its_process_and_does_not_block() {
    let (mut monitor, mut init) = ends();
    let id = monitor.open_terminal().unwrap();
    let pidfd = own_pidfd();
    let enclosed = Enclosed {
        process: Some(pidfd.as_fd()),
        terminal: Some(terminal()),
    };
    init.send(&started(Some(id)), enclosed).unwrap();
    let heard = monitor.advance(&[true]).unwrap().pop().unwrap();
    let pid = heard.process.unwrap().pid();
    assert_eq!(pid, i32::try_from(std::process::id()).ok());
    let flags = rustix::fs::fcntl_getfl(heard.terminal.unwrap()).unwrap();
    assert!(flags.contains(OFlags::NONBLOCK));
}

#[test]
fn what_nobody_announced_is_refused_and_closed() {
    let (mut monitor, init) = hostile();
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    init.send(&FromInit::Started, &[writer.as_fd()]).unwrap();
    drop(writer);
    let heard = monitor.advance(&[true]);
    assert!(matches!(heard, Err(LinkError::Protocol(_))), "{heard:?}");
    assert!(is_closed_elsewhere(reader.into()));
}

#[test]
fn a_process_that_did_not_come_is_missed() {
    let (mut monitor, init) = hostile();
    init.send(&started(None), &[]).unwrap();
    let heard = monitor.advance(&[true]);
    assert!(matches!(heard, Err(LinkError::Protocol(_))), "{heard:?}");
}

#[test]
fn terminals_are_those_that_the_monitor_has_named_and_each_comes_once() {
    let (mut monitor, init) = hostile();
    let (named, forgotten) = (
        monitor.open_terminal().unwrap(),
        monitor.open_terminal().unwrap(),
    );
    monitor.forget_terminal(forgotten);
    let invented = StreamId::new(std::num::NonZeroU32::MAX);
    let (pidfd, terminal) = (own_pidfd(), terminal());
    let mut say = |id| {
        let fds = [pidfd.as_fd(), terminal.as_fd()];
        init.send(&started(Some(id)), &fds).unwrap();
        monitor.advance(&[true])
    };
    for id in [invented, forgotten] {
        assert!(matches!(say(id), Err(LinkError::Protocol(_))), "{id:?}");
    }
    assert!(say(named).is_ok());
    assert!(matches!(say(named), Err(LinkError::Protocol(_))));
}

#[test]
fn a_terminal_that_is_something_else_is_refused() {
    let (mut monitor, init) = hostile();
    let pidfd = own_pidfd();
    let null = File::open("/dev/null").unwrap();
    let (reader, _writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    let file = tempfile::tempfile().unwrap();
    for other in [null.as_fd(), reader.as_fd(), file.as_fd()] {
        let id = monitor.open_terminal().unwrap();
        init.send(&started(Some(id)), &[pidfd.as_fd(), other])
            .unwrap();
        let heard = monitor.advance(&[true]);
        assert!(matches!(heard, Err(LinkError::Protocol(_))), "{heard:?}");
    }
}

#[test]
fn what_is_no_message_is_refused() {
    let (mut monitor, init) = hostile();
    for text in ["", "started", "x"] {
        init.send(&text, &[]).unwrap();
        let heard = monitor.advance(&[true]);
        assert!(matches!(heard, Err(LinkError::Protocol(_))), "{heard:?}");
    }
}

/// From here on the monitor does not wait.
fn start(monitor: &mut ToChild) {
    let names = Names {
        hosts: FileText::default(),
        resolv_conf: FileText::default(),
    };
    let start = ToInit::Start(names);
    monitor.send(&start, HandedOver::Nothing).unwrap();
}

fn end_of(id: u64) -> ToInit {
    ToInit::EndCommand { id, grace_ms: 0 }
}

#[test]
fn nobody_waits_for_a_pod_init_that_does_not_listen_and_little_is_kept_for_it() {
    let (mut monitor, _init) = hostile();
    start(&mut monitor);
    let long = "x".repeat(1 << 20);
    let mut long_command = command(ProcessStreams::Nothing);
    if let ToInit::Exec(command) = &mut long_command {
        command.argv.push(long);
    }
    let mut refused_of = |message: &ToInit, most| {
        let refused = (0..most).find_map(|_| monitor.send(message, HandedOver::Nothing).err());
        assert!(matches!(refused, Some(LinkError::Behind(_))), "{refused:?}");
        monitor.send(&end_of(1), HandedOver::Nothing).is_ok()
    };
    // What ends something is still taken, until that is too much, too.
    assert!(refused_of(&long_command, 1000));
    assert!(!refused_of(&end_of(2), 1_000_000));
}

#[test]
fn all_is_told_in_order_to_a_pod_init_that_reads_late() {
    const MESSAGES: u64 = 2000;
    let (mut monitor, mut init) = ends();
    start(&mut monitor);
    assert_eq!(monitor.interests().len(), 1);
    let mut kept = Vec::new();
    for id in 0..MESSAGES {
        monitor.send(&end_of(id), HandedOver::Nothing).unwrap();
        if id % 100 == 0 {
            // What goes along waits with it.
            let (stdin, input) = monitor.open_input().unwrap();
            let (stdout, output) = monitor.open_output().unwrap();
            let (stderr, error) = monitor.open_output().unwrap();
            let streams = ProcessStreams::Pipes {
                stdin: Some(stdin),
                stdout,
                stderr,
            };
            monitor
                .send(&command(streams), HandedOver::Nothing)
                .unwrap();
            kept.push((stdout, output, input, error));
        }
    }
    assert_eq!(monitor.interests().len(), 2, "it waits for room");
    assert!(matches!(init.wait().unwrap().message, ToInit::Start(_)));
    let mut next = 0;
    while next < MESSAGES {
        assert!(monitor.advance(&[false, true]).unwrap().is_empty());
        while next < MESSAGES && has_come(&init.socket).unwrap() {
            let mut told = init.wait().unwrap();
            assert_eq!(told.message, end_of(next));
            if next % 100 == 0 {
                // The rest of the pair may not have gone yet.
                monitor.advance(&[false, true]).unwrap();
                told = init.wait().unwrap();
                let (stdout, output, ..) = kept.remove(0);
                File::from(told.streams.take(stdout).unwrap())
                    .write_all(b"x")
                    .unwrap();
                let mut text = [0];
                assert_eq!(rustix::io::read(&output, &mut text), Ok(1));
            }
            next += 1;
        }
    }
    assert_eq!(monitor.interests().len(), 1);
    assert!(!has_come(&init.socket).unwrap());
}

#[test]
fn the_last_words_of_a_pod_init_that_was_behind_are_heard() {
    let (mut monitor, mut init) = ends();
    start(&mut monitor);
    while !monitor.backlog.waits_for_room() {
        monitor.send(&end_of(1), HandedOver::Nothing).unwrap();
    }
    let last = FromInit::Failed(StartFailure::other("x"));
    init.send(&last, Enclosed::default()).unwrap();
    drop(init);
    assert!(monitor.advance(&[false, true]).unwrap().is_empty());
    let heard = monitor.last_words().unwrap();
    let messages: Vec<_> = heard.into_iter().map(|heard| heard.message).collect();
    assert_eq!(messages, [last]);
    assert!(monitor.interests().is_empty());
}

#[test]
fn last_words_are_heard_up_to_the_end() {
    let (mut monitor, mut init) = ends();
    assert!(monitor.last_words().unwrap().is_empty());
    let exited = FromInit::ExecExited {
        id: 1,
        outcome: Outcome::Exited { code: 0 },
        timed_out: false,
    };
    let failed = FromInit::Failed(StartFailure::other("x"));
    for message in [&exited, &failed] {
        init.send(message, Enclosed::default()).unwrap();
    }
    drop(init);
    let heard = monitor.last_words().unwrap();
    let messages: Vec<_> = heard.into_iter().map(|heard| heard.message).collect();
    assert_eq!(messages, [exited, failed]);
    assert!(monitor.interests().is_empty());
    let gone = monitor.send(&ToInit::Stop { grace_ms: 0 }, HandedOver::Nothing);
    assert!(matches!(gone, Err(LinkError::Send(_))), "{gone:?}");
}

#[test]
fn pod_init_sees_that_the_monitor_is_gone() {
    let (monitor, mut init) = ends();
    assert!(!init.monitor_is_gone().unwrap());
    assert!(monitor.socket.as_fd().as_raw_fd() >= 0);
    drop(monitor);
    assert!(init.monitor_is_gone().unwrap());
    assert!(matches!(init.wait(), Err(LinkError::Gone)));
}
