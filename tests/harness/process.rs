//! What `/proc` says about the machine's processes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};

/// One process, as it was when it was looked at.
#[derive(Debug, Clone)]
pub struct Process {
    /// The process id in the host's pid namespace.
    pub pid: u32,
    /// The parent's process id.
    pub parent: u32,
    /// The state letter of `/proc/PID/stat`; `Z` is a zombie.
    pub state: char,
    /// The name in `/proc/PID/comm`.
    pub name: String,
    /// The arguments, joined by blanks.
    pub command_line: String,
    /// The environment's entries.
    pub environment: Vec<String>,
    /// `/proc/PID/cgroup`.
    pub cgroups: String,
    /// The namespaces: kind (`net`, `mnt`, …) to `net:[4026531840]`.
    pub namespaces: BTreeMap<String, String>,
    /// The executable, the working directory and the root.
    pub places: Vec<PathBuf>,
}

impl Process {
    /// Reads one process; `None` if there is none with this id.
    pub fn read(pid: u32) -> Option<Self> {
        let folder = PathBuf::from(format!("/proc/{pid}"));
        let stat = text(&folder.join("stat"));
        // The name is in parentheses and may itself hold any character.
        let (_, rest) = stat.rsplit_once(") ")?;
        let mut fields = rest.split(' ');
        let state = fields.next()?.chars().next()?;
        let parent = fields.next()?.parse().ok()?;
        let namespaces = fs::read_dir(folder.join("ns"))
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let target = fs::read_link(entry.path()).ok()?;
                Some((
                    entry.file_name().into_string().ok()?,
                    target.to_str()?.to_owned(),
                ))
            })
            .collect();
        let words = |bytes: String| bytes.split('\0').map(str::to_owned).collect::<Vec<_>>();
        Some(Self {
            pid,
            parent,
            state,
            name: text(&folder.join("comm")).trim_end().to_owned(),
            command_line: words(text(&folder.join("cmdline")))
                .join(" ")
                .trim_end()
                .to_owned(),
            environment: words(text(&folder.join("environ"))),
            cgroups: text(&folder.join("cgroup")),
            namespaces,
            places: ["exe", "cwd", "root"]
                .iter()
                .filter_map(|name| fs::read_link(folder.join(name)).ok())
                .collect(),
        })
    }

    /// Kills it with SIGKILL; one that has ended meanwhile is no failure.
    pub fn kill(&self) {
        kill(self.pid, Signal::KILL);
    }

    /// Whether the process still exists and is no zombie.
    pub fn is_alive(&self) -> bool {
        Self::read(self.pid).is_some_and(|now| now.parent == self.parent && now.state != 'Z')
    }
}

/// Sends a signal; a process that has ended meanwhile is no failure.
pub(crate) fn kill(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// The mounts that a process sees.
pub(crate) fn mounts_of(pid: &str) -> String {
    text(&Path::new("/proc").join(pid).join("mountinfo"))
}

/// All processes that this one can see.
pub fn processes() -> Vec<Process> {
    numbers_in(Path::new("/proc"))
        .filter_map(Process::read)
        .collect()
}

pub(crate) fn numbers_in(folder: &Path) -> impl Iterator<Item = u32> + use<> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// A file's text, empty if it cannot be read: processes end while they are looked at.
pub(crate) fn text(path: &Path) -> String {
    fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}
