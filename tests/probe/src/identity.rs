//! Who the process is, and what the kernel has written about its rights.

use crate::sys;
use crate::text::text;

/// One field of `/proc/self/status`, its white space made single blanks.
fn field(name: &str) -> String {
    text("/proc/self/status")
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(words))
        .unwrap_or_else(|| "(unknown)".to_owned())
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(crate) fn identity() -> Vec<String> {
    let mut lines = vec![
        format!(
            "uid (real, effective, saved, file system) = {}",
            field("Uid")
        ),
        format!(
            "gid (real, effective, saved, file system) = {}",
            field("Gid")
        ),
    ];
    let mut groups: Vec<u32> = field("Groups")
        .split(' ')
        .filter_map(|group| group.parse().ok())
        .collect();
    groups.sort_unstable();
    let groups: Vec<String> = groups.iter().map(u32::to_string).collect();
    lines.push(format!("supplementary groups = {}", groups.join(" ")));
    lines.push(format!("uid map = {}", words(&text("/proc/self/uid_map"))));
    lines.push(format!("gid map = {}", words(&text("/proc/self/gid_map"))));
    lines.push(format!("umask = {}", field("Umask")));
    lines
}

/// By number, as in `linux/capability.h`.
const CAPABILITIES: &[&str] = &[
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

pub(crate) fn capabilities() -> Vec<String> {
    let mut lines = Vec::new();
    for (title, name) in [
        ("bounding", "CapBnd"),
        ("permitted", "CapPrm"),
        ("effective", "CapEff"),
        ("inheritable", "CapInh"),
        ("ambient", "CapAmb"),
    ] {
        let set = u64::from_str_radix(&field(name), 16).unwrap_or(u64::MAX);
        let mut names: Vec<String> = CAPABILITIES
            .iter()
            .enumerate()
            .filter(|(number, _)| set >> number & 1 == 1)
            .map(|(_, name)| (*name).to_owned())
            .collect();
        if set >> CAPABILITIES.len() != 0 {
            names.push("AND-UNKNOWN-ONES".to_owned());
        }
        names.sort();
        let names = if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(" ")
        };
        lines.push(format!("{title} = {names}"));
    }
    lines.push(format!("securebits = {}", sys::securebits()));
    lines
}

pub(crate) fn confinement() -> Vec<String> {
    vec![
        format!("no new privileges = {}", field("NoNewPrivs")),
        format!("seccomp mode = {}", field("Seccomp")),
        format!("seccomp filters = {}", field("Seccomp_filters")),
        format!("dumpable = {}", sys::dumpable()),
        format!("parent death signal = {}", sys::parent_death_signal()),
        format!("personality = {}", text("/proc/self/personality").trim()),
        format!(
            "out-of-memory score adjustment = {}",
            text("/proc/self/oom_score_adj").trim()
        ),
        format!("blocked signals = {}", field("SigBlk")),
        format!("ignored signals = {}", field("SigIgn")),
    ]
}

pub(crate) fn session() -> Vec<String> {
    let yes = |is: bool| if is { "yes" } else { "no" };
    // The fields after the name: state, parent, process group, session, terminal, …
    let stat = text("/proc/self/stat");
    let mut fields = stat
        .rsplit_once(") ")
        .map_or("", |(_, rest)| rest)
        .split(' ')
        .skip(1);
    let mut next = || fields.next().unwrap_or("(unknown)").to_owned();
    let (parent, group, session, terminal) = (next(), next(), next(), next());
    let own = std::process::id().to_string();
    vec![
        format!("leads its session = {}", yes(session == own)),
        format!("leads its process group = {}", yes(group == own)),
        format!("has a controlling terminal = {}", yes(terminal != "0")),
        format!("parent is the pod's init = {}", yes(parent == "1")),
    ]
}

pub(crate) fn limits() -> Vec<String> {
    // These are computed from the machine's memory.
    const OF_THE_MACHINE: &[&str] = &["Max processes", "Max pending signals"];
    let mut lines: Vec<String> = text("/proc/self/limits")
        .lines()
        .skip(1)
        .filter_map(|line| {
            let (name, rest) = line.split_at_checked(26)?;
            let name = name.trim();
            let mut values = rest.split_whitespace();
            let (soft, hard) = (values.next()?, values.next()?);
            let shown = !OF_THE_MACHINE.contains(&name);
            shown.then(|| format!("{} = {soft} {hard}", name.to_lowercase()))
        })
        .collect();
    lines.sort();
    lines
}
