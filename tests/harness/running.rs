//! A command that runs while the test goes on.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use crate::output::Output;

/// A started `fairing`. Killed when dropped; what it leaves then, the host's end finds.
pub struct Running {
    child: Child,
    pidfd: OwnedFd,
    shown: String,
    started: Instant,
    limit: Duration,
    stdin: Option<ChildStdin>,
    stdout: Stream,
    stderr: Stream,
}

impl Running {
    pub(crate) fn start(
        mut command: Command,
        shown: String,
        limit: Duration,
        input: Option<Vec<u8>>,
        [stdout, stderr]: [Option<File>; 2],
    ) -> Self {
        let started = Instant::now();
        let mut child = command
            .stdout(stdout.map_or_else(Stdio::piped, Stdio::from))
            .stderr(stderr.map_or_else(Stdio::piped, Stdio::from))
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {:?}: {error}", command.get_program()));
        let pidfd = pidfd_open(pid_of(&child), PidfdFlags::empty()).expect("pidfd_open");
        // The command has its standard streams alone: they end when it does.
        drop(command);
        let stdout = child.stdout.take().map_or_else(Stream::empty, Stream::of);
        let stderr = child.stderr.take().map_or_else(Stream::empty, Stream::of);
        let mut stdin = child.stdin.take();
        if let Some(bytes) = input
            && let Some(mut pipe) = stdin.take()
        {
            // The command may end without reading: that is its right.
            std::thread::spawn(move || drop(pipe.write_all(&bytes)));
        }
        Self {
            child,
            pidfd,
            shown,
            started,
            limit,
            stdin,
            stdout,
            stderr,
        }
    }

    /// The process id: of stage0, and then of the monitor, which is the same process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to the process.
    pub fn signal(&self, signal: Signal) {
        // A process that has just ended is no failure of the test.
        let _ = kill_process(pid_of(&self.child), signal);
    }

    /// Writes to standard input (after [`crate::FairingCommand::stdin_open`]).
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let pipe = self.stdin.as_mut().expect("stdin was not kept open");
        pipe.write_all(bytes.as_ref())
            .and_then(|()| pipe.flush())
            .expect("write to stdin");
    }

    /// Ends standard input.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// What has come on standard output so far.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// What has come on standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Waits until standard output holds this text.
    ///
    /// # Panics
    /// If it ends before, or the command's limit passes.
    #[track_caller]
    pub fn wait_stdout(&self, part: &str) {
        if !self.stdout.wait_for(part, self.limit) {
            panic!("{part:?} did not come on stdout\n{}", self.state());
        }
    }

    /// Waits until standard error holds this text.
    ///
    /// # Panics
    /// As [`Running::wait_stdout`].
    #[track_caller]
    pub fn wait_stderr(&self, part: &str) {
        if !self.stderr.wait_for(part, self.limit) {
            panic!("{part:?} did not come on stderr\n{}", self.state());
        }
    }

    /// Whether the process has not ended.
    pub fn is_running(&self) -> bool {
        !readable(&self.pidfd, Duration::ZERO)
    }

    /// Waits until the process ends, within the command's limit.
    #[track_caller]
    pub fn wait(self) -> Output {
        let limit = self.limit;
        self.wait_for(limit)
    }

    /// Waits until the process ends, at most for `limit`.
    ///
    /// # Panics
    /// If it does not end, or something else holds its output open after it.
    #[track_caller]
    pub fn wait_for(mut self, limit: Duration) -> Output {
        if !readable(&self.pidfd, limit) {
            let state = self.state();
            self.end();
            panic!("not ended after {limit:?}\n{state}");
        }
        let elapsed = self.started.elapsed();
        let status = self.child.wait().expect("wait for the command");
        for (name, stream) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !stream.wait_end(Duration::from_secs(5)) {
                panic!(
                    "something holds {name} open after the end of\n{}",
                    self.state()
                );
            }
        }
        Output {
            command: self.shown.clone(),
            code: status.code(),
            signal: status.signal(),
            stdout: self.stdout(),
            stderr: self.stderr(),
            elapsed,
        }
    }

    /// Kills the process with SIGKILL and waits until it is gone. Its output may still be open.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.signal(Signal::KILL);
        let _ = self.child.wait();
    }

    fn state(&self) -> String {
        format!(
            "$ {}\n--- stdout so far\n{}\n--- stderr so far\n{}\n---",
            self.shown,
            self.stdout(),
            self.stderr()
        )
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

pub(crate) fn pid_of(child: &Child) -> Pid {
    Pid::from_child(child)
}

/// Whether this descriptor becomes readable within the time.
pub(crate) fn readable(descriptor: &OwnedFd, limit: Duration) -> bool {
    let end = Instant::now() + limit;
    loop {
        let rest = end.saturating_duration_since(Instant::now());
        let timeout = Timespec {
            tv_sec: i64::try_from(rest.as_secs()).expect("a limit of a few minutes"),
            tv_nsec: rest.subsec_nanos().into(),
        };
        let mut descriptors = [PollFd::new(descriptor, PollFlags::IN)];
        match poll(&mut descriptors, Some(&timeout)) {
            Ok(0) => return false,
            Ok(_) => return true,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("poll: {error}"),
        }
    }
}

/// What a thread reads from one pipe.
#[derive(Clone)]
pub(crate) struct Stream(Arc<(Mutex<Content>, Condvar)>);

#[derive(Default)]
struct Content {
    bytes: Vec<u8>,
    ended: bool,
}

impl Stream {
    pub(crate) fn of(mut source: impl Read + Send + 'static) -> Self {
        let stream = Self(Arc::default());
        let filled = stream.clone();
        std::thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            loop {
                // A pseudo-terminal whose other side is closed answers EIO: its end.
                let count = source.read(&mut buffer).unwrap_or(0);
                let mut content = filled.0.0.lock().expect("no reader panics");
                content.bytes.extend_from_slice(&buffer[..count]);
                content.ended = count == 0;
                filled.0.1.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        stream
    }

    /// That of a descriptor which is not the harness's.
    fn empty() -> Self {
        Self::of(std::io::empty())
    }

    pub(crate) fn text(&self) -> String {
        let content = self.0.0.lock().expect("no reader panics");
        String::from_utf8_lossy(&content.bytes).into_owned()
    }

    pub(crate) fn wait_for(&self, part: &str, limit: Duration) -> bool {
        self.wait(limit, |content| contains(&content.bytes, part.as_bytes()));
        contains(
            &self.0.0.lock().expect("no reader panics").bytes,
            part.as_bytes(),
        )
    }

    pub(crate) fn wait_end(&self, limit: Duration) -> bool {
        self.wait(limit, |_| false)
    }

    /// Waits until `enough`, or the end; gives whether one of the two came in time.
    fn wait(&self, limit: Duration, enough: impl Fn(&Content) -> bool) -> bool {
        let content = self.0.0.lock().expect("no reader panics");
        let (content, _) = self
            .0
            .1
            .wait_timeout_while(content, limit, |content| !content.ended && !enough(content))
            .expect("no reader panics");
        content.ended || enough(&content)
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    part.is_empty() || bytes.windows(part.len()).any(|window| window == part)
}
