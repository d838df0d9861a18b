//! Starting apps and commands: from what the monitor sent to a running process.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use pod::AppName;
use pod::control::WindowSize;
use pod::manifest::UserNamespace;
use pod::selinux::Context;
use rustix::fs::{Gid, Uid};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::app::among_processes::among_processes_of;
use crate::app::cgroup::{CgroupSeat, Seated};
use crate::app::cgroup_view::CgroupView;
use crate::app::child::{ChildPlan, InDev, Mounts, ProcessLimits, Root, become_app};
use crate::app::command_line::{CommandLine, environment};
use crate::app::confinement::{self, Confinement, PathGuards};
use crate::app::credentials;
use crate::app::descriptor_limit;
use crate::app::devices::{DeviceBounds, Devices, FileLabels, FirstDevices, HandedDevices};
use crate::app::exec_label::{ExecLabel, ModuleLabel};
use crate::app::limits;
use crate::app::report::StartReport;
use crate::app::rootfs::RootFs;
use crate::app::running_app::{MemoryState, RunningApp};
use crate::app::sockets::AppSockets;
use crate::app::stdio::{OpenTerminal, Stdio, choose_streams, keep_terminal};
use crate::app::volume_mount::VolumeMount;
use crate::failure::StartFailure;
use crate::link::{StreamEnds, StreamId};
use crate::protocol::AppSpec;
use crate::sys::{self, Spawned};
use pod::accounts::Identity;

/// The pod's own files, under the names that they have in pod init's root and in each app's.
const POD_FILES: [(&CStr, &CStr, &str); 3] = [
    (c"/etc/hosts", c"etc/hosts", "etc/hosts"),
    (c"/etc/hostname", c"etc/hostname", "etc/hostname"),
    (c"/etc/resolv.conf", c"etc/resolv.conf", "etc/resolv.conf"),
];

/// What an app stands on.
#[derive(Debug)]
pub(crate) struct AppGround {
    pub(crate) root: RootFs,
    pub(crate) seat: CgroupSeat,
    pub(crate) devices: HandedDevices,
    pub(crate) mounts: Vec<VolumeMount>,
    pub(crate) sockets: AppSockets,
}

/// What an app has of its pod, from its setup on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PodSetup<'a> {
    pub(crate) bounds: DeviceBounds,
    /// The pod's own user namespace, if it has one.
    pub(crate) user_namespace: Option<&'a UserNamespace>,
    /// The label of its message queues, where SELinux is enabled.
    pub(crate) queue_label: Option<&'a Context>,
}

/// What an app has of its pod once that starts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PodContext<'a> {
    pub(crate) hostname: &'a str,
    /// What pod init's bounding set holds.
    pub(crate) bounding: u64,
    /// Whether it is in the host's cgroup namespace.
    pub(crate) host_cgroups: bool,
    /// The main process of the app whose pid namespace it joins, if it is to join one.
    pub(crate) target: Option<BorrowedFd<'a>>,
}

/// An app of which all is known that can be, before the pod has its network and any app runs.
#[derive(Debug)]
pub(crate) struct PreparedApp {
    spec: AppSpec,
    stdio: Stdio,
    identity: Identity,
    devices: FirstDevices,
    root: RootFs,
    seat: CgroupSeat,
    mounts: Vec<VolumeMount>,
    sockets: AppSockets,
}

/// A process on its way to its program, and the master of its terminal if it has one.
#[derive(Debug)]
pub(crate) struct Starting<T> {
    pub(crate) process: T,
    pub(crate) master: Option<OwnedFd>,
    pub(crate) report: StartReport,
}

/// A command that runs.
#[derive(Debug)]
pub(crate) struct RunningCommand {
    pub(crate) process: Spawned,
    pub(crate) terminal: Option<OpenTerminal>,
    /// How long it may run.
    pub(crate) patience: Option<Duration>,
}

impl PreparedApp {
    /// Makes sure that there is what the kernel filesystems are mounted on, and who the app is to run as. `streams` came
    /// with `spec`.
    pub(crate) fn new(
        spec: AppSpec,
        mut streams: StreamEnds,
        ground: AppGround,
        pod: PodSetup<'_>,
    ) -> Result<Self, StartFailure> {
        let stdio = Stdio::take(spec.streams, &mut streams)?;
        let AppGround {
            root,
            seat,
            devices,
            mounts,
            sockets,
        } = ground;
        descriptor_limit::raise_beside(&root.0);
        for name in ["proc", "sys", "dev"] {
            root.mount_point(name)?;
        }
        let (user, cwd) = (&spec.execution.user, spec.execution.cwd.as_str());
        let accounts = root.accounts()?;
        let identity = accounts.resolve(&user.user, &user.group);
        let identity = identity
            .and_then(|identity| accounts.add_groups(identity, user))
            .map_err(|unknown| StartFailure::from(unknown).of_app(&spec.name))?;
        if let Some(ids) = pod.user_namespace {
            is_mapped(&identity, ids, &format!("app {}", spec.name))?;
        }
        root.workdir(cwd, identity.uid, identity.gid)?;
        let credentials = mounts
            .iter()
            .filter(|mount| spec.credentials.as_ref() == Some(mount.place.shown()));
        for handed in credentials {
            credentials::give(handed.mount.as_fd(), identity.uid, identity.gid).map_err(
                StartFailure::os(format_args!("give app {} its credentials", spec.name)),
            )?;
        }
        let none = BTreeMap::new();
        let own = spec.security.as_deref();
        let devices = FirstDevices::new(
            stdio.terminal().is_some(),
            own.map_or(&none, |own| &own.proc_options),
            pod.bounds,
            pod.user_namespace,
            devices,
            FileLabels {
                app: spec.mount_label.as_ref(),
                queues: pod.queue_label,
            },
        )?;
        Ok(Self {
            spec,
            stdio,
            identity,
            devices,
            root,
            seat,
            mounts,
            sockets,
        })
    }

    /// Its name.
    pub(crate) fn name(&self) -> &AppName {
        &self.spec.name
    }

    /// The app whose pid namespace it joins.
    pub(crate) fn processes_of(&self) -> Option<&AppName> {
        self.spec.processes_of.as_ref()
    }

    /// Which capabilities pod init has to keep for it, beside those that all apps may have.
    pub(crate) fn wanted_capabilities(&self) -> u64 {
        confinement::wanted(&self.spec)
    }

    /// Whether executing a program can give it privileges.
    pub(crate) fn gains_privileges(&self) -> bool {
        let own = self.spec.security.as_ref();
        own.is_some_and(|own| own.new_privileges)
    }

    /// Gives its terminal, if it is this one, another size.
    pub(crate) fn resize(&mut self, terminal: StreamId, new: WindowSize) {
        if let Stdio::Terminal { stream, size } = &mut self.stdio
            && *stream == terminal
        {
            *size = Some(new);
        }
    }

    /// Starts the app. Its sockets are its own from then on: kept open here, a port or a connection would outlast the
    /// app that closes it.
    pub(crate) fn start(self, pod: PodContext<'_>) -> Result<Starting<RunningApp>, StartFailure> {
        let PodContext {
            hostname,
            bounding,
            host_cgroups,
            target,
        } = pod;
        let Self {
            spec,
            stdio,
            identity,
            devices,
            root,
            seat,
            mounts: volumes,
            sockets,
        } = self;
        let confinement = Confinement::of(&spec, bounding)?;
        let limits = limits::of(&spec.execution);
        let has_terminal = stdio.terminal().is_some();
        let execution = &spec.execution;
        let devices = devices.complete(confinement.guards != PathGuards::None)?;
        let terminal = has_terminal.then(|| devices.terminal()).transpose()?;
        let null = devices.null()?;
        let writes_cgroups = spec.security.as_ref().is_some_and(|own| own.writes_cgroups);
        let variables = environment(&execution.env, &identity.home, hostname, has_terminal);
        let workdir = c_string(execution.cwd.as_str())?;
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
            in_dev: devices.mqueue.as_ref().map(|mqueue| InDev {
                pts: devices.pts.as_fd(),
                mqueue: mqueue.as_fd(),
                console: has_terminal.then_some(c"0"),
            }),
            pod_files,
            host_cgroups,
            cgroups: match devices.mqueue {
                Some(_) => seat.view(writes_cgroups, host_cgroups),
                None => CgroupView::Nothing,
            },
            volumes: &volumes,
            other_processes: spec.own_processes || target.is_some(),
            proc_options: &confinement.proc_options,
        };
        let score = execution.oom_score_adj.map(limits::score);
        let label = ModuleLabel::of(&spec)?;
        let start = Start {
            what: format!("app {}", spec.name),
            root: Root::Attach(Box::new(mounts)),
            seat: &seat,
            streams: choose_streams(terminal.as_ref(), &stdio, &null, &identity)?,
            controlling_terminal: has_terminal,
            identity: &identity,
            workdir: workdir.clone(),
            confinement: &confinement,
            limits: &limits,
            oom_score: score.clone().map(|score| (devices.proc.as_fd(), score)),
            label: label
                .as_ref()
                .map(|label| label.through(devices.proc.as_fd())),
            sockets: &sockets,
            command: CommandLine::new(&execution.args, &variables, &sockets)?,
            by_descriptor: false,
            makes_processes: spec.own_processes && target.is_none(),
            adopts: false,
        };
        let (process, report) = match target {
            Some(target) => among_processes_of(target, || start.go())?,
            None => start.go()?,
        };
        let Devices { pts, proc, .. } = devices;
        let (terminal, master) = keep_terminal(&stdio, terminal);
        let running = RunningApp {
            name: spec.name,
            stop_signal: spec.stop_signal.number(),
            process,
            terminal,
            identity,
            root,
            environment: variables,
            has_home_of_user: !execution.env.iter().any(|entry| entry.starts_with("HOME=")),
            workdir,
            pts,
            null,
            seat,
            memory: MemoryState::Unwatched,
            confinement,
            limits,
            oom_score: score.map(|score| (proc, score)),
            other_processes: spec.own_processes || target.is_some(),
            own_processes: spec.own_processes && target.is_none(),
            label,
        };
        Ok(Starting {
            process: running,
            master,
            report,
        })
    }
}

/// A process about to be made.
pub(super) struct Start<'a> {
    pub(super) what: String,
    pub(super) root: Root<'a>,
    pub(super) seat: &'a CgroupSeat,
    pub(super) streams: [BorrowedFd<'a>; 3],
    pub(super) controlling_terminal: bool,
    pub(super) identity: &'a Identity,
    pub(super) workdir: CString,
    pub(super) confinement: &'a Confinement,
    pub(super) limits: &'a ProcessLimits,
    pub(super) oom_score: Option<(BorrowedFd<'a>, Vec<u8>)>,
    pub(super) label: Option<ExecLabel<'a>>,
    pub(super) sockets: &'a AppSockets,
    pub(super) command: CommandLine,
    /// Whether it executes its first socket, which is a program, instead of the command's.
    pub(super) by_descriptor: bool,
    /// Whether it is process 1 of a pid namespace of its own.
    pub(super) makes_processes: bool,
    /// Whether it adopts what loses its parent below it.
    pub(super) adopts: bool,
}

impl Start<'_> {
    /// Makes the process.
    pub(super) fn go(self) -> Result<(Spawned, StartReport), StartFailure> {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)
            .map_err(StartFailure::os("make a pipe"))?;
        let writer = self.sockets.raised(writer)?;
        let (namespaces, who, places) = match &self.root {
            Root::Attach(mounts) => {
                let processes = match self.makes_processes {
                    true => libc::CLONE_NEWPID,
                    false => 0,
                };
                let namespaces = libc::CLONE_NEWNS | processes;
                (namespaces as u64, Seated::Main, mounts.places())
            }
            Root::Join(_) => (0, Seated::Command, Vec::new()),
        };
        let plan = ChildPlan {
            report: writer.as_fd(),
            tasks: self.seat.tasks(who),
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
            descriptors: descriptor_limit::of_apps(),
            limits: self.limits,
            oom_score: self.oom_score,
            label: self.label,
            sockets: self.sockets.fds(),
            report_place: self.sockets.end(),
            command: self.command,
            by_descriptor: self.by_descriptor,
            adopts: self.adopts,
        };
        let process = sys::spawn(namespaces, self.seat.clone_into(who), |child| {
            become_app(&plan, child)
        })
        .map_err(|error| match error.raw_os_error() {
            Some(libc::ENOSPC) => StartFailure::other(format!(
                "cannot make the namespaces of {}: the host allows no more of them (user.max_mnt_namespaces and the like)",
                self.what
            )),
            Some(libc::EAGAIN) => StartFailure::other(format!(
                "cannot make a process for {}: as many run already as the pod may have (--pod-pids-limit), or the unit or \
                 machine that it is in",
                self.what
            )),
            _ => StartFailure::os(format_args!("make a process for {}", self.what))(error),
        })?;
        let report = StartReport::new(reader, self.what, plan.command.sought, plan.workdir, places);
        Ok((process, report))
    }
}

/// Whether the pod has the user and the groups of an app, or of a command.
pub(super) fn is_mapped(
    identity: &Identity,
    ids: &UserNamespace,
    who: &str,
) -> Result<(), StartFailure> {
    let strange = |what: &str, id: u32| {
        let message =
            format!("{who} can't run as {what} {id}, which the pod's user namespace does not have");
        Err(StartFailure::other(message))
    };
    if ids.host_uid(identity.uid).is_none() {
        return strange("user", identity.uid);
    }
    let mut groups = [identity.gid]
        .into_iter()
        .chain(identity.groups.iter().copied());
    match groups.find(|gid| ids.host_gid(*gid).is_none()) {
        Some(gid) => strange("group", gid),
        None => Ok(()),
    }
}

pub(super) fn c_string(text: &str) -> Result<CString, StartFailure> {
    CString::new(text).map_err(|_| StartFailure::other("a NUL byte in the working directory"))
}
