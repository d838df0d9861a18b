//! Whose namespaces those of a pod are, as docker and podman call them.

use std::collections::BTreeSet;

use pod::manifest::HostNamespace;

/// Whose a namespace is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NamespaceOf {
    /// The pod's, or the app's.
    Own,
    /// The host's.
    Host,
}

/// Those of which this was said.
pub(crate) fn those(
    of: NamespaceOf,
    asked: &[(Option<NamespaceOf>, HostNamespace)],
) -> BTreeSet<HostNamespace> {
    let those = asked.iter().filter(|(said, _)| *said == Some(of));
    those.map(|(_, namespace)| *namespace).collect()
}

/// Parses the value of `--ipc`. The apps of a pod share their IPC.
pub(crate) fn ipc(text: &str) -> Result<NamespaceOf, String> {
    match text {
        "private" | "shareable" | "pod" | "" => Ok(NamespaceOf::Own),
        "host" => Ok(NamespaceOf::Host),
        "none" => Err("each app has a /dev/shm".to_owned()),
        _ => Err(unknown(text, "private and host")),
    }
}

/// Parses the value of `--uts`.
pub(crate) fn uts(text: &str) -> Result<NamespaceOf, String> {
    match text {
        "private" | "pod" | "" => Ok(NamespaceOf::Own),
        "host" => Ok(NamespaceOf::Host),
        _ => Err(unknown(text, "private and host")),
    }
}

/// Parses the value of `--cgroupns`.
pub(crate) fn cgroups(text: &str) -> Result<NamespaceOf, String> {
    match text {
        "private" | "" => Ok(NamespaceOf::Own),
        "host" => Ok(NamespaceOf::Host),
        _ => Err(unknown(text, "private and host")),
    }
}

/// Why a value is none.
pub(super) fn unknown(text: &str, known: &str) -> String {
    let is_of_other = |prefix| text.starts_with(prefix);
    match ["container:", "ns:", "pod:"].into_iter().any(is_of_other) {
        true => "namespaces of other pods can't be joined".to_owned(),
        false => format!("there is {known}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_are_the_pods_or_the_hosts_and_of_no_other_pod() {
        use NamespaceOf::{Host, Own};
        assert_eq!(ipc("shareable"), Ok(Own));
        assert_eq!((ipc("host"), uts("host")), (Ok(Host), Ok(Host)));
        assert_eq!((cgroups("private"), cgroups("host")), (Ok(Own), Ok(Host)));
        for answer in [
            ipc("container:web"),
            uts("ns:/x"),
            cgroups("container:x"),
            cgroups("pod:x"),
        ] {
            assert!(answer.unwrap_err().contains("other pods"));
        }
        assert!(ipc("none").is_err() && uts("x").is_err());
        let asked = [
            (Some(Host), HostNamespace::Ipc),
            (Some(Own), HostNamespace::Uts),
        ];
        assert_eq!(
            those(NamespaceOf::Host, &asked),
            BTreeSet::from([HostNamespace::Ipc])
        );
    }
}
