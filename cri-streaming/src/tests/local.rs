//! Streams of local commands.

use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::termios::Winsize;

use crate::{
    Config, Ended, Failure, Process, ProcessControl, ProcessStreams, Server, Streams, TerminalSize,
    Wanted,
};

/// Runs `sh -c TEXT`.
#[derive(Default)]
pub(super) struct Local {
    pub(super) started: AtomicUsize,
    /// What attach gives out.
    pub(super) app: Mutex<Option<Process>>,
    pub(super) warnings: Mutex<Vec<String>>,
}

impl Streams for &'static Local {
    type Exec = String;
    type Attach = ();
    type PortForward = ();

    fn exec(&self, request: String, wanted: Wanted) -> Result<Process, Failure> {
        self.started.fetch_add(1, Ordering::Relaxed);
        Ok(start(&request, wanted)?)
    }

    fn attach(&self, (): (), _: Wanted) -> Result<Process, Failure> {
        self.app
            .lock()
            .unwrap()
            .take()
            .ok_or_else(|| "the app does not run".into())
    }

    fn connect(&self, (): &(), port: u16) -> Result<OwnedFd, Failure> {
        Ok(TcpStream::connect(("127.0.0.1", port))?.into())
    }

    fn warn(&self, text: &str) {
        self.warnings.lock().unwrap().push(text.to_owned());
    }
}

pub(super) fn start(text: &str, wanted: Wanted) -> io::Result<Process> {
    if text.starts_with('!') {
        return Err(io::Error::other(text.trim_start_matches('!')));
    }
    if wanted.terminal() {
        return start_in_terminal(text);
    }
    let piped = |wanted: bool| {
        if wanted {
            Stdio::piped()
        } else {
            Stdio::null()
        }
    };
    let mut child = Command::new("sh")
        .args(["-c", text])
        .stdin(piped(wanted.stdin()))
        .stdout(piped(wanted.stdout()))
        .stderr(piped(wanted.stderr()))
        .spawn()?;
    let streams = ProcessStreams::Pipes {
        stdin: child.stdin.take().map(OwnedFd::from),
        stdout: child.stdout.take().map(OwnedFd::from),
        stderr: child.stderr.take().map(OwnedFd::from),
    };
    Ok(Process {
        streams,
        control: Box::new(Control::of(child, None)?),
    })
}

fn start_in_terminal(text: &str) -> io::Result<Process> {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&terminal)?;
    unlockpt(&terminal)?;
    let name = ptsname(&terminal, Vec::new())?.into_string().unwrap();
    let other = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(name)?;
    let child = Command::new("setsid")
        .args(["--ctty", "--wait", "sh", "-c", text])
        .stdin(other.try_clone()?)
        .stdout(other.try_clone()?)
        .stderr(other)
        .spawn()?;
    let control = Control::of(child, Some(terminal.try_clone()?))?;
    Ok(Process {
        streams: ProcessStreams::Terminal(terminal),
        control: Box::new(control),
    })
}

pub(super) struct Control {
    child: Child,
    pidfd: OwnedFd,
    terminal: Option<OwnedFd>,
}

impl Control {
    fn of(child: Child, terminal: Option<OwnedFd>) -> io::Result<Self> {
        let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
        Ok(Self {
            child,
            pidfd,
            terminal,
        })
    }
}

impl ProcessControl for Control {
    fn resize(&mut self, size: TerminalSize) -> io::Result<()> {
        if let Some(terminal) = &self.terminal {
            let (ws_row, ws_col) = (size.rows, size.columns);
            let size = Winsize {
                ws_row,
                ws_col,
                ws_xpixel: 0,
                ws_ypixel: 0,
            };
            rustix::termios::tcsetwinsize(terminal, size)?;
        }
        Ok(())
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.pidfd.as_fd())
    }

    fn ended(&mut self) -> Option<Ended> {
        let status = self.child.try_wait().unwrap()?;
        let code = status
            .code()
            .or_else(|| status.signal().map(|signal| 128 + signal));
        Some(Ended::Exited(code.unwrap().try_into().unwrap()))
    }
}

/// A server of local commands, which outlives its test.
pub(super) fn server() -> (Server<&'static Local>, &'static Local) {
    server_with(Config::default())
}

pub(super) fn server_with(config: Config) -> (Server<&'static Local>, &'static Local) {
    let local: &'static Local = Box::leak(Box::default());
    (Server::start(config, local).unwrap(), local)
}

pub(super) fn wanted(streams: &[&str]) -> Wanted {
    let has = |name| streams.contains(&name);
    Wanted::new(has("stdin"), has("stdout"), has("stderr"), has("resize")).unwrap()
}
