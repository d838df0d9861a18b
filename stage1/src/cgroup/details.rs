//! What else is counted of an app than what everybody asks for: as kubelets are told of it.

use pod::control::{CpuStats, MemoryStats, Pressure, StallTimes, Stalls};
use serde::{Deserialize, Serialize};

use super::numbers::{field, number, sum};

/// What else is counted; what the kernel does not count is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Details {
    /// Parts of the processor time.
    pub cpu: CpuStats,
    /// Parts of the memory, and faults.
    pub memory: MemoryStats,
    /// Processes, whatever threads they have.
    pub processes: Option<u64>,
    /// How often something was read from disks.
    pub disk_reads: Option<u64>,
    /// How often something was written to disks.
    pub disk_writes: Option<u64>,
    /// How long processes waited for something.
    pub pressure: Pressure,
}

impl Details {
    pub(super) fn v1(file: &impl Fn(&str, &str) -> Option<String>) -> Self {
        let number_of = |controller, name| number(&file(controller, name)?);
        let memory = file("memory", "memory.stat");
        let memory = |key| field(memory.as_deref()?, key);
        let served = file("blkio", "blkio.throttle.io_serviced");
        let served = |word| served.as_deref().map(|text| sum(text, word, ' '));
        let cpu = file("cpu", "cpu.stat");
        let cpu = |key| field(cpu.as_deref()?, key);
        let limit = number_of("memory", "memory.limit_in_bytes");
        let both = number_of("memory", "memory.memsw.limit_in_bytes");
        // None of both is the largest number there is, and so is their difference nothing.
        let swap_limit = both.zip(limit).filter(|(both, _)| *both < V1_UNLIMITED);
        Self {
            cpu: CpuStats {
                usage_ns: None,
                user_ns: number_of("cpuacct", "cpuacct.usage_user"),
                system_ns: number_of("cpuacct", "cpuacct.usage_sys"),
                throttled_ns: cpu("throttled_time"),
                periods: cpu("nr_periods"),
                throttled_periods: cpu("nr_throttled"),
            },
            memory: MemoryStats {
                anonymous: memory("total_rss"),
                files: memory("total_cache"),
                mapped_files: memory("total_mapped_file"),
                kernel: number_of("memory", "memory.kmem.usage_in_bytes"),
                peak: number_of("memory", "memory.max_usage_in_bytes"),
                limit_hits: number_of("memory", "memory.failcnt"),
                swap: memory("total_swap"),
                swap_limit: swap_limit.map(|(both, limit)| both.saturating_sub(limit)),
                page_faults: memory("total_pgfault"),
                major_page_faults: memory("total_pgmajfault"),
                ..MemoryStats::default()
            },
            processes: file("pids", "cgroup.procs").map(|text| count(&text)),
            disk_reads: served("Read"),
            disk_writes: served("Write"),
            pressure: Pressure::default(),
        }
    }

    pub(super) fn v2(file: &impl Fn(&str, &str) -> Option<String>) -> Self {
        let number_of = |controller, name| number(&file(controller, name)?);
        let memory = file("memory", "memory.stat");
        let memory = |key| field(memory.as_deref()?, key);
        let disks = file("io", "io.stat");
        let disks = |word| disks.as_deref().map(|text| sum(text, word, '='));
        let cpu = file("cpu", "cpu.stat");
        let cpu = |key| field(cpu.as_deref()?, key);
        let nanoseconds = |key| Some(cpu(key)?.saturating_mul(1000));
        let events = file("memory", "memory.events");
        let stalls = |controller, name| Some(stalls(&file(controller, name)?));
        Self {
            cpu: CpuStats {
                usage_ns: None,
                user_ns: nanoseconds("user_usec"),
                system_ns: nanoseconds("system_usec"),
                throttled_ns: nanoseconds("throttled_usec"),
                periods: cpu("nr_periods"),
                throttled_periods: cpu("nr_throttled"),
            },
            memory: MemoryStats {
                anonymous: memory("anon"),
                files: memory("file"),
                mapped_files: memory("file_mapped"),
                kernel: memory("kernel"),
                peak: number_of("memory", "memory.peak"),
                limit_hits: events.as_deref().and_then(|text| field(text, "max")),
                swap: number_of("memory", "memory.swap.current"),
                swap_limit: number_of("memory", "memory.swap.max"),
                page_faults: memory("pgfault"),
                major_page_faults: memory("pgmajfault"),
                ..MemoryStats::default()
            },
            processes: file("pids", "cgroup.procs").map(|text| count(&text)),
            disk_reads: disks("rios"),
            disk_writes: disks("wios"),
            pressure: Pressure {
                cpu: stalls("cpu", "cpu.pressure"),
                memory: stalls("memory", "memory.pressure"),
                io: stalls("io", "io.pressure"),
            },
        }
    }
}

/// A limit of memory on version 1 that is none: the largest number of pages, of whatever size.
const V1_UNLIMITED: u64 = i64::MAX as u64 / 65_536 * 65_536;

fn count(processes: &str) -> u64 {
    processes.lines().count() as u64
}

/// From the text of `cpu.pressure` and its like (the kernel's documentation, `accounting/psi`).
fn stalls(text: &str) -> Stalls {
    let times = |word: &str| {
        let mut lines = text.lines();
        let line = lines.find_map(|line| line.strip_prefix(word));
        let fields: Vec<&str> = line.unwrap_or_default().split_whitespace().collect();
        let value = |key: &str| {
            let mut fields = fields.iter();
            fields.find_map(|field| field.strip_prefix(key)?.strip_prefix('='))
        };
        StallTimes {
            avg10: value("avg10").map_or(0, hundredths),
            avg60: value("avg60").map_or(0, hundredths),
            avg300: value("avg300").map_or(0, hundredths),
            total_us: value("total").and_then(number).unwrap_or(0),
        }
    };
    Stalls {
        some: times("some "),
        full: times("full "),
    }
}

/// A number with two digits behind its point, as a hundred times that.
fn hundredths(text: &str) -> u32 {
    let digits: String = text.chars().filter(|c| *c != '.').collect();
    digits.parse().unwrap_or(0)
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

    /// Files, those that are mapped, the kernel's own, the peak, and hits of the limit.
    fn further(read: &Details) -> [Option<u64>; 5] {
        let memory = &read.memory;
        [
            memory.files,
            memory.mapped_files,
            memory.kernel,
            memory.peak,
            memory.limit_hits,
        ]
    }

    #[test]
    fn version_1() {
        let read = Details::v1(&files(&[
            (
                "memory.stat",
                "rss 1\ncache 1\ntotal_rss 100\ntotal_cache 9000\ntotal_swap 7\ntotal_pgfault 5\ntotal_pgmajfault 2\n\
                 mapped_file 1\ntotal_mapped_file 8192\n",
            ),
            ("memory.kmem.usage_in_bytes", "11\n"),
            ("memory.max_usage_in_bytes", "12\n"),
            ("memory.failcnt", "13\n"),
            ("memory.limit_in_bytes", "4096\n"),
            ("memory.memsw.limit_in_bytes", "8192\n"),
            ("cpuacct.usage_user", "30\n"),
            ("cpuacct.usage_sys", "40\n"),
            (
                "cpu.stat",
                "nr_periods 2\nnr_throttled 1\nthrottled_time 50\n",
            ),
            (
                "blkio.throttle.io_serviced",
                "8:0 Read 3\n8:0 Write 4\nTotal 7\n",
            ),
            ("cgroup.procs", "1\n2\n"),
        ]));
        assert_eq!(
            (read.memory.anonymous, read.memory.swap),
            (Some(100), Some(7))
        );
        assert_eq!(read.memory.swap_limit, Some(4096));
        let faults = (read.memory.page_faults, read.memory.major_page_faults);
        assert_eq!(faults, (Some(5), Some(2)));
        let cpu = (read.cpu.user_ns, read.cpu.system_ns, read.cpu.throttled_ns);
        assert_eq!(cpu, (Some(30), Some(40), Some(50)));
        let periods = (read.cpu.periods, read.cpu.throttled_periods);
        assert_eq!(periods, (Some(2), Some(1)));
        assert_eq!(
            further(&read),
            [Some(9000), Some(8192), Some(11), Some(12), Some(13)]
        );
        assert_eq!((read.disk_reads, read.disk_writes), (Some(3), Some(4)));
        assert_eq!(read.processes, Some(2));
        assert_eq!(read.pressure, Pressure::default());
        let none = i64::MAX.to_string();
        let read = Details::v1(&files(&[
            ("memory.limit_in_bytes", &none),
            ("memory.memsw.limit_in_bytes", &none),
        ]));
        assert_eq!(read.memory.swap_limit, None);
    }

    #[test]
    fn version_2() {
        let some = "some avg10=1.50 avg60=0.07 avg300=100.00 total=12345\n";
        let both = format!("{some}full avg10=0.00 avg60=0.00 avg300=0.01 total=1\n");
        let read = Details::v2(&files(&[
            (
                "memory.stat",
                "anon 100\nfile 9000\nfile_mapped 8192\nkernel_stack 1\nkernel 11\npgfault 5\npgmajfault 2\n",
            ),
            ("memory.peak", "12\n"),
            ("memory.events", "low 1\nhigh 2\nmax 13\noom 0\n"),
            ("memory.swap.current", "7\n"),
            ("memory.swap.max", "max\n"),
            (
                "cpu.stat",
                "user_usec 3\nsystem_usec 4\nnr_periods 2\nnr_throttled 1\nthrottled_usec 5\n",
            ),
            ("io.stat", "8:0 rbytes=1 wbytes=2 rios=3 wios=4\n"),
            ("cgroup.procs", "1\n"),
            ("memory.pressure", &both),
            ("cpu.pressure", some),
        ]));
        assert_eq!(
            (read.memory.anonymous, read.memory.swap),
            (Some(100), Some(7))
        );
        assert_eq!(read.memory.swap_limit, None);
        assert_eq!(
            (read.cpu.user_ns, read.cpu.throttled_ns),
            (Some(3000), Some(5000))
        );
        let periods = (read.cpu.periods, read.cpu.throttled_periods);
        assert_eq!(periods, (Some(2), Some(1)));
        assert_eq!(
            further(&read),
            [Some(9000), Some(8192), Some(11), Some(12), Some(13)]
        );
        assert_eq!((read.disk_reads, read.disk_writes), (Some(3), Some(4)));
        let memory = read.pressure.memory.unwrap();
        let expected = StallTimes {
            avg10: 150,
            avg60: 7,
            avg300: 10_000,
            total_us: 12_345,
        };
        assert_eq!(memory.some, expected);
        assert_eq!((memory.full.avg300, memory.full.total_us), (1, 1));
        assert_eq!(read.pressure.cpu.unwrap().full, StallTimes::default());
        assert_eq!(read.pressure.io, None);
    }
}
