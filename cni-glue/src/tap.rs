//! Interfaces of a namespace as a virtual machine has them: what comes in by one goes to the machine as it is, and the other
//! way round. The machine gets the hardware address, the addresses and the routes, so that nobody sees a difference.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, openat};

use crate::error::NetworkError;
use crate::id::InterfaceName;
use crate::interface::InterfaceConfig;
use crate::netlink::link;
use crate::netlink::message::Batch;
use crate::netlink::redirect;
use crate::netns::Netns;
use crate::status::PodRoute;
use crate::sys;

/// What names of taps begin with. The rest is the name of the interface.
pub const TAPS: &str = "tap-";
const DEVICE: &str = "/dev/net/tun";

/// An interface of a machine.
#[derive(Debug)]
pub struct Tap {
    /// Its other end, by which the machine's emulator sends and receives. It goes with the last who has it open.
    pub device: OwnedFd,
    /// What the machine is to make of it.
    pub config: InterfaceConfig,
}

impl Netns {
    /// Hands an interface of this namespace to a machine. Nothing in the namespace receives anything by it any more.
    ///
    /// # Errors
    /// [`NetworkError`] if there is none of that name, or the kernel refuses.
    pub fn hand_to_machine(&mut self, name: &InterfaceName) -> Result<Tap, NetworkError> {
        let failed = || NetworkError::at(format!("hand the interface {name} to a machine"));
        let missing = || NetworkError::NoSuchInterface(name.to_string());
        let tap_name = format!("{TAPS}{name}");
        let tap_name = tap_name.get(..TAP_NAME_MAX).unwrap_or(&tap_name);
        let own = self.rtnetlink().link(name.as_str());
        let own = own.map_err(failed())?.ok_or_else(missing)?;
        let device = self.inside(|| {
            let flags = OFlags::RDWR | OFlags::CLOEXEC;
            let device = openat(CWD, DEVICE, flags, Mode::empty())?;
            sys::become_tap(device.as_fd(), tap_name)?;
            Ok::<_, std::io::Error>(device)
        })?;
        let device = device.map_err(NetworkError::at(format!("make the interface {tap_name}")))?;
        let rtnetlink = self.rtnetlink();
        let tap = rtnetlink.link(tap_name).map_err(failed())?;
        let tap = tap.ok_or_else(|| NetworkError::NoSuchInterface(tap_name.to_owned()))?;
        let addresses = rtnetlink.addresses().map_err(failed())?.into_iter();
        let addresses: Vec<_> = addresses
            .filter(|address| address.link == own.index && address.global)
            .map(|address| address.address)
            .collect();
        let routes = rtnetlink.routes().map_err(failed())?.into_iter();
        let mut routes: Vec<_> = routes
            .filter(|route| route.link == own.index)
            .map(|route| PodRoute {
                destination: route.destination,
                gateway: route.gateway,
            })
            .collect();
        // The kernel of the machine makes these by itself.
        routes.retain(|route| {
            let of_address = |net: &crate::subnet::IpNet| net.network() == route.destination;
            let is_usual = route.gateway.is_none() && addresses.iter().any(of_address);
            !is_usual && !is_link_local(route)
        });
        // A gateway may be reached by a route of its own.
        routes.sort_by_key(|route| route.gateway.is_some());
        let mut batch = Batch::default();
        link::rename(&mut batch, tap.index, tap_name, Some(own.mtu));
        link::set_up(&mut batch, tap.index);
        redirect::add(&mut batch, own.index, tap.index);
        redirect::add(&mut batch, tap.index, own.index);
        rtnetlink.apply_all(&batch).map_err(failed())?;
        Ok(Tap {
            device,
            config: InterfaceConfig {
                mac: own.mac.ok_or_else(missing)?,
                name: name.to_string(),
                mtu: Some(own.mtu),
                addresses,
                routes,
            },
        })
    }
}

/// Bytes of the name of an interface, at most.
const TAP_NAME_MAX: usize = 15;

fn is_link_local(route: &PodRoute) -> bool {
    match route.destination.address() {
        std::net::IpAddr::V4(_) => false,
        std::net::IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn ip(netns: &Netns, arguments: &str) -> String {
        let output = netns.inside(|| Command::new("ip").args(arguments.split(' ')).output());
        let output = output.unwrap().unwrap();
        assert!(output.status.success(), "{arguments}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn a_machine_gets_what_the_interface_has_and_what_comes_in_by_it() {
        let mut netns = Netns::with_loopback().unwrap();
        for arguments in [
            "link add eth0 mtu 1400 address 02:00:00:00:00:07 type veth peer name other",
            "addr add 10.9.0.2/24 dev eth0",
            "addr add fd00:9::2/64 dev eth0 nodad",
            "link set eth0 up",
            "link set other up",
            "route add 10.10.0.1 dev eth0",
            "route add default via 10.9.0.1",
        ] {
            ip(&netns, arguments);
        }
        let name = "eth0".parse().unwrap();
        let tap = netns.hand_to_machine(&name).unwrap();
        let InterfaceConfig {
            mac,
            name,
            mtu,
            addresses,
            routes,
        } = tap.config;
        assert_eq!(mac.to_string(), "02:00:00:00:00:07");
        assert_eq!((name.as_str(), mtu), ("eth0", Some(1400)));
        let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["10.9.0.2/24", "fd00:9::2/64"]);
        let routes: Vec<_> = routes
            .iter()
            .map(|route| (route.destination.to_string(), route.gateway))
            .collect();
        let expected = [
            ("10.10.0.1/32".to_owned(), None),
            ("0.0.0.0/0".to_owned(), Some("10.9.0.1".parse().unwrap())),
        ];
        assert_eq!(routes, expected);
        // A packet that comes in by the interface is the machine's.
        let marker = [0xab; 60];
        let frame = [
            &[2, 0, 0, 0, 0, 7, 2, 0, 0, 0, 0, 8, 0x88, 0xb5][..],
            &marker,
        ]
        .concat();
        let sent = netns.inside(|| sys::send_frame("other", &frame));
        sent.unwrap().unwrap();
        let mut buffer = [0; 2048];
        loop {
            // After a header of ten bytes (virtio), the packet as it was.
            let count = rustix::io::read(&tap.device, &mut buffer).unwrap();
            if buffer[..count].ends_with(&frame) {
                break;
            }
        }
        assert!(ip(&netns, "link show tap-eth0").contains("mtu 1400"));
        drop(tap.device);
        let error = netns.hand_to_machine(&"eth1".parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("eth1"), "{error}");
    }
}
