//! What an app uses.

use std::path::{Path, PathBuf};

use pod::AppName;
use pod::control::{AppStats, BlockIoStats, CpuStats, MemoryStats, PidsStats, Usage};
use serde::{Deserialize, Serialize};

use super::details::Details;
use super::numbers::{field, number, sum};
use super::placement::{Hierarchy, Version};

/// What the processes of an app use. What the kernel does not count is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Statistics {
    /// Memory, with the page cache of the files that the app has touched, in bytes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub memory: Option<u64>,
    /// Memory without that part of the page cache which nobody has used of late, in bytes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub working_set: Option<u64>,
    /// The limit of memory, in bytes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub memory_limit: Option<u64>,
    /// Processor time since the cgroup was made, in nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cpu_nanoseconds: Option<u64>,
    /// Processes and threads.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pids: Option<u64>,
    /// The limit of processes and threads.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pids_limit: Option<u64>,
    /// How many processes the kernel killed because memory was short.
    pub oom_kills: u64,
    /// Bytes read from disks.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub disk_read: Option<u64>,
    /// Bytes written to disks.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub disk_written: Option<u64>,
    /// What else is counted.
    #[serde(default)]
    pub details: Details,
}

/// The file that lists processes.
const PROCESSES: &str = "cgroup.procs";
/// How far below a pod's cgroup processes are counted: apps are two below it.
const DEPTH_MAX: usize = 8;
/// A limit of memory on version 1 that is none: the largest number of pages.
const V1_UNLIMITED: u64 = i64::MAX as u64 / 65_536 * 65_536;

impl Statistics {
    /// Reads them. `hierarchies` are those that the app is in, with its directory in each.
    pub(super) fn read(version: Version, hierarchies: &[(&Hierarchy, PathBuf)]) -> Self {
        let file = |controller: &str, name: &str| file(version, hierarchies, controller, name);
        match version {
            Version::None => Self::default(),
            Version::V1 => Self::v1(file),
            Version::V2 => Self::v2(file),
        }
    }

    /// How much memory is in use, alone.
    pub(super) fn memory(version: Version, hierarchies: &[(&Hierarchy, PathBuf)]) -> Option<u64> {
        let file = |controller: &str, name: &str| file(version, hierarchies, controller, name);
        match version {
            Version::None => None,
            Version::V1 => number(&file("memory", "memory.usage_in_bytes")?),
            Version::V2 => number(&file("memory", "memory.current")?),
        }
    }

    /// The last of them alone, which takes one file to read.
    pub(super) fn oom_kills(
        version: Version,
        hierarchies: &[(&Hierarchy, PathBuf)],
    ) -> Option<u64> {
        let file = |controller: &str, name: &str| file(version, hierarchies, controller, name);
        match version {
            Version::None => None,
            Version::V1 => oom_kills_v1(&file),
            Version::V2 => oom_kills_v2(&file),
        }
    }

    fn v1(file: impl Fn(&str, &str) -> Option<String>) -> Self {
        let number = |controller, name| number(&file(controller, name)?);
        let memory = number("memory", "memory.usage_in_bytes");
        let disks = file("blkio", "blkio.throttle.io_service_bytes");
        let disk = |word: &str| disks.as_deref().map(|text| sum(text, word, ' '));
        let inactive = file("memory", "memory.stat").and_then(|t| field(&t, "total_inactive_file"));
        Self {
            memory,
            working_set: working_set(memory, inactive),
            memory_limit: number("memory", "memory.limit_in_bytes")
                .filter(|limit| *limit < V1_UNLIMITED),
            cpu_nanoseconds: number("cpuacct", "cpuacct.usage"),
            pids: number("pids", "pids.current"),
            pids_limit: number("pids", "pids.max"),
            oom_kills: oom_kills_v1(&file).unwrap_or(0),
            disk_read: disk("Read"),
            disk_written: disk("Write"),
            details: Details::v1(&file),
        }
    }

    fn v2(file: impl Fn(&str, &str) -> Option<String>) -> Self {
        let number = |controller, name| number(&file(controller, name)?);
        let memory = number("memory", "memory.current");
        let disks = file("io", "io.stat");
        let disk = |word: &str| disks.as_deref().map(|text| sum(text, word, '='));
        let inactive = file("memory", "memory.stat").and_then(|t| field(&t, "inactive_file"));
        let microseconds = file("cpu", "cpu.stat").and_then(|t| field(&t, "usage_usec"));
        Self {
            memory,
            working_set: working_set(memory, inactive),
            memory_limit: number("memory", "memory.max"),
            cpu_nanoseconds: microseconds.map(|count| count.saturating_mul(1000)),
            pids: number("pids", "pids.current"),
            pids_limit: number("pids", "pids.max"),
            oom_kills: oom_kills_v2(&file).unwrap_or(0),
            disk_read: disk("rbytes"),
            disk_written: disk("wbytes"),
            details: Details::v2(&file),
        }
    }
}

impl From<Statistics> for Usage {
    fn from(counted: Statistics) -> Self {
        let Details {
            cpu,
            memory,
            processes,
            disk_reads,
            disk_writes,
            pressure,
        } = counted.details;
        Self {
            cpu: CpuStats {
                usage_ns: counted.cpu_nanoseconds,
                ..cpu
            },
            memory: MemoryStats {
                usage: counted.memory,
                working_set: counted.working_set,
                limit: counted.memory_limit,
                oom_kills: Some(counted.oom_kills),
                ..memory
            },
            pressure,
            pids: PidsStats {
                processes,
                current: counted.pids,
                limit: counted.pids_limit,
            },
            block_io: BlockIoStats {
                read: counted.disk_read,
                written: counted.disk_written,
                reads: disk_reads,
                writes: disk_writes,
            },
        }
    }
}

impl Statistics {
    /// As what this app uses.
    pub fn of_app(self, app: AppName) -> AppStats {
        let Usage {
            cpu,
            memory,
            pids,
            block_io,
            pressure,
        } = self.into();
        AppStats {
            app,
            cpu,
            memory,
            pids,
            block_io,
            pressure,
        }
    }
}

/// The file in which version 2 counts how often memory ran out by the limit of a cgroup itself.
#[derive(Debug)]
pub(crate) struct LimitHits(PathBuf);

impl LimitHits {
    /// That of the pod's cgroup.
    pub(super) fn of(folder: &Path) -> Self {
        Self(folder.join("memory.events.local"))
    }

    /// How often.
    pub(crate) fn count(&self) -> u64 {
        let text = std::fs::read_to_string(&self.0).ok();
        text.and_then(|text| field(&text, "oom")).unwrap_or(0)
    }
}

/// A file of the app in the hierarchy of a controller.
fn file(
    version: Version,
    hierarchies: &[(&Hierarchy, PathBuf)],
    controller: &str,
    name: &str,
) -> Option<String> {
    let (_, folder) = hierarchies.iter().find(|(hierarchy, _)| {
        version == Version::V2 || hierarchy.controllers.iter().any(|c| c == controller)
    })?;
    match name {
        PROCESSES => processes(folder, DEPTH_MAX),
        name => text(folder, name),
    }
}

/// The processes of a cgroup and of those below it, which apps may make themselves: unlike all other files, this one doesn't
/// count what is there. `None` if it is gone.
fn processes(folder: &Path, depth: usize) -> Option<String> {
    // That of a cgroup of threads can't be read: its processes are told by the one above.
    let mut all = text(folder, PROCESSES);
    if depth > 0 {
        let entries = std::fs::read_dir(folder).ok()?.flatten();
        let below = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        for entry in below {
            let more = processes(&entry.path(), depth - 1);
            all.get_or_insert_default()
                .push_str(&more.unwrap_or_default());
        }
    }
    all
}

fn oom_kills_v1(file: &impl Fn(&str, &str) -> Option<String>) -> Option<u64> {
    field(&file("memory", "memory.oom_control")?, "oom_kill")
}

fn oom_kills_v2(file: &impl Fn(&str, &str) -> Option<String>) -> Option<u64> {
    field(&file("memory", "memory.events")?, "oom_kill")
}

fn text(folder: &Path, file: &str) -> Option<String> {
    std::fs::read_to_string(folder.join(file)).ok()
}

/// As the kubelet and cAdvisor count it.
fn working_set(memory: Option<u64>, inactive: Option<u64>) -> Option<u64> {
    memory.map(|memory| memory.saturating_sub(inactive.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files<'a>(all: &'a [(&str, &str)]) -> impl Fn(&str, &str) -> Option<String> + 'a {
        |_controller, name| {
            let (_, text) = all.iter().find(|(file, _)| *file == name)?;
            Some((*text).to_owned())
        }
    }

    #[test]
    fn processes_are_those_of_all_cgroups_below_too() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("app/own");
        std::fs::create_dir_all(&inner).unwrap();
        for (below, pids) in [("", ""), ("app", "1\n2\n"), ("app/own", "3\n")] {
            std::fs::write(folder.path().join(below).join(PROCESSES), pids).unwrap();
        }
        let all = processes(folder.path(), DEPTH_MAX);
        assert_eq!(all.as_deref(), Some("1\n2\n3\n"));
        assert_eq!(processes(&folder.path().join("gone"), DEPTH_MAX), None);
    }

    #[test]
    fn version_1() {
        let read = Statistics::v1(files(&[
            ("memory.usage_in_bytes", "1000\n"),
            ("memory.limit_in_bytes", "4096\n"),
            ("memory.stat", "inactive_file 7\ntotal_inactive_file 300\n"),
            (
                "memory.oom_control",
                "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
            ),
            ("cpuacct.usage", "123456789\n"),
            (
                "blkio.throttle.io_service_bytes",
                "8:0 Read 4096\n8:0 Write 8192\n8:0 Total 12288\n8:16 Read 512\nTotal 12800\n",
            ),
            ("pids.current", "3\n"),
            ("pids.max", "max\n"),
        ]));
        let expected = Statistics {
            memory: Some(1000),
            working_set: Some(700),
            memory_limit: Some(4096),
            cpu_nanoseconds: Some(123_456_789),
            pids: Some(3),
            pids_limit: None,
            oom_kills: 2,
            disk_read: Some(4096 + 512),
            disk_written: Some(8192),
            details: read.details,
        };
        assert_eq!(read, expected);
        for page in [4096_u64, 16_384, 65_536] {
            let largest = (i64::MAX as u64 / page * page).to_string();
            let read = Statistics::v1(files(&[("memory.limit_in_bytes", &largest)]));
            assert_eq!(read, Statistics::default());
        }
        let large = (1_u64 << 60).to_string();
        let read = Statistics::v1(files(&[("memory.limit_in_bytes", &large)]));
        assert_eq!(read.memory_limit, Some(1 << 60));
    }

    #[test]
    fn version_2() {
        let read = Statistics::v2(files(&[
            ("memory.current", "1000\n"),
            ("memory.max", "max\n"),
            (
                "memory.stat",
                "anon 1\ninactive_file_other 9\ninactive_file 2000\n",
            ),
            ("memory.events", "oom 7\noom_kill 1\noom_group_kill 0\n"),
            ("cpu.stat", "usage_usec 42\nuser_usec 40\n"),
            (
                "io.stat",
                "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n8:16 rbytes=10 wbytes=20\n",
            ),
            ("pids.current", "3\n"),
            ("pids.max", "20\n"),
        ]));
        let expected = Statistics {
            memory: Some(1000),
            working_set: Some(0),
            memory_limit: None,
            cpu_nanoseconds: Some(42_000),
            pids: Some(3),
            pids_limit: Some(20),
            oom_kills: 1,
            disk_read: Some(11),
            disk_written: Some(22),
            details: read.details,
        };
        assert_eq!(read, expected);
        assert_eq!(Statistics::v2(files(&[])), Statistics::default());
    }
}
