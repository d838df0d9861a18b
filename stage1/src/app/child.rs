//! The process that becomes an app or a command, between clone and exec.
//!
//! Only system calls on data that was built before: no allocation, no locks. A step that fails is
//! reported to pod init as numbers over a pipe that exec closes.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};

use pod::activation::FIRST_FD;
use pod::manifest::AppPath;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::{Errno, fcntl_dupfd_cloexec, write};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, UnmountFlags, fsconfig_create,
    fsconfig_set_string, fsmount, fsopen, move_mount, unmount,
};
use rustix::process::{
    DumpableBehavior, Pid, Resource, Rlimit, chdir, fchdir, ioctl_tiocsctty, pivot_root,
    set_child_subreaper, set_dumpable_behavior, setrlimit, setsid, umask,
};
use rustix::thread::{
    CapabilitySet, CapabilitySets, Gid, ThreadNameSpaceType, Uid, clear_ambient_capability_set,
    configure_capability_in_ambient_set, move_into_thread_name_spaces,
    remove_capability_from_bounding_set, set_capabilities, set_keep_capabilities, set_no_new_privs,
    set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use crate::app::attach::{attach, attach_copy, target};
use crate::app::attempts::{ATTEMPTS_MAX, Attempts};
use crate::app::cgroup_view::CgroupView;
use crate::app::command_line::CommandLine;
use crate::app::confinement::{Confinement, Filter, PathGuards};
use crate::app::exec_label::ExecLabel;
use crate::app::guards;
use crate::app::resolve::{IN_ROOT, STRICT, open_within};
use crate::app::step::Step;
use crate::app::volume_mount::VolumeMount;
use crate::seccomp;
use crate::sys::{self, ChildProcess};

/// What the process needs to become an app or a command.
#[derive(Debug)]
pub(crate) struct ChildPlan<'a> {
    /// Where a failure is reported; closed by exec.
    pub(crate) report: BorrowedFd<'a>,
    /// `tasks` files of cgroups to join.
    pub(crate) tasks: Vec<BorrowedFd<'a>>,
    /// How it gets to the app's root.
    pub(crate) root: Root<'a>,
    /// Its standard streams.
    pub(crate) streams: [BorrowedFd<'a>; 3],
    /// Whether its standard input is the terminal that controls it.
    pub(crate) controlling_terminal: bool,
    /// Where it starts.
    pub(crate) workdir: CString,
    pub(crate) uid: Uid,
    pub(crate) gid: Gid,
    pub(crate) groups: Vec<Gid>,
    pub(crate) confinement: &'a Confinement,
    /// How many descriptors it may have open, if not as many as pod init, and its limits say nothing else.
    pub(crate) descriptors: Option<Rlimit>,
    pub(crate) limits: &'a ProcessLimits,
    /// A procfs, and what is written to it of how soon the kernel kills the process when memory is short.
    pub(crate) oom_score: Option<(BorrowedFd<'a>, Vec<u8>)>,
    /// The label of a security module that it gets with its program.
    pub(crate) label: Option<ExecLabel<'a>>,
    /// What it gets from descriptor 3 on. These have numbers above [`Self::report_place`], as `report` has.
    pub(crate) sockets: Vec<BorrowedFd<'a>>,
    /// The number after the last of them, where the report pipe is once all other descriptors are closed.
    pub(crate) report_place: i32,
    pub(crate) command: CommandLine,
    /// Whether its first socket is the program that is executed, with the command's words.
    pub(crate) by_descriptor: bool,
    /// Whether it adopts what loses its parent below it, `PR_SET_CHILD_SUBREAPER`.
    pub(crate) adopts: bool,
}

/// What a process and its children are limited by, beside their cgroup.
#[derive(Debug)]
pub(crate) struct ProcessLimits {
    /// The file mode creation mask.
    pub(crate) umask: Mode,
    pub(crate) resources: Vec<(Resource, Rlimit)>,
}

/// How a process gets to the app's root.
#[derive(Debug)]
pub(crate) enum Root<'a> {
    /// The app itself: attaches everything in its new mount namespace.
    Attach(Box<Mounts<'a>>),
    /// A command: joins the mount and cgroup namespaces of the app's main process.
    Join(BorrowedFd<'a>),
}

/// Mounts that are attached to nothing yet.
#[derive(Debug)]
pub(crate) struct Mounts<'a> {
    pub(crate) root: BorrowedFd<'a>,
    pub(crate) proc: BorrowedFd<'a>,
    pub(crate) sys: BorrowedFd<'a>,
    pub(crate) dev: BorrowedFd<'a>,
    /// What is mounted in `dev`, unless that is the host's.
    pub(crate) in_dev: Option<InDev<'a>>,
    /// The pod's files that the image has a place for, and that place.
    pub(crate) pod_files: Vec<(&'static CStr, &'static CStr)>,
    /// Whether the app stays in the cgroup namespace of the host.
    pub(crate) host_cgroups: bool,
    /// What is shown at `/sys/fs/cgroup`.
    pub(crate) cgroups: CgroupView,
    /// What else is mounted, in this order.
    pub(crate) volumes: &'a [VolumeMount],
    /// Whether `proc` shows the pod's processes and the app is in another pid namespace.
    pub(crate) other_processes: bool,
    /// Options of a procfs of its own.
    pub(crate) proc_options: &'a [(CString, CString)],
}

/// What is mounted in a `/dev` of the app's own, beside the pod's shared memory.
#[derive(Debug)]
pub(crate) struct InDev<'a> {
    pub(crate) pts: BorrowedFd<'a>,
    pub(crate) mqueue: BorrowedFd<'a>,
    /// The terminal to be seen as `/dev/console`.
    pub(crate) console: Option<&'static CStr>,
}

impl ChildPlan<'_> {
    /// A procfs of the pod's by which something is asked for.
    fn procfs(&self) -> Option<BorrowedFd<'_>> {
        let of_score = self.oom_score.as_ref().map(|(proc, _)| *proc);
        of_score.or(self.label.as_ref().map(ExecLabel::procfs))
    }

    /// The number that such a procfs has once all others are closed.
    fn procfs_place(&self) -> i32 {
        self.report_place.saturating_add(1)
    }
}

impl InDev<'_> {
    fn attach(&self, dev: BorrowedFd<'_>) -> Result<(), Errno> {
        attach(self.pts, dev, c"pts")?;
        attach(self.mqueue, dev, c"mqueue")?;
        let Some(terminal) = self.console else {
            return Ok(());
        };
        let console = target(dev, c"console", STRICT)?;
        attach_copy(self.pts, terminal, false, &console)
    }
}

impl Mounts<'_> {
    /// Where the volumes go.
    pub(crate) fn places(&self) -> Vec<AppPath> {
        let places = self.volumes.iter().map(|volume| volume.place.shown());
        places.cloned().collect()
    }
}

type Failed = (Step, Errno);

/// The longest report of a failure: the step, the error, and what became of the candidates.
pub(crate) const REPORT_MAX: usize = 5 + ATTEMPTS_MAX;

/// Becomes the app. Returns only if that failed, with the exit code for the process.
pub(crate) fn become_app(plan: &ChildPlan<'_>, process: &ChildProcess) -> i32 {
    let mut attempts = Attempts::none();
    let (step, errno) = match prepare(plan, process, &mut attempts) {
        Err(failed) => failed,
        Ok(()) if plan.by_descriptor => {
            let CommandLine { argv, envp, .. } = &plan.command;
            let program = process.placed(FIRST_FD);
            (Step::Execute, sys::execveat(program, argv, envp))
        }
        Ok(()) => (Step::Execute, attempts.execute(&plan.command)),
    };
    let mut report = [0; REPORT_MAX];
    let (number, code) = ([step as u8], errno.raw_os_error().to_le_bytes());
    let head = [number.as_slice(), &code];
    let parts = head.into_iter().chain([attempts.as_bytes()]);
    let mut length = 0;
    for (place, byte) in report.iter_mut().zip(parts.flatten()) {
        *place = *byte;
        length += 1;
    }
    let report = report.get(..length).unwrap_or_default();
    // Where `prepare` got far enough, the pipe is at its place.
    let _ =
        write(plan.report, report).or_else(|_| write(process.placed(plan.report_place), report));
    1
}

fn prepare(
    plan: &ChildPlan<'_>,
    process: &ChildProcess,
    attempts: &mut Attempts,
) -> Result<(), Failed> {
    let at = |step: Step| move |errno: Errno| (step, errno);

    plan.command.envp.name_own_process();
    sys::unblock_signals().map_err(at(Step::Signals))?;
    umask(plan.limits.umask);
    for tasks in &plan.tasks {
        write(tasks, b"0").map_err(at(Step::JoinCgroup))?;
    }
    setsid().map_err(at(Step::Session))?;
    if plan.adopts {
        // It is this process, whatever number is given.
        set_child_subreaper(Pid::from_raw(1)).map_err(at(Step::Session))?;
    }
    streams(plan).map_err(at(Step::Streams))?;
    // Where pod init's program may not be read, as in a pod with users of its own, this process can't open what `/proc` has
    // of it before it shows itself: with nothing left that leads out of the pod.
    let hidden = match ask_of_itself(plan, None) {
        Err((_, Errno::ACCESS)) => plan.procfs(),
        other => other.map(|()| None)?,
    };
    match &plan.root {
        Root::Attach(mounts) => {
            if !mounts.host_cgroups {
                sys::unshare_cgroup().map_err(at(Step::CgroupNamespace))?;
            }
            attach_all(mounts, plan.confinement, attempts)?;
        }
        Root::Join(app) => {
            let spaces = ThreadNameSpaceType::MOUNT | ThreadNameSpaceType::CONTROL_GROUP;
            move_into_thread_name_spaces(*app, spaces).map_err(at(Step::JoinApp))?;
        }
    }
    keep_only_own(plan, process, hidden).map_err(at(Step::CloseDescriptors))?;
    let in_workdir = enter_workdir_as_root(&plan.workdir).map_err(at(Step::WorkingDirectory))?;
    if let Some(limit) = plan.descriptors {
        setrlimit(Resource::Nofile, limit).map_err(at(Step::ResourceLimits))?;
    }
    for (resource, limit) in &plan.limits.resources {
        setrlimit(*resource, *limit).map_err(at(Step::ResourceLimits))?;
    }
    let confinement = plan.confinement;
    drop_bounding_set(confinement.held, confinement.capabilities)
        .map_err(at(Step::Capabilities))?;
    // From here on this process does nothing that the app may not do. Where `fs.suid_dumpable` is 1, whoever becomes
    // another user can be traced by that user for a moment, though it hides at once: so the filter stands before.
    if !confinement.new_privileges {
        set_no_new_privs(true).map_err(at(Step::NoNewPrivileges))?;
    }
    let late = install_filter(confinement).map_err(at(Step::SystemCallFilter))?;
    let keeps = confinement.ambient != 0 && !plan.uid.is_root();
    if keeps {
        set_keep_capabilities(true).map_err(at(Step::Capabilities))?;
    }
    set_thread_groups(&plan.groups).map_err(at(Step::Groups))?;
    set_thread_res_gid(plan.gid, plan.gid, plan.gid).map_err(at(Step::Groups))?;
    hide().map_err(at(Step::Groups))?;
    set_thread_res_uid(plan.uid, plan.uid, plan.uid).map_err(at(Step::User))?;
    hide().map_err(at(Step::User))?;
    let (own, ambient) = match plan.uid.is_root() {
        true => (confinement.capabilities, 0),
        false => (confinement.ambient, confinement.ambient),
    };
    let sets = CapabilitySets {
        effective: CapabilitySet::from_bits_retain(own),
        permitted: CapabilitySet::from_bits_retain(own),
        inheritable: CapabilitySet::from_bits_retain(ambient),
    };
    clear_ambient_capability_set().map_err(at(Step::Capabilities))?;
    set_capabilities(None, sets).map_err(at(Step::Capabilities))?;
    if ambient != 0 {
        raise_ambient(ambient).map_err(at(Step::Capabilities))?;
    }
    if !in_workdir {
        // As the app's user, who can't follow what `/proc` shows of pod init, with nothing of the host open here,
        // and only if it is below the app's root after all: the path is the image's (CVE-2024-21626).
        chdir(plan.workdir.as_c_str()).map_err(at(Step::WorkingDirectory))?;
    }
    sys::working_directory_is_inside().map_err(at(Step::WorkingDirectory))?;
    if hidden.is_some() {
        let proc = process.placed(plan.procfs_place());
        set_dumpable_behavior(DumpableBehavior::Dumpable).map_err(at(Step::User))?;
        ask_of_itself(plan, Some(proc))?;
        hide().map_err(at(Step::User))?;
    }
    if let Some((program, flags)) = late {
        sys::install_seccomp(program, flags).map_err(at(Step::SystemCallFilter))?;
    }
    Ok(())
}

/// Asks for what a process says of itself in `/proc`: its label, and how soon it is killed when memory is short. `proc` is
/// another procfs of the pod's than those of the plan, which are closed by then.
fn ask_of_itself(plan: &ChildPlan<'_>, proc: Option<BorrowedFd<'_>>) -> Result<(), Failed> {
    if let Some(label) = &plan.label {
        let asked = label.request(proc.unwrap_or(label.procfs()));
        asked.map_err(|errno| (Step::SecurityLabel, errno))?;
    }
    if let Some((own, score)) = &plan.oom_score {
        let set = set_oom_score(proc.unwrap_or(*own), score);
        set.map_err(|errno| (Step::OomScore, errno))?;
    }
    Ok(())
}

/// Installs the filter, or gives it back if it is to be installed last: one of the user's own may refuse what this process
/// still has to do. Where executing a program can give privileges, only who has some may install one.
fn install_filter(confinement: &Confinement) -> Result<Option<(&[libc::sock_filter], u32)>, Errno> {
    match &confinement.filter {
        Filter::None => Ok(None),
        Filter::Default => sys::install_seccomp(&seccomp::DEFAULT, 0).map(|()| None),
        Filter::Own { program, flags } if confinement.new_privileges => {
            sys::install_seccomp(program, *flags).map(|()| None)
        }
        Filter::Own { program, flags } => Ok(Some((program, *flags))),
    }
}

/// Says how soon the kernel kills this process when memory is short. Without the right to be killed later than before it
/// stays as it was, which the caller has been told.
fn set_oom_score(proc: BorrowedFd<'_>, score: &[u8]) -> Result<(), Errno> {
    let below = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let file = open_within(
        proc,
        c"self/oom_score_adj",
        OFlags::WRONLY,
        Mode::empty(),
        below,
    )?;
    match write(&file, score) {
        Ok(_) | Err(Errno::ACCESS) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Keeps these capabilities through the execution of any program.
fn raise_ambient(set: u64) -> Result<(), Errno> {
    for number in (0..u64::BITS).filter(|number| set & (1 << number) != 0) {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        configure_capability_in_ambient_set(capability, true)?;
    }
    Ok(())
}

/// Keeps other processes from looking into this one until it executes its program.
fn hide() -> Result<(), Errno> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
}

/// Enters a working directory that the app's user may not be able to enter, as `/root`. Nothing on the way leads out of the
/// app's root, which is the present directory, or through links that the kernel makes. `false` if that has to be tried as the
/// app's user: there are such links, or root may not enter it.
fn enter_workdir_as_root(path: &CStr) -> Result<bool, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY;
    match open_within(CWD, path, flags, Mode::empty(), IN_ROOT).and_then(fchdir) {
        Ok(()) => Ok(true),
        Err(Errno::LOOP | Errno::ACCESS | Errno::PERM) => Ok(false),
        Err(errno) => Err(errno),
    }
}

fn streams(plan: &ChildPlan<'_>) -> Result<(), Errno> {
    let [input, output, error] = plan.streams;
    rustix::stdio::dup2_stdin(input)?;
    rustix::stdio::dup2_stdout(output)?;
    rustix::stdio::dup2_stderr(error)?;
    if plan.controlling_terminal {
        ioctl_tiocsctty(rustix::stdio::stdin())?;
    }
    Ok(())
}

fn attach_all(
    mounts: &Mounts<'_>,
    confinement: &Confinement,
    attempts: &mut Attempts,
) -> Result<(), Failed> {
    let at = |step: Step| move |errno: Errno| (step, errno);
    let root = mounts.root;
    let onto = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    move_mount(root, c"", CWD, c"/rootfs", onto).map_err(at(Step::AttachRoot))?;

    let kernel = Step::AttachKernelFilesystems;
    attach(mounts.proc, root, c"proc").map_err(at(kernel))?;
    let own_proc = match mounts.other_processes {
        true => Some(own_proc(root, mounts.proc_options).map_err(at(kernel))?),
        false => None,
    };
    let proc = own_proc.as_ref().map_or(mounts.proc, AsFd::as_fd);
    attach(mounts.sys, root, c"sys").map_err(at(kernel))?;
    attach(mounts.dev, root, c"dev").map_err(at(kernel))?;
    if let Some(in_dev) = &mounts.in_dev {
        in_dev.attach(mounts.dev).map_err(at(kernel))?;
        target(mounts.dev, c"shm", STRICT)
            .and_then(|shm| attach_copy(CWD, c"/shm", false, &shm))
            .map_err(at(Step::AttachSharedMemory))?;
    }

    if confinement.guards == PathGuards::Default {
        guards::mask_usual(proc, mounts.sys, mounts.dev).map_err(at(Step::MaskPaths))?;
        guards::protect_usual(proc).map_err(at(Step::ReadOnlyPaths))?;
    }
    for (source, path) in &mounts.pod_files {
        target(root, path, IN_ROOT)
            .and_then(|file| attach_copy(CWD, source, false, &file))
            .map_err(at(Step::PodFiles))?;
    }
    mounts
        .cgroups
        .show(mounts.sys)
        .map_err(at(Step::AttachCgroupFilesystem))?;
    for (number, volume) in mounts.volumes.iter().enumerate() {
        volume.attach(root).map_err(|errno| {
            attempts.name_place(number, errno);
            (Step::AttachVolume, errno)
        })?;
    }
    guard_own(mounts, &confinement.guards)?;
    if confinement.read_only_root {
        sys::mount_setattr(root, libc::MOUNT_ATTR_RDONLY, false).map_err(at(Step::ReadOnlyRoot))?;
    }
    (|| {
        fchdir(root)?;
        pivot_root(c".", c".")?;
        unmount(c".", UnmountFlags::DETACH)?;
        chdir(c"/")
    })()
    .map_err(at(Step::PivotRoot))
}

/// Puts a procfs of this process's own pid namespace in the place of the pod's. In a user namespace the kernel mounts one only
/// where another one is seen whole: so the pod's is there until then.
fn own_proc(root: BorrowedFd<'_>, options: &[(CString, CString)]) -> Result<OwnedFd, Errno> {
    let context = fsopen(c"proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in options {
        fsconfig_set_string(context.as_fd(), key, value)?;
    }
    fsconfig_create(context.as_fd())?;
    let guarded = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let own = fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, guarded)?;
    // The root was attached there, and `proc` in it has just been found to be no link.
    unmount(c"/rootfs/proc", UnmountFlags::DETACH)?;
    attach(own.as_fd(), root, c"proc")?;
    Ok(own)
}

/// Guards the paths that the app's own lists name, once all that it sees is mounted.
fn guard_own(mounts: &Mounts<'_>, guards: &PathGuards) -> Result<(), Failed> {
    if let PathGuards::Own { masked, read_only } = guards {
        let at = |step: Step| move |errno: Errno| (step, errno);
        guards::mask(mounts.root, mounts.dev, masked).map_err(at(Step::MaskPaths))?;
        guards::protect(mounts.root, read_only).map_err(at(Step::ReadOnlyPaths))?;
    }
    Ok(())
}

/// Closes everything but the standard streams, the sockets, which exec leaves open, and the report pipe.
/// `proc` is kept until exec, too.
fn keep_only_own(
    plan: &ChildPlan<'_>,
    process: &ChildProcess,
    proc: Option<BorrowedFd<'_>>,
) -> Result<(), Errno> {
    let place = plan.procfs_place();
    // Out of the way of all that is placed. Its number is closed below.
    let proc = proc.map(|proc| fcntl_dupfd_cloexec(proc, place.saturating_add(1)));
    let proc = proc.transpose()?.map(IntoRawFd::into_raw_fd);
    for (number, socket) in (FIRST_FD..).zip(&plan.sockets) {
        process.place(*socket, number)?;
    }
    if plan.report.as_raw_fd() != plan.report_place {
        process.place_until_exec(plan.report, plan.report_place)?;
    }
    let Some(proc) = proc else {
        return process.close_from(place.unsigned_abs());
    };
    process.place_until_exec(process.placed(proc), place)?;
    process.close_from(place.unsigned_abs() + 1)
}

/// Takes all capabilities that it may hold but those to keep out of the bounding set. System calls only.
pub(crate) fn drop_bounding_set(held: u64, keep: u64) -> Result<(), Errno> {
    for number in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        if held & !keep & (1 << number) == 0 {
            continue;
        }
        match remove_capability_from_bounding_set(capability) {
            // The kernel knows no more capabilities.
            Err(Errno::INVAL) => break,
            other => other?,
        }
    }
    Ok(())
}
