//! What the process sees of files: mounts, devices, and what it may read or write of the kernel's.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use crate::sys;
use crate::text::text;

/// The settings of file systems that name neither places nor machines.
const SETTINGS: &[&str] = &[
    "ro",
    "size",
    "mode",
    "nr_inodes",
    "hidepid",
    "subset",
    "ptmxmode",
    "gid",
];

pub(crate) fn mounts() -> Vec<String> {
    let mut lines: Vec<String> = text("/proc/self/mountinfo")
        .lines()
        .filter_map(|line| {
            let (left, right) = line.split_once(" - ")?;
            let mut fields = left.split(' ').skip(3);
            let (root, target, options) = (fields.next()?, fields.next()?, fields.next()?);
            let propagation: Vec<&str> =
                fields.filter_map(|field| field.split(':').next()).collect();
            let mut fields = right.split(' ');
            let kind = fields.next()?;
            let settings = fields.nth(1).unwrap_or("");
            let settings: Vec<&str> = settings
                .split(',')
                .filter(|setting| {
                    let name = setting.split('=').next().unwrap_or("");
                    // The host's own device file system is as large as the machine's memory.
                    kind != "devtmpfs" && SETTINGS.contains(&name)
                })
                .collect();
            // What part of a file system is mounted shows for the kernel's own ones only.
            let root = match kind {
                "proc" | "sysfs" | "devtmpfs" if root != "/" => format!(" of {root}"),
                _ => String::new(),
            };
            let propagation = if propagation.is_empty() {
                "private".to_owned()
            } else {
                propagation.join(",")
            };
            Some(
                format!(
                    "{target} {kind}{root} {options} {propagation} {}",
                    settings.join(",")
                )
                .trim_end()
                .to_owned(),
            )
        })
        .collect();
    lines.sort();
    lines
}

pub(crate) fn root() -> Vec<String> {
    let mut lines = Vec::new();
    for path in [
        "/",
        "/etc",
        "/tmp",
        "/proc",
        "/sys",
        "/sys/fs/cgroup",
        "/dev",
        "/run",
    ] {
        let shown = match fs::symlink_metadata(path) {
            Err(error) => sys::error_name(&error),
            Ok(metadata) => {
                let mode = metadata.mode() & 0o7777;
                format!(
                    "{mode:04o} {}:{} {}",
                    metadata.uid(),
                    metadata.gid(),
                    writable(path)
                )
            }
        };
        lines.push(format!("{path} {shown}"));
    }
    lines
}

/// Whether a file can be made in a directory.
fn writable(folder: &str) -> &'static str {
    let path = Path::new(folder).join(".probe");
    match File::create(&path) {
        Ok(_) => {
            let _ = fs::remove_file(&path);
            "writable"
        }
        Err(_) => "not writable",
    }
}

pub(crate) fn devices() -> Vec<String> {
    let mut lines = Vec::new();
    list(Path::new("/dev"), &mut lines);
    lines.sort();
    lines
}

fn list(folder: &Path, lines: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(metadata) = fs::symlink_metadata(&path) else {
            continue;
        };
        let kind = metadata.file_type();
        let device = format!(
            " {}:{}",
            sys::major(metadata.rdev()),
            sys::minor(metadata.rdev())
        );
        let shown = if kind.is_symlink() {
            let target = fs::read_link(&path).unwrap_or_default();
            lines.push(format!("{} -> {}", path.display(), target.display()));
            continue;
        } else if kind.is_dir() {
            "folder".to_owned()
        } else if kind.is_char_device() {
            format!("character{device}")
        } else if kind.is_block_device() {
            format!("block{device}")
        } else {
            "file".to_owned()
        };
        let mode = metadata.mode() & 0o7777;
        let owner = format!("{}:{}", metadata.uid(), metadata.gid());
        lines.push(format!("{} {shown} {mode:04o} {owner}", path.display()));
        if kind.is_dir() {
            list(&path, lines);
        }
    }
}

/// What runtimes mask or make read-only, and some places that are dangerous to write to.
const PATHS: &[&str] = &[
    "/proc/acpi",
    "/proc/asound",
    "/proc/bus",
    "/proc/fs",
    "/proc/interrupts",
    "/proc/irq",
    "/proc/kallsyms",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/self/attr/current",
    "/proc/sys",
    "/proc/sys/fs/binfmt_misc",
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/modprobe",
    "/proc/sys/kernel/hostname",
    "/proc/sys/net/ipv4/ip_forward",
    "/proc/sys/vm/drop_caches",
    "/proc/sysrq-trigger",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/1/environ",
    "/proc/1/mem",
    "/proc/1/root",
    "/proc/1/cwd",
    "/proc/1/exe",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
    "/sys/fs/cgroup",
    "/sys/fs/selinux",
    "/sys/kernel/debug",
    "/sys/kernel/security",
    "/sys/kernel/uevent_helper",
    "/sys/module",
    "/sys/power/state",
];

pub(crate) fn paths() -> Vec<String> {
    let mut lines: Vec<String> = PATHS
        .iter()
        .map(|path| format!("{path} = {}", state(path)))
        .collect();
    lines.sort();
    lines
}

fn state(path: &str) -> String {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => return sys::error_name(&error),
    };
    let kind = metadata.file_type();
    if kind.is_dir() {
        let content = match fs::read_dir(path).map(|mut entries| entries.next().is_none()) {
            Ok(true) => "empty folder",
            Ok(false) => "folder with content",
            Err(error) => return format!("folder, {}", sys::error_name(&error)),
        };
        return format!("{content}, {}", writable(path));
    }
    if kind.is_char_device() && (sys::major(metadata.rdev()), sys::minor(metadata.rdev())) == (1, 3)
    {
        return "the null device".to_owned();
    }
    let read = match File::open(path).and_then(|mut file| file.read(&mut [0; 1])) {
        Ok(0) => "reads as empty".to_owned(),
        Ok(_) => "readable".to_owned(),
        Err(error) => format!("not readable ({})", sys::error_name(&error)),
    };
    // Opening does not write.
    let write = match OpenOptions::new().write(true).open(path) {
        Ok(_) => "opens for writing".to_owned(),
        Err(error) => format!("not for writing ({})", sys::error_name(&error)),
    };
    format!("{read}, {write}")
}
