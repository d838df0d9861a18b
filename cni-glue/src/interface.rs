//! The network interfaces of a machine that has none but those that its maker gave it: whoever is in the machine sets them
//! up as it is told.

use serde::{Deserialize, Serialize};

use crate::error::NetworkError;
use crate::mac::Mac;
use crate::netlink::message::Batch;
use crate::netlink::route::Route;
use crate::netlink::{address, link, route};
use crate::netns::Netns;
use crate::status::PodRoute;
use crate::subnet::IpNet;

/// An interface, and what it is to become.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct InterfaceConfig {
    /// The hardware address by which it is found: the kernel's names follow the order in which it finds devices.
    pub mac: Mac,
    /// What it is called from then on.
    pub name: String,
    /// Its largest packet; the kernel's choice if absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mtu: Option<u32>,
    /// Its addresses.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub addresses: Vec<IpNet>,
    /// Routes that leave by it. A gateway is reached by an address or a route that stands before.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub routes: Vec<PodRoute>,
}

impl Netns {
    /// Names an interface of this namespace, and gives it its addresses and routes. It is up then.
    ///
    /// # Errors
    /// [`NetworkError`] if there is none with that hardware address, or the kernel refuses.
    pub fn set_up_interface(&mut self, config: &InterfaceConfig) -> Result<(), NetworkError> {
        let InterfaceConfig {
            mac,
            name,
            mtu,
            addresses,
            routes,
        } = config;
        let index = self.index_of(*mac)?;
        let mut batch = Batch::default();
        link::rename(&mut batch, index, name, *mtu);
        for net in addresses {
            address::add(&mut batch, index, net);
        }
        // Routes are refused while it is down.
        link::set_up(&mut batch, index);
        for PodRoute {
            destination,
            gateway,
        } in routes
        {
            let route = Route {
                destination: *destination,
                gateway: *gateway,
                link: index,
            };
            route::add(&mut batch, &route);
        }
        self.rtnetlink()
            .apply_all(&batch)
            .map_err(NetworkError::at(format!("set up the interface {name}")))
    }

    /// Gives an interface of this namespace, which is down, another hardware address.
    ///
    /// # Errors
    /// [`NetworkError`] if there is none with the old one, or the kernel refuses.
    pub fn change_mac(&mut self, old: Mac, new: Mac) -> Result<(), NetworkError> {
        let index = self.index_of(old)?;
        let mut batch = Batch::default();
        link::set_mac(&mut batch, index, new);
        self.rtnetlink()
            .apply_all(&batch)
            .map_err(NetworkError::at(format!(
                "change the address {old} to {new}"
            )))
    }

    fn index_of(&mut self, mac: Mac) -> Result<u32, NetworkError> {
        let links = self
            .rtnetlink()
            .links()
            .map_err(NetworkError::at("list network interfaces"))?;
        let found = links.iter().find(|link| link.mac == Some(mac));
        Ok(found.ok_or(NetworkError::NoInterface(mac))?.index)
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use serde_json::json;

    use super::*;

    fn ip(netns: &Netns, arguments: &str) -> String {
        let output = netns.inside(|| Command::new("ip").args(arguments.split(' ')).output());
        let output = output.unwrap().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn an_interface_is_found_by_its_hardware_address_and_becomes_what_is_told() {
        let mut netns = Netns::with_loopback().unwrap();
        ip(
            &netns,
            "link add eth7 address 02:00:00:00:00:07 type veth peer name other",
        );
        ip(&netns, "link set other up");
        let told = json!({
            "mac": "02:00:00:00:00:07",
            "name": "net0",
            "mtu": 1400,
            "addresses": ["10.9.0.2/24", "fd00:9::2/64"],
            "routes": [
                {"destination": "0.0.0.0/0", "gateway": "10.9.0.1"},
                {"destination": "::/0", "gateway": "fd00:9::1"},
            ],
        });
        let config: InterfaceConfig = serde_json::from_value(told.clone()).unwrap();
        assert_eq!(serde_json::to_value(&config).unwrap(), told);
        netns.set_up_interface(&config).unwrap();
        let shown = ip(&netns, "addr show net0");
        for part in ["mtu 1400", "10.9.0.2/24", "fd00:9::2/64", "UP"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert!(ip(&netns, "route").contains("default via 10.9.0.1 dev net0"));
        assert!(ip(&netns, "-6 route").contains("default via fd00:9::1 dev net0"));
    }

    #[test]
    fn an_interface_gets_another_hardware_address_and_is_found_by_that() {
        let mut netns = Netns::with_loopback().unwrap();
        ip(
            &netns,
            "link add eth7 address 02:00:00:00:00:07 type veth peer name other",
        );
        let [old, new] = ["02:00:00:00:00:07", "0a:58:0a:09:00:02"].map(|mac| mac.parse().unwrap());
        netns.change_mac(old, new).unwrap();
        assert!(ip(&netns, "link show eth7").contains("0a:58:0a:09:00:02"));
        let error = netns.change_mac(old, new).unwrap_err().to_string();
        assert!(error.contains("02:00:00:00:00:07"), "{error}");
    }

    #[test]
    fn what_is_not_there_and_what_is_refused_is_named() {
        let mut netns = Netns::with_loopback().unwrap();
        ip(
            &netns,
            "link add eth7 address 02:00:00:00:00:07 type veth peer name other",
        );
        let config = |mac: &str, gateway: &str| InterfaceConfig {
            mac: mac.parse().unwrap(),
            name: "net0".to_owned(),
            mtu: None,
            addresses: vec!["10.9.0.2/24".parse().unwrap()],
            routes: vec![PodRoute {
                destination: "0.0.0.0/0".parse().unwrap(),
                gateway: Some(gateway.parse().unwrap()),
            }],
        };
        let error = netns.set_up_interface(&config("02:00:00:00:00:08", "10.9.0.1"));
        let error = error.unwrap_err().to_string();
        assert!(error.contains("02:00:00:00:00:08"), "{error}");
        let error = netns.set_up_interface(&config("02:00:00:00:00:07", "10.10.0.1"));
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("cannot set up the interface net0"),
            "{error}"
        );
    }
}
