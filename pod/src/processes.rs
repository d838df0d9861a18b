//! Processes of a pod, as a `/proc` shows them.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::AppName;

/// A clock tick of /proc: the kernel tells user space hundredths of seconds, whatever it counts itself.
const TICK: Duration = Duration::from_millis(10);

/// Bytes of a command that are looked at: a process can have megabytes of arguments, and a pod thousands of processes.
const COMMAND_MAX: usize = 4 << 10;

/// A process of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PodProcess {
    /// Its number on the host, if it is a process there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pid: Option<u32>,
    /// Its number in the pod.
    pub pid_in_pod: u32,
    /// The number of its parent: on the host, or in the pod for one that is no process of the host.
    pub parent: u32,
    /// Its effective user.
    pub user: u32,
    /// The app that it is of; none for what is the pod's own.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub app: Option<AppName>,
    /// What it does, by the letter of proc_pid_stat(5).
    pub state: char,
    /// Processor time that it used.
    pub cpu: Duration,
    /// Program and arguments, the first 4 KiB of them; the name in brackets of one that has none.
    pub command: String,
}

/// The process of this folder of a `/proc`, in a namespace that is so deep below the pod's. `None` if it has ended.
pub fn read(folder: &Path, cgroups: &PodCgroup, depth: usize) -> Option<PodProcess> {
    let text = |name: &str| {
        let bytes = fs::read(folder.join(name)).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    let (status, stat) = (text("status")?, text("stat")?);
    let field = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        Some(
            line.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>(),
        )
    };
    let arguments = arguments(File::open(folder.join("cmdline")).ok()?)?;
    let command = match arguments.is_empty() {
        true => format!("[{}]", field("Name:")?.join(" ")),
        false => arguments,
    };
    let times = Times::parse(&stat)?;
    Some(PodProcess {
        pid: Some(field("Pid:")?.first()?.parse().ok()?),
        pid_in_pod: field("NSpid:")?.iter().rev().nth(depth)?.parse().ok()?,
        parent: field("PPid:")?.first()?.parse().ok()?,
        user: field("Uid:")?.get(1)?.parse().ok()?,
        app: text("cgroup").and_then(|cgroup| cgroups.app_of(&cgroup)),
        state: times.state,
        cpu: times.cpu,
        command,
    })
}

/// Whether the process of this number is stopped, as by Ctrl-Z or SIGSTOP (proc_pid_stat(5): its state follows its name in
/// parentheses).
pub fn is_stopped(pid: i32) -> bool {
    let state = || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (_, rest) = stat.rsplit_once(") ")?;
        rest.chars().next()
    };
    matches!(state(), Some('T' | 't'))
}

/// Words that each end with a zero, in a line. It ends with an ellipsis if there are more.
fn arguments(words: impl Read) -> Option<String> {
    let mut bytes = Vec::new();
    let most = COMMAND_MAX as u64 + 1;
    words.take(most).read_to_end(&mut bytes).ok()?;
    let has_more = bytes.len() > COMMAND_MAX;
    bytes.truncate(COMMAND_MAX);
    let text = String::from_utf8_lossy(&bytes);
    let mut line = text.trim_end_matches('\0').replace('\0', " ");
    if has_more {
        line.push('…');
    }
    Some(line)
}

/// What a line of `stat` tells.
struct Times {
    state: char,
    cpu: Duration,
}

impl Times {
    fn parse(stat: &str) -> Option<Self> {
        // A program's name may hold anything.
        let (_, rest) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let ticks = |at: usize| fields.get(at)?.parse::<u32>().ok();
        Some(Self {
            state: fields.first()?.chars().next()?,
            cpu: TICK.saturating_mul(ticks(11)?.saturating_add(ticks(12)?)),
        })
    }
}

/// What a pod's cgroup and those in it are called.
#[derive(Debug)]
pub struct PodCgroup {
    /// The name of the pod's.
    pub pod: String,
    /// Those of apps.
    pub apps: Vec<AppName>,
}

impl PodCgroup {
    /// The app whose cgroup, or one below it, a process is in.
    fn app_of(&self, cgroup: &str) -> Option<AppName> {
        cgroup.lines().find_map(|line| {
            let path = line.splitn(3, ':').nth(2)?;
            let mut parts = path.split('/').skip_while(|part| *part != self.pod);
            let name = parts.nth(1)?;
            self.apps.iter().find(|app| app.as_str() == name).cloned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_is_known_by_its_cgroup() {
        let cgroups = PodCgroup {
            pod: "fairing-1".to_owned(),
            apps: vec!["web".parse().unwrap(), "db".parse().unwrap()],
        };
        let name = |cgroup: &str| cgroups.app_of(cgroup).map(|app| app.to_string());
        assert_eq!(name("0::/a.slice/fairing-1/web"), Some("web".into()));
        assert_eq!(
            name("3:cpu:/\n2:memory:/fairing-1/db/sub"),
            Some("db".into())
        );
        let beside_its_monitor = "0::/a.service/fairing-monitor/fairing-1/web";
        assert_eq!(name(beside_its_monitor), Some("web".into()));
        assert_eq!(name("0::/fairing-2/web"), None);
        assert_eq!(name("0::/web"), None);
        assert_eq!(name("0::/fairing-1/init"), None);
    }

    #[test]
    fn a_command_is_a_line_of_bounded_length() {
        let of = |words: &[u8]| arguments(words).unwrap();
        assert_eq!(of(b"/bin/sh\0-c\0true\0"), "/bin/sh -c true");
        assert_eq!(of(b""), "");
        assert_eq!(of(b"a\0\0\0"), "a");
        let most = "x".repeat(COMMAND_MAX);
        assert_eq!(of(most.as_bytes()), most);
        assert_eq!(of("x".repeat(1 << 20).as_bytes()), most.clone() + "…");
        assert_eq!(
            of((most + "\0y").as_bytes()).chars().count(),
            COMMAND_MAX + 1
        );
    }

    #[test]
    fn a_name_with_a_bracket_hides_nothing() {
        let times = Times::parse("7 (a) b) S 1 7 7 0 -1 0 0 0 0 0 150 50 0 0").unwrap();
        assert_eq!(times.state, 'S');
        assert_eq!(times.cpu, Duration::from_secs(2));
    }
}
