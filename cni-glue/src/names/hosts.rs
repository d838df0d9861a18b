//! `/etc/hosts` and `/etc/hostname`.

use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::host_name::is_host_name;
use super::peers::{Edit, PeerChanges, edits};

/// An address and its names: `IP=NAME[,NAME…]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HostsEntry {
    /// The address.
    pub address: IpAddr,
    /// Its names.
    pub names: Vec<String>,
}

/// A text is no such entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an entry for /etc/hosts: write ADDRESS=NAME[,NAME...]")]
pub struct InvalidHostsEntry(String);

impl FromStr for HostsEntry {
    type Err = InvalidHostsEntry;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (address, names) = text.split_once('=')?;
            let names: Vec<String> = names.split(',').map(Into::into).collect();
            names.iter().all(|name| is_host_name(name)).then_some(Self {
                address: address.parse().ok()?,
                names,
            })
        };
        parse().ok_or_else(|| InvalidHostsEntry(text.into()))
    }
}

/// The file's text: the loopback, the pod itself under `own` names, the entries asked for, and the pods that it shares
/// a network with, unless one has a name that is in the file already.
pub fn hosts(
    own: &[&str],
    addresses: impl IntoIterator<Item = IpAddr>,
    entries: &[HostsEntry],
    peers: Vec<(IpAddr, String)>,
) -> String {
    let mut text =
        String::from("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
    let mut line = |address: IpAddr, names: &str| {
        if !names.is_empty() {
            text.push_str(&format!("{address}\t{names}\n"));
        }
    };
    let own = own.join(" ");
    let mut connected = false;
    for address in addresses {
        line(address, &own);
        connected = true;
    }
    if !connected {
        line(IpAddr::from([127, 0, 0, 1]), &own);
        line(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]), &own);
    }
    for entry in entries {
        line(entry.address, &entry.names.join(" "));
    }
    let peers = PeerChanges {
        came: peers,
        ..PeerChanges::default()
    };
    for edit in edits(text.as_bytes(), &peers) {
        // In a new file there is no line to be used again.
        if let Edit::Append(lines) = edit {
            text.push_str(&lines);
        }
    }
    text
}

/// The text of `/etc/hostname`.
pub fn hostname(name: &str) -> String {
    format!("{name}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_file_lists_the_pod_its_entries_and_its_peers() {
        let entries = ["192.0.2.1=db,db.example".parse().unwrap()];
        let addresses = ["10.0.0.2".parse().unwrap(), "fd00::2".parse().unwrap()];
        let peer = |name: &str| ("10.0.0.3".parse().unwrap(), name.to_owned());
        let text = hosts(
            &["web", "web-1"],
            addresses,
            &entries,
            vec![
                peer("api"),
                peer("x\n1.1.1.1 db"),
                peer("Web"),
                peer("localhost"),
                peer("db.example"),
            ],
        );
        assert_eq!(
            text,
            "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n\
             10.0.0.2\tweb web-1\nfd00::2\tweb web-1\n192.0.2.1\tdb db.example\n10.0.0.3\tapi\t# pod             \n"
        );
        let alone = hosts(&["web"], [], &[], Vec::new());
        assert!(alone.ends_with("127.0.0.1\tweb\n::1\tweb\n"), "{alone}");
        assert_eq!(hostname("web"), "web\n");
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            "",
            "x",
            "10.0.0.1",
            "10.0.0.1=",
            "10.0.0.1=a b",
            "10.0.0=a",
            "10.0.0.1=a,,b",
            "::1=a\n",
        ] {
            assert!(bad.parse::<HostsEntry>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn an_entry_is_read_from_what_it_says(address in any::<IpAddr>(),
            names in proptest::collection::vec("[A-Za-z0-9._-]{1,12}", 1..4)) {
            let text = format!("{address}={}", names.join(","));
            prop_assert_eq!(text.parse(), Ok(HostsEntry { address, names }));
        }

        #[test]
        fn no_text_writes_another_line_into_the_file(text in ".*") {
            if let Ok(entry) = text.parse::<HostsEntry>() {
                let file = hosts(&["pod"], [], std::slice::from_ref(&entry), Vec::new());
                prop_assert_eq!(file.lines().count(), hosts(&["pod"], [], &[], Vec::new()).lines().count() + 1);
            }
        }
    }
}
