//! Starting apps and commands: from what the monitor sent to a running process.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, poll};
use pod::AppName;
use pod::control::{ExecRequest, WindowSize};
use pod::exit::FailureKind;
use rustix::fs::{Gid, Uid, fchown};
use rustix::io::{Errno, read};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Signal, pidfd_send_signal};

use crate::app::accounts::Identity;
use crate::app::cgroup::CgroupSeat;
use crate::app::child::{ChildPlan, Mounts, Root, Step, become_app};
use crate::app::command_line::{CommandLine, environment};
use crate::app::confinement::Confinement;
use crate::app::devices::{Devices, Terminal, make_terminal};
use crate::app::rootfs::{RootFs, Storage};
use crate::app::sockets::AppSockets;
use crate::failure::StartFailure;
use crate::protocol::{AppSpec, CgroupFds, StreamFds};
use crate::sys::{self, Spawned};
use crate::timing::poll_timeout;

/// The pod's own files, under the names that they have in pod init's root and in each app's.
const POD_FILES: [(&CStr, &CStr, &str); 3] = [
    (c"/etc/hosts", c"etc/hosts", "etc/hosts"),
    (c"/etc/hostname", c"etc/hostname", "etc/hostname"),
    (c"/etc/resolv.conf", c"etc/resolv.conf", "etc/resolv.conf"),
];

/// An app whose root filesystem stands, while the host's files can still be seen.
#[derive(Debug)]
pub(crate) struct PreparedApp {
    spec: AppSpec,
    streams: Vec<OwnedFd>,
    seat: CgroupSeat,
    sockets: AppSockets,
    root: RootFs,
}

/// An app that runs, and what a command inside of it needs.
#[derive(Debug)]
pub(crate) struct RunningApp {
    pub(crate) name: AppName,
    pub(crate) stop_signal: i32,
    pub(crate) process: Spawned,
    pub(crate) seat: CgroupSeat,
    identity: Identity,
    environment: Vec<String>,
    workdir: CString,
    pts: OwnedFd,
    confinement: Confinement,
}

impl PreparedApp {
    /// Mounts the app's root filesystem. `fds` came with `spec`, and `sockets` after it.
    pub(crate) fn new(
        mut spec: AppSpec,
        fds: Vec<OwnedFd>,
        sockets: Vec<OwnedFd>,
        storage: &Storage,
    ) -> Result<Self, StartFailure> {
        let mut fds = fds.into_iter();
        let count = match spec.streams {
            StreamFds::Terminal => 0,
            StreamFds::Output => 2,
            StreamFds::All => 3,
        };
        let streams: Vec<OwnedFd> = fds.by_ref().take(count).collect();
        let seat = CgroupSeat::new(spec.cgroup, fds)?;
        let sockets = AppSockets::new(std::mem::take(&mut spec.sockets), sockets)?;
        let root = storage.overlay(spec.app.name.as_str(), &spec.app.image.layers)?;
        for name in ["proc", "sys", "dev"] {
            root.mount_point(name)?;
        }
        Ok(Self {
            spec,
            streams,
            seat,
            sockets,
            root,
        })
    }

    /// Starts the app. Returns it, and the other end of its terminal if it has one. Its sockets are its own from
    /// then on: kept open here, a port or a connection would outlast the app that closes it.
    pub(crate) fn start(
        self,
        hostname: &str,
        confinement: Confinement,
    ) -> Result<(RunningApp, Option<OwnedFd>), StartFailure> {
        let Self {
            spec,
            streams,
            seat,
            sockets,
            root,
        } = self;
        let app = &spec.app;
        let execution = &app.execution;
        let (user, cwd) = (&execution.user, execution.cwd.as_str());
        let identity = root.accounts()?.resolve(&user.user, &user.group)?;
        root.workdir(cwd, identity.uid, identity.gid)?;
        let devices = Devices::new(execution.terminal, confinement.guards_paths)?;
        let terminal = execution.terminal.then(|| devices.terminal()).transpose()?;
        let null = devices.null()?;
        let variables = environment(&execution.env, &identity.home, hostname, execution.terminal);
        let workdir = c_string(cwd)?;
        let mut pod_files = Vec::with_capacity(POD_FILES.len());
        for (source, target, path) in POD_FILES {
            if root.mount_file(path)? {
                pod_files.push((source, target));
            }
        }
        let mounts = Mounts {
            root: root.0.as_fd(),
            proc: devices.proc.as_fd(),
            sys: devices.sys.as_fd(),
            dev: devices.dev.as_fd(),
            pts: devices.pts.as_fd(),
            mqueue: devices.mqueue.as_fd(),
            pod_files,
            console: execution.terminal.then_some(c"0"),
            cgroup2: spec.cgroup == CgroupFds::V2,
        };
        let start = Start {
            what: format!("app {}", app.name),
            root: Root::Attach(Box::new(mounts)),
            seat: &seat,
            streams: choose_streams(
                terminal.as_ref(),
                &streams,
                Some(&null),
                &identity,
                spec.size,
            )?,
            controlling_terminal: terminal.is_some(),
            identity: &identity,
            workdir: workdir.clone(),
            confinement,
            sockets: &sockets,
            command: CommandLine::new(&execution.args, &variables, &sockets)?,
        };
        let process = start.go()?;
        let Devices { pts, .. } = devices;
        let running = RunningApp {
            name: app.name.clone(),
            stop_signal: app.stop_signal.number(),
            process,
            identity,
            environment: variables,
            workdir,
            pts,
            seat,
            confinement,
        };
        Ok((running, terminal.map(|terminal| terminal.master)))
    }
}

impl RunningApp {
    /// Starts a command inside of this app. Returns it, and the other end of its terminal if it has one.
    pub(crate) fn execute(
        &self,
        request: &ExecRequest,
        streams: &[OwnedFd],
    ) -> Result<(Spawned, Option<OwnedFd>), StartFailure> {
        let terminal = request.tty.then(|| make_terminal(&self.pts)).transpose()?;
        let variables: Vec<String> = self
            .environment
            .iter()
            .chain(&request.env)
            .cloned()
            .collect();
        let variables = environment(&variables, &self.identity.home, "", request.tty);
        let no_sockets = AppSockets::default();
        let start = Start {
            what: format!("the command in app {}", self.name),
            root: Root::Join(self.process.pidfd.as_fd()),
            seat: &self.seat,
            streams: choose_streams(
                terminal.as_ref(),
                streams,
                None,
                &self.identity,
                request.size,
            )?,
            controlling_terminal: terminal.is_some(),
            identity: &self.identity,
            workdir: self.workdir.clone(),
            confinement: self.confinement,
            sockets: &no_sockets,
            command: CommandLine::new(&request.argv, &variables, &no_sockets)?,
        };
        let process = start.go()?;
        Ok((process, terminal.map(|terminal| terminal.master)))
    }
}

/// The three standard streams of a process, which its user may open again through `/dev/stdout`.
fn choose_streams<'a>(
    terminal: Option<&'a Terminal>,
    streams: &'a [OwnedFd],
    null: Option<&'a OwnedFd>,
    identity: &Identity,
    size: Option<WindowSize>,
) -> Result<[BorrowedFd<'a>; 3], StartFailure> {
    let owner = Some(Uid::from_raw(identity.uid));
    if let Some(terminal) = terminal {
        fchown(&terminal.slave, owner, None).map_err(StartFailure::os("own the terminal"))?;
        if let Some(WindowSize { rows, cols }) = size {
            sys::set_window_size(terminal.slave.as_fd(), rows, cols)
                .map_err(StartFailure::os("set the terminal's size"))?;
        }
        return Ok([terminal.slave.as_fd(); 3]);
    }
    for stream in streams {
        fchown(stream, owner, None).map_err(StartFailure::os("own a standard stream"))?;
    }
    match (streams, null) {
        ([output, error], Some(null)) => Ok([null.as_fd(), output.as_fd(), error.as_fd()]),
        ([input, output, error], _) => Ok([input.as_fd(), output.as_fd(), error.as_fd()]),
        _ => Err(StartFailure::other("the standard streams are incomplete")),
    }
}

/// A process about to be made.
struct Start<'a> {
    what: String,
    root: Root<'a>,
    seat: &'a CgroupSeat,
    streams: [BorrowedFd<'a>; 3],
    controlling_terminal: bool,
    identity: &'a Identity,
    workdir: CString,
    confinement: Confinement,
    sockets: &'a AppSockets,
    command: CommandLine,
}

impl Start<'_> {
    /// Makes the process and waits until it has executed its program, or could not.
    fn go(self) -> Result<Spawned, StartFailure> {
        let (reader, writer) =
            pipe_with(PipeFlags::CLOEXEC).map_err(StartFailure::os("make a pipe"))?;
        let writer = self.sockets.raised(writer)?;
        let namespaces = match self.root {
            Root::Attach(_) => libc::CLONE_NEWNS as u64,
            Root::Join(_) => 0,
        };
        let plan = ChildPlan {
            report: writer.as_fd(),
            tasks: self.seat.tasks(),
            root: self.root,
            streams: self.streams,
            controlling_terminal: self.controlling_terminal,
            workdir: self.workdir,
            uid: Uid::from_raw(self.identity.uid),
            gid: Gid::from_raw(self.identity.gid),
            groups: self
                .identity
                .groups
                .iter()
                .copied()
                .map(Gid::from_raw)
                .collect(),
            confinement: self.confinement,
            sockets: self.sockets.fds(),
            report_place: self.sockets.end(),
            command: self.command,
        };
        let process =
            sys::spawn(namespaces, self.seat.clone_into(), || become_app(&plan)).map_err(
                StartFailure::os(format_args!("make a process for {}", self.what)),
            )?;
        let program = plan.command.candidates.last().cloned().unwrap_or_default();
        let workdir = plan.workdir.clone();
        drop(plan);
        drop(writer);
        let report = read_report(&reader);
        if report.is_err() {
            // Whatever holds it up, it must not become an app later on.
            let _ = pidfd_send_signal(&process.pidfd, Signal::KILL);
        }
        match report.map_err(StartFailure::os(format_args!("start {}", self.what)))? {
            None => Ok(process),
            Some((step, errno)) => Err(explain(&self.what, &program, &workdir, step, errno)),
        }
    }
}

/// How long a process may take to execute its program. Another app can stop it by a signal as soon as it has its
/// user, and pod init must not wait for that app's leave.
const START_MAX: Duration = Duration::from_secs(10);

/// The failure that the process reported; `None` if exec closed the pipe.
fn read_report(reader: &OwnedFd) -> Result<Option<(Step, Errno)>, Errno> {
    let mut report = [0; 5];
    let mut filled = 0;
    let deadline = Instant::now().checked_add(START_MAX);
    loop {
        let mut fds = [PollFd::new(reader.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, poll_timeout(deadline)) {
            Ok(0) => return Err(Errno::TIMEDOUT),
            Ok(_) => {}
            Err(nix::errno::Errno::EINTR) => continue,
            Err(errno) => return Err(Errno::from_raw_os_error(errno as i32)),
        }
        match read(reader, report.get_mut(filled..).unwrap_or_default()) {
            Ok(0) => break,
            Ok(length) => filled += length,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    let [number, code @ ..] = report;
    Ok((filled == report.len()).then(|| {
        let step = Step::from_number(number).unwrap_or(Step::Execute);
        (step, Errno::from_raw_os_error(i32::from_le_bytes(code)))
    }))
}

fn explain(what: &str, program: &CStr, workdir: &CStr, step: Step, errno: Errno) -> StartFailure {
    let program = program.to_string_lossy();
    let name = program.rsplit('/').next().unwrap_or_default();
    let (kind, message) = match (step, errno) {
        (Step::Execute, Errno::NOENT | Errno::NOTDIR) => (
            FailureKind::NotFound,
            format!(
                "cannot execute `{name}` in {what}: it, or the interpreter that it names, is not in the image"
            ),
        ),
        (Step::Execute, errno) => (
            FailureKind::NotExecutable,
            format!("cannot execute `{program}` in {what}: {errno}"),
        ),
        (Step::WorkingDirectory, errno) => (
            FailureKind::Other,
            format!(
                "cannot enter the working directory `{}` of {what}: {errno}",
                workdir.to_string_lossy()
            ),
        ),
        (step, errno) => (
            FailureKind::Other,
            format!("cannot {} for {what}: {errno}", step.description()),
        ),
    };
    StartFailure { kind, message }
}

fn c_string(text: &str) -> Result<CString, StartFailure> {
    CString::new(text).map_err(|_| StartFailure::other("a NUL byte in the working directory"))
}
