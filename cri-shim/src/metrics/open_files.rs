//! What the processes of containers have open: found by one walk through `/proc`, whatever number of pods there is. Processes
//! of virtual machines are not there.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use pod::{AppName, PodUuid};

/// How long is counted: a container can have very much open. What is left then is not counted.
const PATIENCE: Duration = Duration::from_millis(500);

/// What the processes of one container have open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct OpenDescriptors {
    /// File descriptors.
    pub(super) descriptors: u64,
    /// Those of sockets.
    pub(super) sockets: u64,
}

/// What those of all containers have open, by the name of the pod's cgroup and that of the app's in it.
#[derive(Debug, Default)]
pub(super) struct AllOpen(BTreeMap<(String, String), OpenDescriptors>);

impl AllOpen {
    /// That of an app of a pod, if it has processes here.
    pub(super) fn of(&self, pod: PodUuid, app: &AppName) -> Option<OpenDescriptors> {
        self.0.get(&(cgroup_of(pod), app.to_string())).copied()
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
    let deadline = Instant::now() + PATIENCE;
    let mut all = AllOpen::default();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        if Instant::now() >= deadline {
            break;
        }
        let is_process = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
        if !process.file_name().to_str().is_some_and(is_process) {
            continue;
        }
        // One that ends meanwhile has nothing open.
        let cgroups = fs::read_to_string(process.path().join("cgroup"));
        if let Some((pod, app)) = cgroups.ok().as_deref().and_then(app_of) {
            let counted = all.0.entry((pod.to_owned(), app.to_owned())).or_default();
            add(&process.path().join("fd"), deadline, counted);
        }
    }
    all
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

fn add(descriptors: &Path, deadline: Instant, counted: &mut OpenDescriptors) {
    for descriptor in fs::read_dir(descriptors).into_iter().flatten().flatten() {
        if Instant::now() >= deadline {
            return;
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
        let mut counted = OpenDescriptors::default();
        let own = Path::new("/proc/self/fd");
        add(own, Instant::now() + Duration::from_secs(60), &mut counted);
        assert!(counted.sockets >= 2 && counted.descriptors > counted.sockets);
        let mut none = OpenDescriptors::default();
        add(own, Instant::now(), &mut none);
        assert_eq!(none, OpenDescriptors::default());
    }
}
