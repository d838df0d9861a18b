//! What goes through the network of a pod.

use serde::{Deserialize, Serialize};

/// Bytes that went through a pod's network since it was made, but for those that stayed inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct NetworkUse {
    /// Received.
    pub received: u64,
    /// Sent.
    pub sent: u64,
}

impl NetworkUse {
    /// Of the interfaces of a `/proc/PID/net/dev` (proc_pid_net(5)) that are the pod's. The one that leads nowhere never
    /// counts.
    pub fn counted(text: &str, is_the_pods: impl Fn(&str) -> bool) -> Self {
        let of_interface = |line: &str| {
            let (name, numbers) = line.split_once(':')?;
            let name = name.trim();
            let mut numbers = numbers.split_whitespace();
            let received = numbers.next()?.parse().ok()?;
            // Eight columns are of what was received.
            let sent = numbers.nth(7)?.parse().ok()?;
            (name != "lo" && is_the_pods(name)).then_some(Self { received, sent })
        };
        let interfaces = text.lines().filter_map(of_interface);
        interfaces.fold(Self::default(), |all, one| Self {
            received: all.received.saturating_add(one.received),
            sent: all.sent.saturating_add(one.sent),
        })
    }
}

/// What went through one interface of a pod, in both directions.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct InterfaceUse {
    /// Its name in the pod.
    pub name: String,
    /// What it received.
    pub received: Traffic,
    /// What it sent.
    pub sent: Traffic,
}

/// What went in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Traffic {
    /// Bytes.
    pub bytes: u64,
    /// Packets.
    pub packets: u64,
    /// Packets with errors.
    pub errors: u64,
    /// Packets that there was no room for.
    pub dropped: u64,
}

impl InterfaceUse {
    /// Of each interface of a `/proc/PID/net/dev`, but for the one that leads nowhere.
    pub fn all(text: &str) -> Vec<Self> {
        let of_interface = |line: &str| {
            let (name, numbers) = line.split_once(':')?;
            let numbers = numbers.split_whitespace().map(str::parse);
            let numbers: Vec<u64> = numbers.collect::<Result<_, _>>().ok()?;
            // Eight columns are of what was received.
            let (received, sent) = numbers.split_at_checked(8)?;
            let traffic = |columns: &[u64]| match columns {
                [bytes, packets, errors, dropped, ..] => Some(Traffic {
                    bytes: *bytes,
                    packets: *packets,
                    errors: *errors,
                    dropped: *dropped,
                }),
                _ => None,
            };
            Some(Self {
                name: name.trim().to_owned(),
                received: traffic(received)?,
                sent: traffic(sent)?,
            })
        };
        let interfaces = text.lines().filter_map(of_interface);
        interfaces.filter(|one| one.name != "lo").collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_interface_has_what_went_through_it() {
        let text = "Inter-|   Receive\n face |bytes    packets errs drop fifo\n \
             lo: 5 5 0 0 0 0 0 0 5 5 0 0 0 0 0 0\n \
             eth0: 1000 10 1 2 0 0 0 0 2000 20 3 4 0 0 0 0\n eth1: 1 2\n";
        let all = InterfaceUse::all(text);
        assert_eq!(all.len(), 1);
        let (received, sent) = (all[0].received, all[0].sent);
        assert_eq!(all[0].name, "eth0");
        assert_eq!((received.bytes, received.packets), (1000, 10));
        assert_eq!((received.errors, received.dropped), (1, 2));
        assert_eq!((sent.bytes, sent.packets), (2000, 20));
        assert_eq!((sent.errors, sent.dropped), (3, 4));
    }

    #[test]
    fn what_went_through_interfaces_is_added_up() {
        let text = "Inter-|   Receive                                                |  Transmit\n \
             face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs\n    \
             lo:   500       5    0    0    0     0          0         0      500       5    0\n  \
             eth0: 1000      10    0    0    0     0          0         0     2000      20    0\n  \
             eth1:7 1 0 0 0 0 0 0 8 1 0 0 0 0 0 0\n";
        let (received, sent) = (1007, 2008);
        let all = NetworkUse::counted(text, |_| true);
        assert_eq!(all, NetworkUse { received, sent });
        let one = NetworkUse::counted(text, |name| name == "eth1");
        assert_eq!((one.received, one.sent), (7, 8));
        let none = NetworkUse::counted("nonsense: x\n:\n", |_| true);
        assert_eq!(none, NetworkUse::default());
    }
}
