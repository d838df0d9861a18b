//! What ADD results in, and its forms in the versions of the specification.

use std::net::IpAddr;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

use super::shown::shown;
use crate::config::SpecVersion;
use crate::subnet::IpNet;

/// The state of a pod in a network.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct CniResult {
    /// The interfaces that were made, on the host and in the pod.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<Interface>,
    /// The pod's addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ips: Vec<Ip>,
    /// The pod's routes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<ResultRoute>,
    /// How names are resolved in this network.
    #[serde(skip_serializing_if = "Dns::is_empty")]
    pub dns: Dns,
}

/// Takes away what is `null`, as some write where there is nothing.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Array(all) => all.iter().map(without_nulls).collect(),
        Value::Object(all) => {
            let said = all.iter().filter(|(_, value)| !value.is_null());
            let said = said.map(|(key, value)| (key.clone(), without_nulls(value)));
            Value::Object(said.collect())
        }
        other => other.clone(),
    }
}

/// An interface of a result.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Interface {
    /// Its name.
    pub name: String,
    /// Its hardware address, if it has one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub mac: String,
    /// Largest packet, in bytes (since 1.1.0).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// The network namespace of the pod; empty for an interface of the host.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sandbox: String,
    /// A socket in its place (since 1.1.0).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket_path: Option<String>,
    /// A device (since 1.1.0).
    #[serde(default, rename = "pciID", skip_serializing_if = "Option::is_none")]
    pub pci_id: Option<String>,
}

/// An address of a result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ip {
    /// The address and its network.
    pub address: IpNet,
    /// The way out of the network.
    #[serde(default, deserialize_with = "empty_is_none")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<IpAddr>,
    /// Which of the interfaces has it.
    #[serde(default, deserialize_with = "negative_is_none")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<usize>,
}

fn empty_is_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<IpAddr>, D::Error> {
    match Option::<String>::deserialize(deserializer)?.as_deref() {
        None | Some("") => Ok(None),
        Some(text) => text.parse().map(Some).map_err(serde::de::Error::custom),
    }
}

fn negative_is_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    Ok(Option::<i64>::deserialize(deserializer)?.and_then(|index| index.try_into().ok()))
}

/// A route of a result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ResultRoute {
    /// Where it leads.
    pub dst: IpNet,
    /// By way of whom; the address's gateway if it isn't said.
    #[serde(default, deserialize_with = "empty_is_none")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gw: Option<IpAddr>,
    /// What else there is: `mtu`, `advmss`, `priority`, `table` and `scope` since 1.1.0.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// How names are resolved.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Dns {
    /// Whom to ask, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nameservers: Vec<String>,
    /// The own domain.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub domain: String,
    /// What short names are completed with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub search: Vec<String>,
    /// Of the resolver.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

impl Dns {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl CniResult {
    /// Reads a result of any version that is supported. It says itself of which one it is; if it doesn't, it is of
    /// the one that was asked for.
    ///
    /// # Errors
    /// In words.
    pub(crate) fn parse(value: &Value) -> Result<Self, String> {
        if let Some(version) = value.get("cniVersion").and_then(Value::as_str)
            && !version.is_empty()
        {
            version.parse::<SpecVersion>().map_err(|e| e.to_string())?;
        }
        let result = Self::deserialize(without_nulls(value)).map_err(|e| e.to_string())?;
        if let Some(ip) = result.ips.iter().find(|ip| {
            ip.interface
                .is_some_and(|index| index >= result.interfaces.len())
        }) {
            return Err(format!(
                "{} belongs to an interface that it doesn't list",
                ip.address
            ));
        }
        Ok(result)
    }

    /// Reads what a plugin wrote.
    ///
    /// # Errors
    /// In words, with the beginning of what it wrote.
    pub(crate) fn parse_answer(answer: &[u8]) -> Result<Self, String> {
        const LONGEST: usize = 100;
        if answer.trim_ascii().is_empty() {
            return Err("it is empty".into());
        }
        let begin = answer.get(..LONGEST).unwrap_or(answer);
        let begin = || shown(&String::from_utf8_lossy(begin));
        let value: Value = serde_json::from_slice(answer)
            .map_err(|error| format!("{error}; it begins with {:?}", begin()))?;
        if !value.is_object() {
            return Err(format!(
                "it is not a JSON object; it begins with {:?}",
                begin()
            ));
        }
        Self::parse(&value)
    }

    /// In the form of that version.
    pub(crate) fn to_value(&self, version: SpecVersion) -> Value {
        let mut value = json!(self);
        let Some(object) = value.as_object_mut() else {
            return value;
        };
        object.insert("cniVersion".into(), json!(version));
        if version < SpecVersion::V1_1_0 {
            for (list, keys) in [
                ("interfaces", &["mtu", "socketPath", "pciID"][..]),
                ("routes", &["mtu", "advmss", "priority", "table", "scope"]),
            ] {
                each(object, list, |entry| {
                    for key in keys {
                        entry.remove(*key);
                    }
                });
            }
        }
        if version < SpecVersion::V1_0_0 {
            let mut families = self
                .ips
                .iter()
                .map(|ip| if ip.address.is_ipv4() { "4" } else { "6" });
            each(object, "ips", |entry| {
                entry.insert("version".into(), families.next().into());
            });
        }
        value
    }
}

fn each(
    object: &mut Map<String, Value>,
    list: &str,
    mut change: impl FnMut(&mut Map<String, Value>),
) {
    if let Some(Value::Array(entries)) = object.get_mut(list) {
        entries
            .iter_mut()
            .filter_map(Value::as_object_mut)
            .for_each(&mut change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn newest() -> Value {
        json!({
            "cniVersion": "1.1.0",
            "interfaces": [
                {"name": "br0", "mac": "0a:58:00:00:00:01", "mtu": 1500},
                {"name": "eth0", "mac": "0a:58:00:00:00:02", "mtu": 1500, "sandbox": "/run/x", "pciID": "0000:00:01.0"},
            ],
            "ips": [
                {"address": "10.1.2.3/24", "gateway": "10.1.2.1", "interface": 1},
                {"address": "fd00::3/64", "interface": 1},
            ],
            "routes": [{"dst": "0.0.0.0/0", "gw": "10.1.2.1", "mtu": 1400, "priority": 5}],
            "dns": {"nameservers": ["10.1.2.1"], "search": ["x"]},
        })
    }

    #[test]
    fn results_take_the_form_of_each_version_and_are_read_again() {
        let result = CniResult::parse(&newest()).unwrap();
        assert_eq!(result.to_value(SpecVersion::V1_1_0), newest());
        let one = result.to_value(SpecVersion::V1_0_0);
        assert_eq!(
            one["routes"],
            json!([{"dst": "0.0.0.0/0", "gw": "10.1.2.1"}])
        );
        assert_eq!(one["interfaces"][1].get("mtu"), None);
        assert_eq!(one["ips"][0].get("version"), None);
        for version in [SpecVersion::V0_3_1, SpecVersion::V0_4_0] {
            let old = result.to_value(version);
            assert_eq!(old["cniVersion"], json!(version));
            assert_eq!(old["ips"][0]["version"], "4");
            assert_eq!(old["ips"][1]["version"], "6");
            let back = CniResult::parse(&old).unwrap();
            assert_eq!(back.ips, result.ips);
            assert_eq!(back.dns, result.dns);
        }
    }

    fn texts() -> impl Strategy<Value = String> {
        "[a-z0-9./:-]{0,12}"
    }

    fn networks() -> impl Strategy<Value = IpNet> {
        let four = (any::<[u8; 4]>(), 0..=32u8).prop_map(|(ip, n)| IpNet::new(ip.into(), n));
        let six = (any::<[u8; 16]>(), 0..=128u8).prop_map(|(ip, n)| IpNet::new(ip.into(), n));
        prop_oneof![four, six].prop_map(Option::unwrap)
    }

    prop_compose! {
        fn interfaces()(name in texts(), mac in texts(), sandbox in texts(),
            mtu in any::<Option<u32>>(), pci_id in proptest::option::of(texts()))
            -> Interface {
            Interface { name, mac, mtu, sandbox, socket_path: None, pci_id }
        }
    }

    prop_compose! {
        fn results()(interfaces in proptest::collection::vec(interfaces(), 1..4))
            (ips in proptest::collection::vec((networks(), 0..interfaces.len()), 0..4),
            routes in proptest::collection::vec((networks(), any::<Option<IpAddr>>()), 0..4),
            nameservers in proptest::collection::vec(texts(), 0..3),
            interfaces in Just(interfaces))
            -> CniResult {
            let ip = |(address, at)| Ip { address, gateway: None, interface: Some(at) };
            let route = |(dst, gw)| ResultRoute { dst, gw, other: Map::new() };
            CniResult {
                interfaces,
                ips: ips.into_iter().map(ip).collect(),
                routes: routes.into_iter().map(route).collect(),
                dns: Dns { nameservers, ..Dns::default() },
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(result in results()) {
            let newest = result.to_value(SpecVersion::V1_1_0);
            let again = CniResult::parse(&newest);
            prop_assert_eq!(again.as_ref(), Ok(&result));
            for version in [SpecVersion::V0_3_1, SpecVersion::V0_4_0, SpecVersion::V1_0_0] {
                let older = CniResult::parse(&result.to_value(version)).unwrap();
                prop_assert_eq!(&older.ips, &result.ips);
                prop_assert_eq!(&older.routes, &result.routes);
                prop_assert_eq!(&older.dns, &result.dns);
            }
        }
    }

    #[test]
    fn what_go_programs_write_for_nothing_is_understood() {
        let result = CniResult::parse(&json!({
            "cniVersion": "0.3.1", "interfaces": null, "routes": null, "dns": {"search": null, "domain": null},
            "ips": [{"version": "4", "interface": -1, "address": "10.0.0.2/24", "gateway": ""}],
        }))
        .unwrap();
        assert_eq!(result.ips[0].gateway, None);
        assert_eq!(result.ips[0].interface, None);
        assert_eq!(CniResult::parse(&json!({})).unwrap(), CniResult::default());
    }

    #[test]
    fn nonsense_is_refused() {
        for (bad, reason) in [
            (json!(5), "invalid type"),
            (json!({"cniVersion": "7.0.0"}), "7.0.0"),
            (json!({"ips": [{"address": "10.0.0.2"}]}), "prefix length"),
            (
                json!({"ips": [{"address": "10.0.0.2/24", "interface": 0}]}),
                "interface",
            ),
            (
                json!({"ips": [{"address": "10.0.0.2/24", "gateway": "x"}]}),
                "address",
            ),
            (json!({"routes": [{}]}), "missing field `dst`"),
        ] {
            let error = CniResult::parse(&bad).unwrap_err().to_string();
            assert!(error.contains(reason), "{bad}: {error}");
        }
    }
}
