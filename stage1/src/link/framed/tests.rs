use super::*;
use crate::app::cgroup::CgroupSeat;
use crate::app::devices::make_terminal;
use crate::link::AppResources;
use crate::protocol::{ExecSpec, ProcessStreams};
use nix::poll::{PollFd, PollTimeout, poll};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

mod ends;

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(600);

/// Both ends of a link, moved by one poll(2) loop, and what was said over it.
struct Pair {
    monitor: ToMachine,
    init: ToHost,
    heard: Vec<InitNotification>,
    told: Vec<InitRequest>,
}

fn sockets() -> (OwnedFd, OwnedFd) {
    let flags = SockFlag::SOCK_CLOEXEC;
    socketpair(AddressFamily::Unix, SockType::Stream, None, flags).unwrap()
}

impl Pair {
    fn new() -> Self {
        let (a, b) = sockets();
        Self {
            monitor: ToMachine::new(a, LONG).unwrap(),
            init: ToHost::new(b).unwrap(),
            heard: Vec::new(),
            told: Vec::new(),
        }
    }

    /// Moves what can be moved until something is so.
    #[track_caller]
    fn until(&mut self, what: &str, mut is_so: impl FnMut(&mut Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !is_so(self) {
            assert!(Instant::now() < deadline, "{what} never was so");
            let (mine, yours) = (self.monitor.interests(), self.init.interests());
            let count = mine.len();
            let all = mine.into_iter().chain(yours);
            let mut fds: Vec<_> = all.map(|(fd, flags)| PollFd::new(fd, flags)).collect();
            // What a test does to its own descriptors wakes nobody.
            poll(&mut fds, PollTimeout::from(20_u8)).unwrap();
            let ready: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap()).collect();
            self.heard
                .extend(self.monitor.advance(&ready[..count]).unwrap());
            self.told
                .extend(self.init.advance(&ready[count..]).unwrap());
        }
    }

    /// Names streams, and gives the pod's ends of them.
    fn name(&mut self, streams: ProcessStreams) -> StreamEnds {
        let message = exec(streams);
        self.monitor.send(&message, HandedOver::Nothing).unwrap();
        self.until("the message is told", |pair| !pair.told.is_empty());
        let told = self.told.remove(0);
        assert_eq!(told.message, message);
        told.streams
    }
}

fn exec(streams: ProcessStreams) -> ToInit {
    ToInit::Exec(Box::new(ExecSpec {
        id: 7,
        app: None,
        argv: vec!["x".repeat(100_000)],
        env: Vec::new(),
        workdir: None,
        user: None,
        copy: None,
        timeout_ms: None,
        streams,
    }))
}

/// Three streams: the monitor's ends, and the process's.
fn pipes(pair: &mut Pair) -> ([File; 3], [File; 3]) {
    let (stdin, input) = pair.monitor.open_input().unwrap();
    let (stdout, output) = pair.monitor.open_output().unwrap();
    let (stderr, error) = pair.monitor.open_output().unwrap();
    let mut theirs = pair.name(ProcessStreams::Pipes {
        stdin: Some(stdin),
        stdout,
        stderr,
    });
    let theirs = [stdin, stdout, stderr].map(|id| File::from(theirs.take(id).unwrap()));
    ([input, output, error].map(File::from), theirs)
}

/// What can be read of it without waiting; `None` at its end.
fn read_some(file: &mut File) -> Option<Vec<u8>> {
    let mut fds = [PollFd::new(file.as_fd(), PollFlags::POLLIN)];
    if poll(&mut fds, PollTimeout::ZERO).unwrap() == 0 {
        return Some(Vec::new());
    }
    let mut buffer = [0; 4096];
    let length = file.read(&mut buffer).unwrap();
    (length > 0).then(|| buffer[..length].to_vec())
}

/// Reads to its end.
fn read_all(pair: &mut Pair, file: &mut File) -> Vec<u8> {
    let mut all = Vec::new();
    pair.until("the stream has ended", |_| match read_some(file) {
        Some(some) => {
            all.extend(some);
            false
        }
        None => true,
    });
    all
}

#[test]
fn streams_carry_all_bytes_both_ways_and_end() {
    let mut pair = Pair::new();
    let ([mut input, mut output, mut error], [mut stdin, mut stdout, stderr]) = pipes(&mut pair);
    let sent: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    let writer = std::thread::spawn({
        let sent = sent.clone();
        move || input.write_all(&sent).unwrap()
    });
    // The process copies its input to its output.
    let process = std::thread::spawn(move || {
        let mut all = Vec::new();
        stdin.read_to_end(&mut all).unwrap();
        stdout.write_all(&all).unwrap();
        drop(stderr);
    });
    assert!(read_all(&mut pair, &mut output) == sent);
    assert_eq!(read_all(&mut pair, &mut error), b"");
    writer.join().unwrap();
    process.join().unwrap();
}

#[test]
fn output_that_nobody_reads_holds_up_neither_messages_nor_other_streams() {
    let mut pair = Pair::new();
    let ([_input, mut output, mut error], [_stdin, mut stdout, mut stderr]) = pipes(&mut pair);
    let stuck = std::thread::spawn(move || stdout.write_all(&vec![b'x'; 1 << 20]).unwrap());
    // The pipes and the window are full when it takes no more.
    pair.until("much is on the way", |pair| {
        pair.init.connection.interests().len() < 4
    });
    stderr.write_all(b"other").unwrap();
    drop(stderr);
    let started = FromInit::Started;
    pair.init.send(&started, Enclosed::default()).unwrap();
    assert_eq!(read_all(&mut pair, &mut error), b"other");
    pair.until("the message is heard", |pair| !pair.heard.is_empty());
    assert_eq!(pair.heard[0].message, started);
    assert!(!stuck.is_finished());
    // Whoever reads again gets all of it.
    assert_eq!(read_all(&mut pair, &mut output).len(), 1 << 20);
    stuck.join().unwrap();
}

/// Whether nobody reads any more what is written.
fn is_broken(written: std::io::Result<usize>) -> bool {
    written.is_err_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

#[test]
fn a_reader_that_leaves_is_told_to_the_writer() {
    let mut pair = Pair::new();
    let ([mut input, output, _error], [stdin, mut stdout, _stderr]) = pipes(&mut pair);
    drop(output);
    pair.until("the process can't write", |_| is_broken(stdout.write(b"x")));
    drop(stdin);
    pair.until("nobody takes input", |_| is_broken(input.write(b"x")));
}

#[test]
fn input_that_has_ended_before_the_process_is_known_is_empty() {
    let mut pair = Pair::new();
    let (stdin, input) = pair.monitor.open_input().unwrap();
    let (stdout, output) = pair.monitor.open_output().unwrap();
    let (stderr, _error) = pair.monitor.open_output().unwrap();
    drop((input, output));
    // Ends and stops may be there first.
    for _ in 0..20 {
        let ready = vec![true; pair.monitor.interests().len()];
        pair.monitor.advance(&ready).unwrap();
    }
    let mut theirs = pair.name(ProcessStreams::Pipes {
        stdin: Some(stdin),
        stdout,
        stderr,
    });
    let mut input = File::from(theirs.take(stdin).unwrap());
    let mut output = File::from(theirs.take(stdout).unwrap());
    assert_eq!(read_all(&mut pair, &mut input), b"");
    pair.until("nobody takes output", |_| is_broken(output.write(b"x")));
}

/// A real terminal: its master and its slave.
fn terminal() -> (OwnedFd, File) {
    let pts = File::open("/dev/pts").unwrap();
    let terminal = make_terminal(&pts).unwrap();
    let mut raw = nix::sys::termios::tcgetattr(&terminal.slave).unwrap();
    nix::sys::termios::cfmakeraw(&mut raw);
    let now = nix::sys::termios::SetArg::TCSANOW;
    nix::sys::termios::tcsetattr(&terminal.slave, now, &raw).unwrap();
    (terminal.master, File::from(terminal.slave))
}

/// A terminal, as the monitor and as the process have it.
fn open_terminal(pair: &mut Pair) -> (File, File) {
    let id = pair.monitor.open_terminal().unwrap();
    let terminal_stream = ProcessStreams::Terminal {
        terminal: id,
        size: None,
    };
    let early = pair.name(terminal_stream).take(id);
    assert!(matches!(early, Err(LinkError::Protocol(_))));
    let (master, slave) = terminal();
    let message = FromInit::ExecStarted {
        id: 7,
        terminal: Some(id),
    };
    let enclosed = Enclosed {
        process: None,
        terminal: Some(master),
    };
    pair.init.send(&message, enclosed).unwrap();
    pair.until("the process runs", |pair| !pair.heard.is_empty());
    let heard = pair.heard.remove(0);
    assert_eq!(heard.process.unwrap().pid(), None);
    (File::from(heard.terminal.unwrap()), slave)
}

#[test]
fn a_terminal_goes_both_ways_until_its_process_has_ended() {
    let mut pair = Pair::new();
    let (mut ours, mut slave) = open_terminal(&mut pair);
    ours.write_all(b"typed\n").unwrap();
    let mut typed = Vec::new();
    pair.until("it was typed", |_| {
        typed.extend(read_some(&mut slave).unwrap());
        typed == b"typed\n"
    });
    slave.write_all(b"shown").unwrap();
    drop(slave);
    assert_eq!(read_all(&mut pair, &mut ours), b"shown");
    assert!(pair.init.connection.interests().len() <= 1);
}

#[test]
fn a_terminal_that_the_monitor_closes_hangs_up() {
    let mut pair = Pair::new();
    let (ours, mut slave) = open_terminal(&mut pair);
    drop(ours);
    // Reading a terminal whose master is closed gives its end.
    pair.until("it has hung up", |_| match read_some(&mut slave) {
        Some(some) => !some.is_empty(),
        None => true,
    });
}

#[test]
fn what_was_said_before_the_end_is_heard_after_it() {
    let mut pair = Pair::new();
    let (_ours, [_stdin, mut stdout, stderr]) = {
        let ([input, output, error], theirs) = pipes(&mut pair);
        ((input, output, error), theirs)
    };
    let (_input, mut output, mut error) = _ours;
    stdout.write_all(b"last words").unwrap();
    drop((stdout, stderr));
    let finished = FromInit::Finished { exit_code: 3 };
    pair.init.send(&finished, Enclosed::default()).unwrap();
    let Pair {
        mut monitor,
        mut init,
        ..
    } = pair;
    let machine = std::thread::spawn(move || init.drain().unwrap());
    let mut heard = Vec::new();
    let turn = |monitor: &mut ToMachine| {
        let interests = monitor.interests().into_iter();
        let mut fds: Vec<_> = interests
            .map(|(fd, flags)| PollFd::new(fd, flags))
            .collect();
        poll(&mut fds, PollTimeout::from(20_u8)).unwrap();
        let ready: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap()).collect();
        monitor.advance(&ready).unwrap()
    };
    while !machine.is_finished() {
        heard.extend(turn(&mut monitor));
    }
    machine.join().unwrap();
    heard.extend(monitor.last_words().unwrap());
    // As the monitor does, until all that was written is delivered.
    while !monitor.interests().is_empty() {
        heard.extend(turn(&mut monitor));
    }
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0].message, finished);
    let mut all = Vec::new();
    output.read_to_end(&mut all).unwrap();
    assert_eq!(all, b"last words");
    all.clear();
    error.read_to_end(&mut all).unwrap();
    assert!(all.is_empty() && monitor.interests().is_empty());
}

#[test]
fn an_end_without_a_word_ends_all_streams() {
    let mut pair = Pair::new();
    let ([mut input, mut output, _error], theirs) = pipes(&mut pair);
    let Pair {
        mut monitor, init, ..
    } = pair;
    drop((init, theirs));
    assert!(monitor.last_words().unwrap().is_empty());
    let mut all = Vec::new();
    output.read_to_end(&mut all).unwrap();
    assert_eq!(all, b"");
    let error = input.write(b"x").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    let late = monitor.send(&ToInit::Stop { grace_ms: 0 }, HandedOver::Nothing);
    assert!(matches!(late, Err(LinkError::Gone)));
    let (a, b) = sockets();
    let mut init = ToHost::new(a).unwrap();
    drop(b);
    assert!(matches!(init.wait(), Err(LinkError::Gone)));
}

/// Moves what `attacker` says against a monitor or pod init, until that has had enough.
fn provoke(mut advance: impl FnMut() -> Result<(), LinkError>) -> LinkError {
    for _ in 0..1000 {
        if let Err(error) = advance() {
            return error;
        }
    }
    panic!("nothing happened");
}

#[test]
fn what_keeps_to_no_protocol_ends_the_link() {
    // Noise instead of a hello.
    let (a, b) = sockets();
    let mut monitor = ToMachine::new(a, LONG).unwrap();
    let mut noise = File::from(b);
    let talker = std::thread::spawn(move || while noise.write_all(&[0; 4096]).is_ok() {});
    let error = provoke(|| {
        let mut fds = [PollFd::new(
            monitor.connection.interests()[0].0,
            PollFlags::POLLIN,
        )];
        poll(&mut fds, PollTimeout::from(1000_u16)).unwrap();
        let ready = vec![true; monitor.interests().len()];
        monitor.advance(&ready).map(|_| ())
    });
    assert!(matches!(error, LinkError::Protocol(_)), "{error}");
    drop(monitor);
    talker.join().unwrap();

    // A message that is none, and one that names a terminal that nobody asked for.
    let started = FromInit::ExecStarted {
        id: 7,
        terminal: Some(StreamId::new(5.try_into().unwrap())),
    };
    for message in [b"{}".to_vec(), serde_json::to_vec(&started).unwrap()] {
        let mut pair = Pair::new();
        pair.init.connection.send(&message).unwrap();
        let error = provoke(|| {
            let ready = vec![true; pair.monitor.interests().len()];
            pair.monitor.advance(&ready)?;
            let ready = vec![true; pair.init.interests().len()];
            pair.init.advance(&ready).map(|_| ())
        });
        assert!(matches!(error, LinkError::Protocol(_)), "{error}");
    }
    // One that names streams that are not open, or that go the other way.
    let mut pair = Pair::new();
    let (stdout, _output) = pair.monitor.open_output().unwrap();
    let streams = ProcessStreams::Pipes {
        stdin: Some(stdout),
        stdout,
        stderr: stdout,
    };
    pair.monitor
        .send(&exec(streams), HandedOver::Nothing)
        .unwrap();
    let error = provoke(|| {
        let ready = vec![true; pair.monitor.interests().len()];
        pair.monitor.advance(&ready).unwrap();
        let ready = vec![true; pair.init.interests().len()];
        pair.init.advance(&ready).map(|_| ())
    });
    assert!(matches!(error, LinkError::Protocol(_)), "{error}");
}

#[test]
fn what_is_of_one_host_is_not_sent_to_another() {
    let mut pair = Pair::new();
    let resources = AppResources {
        root: File::open("/").unwrap().into(),
        seat: CgroupSeat::None,
        proc: None,
        dev: None,
        sys: None,
        mounts: Vec::new(),
        sockets: Vec::new(),
    };
    let message = ToInit::Stop { grace_ms: 0 };
    let refused = pair.monitor.send(&message, HandedOver::App(resources));
    assert!(matches!(refused, Err(LinkError::HostOnly(_))));
}

#[test]
fn a_terminal_that_nobody_wants_any_more_is_forgotten() {
    let mut pair = Pair::new();
    let id = pair.monitor.open_terminal().unwrap();
    pair.monitor.forget_terminal(id);
    pair.until("both have forgotten it", |pair| {
        pair.monitor.connection.is_quiet() && pair.init.connection.is_quiet()
    });
}

#[test]
fn who_says_nothing_for_too_long_is_given_up_and_the_loop_is_woken_for_it() {
    let (a, _silent) = sockets();
    let mut monitor = ToMachine::new(a, Duration::from_millis(50)).unwrap();
    let due = monitor.deadline().unwrap();
    let error = loop {
        let left = due.saturating_duration_since(Instant::now());
        let (fd, flags) = monitor.interests()[0];
        let mut fds = [PollFd::new(fd, flags & PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::try_from(left).unwrap()).unwrap();
        match monitor.advance(&[true]) {
            Ok(heard) => assert!(heard.is_empty() && Instant::now() < due + Duration::from_secs(9)),
            Err(error) => break error,
        }
    };
    assert!(Instant::now() >= due);
    assert!(matches!(error, LinkError::Late { .. }), "{error}");
}
