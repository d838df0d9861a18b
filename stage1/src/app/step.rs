//! The steps by which a process becomes an app or a command.

/// A step that can fail; its number goes over the pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Step {
    Signals,
    JoinCgroup,
    Session,
    Streams,
    OomScore,
    SecurityLabel,
    CgroupNamespace,
    JoinApp,
    AttachRoot,
    AttachKernelFilesystems,
    AttachSharedMemory,
    MaskPaths,
    ReadOnlyPaths,
    PodFiles,
    AttachCgroupFilesystem,
    AttachVolume,
    ReadOnlyRoot,
    PivotRoot,
    CloseDescriptors,
    WorkingDirectory,
    ResourceLimits,
    Capabilities,
    NoNewPrivileges,
    SystemCallFilter,
    Groups,
    User,
    Execute,
}

impl Step {
    const ALL: [Self; 27] = [
        Self::Signals,
        Self::JoinCgroup,
        Self::Session,
        Self::Streams,
        Self::OomScore,
        Self::SecurityLabel,
        Self::CgroupNamespace,
        Self::JoinApp,
        Self::AttachRoot,
        Self::AttachKernelFilesystems,
        Self::AttachSharedMemory,
        Self::MaskPaths,
        Self::ReadOnlyPaths,
        Self::PodFiles,
        Self::AttachCgroupFilesystem,
        Self::AttachVolume,
        Self::ReadOnlyRoot,
        Self::PivotRoot,
        Self::CloseDescriptors,
        Self::WorkingDirectory,
        Self::ResourceLimits,
        Self::Capabilities,
        Self::NoNewPrivileges,
        Self::SystemCallFilter,
        Self::Groups,
        Self::User,
        Self::Execute,
    ];

    /// The step with this number.
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|&step| step as u8 == number)
    }

    /// What was being done, for "cannot …".
    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::Signals => "unblock signals",
            Self::JoinCgroup => "join the app's cgroup",
            Self::Session => "start a session",
            Self::Streams => "set up the standard streams",
            Self::OomScore => "set the OOM score",
            Self::SecurityLabel => "ask for the label of SELinux or the profile of AppArmor",
            Self::CgroupNamespace => "make a cgroup namespace",
            Self::JoinApp => "join the app's namespaces",
            Self::AttachRoot => "attach the root filesystem",
            Self::AttachKernelFilesystems => "attach /proc, /sys and /dev",
            Self::AttachSharedMemory => "attach /dev/shm",
            Self::MaskPaths => "mask paths of /proc and /sys",
            Self::ReadOnlyPaths => "make paths of /proc read-only",
            Self::PodFiles => "attach the pod's files in /etc",
            Self::AttachCgroupFilesystem => "attach /sys/fs/cgroup",
            Self::AttachVolume => "mount a volume",
            Self::ReadOnlyRoot => "make the root filesystem read-only",
            Self::PivotRoot => "enter the root filesystem",
            Self::CloseDescriptors => "close descriptors",
            Self::WorkingDirectory => "enter the working directory",
            Self::ResourceLimits => "set the resource limits",
            Self::Capabilities => "reduce the capabilities",
            Self::NoNewPrivileges => "set no_new_privs",
            Self::SystemCallFilter => "install the system call filter",
            Self::Groups => "set the groups",
            Self::User => "set the user",
            Self::Execute => "execute",
        }
    }
}
