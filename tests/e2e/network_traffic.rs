//! Traffic of pods, from both sides, as programs on each side see it.

use std::io::{Read, Write};
use std::net::UdpSocket;

use harness::Computer;

use crate::network_lab::{HOST, HOST_V6, Lab, OUTSIDE, OUTSIDE_V6, fetch, greet};
use crate::stocked::IMAGE;

/// A pod of a test, as a computer on which the test can be too.
struct Inside {
    uuid: String,
    computer: Computer,
}

impl Lab {
    /// Starts a pod that does nothing.
    fn inside(&self, name: &str, flags: &[&str]) -> Inside {
        let run = self.host.fairing(["run", "--detach", "--name", name]);
        let run = run
            .args(flags)
            .args([IMAGE, "--exec", "/bin/sleep", "--", "1000"]);
        let uuid = run.run().ok().text().to_owned();
        let status = self.host.fairing(["status", "--format=json", &uuid]).run();
        let init = status.ok().json()["init-pid"].as_u64().unwrap();
        Inside {
            uuid,
            computer: Computer::of_process(u32::try_from(init).unwrap()),
        }
    }
}

/// An address and a port in one text.
fn at(ip: &str, port: u16) -> String {
    match ip.contains(':') {
        true => format!("[{ip}]:{port}"),
        false => format!("{ip}:{port}"),
    }
}

/// Sends a datagram and has it back from where it went. Whose it seemed to be there.
pub(crate) fn exchange(client: &UdpSocket, server: &UdpSocket, to: &str) -> String {
    client.send_to(b"ping", to).unwrap();
    let mut buffer = [0; 8];
    let (length, from) = server.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"ping");
    server.send_to(b"pong", from).unwrap();
    let (length, back) = client.recv_from(&mut buffer).unwrap();
    assert_eq!(
        (&buffer[..length], back.to_string()),
        (&b"pong"[..], to.to_owned())
    );
    from.ip().to_string()
}

#[test]
fn datagrams_go_both_ways_in_both_families() {
    let lab = Lab::new();
    let pod = lab.inside(
        "web",
        &["--port=5353:53/udp", "--port=127.0.0.1:5354:53/udp"],
    );
    for (outside, host, any) in [(OUTSIDE, HOST, "0.0.0.0"), (OUTSIDE_V6, HOST_V6, "::")] {
        // From the pod, under the host's address.
        let server = lab.outside.datagrams(&at(outside, 7000));
        let client = pod.computer.datagrams(&at(any, 0));
        assert_eq!(exchange(&client, &server, &at(outside, 7000)), host);
        // To the pod, which sees who asks.
        let server = pod.computer.datagrams(&at(any, 53));
        let client = lab.outside.datagrams(&at(outside, 0));
        assert_eq!(exchange(&client, &server, &at(host, 5353)), outside);
        // From the host.
        let client = lab.machine.datagrams(&at(any, 0));
        assert_eq!(exchange(&client, &server, &at(host, 5353)), host);
        if any == "0.0.0.0" {
            exchange(&client, &server, "127.0.0.1:5353");
            exchange(&client, &server, "127.0.0.1:5354");
        }
    }
    lab.stop(&[&pod.uuid]);
}

#[test]
fn pods_see_who_asks() {
    let lab = Lab::new();
    let pod = lab.inside("web", &["--port=8080:80"]);
    let other = lab.inside("other", &[]);
    for (outside, host, any, ipv4) in [
        (OUTSIDE, HOST, "0.0.0.0", true),
        (OUTSIDE_V6, HOST_V6, "::", false),
    ] {
        let published = at(host, 8080);
        let direct = at(&lab.address("web", ipv4), 80);
        let own = lab.address("other", ipv4);
        for (from, to, seen) in [
            (&lab.outside, &published, outside),
            (&lab.machine, &published, host),
            (&other.computer, &direct, own.as_str()),
        ] {
            let guest = greet(pod.computer.listen(&at(any, 80)));
            let mut welcome = String::new();
            from.connect(to)
                .unwrap()
                .read_to_string(&mut welcome)
                .unwrap();
            assert_eq!(
                (welcome.as_str(), guest.join().unwrap().as_str()),
                ("welcome\n", seen)
            );
        }
        // The host's own address in the network.
        let guest = greet(pod.computer.listen(&at(any, 80)));
        lab.machine
            .connect(&direct)
            .unwrap()
            .read_exact(&mut [0; 8])
            .unwrap();
        let seen = guest.join().unwrap();
        let gateway = lab.listed("web")["networks"][0]["addresses"].clone();
        let gateways: Vec<_> = gateway
            .as_array()
            .unwrap()
            .iter()
            .map(|a| a["gateway"].clone())
            .collect();
        assert!(
            gateways.contains(&seen.as_str().into()),
            "{seen}: {gateways:?}"
        );
    }
    lab.stop(&[&pod.uuid, &other.uuid]);
}

#[test]
fn packets_are_as_large_as_the_way_out_takes() {
    let lab = Lab::new();
    lab.machine.sh("ip link set uplink mtu 1400");
    lab.outside.sh("ip link set eth0 mtu 1400");
    let mtu = "cat /sys/class/net/eth0/mtu 2>/dev/null || ip link show eth0 | sed -n 's/.* mtu \\([0-9]*\\) .*/\\1/p'";
    let create = ["network", "create", "small", "--mtu", "1300"];
    lab.host.fairing(create).run().ok();
    for (net, expected) in [
        ("default", "1400\n"),
        ("ptp", "1400\n"),
        ("small", "1300\n"),
    ] {
        let net = format!("--net={net}");
        assert_eq!(lab.pod(&[&net], mtu), expected, "{net}");
        for outside in [OUTSIDE, OUTSIDE_V6] {
            // Much more than one packet, in both directions.
            const AMOUNT: usize = 300_000;
            let listener = lab.outside.listen(&at(outside, 7000));
            let echo = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut received = vec![0; AMOUNT];
                stream.read_exact(&mut received).unwrap();
                stream.write_all(&received).unwrap();
            });
            let script = format!("head -c {AMOUNT} /dev/zero | nc {outside} 7000 | wc -c");
            assert_eq!(lab.pod(&[&net], &script).trim(), AMOUNT.to_string());
            echo.join().unwrap();
        }
    }
}

#[test]
fn a_restricted_network_is_for_the_host_and_among_themselves() {
    let lab = Lab::new();
    let restricted = "--net=default-restricted";
    let pod = lab.server("web", &[restricted, "--port=8080:80"]);
    let open = lab.server("open", &["--port=8081:80"]);
    let kin = lab.inside("kin", &[restricted]);
    for ipv4 in [true, false] {
        let (outside, host) = match ipv4 {
            true => (OUTSIDE, HOST),
            false => (OUTSIDE_V6, HOST_V6),
        };
        let address = at(&lab.address("web", ipv4), 80);
        assert_eq!(fetch(&kin.computer, &address), "web");
        assert_eq!(fetch(&lab.machine, &address), "web");
        assert_eq!(fetch(&lab.machine, &at(host, 8080)), "web");
        // Nobody outside gets in, even by a way that they make up, or by the published port; and nobody gets out,
        // even by a way of their own.
        let subnet = lab.address("web", ipv4);
        lab.outside.sh(&format!("ip route add {subnet} via {host}"));
        let gateway = lab.listed("kin")["networks"][0]["addresses"].clone();
        let gateway = gateway
            .as_array()
            .unwrap()
            .iter()
            .find(|a| a["gateway"].as_str().unwrap().contains(':') != ipv4);
        let gateway = gateway.unwrap()["gateway"].as_str().unwrap().to_owned();
        kin.computer
            .sh(&format!("ip route add default via {gateway}"));
        let server = lab.outside.datagrams(&at(outside, 7000));
        let any = if ipv4 { "0.0.0.0:0" } else { "[::]:0" };
        kin.computer
            .datagrams(any)
            .send_to(b"out", at(outside, 7000))
            .unwrap();
        let listener = lab.outside.listen(&at(outside, 7000));
        let refused = |from: &Computer, to: &str| {
            let address: std::net::SocketAddr = to.parse().unwrap();
            let patience = std::time::Duration::from_millis(300);
            from.within(|| std::net::TcpStream::connect_timeout(&address, patience))
                .is_err()
        };
        assert!(refused(&lab.outside, &address));
        assert!(refused(&lab.outside, &at(host, 8080)));
        assert!(refused(&kin.computer, &at(outside, 7000)));
        // Nor do they get to other pods by ports that these publish.
        assert!(refused(&kin.computer, &at(host, 8081)));
        assert_eq!(fetch(&lab.outside, &at(host, 8081)), "open");
        // What the host sends comes; what the pod sent before didn't.
        let host_side = lab.machine.datagrams(any);
        host_side.send_to(b"host", at(outside, 7000)).unwrap();
        let mut buffer = [0; 8];
        let length = server.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"host");
        drop(listener);
    }
    lab.stop(&[&pod, &open, &kin.uuid]);
}
