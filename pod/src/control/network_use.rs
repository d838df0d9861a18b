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

#[cfg(test)]
mod tests {
    use super::*;

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
