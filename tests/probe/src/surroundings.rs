//! What surrounds the process: descriptors, environment, other processes, namespaces, cgroups.

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::AsRawFd;

use crate::text::text;

pub(crate) fn descriptors() -> Vec<String> {
    let Ok(folder) = fs::File::open("/proc/self/fd") else {
        return vec!["unreadable".to_owned()];
    };
    let own = folder.as_raw_fd();
    let mut lines = Vec::new();
    // Reading the directory takes a descriptor: the names are looked at after it is closed again.
    let names: Vec<i32> = fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    for number in names {
        let Ok(target) = fs::read_link(format!("/proc/self/fd/{number}")) else {
            continue;
        };
        if number == own {
            continue;
        }
        let target = target.display().to_string();
        let kind = match target.split_once(":[") {
            Some((kind, _)) => kind.to_owned(),
            None if target.starts_with("/dev/pts/") => "/dev/pts/N".to_owned(),
            None => target,
        };
        lines.push((number, kind));
    }
    lines.sort();
    lines
        .into_iter()
        .map(|(number, kind)| format!("{number} = {kind}"))
        .collect()
}

pub(crate) fn environment() -> Vec<String> {
    let mut lines: Vec<String> = std::env::vars_os()
        .map(|(name, value)| format!("{}={}", name.display(), value.display()))
        .collect();
    lines.sort();
    let place = std::env::current_dir()
        .map_or_else(|error| error.to_string(), |path| path.display().to_string());
    lines.push(format!("(working directory) = {place}"));
    lines.push(format!(
        "(hostname) = {}",
        text("/proc/sys/kernel/hostname").trim()
    ));
    lines
}

pub(crate) fn processes() -> Vec<String> {
    let own = std::process::id();
    let mut found: Vec<u32> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    found.sort_unstable();
    found
        .into_iter()
        .map(|pid| {
            let name = text(&format!("/proc/{pid}/comm"));
            let shown = match pid {
                1 => "1".to_owned(),
                _ if pid == own => "this one".to_owned(),
                _ => "another".to_owned(),
            };
            format!("{shown} = {}", name.trim())
        })
        .collect()
}

/// The inode numbers of the initial namespaces, as fixed in `linux/proc_ns.h`. Those of the
/// initial mount and network namespaces are not fixed.
const INITIAL: &[(&str, &str)] = &[
    ("cgroup", "cgroup:[4026531835]"),
    ("ipc", "ipc:[4026531839]"),
    ("pid", "pid:[4026531836]"),
    ("time", "time:[4026531834]"),
    ("user", "user:[4026531837]"),
    ("uts", "uts:[4026531838]"),
];

const KINDS: &[&str] = &["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"];

fn namespace(pid: &str, kind: &str) -> Option<String> {
    let target = fs::read_link(format!("/proc/{pid}/ns/{kind}")).ok()?;
    Some(target.display().to_string())
}

pub(crate) fn namespaces() -> Vec<String> {
    KINDS
        .iter()
        .map(|kind| {
            let Some(own) = namespace("self", kind) else {
                return format!("{kind} = unreadable");
            };
            let initial = INITIAL
                .iter()
                .any(|(name, inode)| name == kind && own == *inode);
            let init = match namespace("1", kind) {
                Some(init) if init == own => ", that of pid 1",
                Some(_) => ", not that of pid 1",
                None => "",
            };
            format!(
                "{kind} = {}{init}",
                if initial {
                    "the host's"
                } else {
                    "its own or unknown"
                }
            )
        })
        .collect()
}

/// With the inode numbers, to be compared with those that the host sees.
pub(crate) fn namespaces_raw() -> Vec<String> {
    KINDS
        .iter()
        .filter_map(|kind| namespace("self", kind))
        .collect()
}

pub(crate) fn cgroups() -> Vec<String> {
    // Which hierarchies there are is the machine's affair, where the app is in them is not.
    let places: BTreeSet<String> = text("/proc/self/cgroup")
        .lines()
        .filter_map(|line| line.splitn(3, ':').nth(2))
        .map(without_uuid)
        .collect();
    places.into_iter().collect()
}

/// The path with every UUID in it replaced by `UUID`.
fn without_uuid(path: &str) -> String {
    let is_uuid = |text: &str| {
        text.len() == 36
            && text.bytes().enumerate().all(|(index, byte)| match index {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            })
    };
    let mut shown = String::new();
    let mut rest = path;
    while let Some(first) = rest.chars().next() {
        match rest.get(..36) {
            Some(uuid) if is_uuid(uuid) => {
                shown.push_str("UUID");
                rest = rest.get(36..).unwrap_or("");
            }
            _ => {
                shown.push(first);
                rest = rest.get(first.len_utf8()..).unwrap_or("");
            }
        }
    }
    shown
}

pub(crate) fn network() -> Vec<String> {
    let mut lines: Vec<String> = text("/proc/net/dev")
        .lines()
        .skip(2)
        .filter_map(|line| Some(format!("interface {}", line.split_once(':')?.0.trim())))
        .collect();
    lines.sort();
    // 127.0.0.1 is reachable only if the interface is up.
    let up = std::net::UdpSocket::bind("127.0.0.1:0")
        .and_then(|socket| socket.send_to(b"x", socket.local_addr()?))
        .is_ok();
    lines.push(format!("loopback {}", if up { "up" } else { "down" }));
    lines
}

#[cfg(test)]
mod tests {
    use super::without_uuid;

    #[test]
    fn a_uuid_in_a_path_is_not_shown() {
        assert_eq!(
            without_uuid("/a/fairing-01234567-89ab-cdef-0123-456789abcdef/web"),
            "/a/fairing-UUID/web"
        );
        assert_eq!(without_uuid("/user.slice/é"), "/user.slice/é");
    }
}
