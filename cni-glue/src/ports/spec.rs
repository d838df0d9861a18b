//! What the user writes: `[[HOSTIP:]HOSTPORT:]PORT[/PROTO]`.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use super::mapping::{MOST_PORTS, PortMapping, Protocol};

/// Why a text is no port mapping.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a port mapping: {reason}; write [[HOSTIP:]HOSTPORT:]PORT[/tcp|udp|sctp], ports as 80 or 8000-8010"
)]
pub struct InvalidPort {
    text: String,
    reason: &'static str,
}

/// A port of the pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContainerPort {
    /// The first, by number, and how many.
    Number(u16, u16),
    /// By the name that the image gives it.
    Name(String),
}

/// A mapping as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortSpec {
    /// On which of the host's addresses; on every one if none is named.
    pub host_ip: Option<IpAddr>,
    /// The first port of the host; 0 for any that is free.
    pub host_port: u16,
    /// How many ports there are.
    pub count: u16,
    /// Where in the pod.
    pub container: ContainerPort,
    /// Where one is named.
    pub protocol: Option<Protocol>,
}

impl PortSpec {
    /// The mapping, once names are looked up: `named` gives number and protocol of an image's port.
    ///
    /// # Errors
    /// If the image has no such port, or another protocol was asked for than it has.
    pub fn resolve(
        &self,
        named: impl FnOnce(&str) -> Option<(u16, Protocol)>,
    ) -> Result<PortMapping, InvalidPort> {
        let (container_port, protocol) = match &self.container {
            ContainerPort::Number(first, _) => (*first, self.protocol.unwrap_or_default()),
            ContainerPort::Name(name) => {
                let invalid = |reason| InvalidPort {
                    text: name.clone(),
                    reason,
                };
                let (port, protocol) =
                    named(name).ok_or_else(|| invalid("the image has no port of that name"))?;
                if self.protocol.is_some_and(|wanted| wanted != protocol) {
                    return Err(invalid("the image's port is of another protocol"));
                }
                (port, protocol)
            }
        };
        Ok(PortMapping {
            host_ip: self.host_ip,
            host_port: self.host_port,
            container_port,
            count: self.count,
            protocol,
        })
    }
}

/// One port or a range: the first and how many.
fn range(text: &str) -> Result<(u16, u16), &'static str> {
    let port = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        match text.parse::<u16>() {
            Ok(port) if digits && port > 0 => Ok(port),
            _ => Err("a port is a number from 1 to 65535"),
        }
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    let count = last
        .checked_sub(first)
        .ok_or("a range ends before it begins")?
        .saturating_add(1);
    if usize::from(count) > MOST_PORTS {
        return Err("a range has at most 4096 ports");
    }
    Ok((first, count))
}

impl FromStr for PortSpec {
    type Err = InvalidPort;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map_err(|reason| InvalidPort {
            text: text.into(),
            reason,
        })
    }
}

fn parse(text: &str) -> Result<PortSpec, &'static str> {
    let (rest, protocol) = match text.rsplit_once('/') {
        Some((rest, protocol)) => {
            let protocol = protocol
                .parse()
                .map_err(|()| "the protocol is tcp, udp or sctp")?;
            (rest, Some(protocol))
        }
        None => (text, None),
    };
    let (host, container) = match rest.rsplit_once(':') {
        Some((host, container)) => (Some(host), container),
        None => (None, rest),
    };
    let (host_ip, host) = match host.and_then(|host| host.rsplit_once(':')) {
        None => (None, host),
        Some((ip, "")) => (Some(host_address(ip)?), None),
        Some((ip, host)) => (Some(host_address(ip)?), Some(host)),
    };
    let container = container_port(container)?;
    let (host_port, count) = match host {
        Some(host) => range(host)?,
        None if matches!(container, ContainerPort::Number(..)) => (0, 1),
        None => return Err("it needs the host's port and the pod's"),
    };
    if let ContainerPort::Number(_, pod_count) = container
        && pod_count != count
    {
        return Err("the two ranges have different lengths");
    }
    if matches!(container, ContainerPort::Name(_)) && count != 1 {
        return Err("a named port is one port");
    }
    Ok(PortSpec {
        host_ip,
        host_port,
        count,
        container,
        protocol,
    })
}

fn host_address(text: &str) -> Result<IpAddr, &'static str> {
    const REASON: &str = "the host's address is IPv4, or IPv6 in brackets";
    match text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
    {
        Some(inner) => match inner.parse::<Ipv6Addr>() {
            // The port would be taken, and nobody ever answered.
            Ok(Ipv6Addr::LOCALHOST) => Err(
                "no packet to [::1] ever leaves the loopback; name 127.0.0.1, or no address for all",
            ),
            Ok(ip) => Ok(IpAddr::V6(ip)),
            Err(_) => Err(REASON),
        },
        None => text
            .parse::<std::net::Ipv4Addr>()
            .map(IpAddr::V4)
            .map_err(|_| REASON),
    }
}

fn container_port(text: &str) -> Result<ContainerPort, &'static str> {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return range(text).map(|(first, count)| ContainerPort::Number(first, count));
    }
    let named = text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if named {
        Ok(ContainerPort::Name(text.into()))
    } else {
        Err("the pod's port is a number, a range or the name of an image's port")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spec(text: &str) -> PortSpec {
        text.parse().unwrap()
    }

    #[test]
    fn all_forms_are_understood() {
        let plain = spec("8080:80");
        assert_eq!(
            (plain.host_ip, plain.host_port, plain.count),
            (None, 8080, 1)
        );
        assert_eq!(plain.container, ContainerPort::Number(80, 1));
        assert_eq!(plain.protocol, None);
        assert_eq!(
            spec("127.0.0.1:53:53/UDP").host_ip,
            "127.0.0.1".parse().ok()
        );
        assert_eq!(spec("[fd00::1]:53:53/udp").host_ip, "fd00::1".parse().ok());
        assert_eq!(spec("1-3:5-7/sctp").count, 3);
        assert_eq!(spec("80:web").container, ContainerPort::Name("web".into()));
        let any = spec("80");
        assert_eq!((any.host_ip, any.host_port, any.count), (None, 0, 1));
        assert_eq!(any.container, ContainerPort::Number(80, 1));
        let any = spec("127.0.0.1::80/udp");
        assert_eq!((any.host_ip, any.host_port), ("127.0.0.1".parse().ok(), 0));
        assert_eq!(any.protocol, Some(Protocol::Udp));
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        for (bad, reason) in [
            ("web", "needs the host's port"),
            ("", "name of an image's port"),
            ("1-3", "different lengths"),
            ("0:80", "from 1 to 65535"),
            ("80:65536", "from 1 to 65535"),
            ("+80:80", "from 1 to 65535"),
            (":80", "from 1 to 65535"),
            ("80:80/icmp", "tcp, udp or sctp"),
            ("::1:80:80", "in brackets"),
            ("[1.2.3.4]:80:80", "in brackets"),
            ("host:80:80", "in brackets"),
            ("[::1]:80:80", "ever leaves the loopback"),
            ("[::1]::80", "ever leaves the loopback"),
            ("3-1:3-1", "before it begins"),
            ("1-3:1-2", "different lengths"),
            ("1-3:5", "different lengths"),
            ("1-2:web", "one port"),
            ("80:-", "name of an image's port"),
            ("1-5000:1-5000", "4096"),
        ] {
            let error = bad.parse::<PortSpec>().unwrap_err().to_string();
            assert!(error.contains(reason), "{bad}: {error}");
        }
    }

    #[test]
    fn names_are_the_images() {
        let named = |name: &str| (name == "dns").then_some((5353, Protocol::Udp));
        let mapping = spec("53:dns").resolve(named).unwrap();
        assert_eq!(
            (mapping.container_port, mapping.protocol),
            (5353, Protocol::Udp)
        );
        for (text, reason) in [
            ("53:web", "no port of that name"),
            ("53:dns/tcp", "of another protocol"),
        ] {
            let error = spec(text).resolve(named).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
        assert_eq!(
            spec("80:80").resolve(named).unwrap().protocol,
            Protocol::Tcp
        );
    }

    proptest! {
        #[test]
        fn a_mapping_is_read_from_what_it_says(ip in any::<Option<IpAddr>>(), host in 1..=65_535u16,
            container in 1..=65_535u16, protocol in 0..3usize) {
            let protocol = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp][protocol];
            let address = match ip {
                None => String::new(),
                Some(IpAddr::V4(ip)) => format!("{ip}:"),
                Some(IpAddr::V6(ip)) => format!("[{ip}]:"),
            };
            let read = format!("{address}{host}:{container}/{protocol}").parse::<PortSpec>();
            prop_assert_eq!(read, Ok(PortSpec {
                host_ip: ip,
                host_port: host,
                count: 1,
                container: ContainerPort::Number(container, 1),
                protocol: Some(protocol),
            }));
        }

        #[test]
        fn no_text_maps_more_ports_than_there_are(text in "[0-9a-z:./-]{0,24}") {
            if let Ok(spec) = text.parse::<PortSpec>() {
                prop_assert!(spec.count > 0 && (spec.host_port > 0 || spec.count == 1));
                prop_assert!(u32::from(spec.host_port) + u32::from(spec.count) <= 65_536);
            }
        }
    }
}
