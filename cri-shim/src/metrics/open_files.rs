//! What the processes of containers have open: found by one walk through `/proc`, whatever number of pods there is. Processes
//! of virtual machines are not there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pod::{AppName, PodUuid};

/// How long the processes of one container are counted: it can have very much open.
const SHARE: Duration = Duration::from_millis(50);
/// How long all of them are.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long is looked for processes, whose number the kernel limits.
const SEARCH: Duration = Duration::from_secs(2);

/// What the processes of one container have open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct OpenDescriptors {
    /// File descriptors.
    pub(super) descriptors: u64,
    /// Those of sockets.
    pub(super) sockets: u64,
}

/// What is known of that.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Open {
    /// So much.
    Counted(OpenDescriptors),
    /// It has no processes here, but perhaps in a virtual machine.
    #[default]
    Elsewhere,
    /// It was not counted to its end.
    Unknown,
}

/// What those of all containers have open, by the name of the pod's cgroup and that of the app's in it.
#[derive(Debug, Default)]
pub(super) struct AllOpen {
    counted: BTreeMap<(String, String), Open>,
    /// Not all processes were found.
    is_partial: bool,
}

impl AllOpen {
    /// That of an app of a pod.
    pub(super) fn of(&self, pod: PodUuid, app: &AppName) -> Open {
        let counted = self.counted.get(&(cgroup_of(pod), app.to_string()));
        match counted.copied() {
            _ if self.is_partial => Open::Unknown,
            counted => counted.unwrap_or_default(),
        }
    }
}

/// What a pod's cgroup is called.
fn cgroup_of(pod: PodUuid) -> String {
    format!("{PREFIX}{pod}")
}

/// With what the names of pods' cgroups begin.
const PREFIX: &str = "fairing-";

/// Counts what is open now.
pub(super) fn count() -> AllOpen {
    let (processes, is_partial) = processes();
    let until = Instant::now() + PATIENCE;
    let counted = processes.into_iter().map(|(app, processes)| {
        let until = until.min(Instant::now() + SHARE);
        (app, of_processes(&processes, until))
    });
    AllOpen {
        counted: counted.collect(),
        is_partial,
    }
}

/// The processes of each app, and whether some were not looked at.
fn processes() -> (BTreeMap<(String, String), Vec<PathBuf>>, bool) {
    let until = Instant::now() + SEARCH;
    let mut all = BTreeMap::<_, Vec<_>>::new();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        if Instant::now() >= until {
            return (all, true);
        }
        let is_process = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
        if !process.file_name().to_str().is_some_and(is_process) {
            continue;
        }
        // One that ends meanwhile has nothing open.
        let cgroups = fs::read_to_string(process.path().join("cgroup"));
        if let Some((pod, app)) = cgroups.ok().as_deref().and_then(app_of) {
            let app = (pod.to_owned(), app.to_owned());
            all.entry(app).or_default().push(process.path());
        }
    }
    (all, false)
}

/// What these processes have open, if it can be counted in time.
fn of_processes(processes: &[PathBuf], until: Instant) -> Open {
    let mut counted = OpenDescriptors::default();
    for process in processes {
        if !add(&process.join("fd"), until, &mut counted) {
            return Open::Unknown;
        }
    }
    Open::Counted(counted)
}

/// The pod and the app that a process is of, by the paths of its cgroups.
fn app_of(cgroups: &str) -> Option<(&str, &str)> {
    cgroups.lines().find_map(|line| {
        let path = line.splitn(3, ':').nth(2)?;
        let mut parts = path.split('/');
        let pod = parts.find(|part| part.starts_with(PREFIX))?;
        Some((pod, parts.next()?))
    })
}

/// Counts in one more directory of descriptors, if that can be done in time.
fn add(descriptors: &Path, until: Instant, counted: &mut OpenDescriptors) -> bool {
    for descriptor in fs::read_dir(descriptors).into_iter().flatten().flatten() {
        if Instant::now() >= until {
            return false;
        }
        counted.descriptors += 1;
        let target = fs::read_link(descriptor.path()).unwrap_or_default();
        counted.sockets += u64::from(
            target
                .as_os_str()
                .as_encoded_bytes()
                .starts_with(b"socket:"),
        );
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_of_the_app_whose_cgroup_it_is_in() {
        let pod = cgroup_of(PodUuid::random());
        for (text, expected) in [
            (format!("3:memory:/kube/{pod}/web-0\n"), Some("web-0")),
            (
                format!("1:name=systemd:/\n0::/{pod}/web-0/below\n"),
                Some("web-0"),
            ),
            (format!("0::/{pod}\n"), None),
            ("0::/user.slice\n".to_owned(), None),
            (String::new(), None),
        ] {
            let found = app_of(&text);
            assert_eq!(found, expected.map(|app| (&*pod, app)), "{text}");
        }
    }

    #[test]
    fn descriptors_and_sockets_are_counted() {
        let _both = std::os::unix::net::UnixStream::pair().unwrap();
        let own = [PathBuf::from("/proc/self")];
        let until = Instant::now() + Duration::from_secs(60);
        let Open::Counted(open) = of_processes(&own, until) else {
            panic!("not counted");
        };
        assert!(open.sockets >= 2 && open.descriptors > open.sockets);
    }

    #[test]
    fn what_is_not_counted_in_time_is_not_known_and_not_nothing() {
        let own = [PathBuf::from("/proc/self")];
        assert_eq!(of_processes(&own, Instant::now()), Open::Unknown);
        let (pod, app) = (PodUuid::random(), "web".parse::<AppName>().unwrap());
        let key = (cgroup_of(pod), app.to_string());
        let mut all = AllOpen::default();
        assert_eq!(all.of(pod, &app), Open::Elsewhere);
        all.counted.insert(key, Open::Unknown);
        assert_eq!(all.of(pod, &app), Open::Unknown);
        // One that was not found may be there all the same.
        all.is_partial = true;
        assert_eq!(all.of(PodUuid::random(), &app), Open::Unknown);
    }
}
