//! Kernel parameters of pods: those of namespaces that a pod has for itself.

use std::collections::{BTreeMap, BTreeSet};

use pod::manifest::{HostNamespace, Network};

use crate::error::SecurityError;

/// Those of IPC namespaces, as paths.
const OF_IPC: [&str; 8] = [
    "kernel/msgmax",
    "kernel/msgmnb",
    "kernel/msgmni",
    "kernel/sem",
    "kernel/shm_rmid_forced",
    "kernel/shmall",
    "kernel/shmmax",
    "kernel/shmmni",
];

/// The parameters as paths below `/proc/sys`. Names are written with dots or with slashes, as sysctl(8) has it: what comes
/// first separates, and the other one is part of a name.
///
/// # Errors
/// [`SecurityError::Sysctl`], of the first that a pod can't have.
pub(super) fn resolve(
    asked: &BTreeMap<String, String>,
    network: &Network,
    of_host: &BTreeSet<HostNamespace>,
) -> Result<BTreeMap<String, String>, SecurityError> {
    let mut resolved = BTreeMap::new();
    for (name, value) in asked {
        let refused = |why| SecurityError::Sysctl {
            name: name.clone(),
            why,
        };
        let path = path(name);
        judge(&path, network, of_host).map_err(refused)?;
        if value.contains(['\n', '\0']) {
            return Err(refused("its value is more than one line"));
        }
        resolved.insert(path, value.clone());
    }
    Ok(resolved)
}

fn path(name: &str) -> String {
    match name.find(['.', '/']).map(|at| name.as_bytes().get(at)) {
        Some(Some(b'.')) => {
            let swapped = name.chars().map(|c| match c {
                '.' => '/',
                '/' => '.',
                c => c,
            });
            swapped.collect()
        }
        _ => name.to_owned(),
    }
}

fn judge(
    path: &str,
    network: &Network,
    of_host: &BTreeSet<HostNamespace>,
) -> Result<(), &'static str> {
    let is_plain = |part: &str| {
        !matches!(part, "" | "." | "..")
            && part
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || b"_-.@:".contains(&c))
    };
    if !path.split('/').all(is_plain) {
        return Err("that is no name of one");
    }
    match path.split_once('/') {
        Some(("net", _)) if *network == Network::Host => Err("its network is the host's"),
        Some(("net", _)) => Ok(()),
        _ if path.starts_with("fs/mqueue/") || OF_IPC.contains(&path) => {
            match of_host.contains(&HostNamespace::Ipc) {
                true => Err("its IPC is the host's"),
                false => Ok(()),
            }
        }
        _ if path == "kernel/hostname" || path == "kernel/domainname" => {
            Err("the host name is the pod's own setting")
        }
        _ => Err("all of the machine share it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, value: &str, network: &Network) -> Result<String, String> {
        let asked = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let resolved =
            resolve(&asked, network, &BTreeSet::new()).map_err(|error| error.to_string())?;
        Ok(resolved.into_keys().next().unwrap())
    }

    #[test]
    fn only_what_a_pod_has_for_itself_is_set() {
        let own = |name: &str| of(name, "1", &Network::None);
        for (name, path) in [
            ("net.core.somaxconn", "net/core/somaxconn"),
            ("net/core/somaxconn", "net/core/somaxconn"),
            (
                "net.ipv4.conf.eno2/100.forwarding",
                "net/ipv4/conf/eno2.100/forwarding",
            ),
            (
                "net/ipv4/conf/eno2.100/forwarding",
                "net/ipv4/conf/eno2.100/forwarding",
            ),
            ("kernel.shmmax", "kernel/shmmax"),
            ("fs.mqueue.msg_max", "fs/mqueue/msg_max"),
        ] {
            assert_eq!(own(name).as_deref(), Ok(path));
        }
        for (name, part) in [
            ("kernel.hostname", "host name"),
            ("kernel.domainname", "host name"),
            ("kernel.panic", "share it"),
            ("kernel.core_pattern", "share it"),
            ("vm.swappiness", "share it"),
            ("fs.file-max", "share it"),
            ("fs.mqueuex", "share it"),
            ("net", "share it"),
            ("", "no name"),
            ("net/../kernel/core_pattern", "no name"),
            ("net...kernel", "no name"),
            ("net/ /x", "no name"),
        ] {
            let error = own(name).unwrap_err();
            assert!(error.contains(part), "{name}: {error}");
        }
    }

    #[test]
    fn the_hosts_network_is_not_changed_and_no_value_hides_another() {
        let error = of("net.core.somaxconn", "1", &Network::Host).unwrap_err();
        assert!(error.contains("network is the host"), "{error}");
        of("kernel.sem", "1 2 3 4", &Network::Host).unwrap();
        let error = of("kernel.sem", "1\nkernel.core_pattern=|/x", &Network::None).unwrap_err();
        assert!(error.contains("one line"), "{error}");
    }
}
