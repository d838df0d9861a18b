//! The settings of a built-in network.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config::NetworkList;
use crate::error::NetworkError;
use crate::id::{InterfaceName, NetworkName};
use crate::mac::Mac;
use crate::runtime::Dns;
use crate::subnet::IpNet;

/// The type by which configurations call for this, and the name of the program that other runtimes call.
pub const PLUGIN_TYPE: &str = "fairing-cni";

/// How the name of every interface begins that is made on the host.
pub(crate) const LINK_PREFIX: &str = "fairing";

/// How pods are connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// All of them to one bridge, whose address is their gateway.
    #[default]
    Bridge,
    /// Each to the host by a pair of links of its own.
    Ptp,
    /// To the network of one of the host's links, with a hardware address of their own.
    Macvlan,
}

/// The settings, as they stand in the plugin's configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuiltinConfig {
    /// How pods are connected.
    #[serde(default)]
    pub mode: Mode,
    /// The bridge's name; it begins with `fairing`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bridge: Option<InterfaceName>,
    /// IPv4 addresses; chosen so that they meet no route of the host if none are given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet: Option<IpNet>,
    /// IPv6 addresses; made up of the machine's ID if none are given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet6: Option<IpNet>,
    /// Whether pods have IPv6 addresses.
    #[serde(default = "yes")]
    pub ipv6: bool,
    /// The way out, for a network that is not the host's own (macvlan).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<IpAddr>,
    /// Whether pods are seen with the host's address outside.
    #[serde(default = "yes")]
    pub masquerade: bool,
    /// Whether pods reach the host and each other and nobody else.
    #[serde(default)]
    pub restricted: bool,
    /// Largest packet, in bytes; that of the way to the outside if it isn't given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// The host's link below (macvlan); the one that leads outside if none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub master: Option<InterfaceName>,
    /// How names are resolved in this network.
    #[serde(default, skip_serializing_if = "Dns::is_empty")]
    pub dns: Dns,
}

fn yes() -> bool {
    true
}

impl BuiltinConfig {
    /// The settings among the keys of a plugin's configuration; others are not looked at.
    ///
    /// # Errors
    /// [`NetworkError::Setting`] says which of them is wrong.
    pub fn parse(network: &NetworkName, fields: &Map<String, Value>) -> Result<Self, NetworkError> {
        let wrong = |reason: String| NetworkError::Setting {
            network: network.to_string(),
            reason,
        };
        let config = Self::deserialize(fields).map_err(|e| wrong(e.to_string()))?;
        config.check().map_err(wrong)?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        if let Some(net) = self.subnet
            && (!net.is_ipv4() || net.prefix() > 30)
        {
            return Err(format!(
                "the subnet {net} is not an IPv4 subnet of /30 or larger"
            ));
        }
        if let Some(net) = self.subnet6
            && (net.is_ipv4() || net.prefix() > 120)
        {
            return Err(format!(
                "the subnet6 {net} is not an IPv6 subnet of /120 or larger"
            ));
        }
        for net in self.subnet.iter().chain(&self.subnet6) {
            if let Some(purpose) = net.reserved_for() {
                return Err(format!(
                    "{net} is for {purpose}; no pod can have addresses of it"
                ));
            }
        }
        if let Some(bridge) = &self.bridge {
            if self.mode != Mode::Bridge {
                return Err("only the mode bridge has a bridge".into());
            }
            if !bridge.as_str().starts_with(LINK_PREFIX) {
                return Err(format!(
                    "the bridge's name {bridge} does not begin with \"fairing\""
                ));
            }
        }
        if let Some(mtu) = self.mtu.filter(|mtu| !(1280..=65535).contains(mtu)) {
            return Err(format!("the mtu {mtu} is not from 1280 to 65535"));
        }
        if self.restricted && self.mode != Mode::Bridge {
            return Err("only the mode bridge can be restricted".into());
        }
        let macvlan = self.mode == Mode::Macvlan;
        if !macvlan && (self.master.is_some() || self.gateway.is_some()) {
            return Err("master and gateway are of the mode macvlan".into());
        }
        Ok(())
    }
}

/// The argument of CNI by which a runtime says that others are for whom they concern: Kubernetes' name every pod.
const IGNORE_UNKNOWN: &str = "IgnoreUnknown";

/// Looks whether a network knows what it is told by `--net=NAME:KEY=VALUE`. Plugins ignore what they don't know, and
/// nobody can tell; of built-in networks one can.
pub(crate) fn check_arguments(
    list: &NetworkList,
    arguments: &[(String, String)],
) -> Result<(), String> {
    for plugin in &list.plugins {
        if plugin.kind != PLUGIN_TYPE {
            return Ok(());
        }
    }
    let macvlan = list.plugins.iter().any(|plugin| {
        BuiltinConfig::parse(&list.name, &plugin.fields)
            .is_ok_and(|config| config.mode == Mode::Macvlan)
    });
    let known: &[&str] = match macvlan {
        true => &["IP", "MAC", "MASTER", "GATEWAY"],
        false => &["IP", "MAC"],
    };
    let ignores_unknown = arguments
        .iter()
        .any(|(key, value)| key == IGNORE_UNKNOWN && matches!(&**value, "1" | "true"));
    for (key, value) in arguments {
        if !known.contains(&key.as_str()) {
            if ignores_unknown {
                continue;
            }
            return Err(format!(
                "it has no argument {key}; there are {}",
                known.join(", ")
            ));
        }
        NetworkArguments::default()
            .take(key, value)
            .map_err(|reason| format!("{key}={value}: {reason}"))?;
    }
    Ok(())
}

/// What one pod asks of a network: `--net=NAME:KEY=VALUE`, or what a runtime tells a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct NetworkArguments {
    /// Addresses, with the length of their network where that can't be known otherwise.
    pub(crate) addresses: Vec<(IpAddr, Option<u8>)>,
    pub(crate) mac: Option<Mac>,
    pub(crate) master: Option<InterfaceName>,
    pub(crate) gateway: Option<IpAddr>,
}

impl NetworkArguments {
    /// From `CNI_ARGS` and `runtimeConfig`; what stands in the latter counts.
    pub(crate) fn parse(
        network: &NetworkName,
        arguments: &[(String, String)],
        told: &Map<String, Value>,
    ) -> Result<Self, NetworkError> {
        let mut wishes = Self::default();
        for (key, value) in arguments {
            wishes
                .take(key, value)
                .map_err(|reason| NetworkError::Setting {
                    network: network.to_string(),
                    reason: format!("{key}={value}: {reason}"),
                })?;
        }
        if let Some(Value::Array(ips)) = told.get("ips")
            && !ips.is_empty()
        {
            wishes.addresses.clear();
            for ip in ips {
                wishes
                    .take("IP", ip.as_str().unwrap_or_default())
                    .map_err(|reason| NetworkError::Setting {
                        network: network.to_string(),
                        reason: format!("{ip}: {reason}"),
                    })?;
            }
        }
        if let Some(mac) = told.get("mac").and_then(Value::as_str) {
            wishes
                .take("MAC", mac)
                .map_err(|reason| NetworkError::Setting {
                    network: network.to_string(),
                    reason,
                })?;
        }
        Ok(wishes)
    }

    fn take(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "IP" => {
                let address = match value.parse::<IpNet>() {
                    Ok(net) => (net.address(), Some(net.prefix())),
                    Err(_) => (value.parse().map_err(|_| "this is not an address")?, None),
                };
                self.addresses.push(address);
            }
            "MAC" => self.mac = Some(value.parse::<Mac>().map_err(|e| e.to_string())?),
            "MASTER" => {
                self.master = Some(value.parse::<InterfaceName>().map_err(|e| e.to_string())?)
            }
            "GATEWAY" => self.gateway = Some(value.parse().map_err(|_| "this is not an address")?),
            // Another plugin's, or the runtime's own.
            _ => (),
        }
        Ok(())
    }

    /// The address asked for in one family.
    pub(crate) fn address(&self, ipv4: bool) -> Option<(IpAddr, Option<u8>)> {
        self.addresses
            .iter()
            .find(|(ip, _)| ip.is_ipv4() == ipv4)
            .copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(value: Value) -> Result<BuiltinConfig, NetworkError> {
        BuiltinConfig::parse(&"n".parse().unwrap(), value.as_object().unwrap())
    }

    #[test]
    fn settings_are_checked() {
        let config = parse(json!({"type": "fairing-cni", "name": "n", "mode": "ptp"})).unwrap();
        assert!(config.masquerade && config.ipv6 && !config.restricted);
        for (bad, reason) in [
            (json!({"mode": "x"}), "unknown variant"),
            (json!({"subnet": "10.0.0.0/31"}), "subnet"),
            (json!({"subnet": "fd00::/64"}), "subnet"),
            (json!({"subnet6": "10.0.0.0/8"}), "subnet6"),
            (json!({"subnet": "224.0.0.0/24"}), "for multicast"),
            (json!({"subnet": "0.0.0.0/8"}), "for this network"),
            (json!({"subnet": "127.0.0.0/8"}), "for the loopback"),
            (json!({"subnet": "255.255.255.0/24"}), "for later use"),
            (json!({"subnet6": "ff00::/64"}), "for multicast"),
            (json!({"subnet6": "::/120"}), "for the loopback"),
            (json!({"subnet6": "::ffff:0:0/96"}), "for IPv4 addresses"),
            (json!({"bridge": "br0"}), "not begin with"),
            (
                json!({"bridge": "fairing9", "mode": "ptp"}),
                "only the mode bridge",
            ),
            (json!({"mtu": 100}), "1280"),
            (json!({"mode": "ptp", "restricted": true}), "restricted"),
            (json!({"master": "eth0"}), "macvlan"),
        ] {
            let error = parse(bad.clone()).unwrap_err().to_string();
            assert!(error.contains(reason), "{bad}: {error}");
        }
    }

    #[test]
    fn wishes_come_from_arguments_and_from_the_runtime() {
        let arguments = [
            ("IP", "10.0.0.5"),
            ("MAC", "02:00:00:00:00:05"),
            ("K8S_POD_NAME", "x"),
        ];
        let arguments = arguments.map(|(k, v)| (k.to_string(), v.to_string()));
        let network = "n".parse().unwrap();
        let wishes = NetworkArguments::parse(&network, &arguments, &Map::new()).unwrap();
        assert_eq!(
            wishes.address(true),
            Some(("10.0.0.5".parse().unwrap(), None))
        );
        assert_eq!(wishes.address(false), None);
        let told = json!({"ips": ["10.0.0.6/24", "fd00::6"], "mac": "02:00:00:00:00:06"});
        let wishes =
            NetworkArguments::parse(&network, &arguments, told.as_object().unwrap()).unwrap();
        assert_eq!(
            wishes.address(true),
            Some(("10.0.0.6".parse().unwrap(), Some(24)))
        );
        assert_eq!(wishes.mac.unwrap().to_string(), "02:00:00:00:00:06");
        let bad = [("IP".to_string(), "10.0.0".to_string())];
        let error = NetworkArguments::parse(&network, &bad, &Map::new()).unwrap_err();
        assert!(error.to_string().contains("IP=10.0.0:"), "{error}");
    }
}
