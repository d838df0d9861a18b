//! How many namespaces the host allows (namespaces(7), `/proc/sys/user`), for who is told that there are no more.

use std::fs;
use std::path::Path;

use crate::failure::StartFailure;

/// Where it says so.
const SETTINGS: &str = "/proc/sys/user";
/// Those that pods are made of.
const KINDS: [&str; 7] = ["user", "pid", "mnt", "uts", "ipc", "net", "cgroup"];

/// Why the kernel makes no namespace that a pod needs.
pub(super) fn exhausted() -> StartFailure {
    let forbidden = forbidden(Path::new(SETTINGS));
    StartFailure::other(format!(
        "cannot make the pod's namespaces: {}",
        match forbidden.as_slice() {
            [] =>
                "the host allows no more of them (user.max_pid_namespaces and the like)".to_owned(),
            kinds => format!("the host allows none of {}", settings(kinds)),
        }
    ))
}

/// The same, if it is sure that they are the reason.
pub fn none_are_allowed() -> Option<StartFailure> {
    let is_so = !forbidden(Path::new(SETTINGS)).is_empty();
    is_so.then(exhausted)
}

/// The kinds of which there may be none.
fn forbidden(settings: &Path) -> Vec<&'static str> {
    let is_forbidden = |kind: &&str| {
        let setting = settings.join(format!("max_{kind}_namespaces"));
        fs::read_to_string(setting).is_ok_and(|most| most.trim() == "0")
    };
    KINDS.into_iter().filter(is_forbidden).collect()
}

fn settings(kinds: &[&str]) -> String {
    let named = kinds
        .iter()
        .map(|kind| format!("{kind} (user.max_{kind}_namespaces is 0)"));
    named.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_host_forbids_is_named_by_its_setting() {
        let folder = tempfile::tempdir().unwrap();
        for (kind, most) in [("pid", "0\n"), ("mnt", "1024\n"), ("ipc", "0\n")] {
            let setting = folder.path().join(format!("max_{kind}_namespaces"));
            fs::write(setting, most).unwrap();
        }
        let kinds = forbidden(folder.path());
        assert_eq!(kinds, ["pid", "ipc"]);
        assert_eq!(
            settings(&kinds),
            "pid (user.max_pid_namespaces is 0), ipc (user.max_ipc_namespaces is 0)"
        );
    }
}
