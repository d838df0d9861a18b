//! A port of the host and the pod's that it leads to.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How many ports can be forwarded to one pod.
pub const MOST_PORTS: usize = 4096;

/// What a port belongs to.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default,
)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl Protocol {
    /// By its number in IP.
    pub fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Protocol {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Tcp, Self::Udp, Self::Sctp]
            .into_iter()
            .find(|protocol| text.eq_ignore_ascii_case(protocol.name()))
            .ok_or(())
    }
}

/// Ports of the host that lead to as many of the pod.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PortMapping {
    /// On which of the host's addresses; on every one if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_ip: Option<IpAddr>,
    /// The first port on the host.
    pub host_port: u16,
    /// The first port in the pod.
    pub container_port: u16,
    /// How many there are, one after the other; neither end goes beyond 65535.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub count: u16,
    /// Of which protocol.
    #[serde(default)]
    pub protocol: Protocol,
}

fn one() -> u16 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref)] // the signature that serde asks for
fn is_one(count: &u16) -> bool {
    *count == 1
}

impl PortMapping {
    /// Each port of the host with the pod's.
    pub fn pairs(&self) -> impl Iterator<Item = (u16, u16)> + use<> {
        let (host, container) = (self.host_port, self.container_port);
        (0..self.count).map_while(move |n| Some((host.checked_add(n)?, container.checked_add(n)?)))
    }

    /// The address, if it is one and not "any": `0.0.0.0` and `::` stand for all of their family.
    pub fn specific_ip(&self) -> Option<IpAddr> {
        self.host_ip.filter(|ip| !ip.is_unspecified())
    }

    /// Whether it applies to addresses of that family.
    pub fn covers_family(&self, ipv4: bool) -> bool {
        self.host_ip.is_none_or(|ip| ip.is_ipv4() == ipv4)
    }

    /// Whether something that arrives could be meant for both.
    pub fn overlaps(&self, other: &Self) -> bool {
        let (first, last) = self.range();
        let (other_first, other_last) = other.range();
        let addresses = match (self.host_ip, other.host_ip) {
            (Some(a), Some(b)) => {
                a.is_ipv4() == b.is_ipv4() && (a == b || a.is_unspecified() || b.is_unspecified())
            }
            _ => true,
        };
        self.protocol == other.protocol && addresses && first <= other_last && other_first <= last
    }

    fn range(&self) -> (u32, u32) {
        let first = u32::from(self.host_port);
        (first, first + u32::from(self.count.saturating_sub(1)))
    }

    /// As plugins want them: one entry for each port.
    pub(crate) fn to_cni(mappings: &[Self]) -> Value {
        mappings
            .iter()
            .flat_map(|mapping| {
                mapping.pairs().map(|(host, container)| {
                    let mut entry = json!({
                        "hostPort": host,
                        "containerPort": container,
                        "protocol": mapping.protocol,
                    });
                    if let (Some(ip), Some(entry)) = (mapping.host_ip, entry.as_object_mut()) {
                        entry.insert("hostIP".into(), json!(ip));
                    }
                    entry
                })
            })
            .collect()
    }

    /// The reverse of [`Self::to_cni`]. An entry without a port of the host asks for nothing.
    pub(crate) fn from_cni(value: &Value) -> Result<Vec<Self>, String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Entry {
            #[serde(default)]
            host_port: u16,
            container_port: u16,
            #[serde(default)]
            protocol: String,
            #[serde(default, rename = "hostIP")]
            host_ip: String,
        }

        let entries = Vec::<Entry>::deserialize(value).map_err(|e| e.to_string())?;
        let mut mappings = Vec::with_capacity(entries.len());
        for entry in entries {
            if entry.host_port == 0 {
                continue;
            }
            let host_ip = match entry.host_ip.as_str() {
                "" => None,
                ip => Some(
                    ip.parse()
                        .map_err(|_| format!("{ip:?} is not an address"))?,
                ),
            };
            let protocol = match entry.protocol.as_str() {
                "" => Protocol::Tcp,
                name => name
                    .parse()
                    .map_err(|()| format!("{name:?} is not a protocol"))?,
            };
            mappings.push(Self {
                host_ip,
                host_port: entry.host_port,
                container_port: entry.container_port,
                count: 1,
                protocol,
            });
        }
        Ok(mappings)
    }

    /// The host's side, as it is shown: `127.0.0.1:8000-8010/tcp`.
    pub fn host_side(&self) -> String {
        let (first, last) = self.range();
        let ports = if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        };
        match self.host_ip {
            None => format!("{ports}/{}", self.protocol),
            Some(IpAddr::V4(ip)) => format!("{ip}:{ports}/{}", self.protocol),
            Some(IpAddr::V6(ip)) => format!("[{ip}]:{ports}/{}", self.protocol),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(ip: &str, port: u16, count: u16, protocol: Protocol) -> PortMapping {
        PortMapping {
            host_ip: ip.parse().ok(),
            host_port: port,
            container_port: 80,
            count,
            protocol,
        }
    }

    #[test]
    fn mappings_meet_where_a_packet_could_be_for_both() {
        use Protocol::{Tcp, Udp};
        let any = mapping("", 80, 3, Tcp);
        for (other, meets) in [
            (mapping("", 82, 1, Tcp), true),
            (mapping("", 83, 1, Tcp), false),
            (mapping("", 79, 1, Tcp), false),
            (mapping("", 79, 2, Tcp), true),
            (mapping("", 80, 1, Udp), false),
            (mapping("127.0.0.1", 80, 1, Tcp), true),
            (mapping("::1", 80, 1, Tcp), true),
        ] {
            assert_eq!(any.overlaps(&other), meets, "{other:?}");
            assert_eq!(other.overlaps(&any), meets, "{other:?}");
        }
        let one = mapping("10.0.0.1", 80, 1, Tcp);
        assert!(one.overlaps(&mapping("0.0.0.0", 80, 1, Tcp)));
        assert!(!one.overlaps(&mapping("::", 80, 1, Tcp)));
        assert!(!one.overlaps(&mapping("10.0.0.2", 80, 1, Tcp)));
    }

    #[test]
    fn plugins_are_told_of_each_port_and_back() {
        let mappings = [mapping("::1", 8000, 2, Protocol::Udp)];
        let cni = PortMapping::to_cni(&mappings);
        assert_eq!(
            cni,
            json!([
                {"hostPort": 8000, "containerPort": 80, "protocol": "udp", "hostIP": "::1"},
                {"hostPort": 8001, "containerPort": 81, "protocol": "udp", "hostIP": "::1"},
            ])
        );
        let back = PortMapping::from_cni(&cni).unwrap();
        assert_eq!(back.len(), 2);
        assert_eq!(back[0], mapping("::1", 8000, 1, Protocol::Udp));
        for (bad, reason) in [
            (json!({"containerPort": 70000}), "70000"),
            (
                json!({"hostPort": 1, "containerPort": 1, "hostIP": "x"}),
                "\"x\" is not an address",
            ),
            (
                json!({"hostPort": 1, "containerPort": 1, "protocol": "x"}),
                "\"x\" is not a protocol",
            ),
        ] {
            let error = PortMapping::from_cni(&json!([bad])).unwrap_err();
            assert!(error.contains(reason), "{bad}: {error}");
        }
        assert_eq!(
            PortMapping::from_cni(&json!([{"containerPort": 1}])).unwrap(),
            []
        );
        assert_eq!(mappings[0].host_side(), "[::1]:8000-8001/udp");
    }
}
