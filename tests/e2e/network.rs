//! The networks that a pod joins.

use crate::network_lab::{HOST, HOST_V6, Lab, OUTSIDE, OUTSIDE_V6, greet};
use crate::stocked::IMAGE;

#[test]
fn a_pod_reaches_the_outside_under_the_hosts_address() {
    let lab = Lab::new();
    let before = lab.traces();
    for (bind, target, seen) in [
        (format!("{OUTSIDE}:7000"), OUTSIDE, HOST),
        (format!("[{OUTSIDE_V6}]:7000"), OUTSIDE_V6, HOST_V6),
    ] {
        let guest = greet(lab.outside.listen(&bind));
        assert_eq!(lab.pod(&[], &format!("nc {target} 7000")), "welcome\n");
        assert_eq!(guest.join().unwrap(), seen);
    }
    lab.host.collect();
    lab.expect_traces(&before);
}

#[test]
fn a_restricted_pod_reaches_the_host_alone() {
    let lab = Lab::new();
    let _listener = lab.outside.listen(&format!("{OUTSIDE}:7000"));
    let script = format!(
        "ip route | grep -c default
         nc {OUTSIDE} 7000 2>&1 </dev/null && echo reached
         gateway=$(ip -o -4 addr show dev eth0 | sed 's/.* \\([0-9.]*\\)\\.[0-9]*\\.[0-9]*\\/.*/\\1.0.1/')
         nc $gateway 7002"
    );
    let gateway = greet(lab.machine.listen("0.0.0.0:7002"));
    let output = lab.pod(&["--net=default-restricted"], &script);
    assert!(output.starts_with("0\n"), "{output}");
    assert!(!output.contains("reached"), "{output}");
    assert!(output.ends_with("welcome\n"), "{output}");
    gateway.join().unwrap();
}

#[test]
fn none_is_a_loopback_and_host_is_the_hosts_own() {
    let lab = Lab::new();
    let links = "ip -o link | cut -d: -f2 | cut -d@ -f1";
    assert_eq!(lab.pod(&["--net=none"], links).trim(), "lo");
    assert_eq!(
        lab.pod(&["--net=host"], links),
        lab.machine.sh("ip -o link | cut -d: -f2 | cut -d@ -f1")
    );
}

#[test]
fn networks_give_interfaces_in_the_order_of_their_files() {
    let lab = Lab::new();
    for (file, name, subnet) in [
        ("20-back", "back", "10.98.0.0/24"),
        ("10-front", "front", "10.97.0.0/24"),
    ] {
        lab.host.write(
            format!("etc/net.d/{file}.conflist"),
            format!(
                r#"{{"cniVersion": "1.1.0", "name": "{name}", "plugins": [{{"type": "fairing-cni",
                "mode": "bridge", "subnet": "{subnet}", "capabilities": {{"ips": true}}}}]}}"#
            ),
        );
    }
    let addresses =
        "ip -o -4 addr | grep eth | sed 's/.*\\(eth[0-9]\\) .*inet \\([0-9.]*\\).*/\\1 \\2/'";
    let output = lab.pod(
        &["--net=back:IP=10.98.0.7", "--net=front:IP=10.97.0.8"],
        addresses,
    );
    assert_eq!(output, "eth0 10.97.0.8\neth1 10.98.0.7\n");
    let all = lab.pod(&["--net=all"], addresses);
    assert_eq!(all.lines().count(), 3, "{all}");
    lab.host
        .fairing(["run", "--net=front,left,right", IMAGE])
        .run()
        .expect_error(121, &["left, right", "back", "default"]);
    assert!(lab.host.pod_folders().is_empty());
}

#[test]
fn what_a_pod_has_of_networks_is_shown() {
    let lab = Lab::new();
    let pod = lab.server("web", &["--port", "8080:80"]);
    let address = lab.address("web", true);
    let list = lab.host.fairing(["list", "--full"]).run().ok();
    assert!(list.stdout.contains(&address), "{list}");
    assert!(list.stdout.contains("8080/tcp -> 80"), "{list}");
    let status = lab.host.fairing(["status", &pod]).run().ok();
    assert!(
        status
            .stdout
            .contains(&format!("network-default=eth0 {address}/")),
        "{status}"
    );
    assert!(status.stdout.contains("port=8080/tcp -> 80\n"), "{status}");
    assert!(!status.stdout.contains("network-failure"), "{status}");
    let inspect = lab
        .host
        .fairing(["network", "inspect", "default"])
        .run()
        .ok()
        .json();
    assert_eq!(inspect["pods"][0]["name"], "web");

    // Somebody takes its interface away.
    lab.host
        .fairing(["enter", &pod, "--", "/bin/true"])
        .run()
        .ok();
    let init = lab
        .host
        .fairing(["status", "--format=json", &pod])
        .run()
        .ok()
        .json();
    let init = init["init-pid"].as_i64().unwrap();
    let taken = std::process::Command::new("nsenter")
        .args(["-t", &init.to_string(), "-n", "ip", "link", "del", "eth0"])
        .status();
    assert!(taken.unwrap().success());
    let status = lab.host.fairing(["status", &pod]).run().ok();
    assert!(status.stdout.contains("network-failure="), "{status}");
    lab.stop(&[&pod]);
}

#[test]
fn networks_are_configured_used_and_removed() {
    let lab = Lab::new();
    let before = lab.traces();
    let fairing = |words: &[&str]| lab.host.fairing(words).run();
    fairing(&["network", "create", "lan", "--subnet", "10.99.0.0/24"]).ok();
    fairing(&["network", "create", "lan"]).expect_error(120, &["lan already"]);
    fairing(&["network", "create", "bad", "--subnet6", "10.0.0.0/24"]).expect_code(2);
    let listed = fairing(&["network", "list", "--format=json"]).ok().json();
    let names: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["name"].as_str().unwrap().to_owned())
        .collect();
    assert!(names.contains(&"lan".to_owned()) && names.contains(&"default".to_owned()));
    let pod = lab.server("web", &["--net=lan"]);
    assert!(lab.address("web", true).starts_with("10.99.0."));
    fairing(&["network", "rm", "lan"]).expect_error(125, &["in use", "pod web"]);
    lab.stop(&[&pod]);
    let removed = fairing(&["network", "rm", "lan"]).ok();
    assert_eq!(removed.stdout, "lan\n");
    fairing(&["network", "rm", "default"]).expect_error(125, &["built in"]);
    fairing(&["run", "--net=lan", IMAGE]).expect_error(121, &["lan"]);
    lab.expect_traces(&before);
}

#[test]
fn another_programs_chain_that_stops_pods_is_named() {
    let lab = Lab::new();
    lab.machine.sh(
        "nft 'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'",
    );
    let warning = "warning: the chain `ip filter FORWARD` of another program";
    let run = |net: &str| {
        let run = lab.host.fairing(["run", "--rm", net, IMAGE, "--"]);
        run.arg("/bin/true").run().ok()
    };
    for quiet in ["none", "host", "default-restricted"] {
        let output = run(&format!("--net={quiet}"));
        assert!(!output.stderr.contains("chain"), "{output}");
    }
    // Whoever starts the first pod is told, once; those after it find it where they look for reasons.
    let first = run("--net=default");
    assert_eq!(first.stderr.matches(warning).count(), 1, "{first}");
    let second = run("--net=default");
    assert!(!second.stderr.contains("chain"), "{second}");
    let pod = lab.server("web", &[]);
    for words in [&["network", "list"][..], &["status", &pod]] {
        let output = lab.host.fairing(words).run().ok();
        assert_eq!(output.stderr.matches(warning).count(), 1, "{output}");
    }
    let other = run("--net=ptp");
    assert_eq!(other.stderr.matches(warning).count(), 1, "{other}");

    // It is as it says, and what it says helps.
    let guest = lab.outside.listen(&format!("{OUTSIDE}:7000"));
    guest.set_nonblocking(true).unwrap();
    let try_it = format!("nc -w 1 {OUTSIDE} 7000 </dev/null 2>&1; :");
    assert_eq!(lab.within(&pod, &try_it).matches("welcome").count(), 0);
    let error = guest.accept().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    guest.set_nonblocking(false).unwrap();
    for advice in first
        .stderr
        .split('`')
        .filter(|text| text.starts_with("nft "))
    {
        lab.machine.sh(advice);
    }
    let guest = greet(guest);
    assert_eq!(lab.pod(&[], &format!("nc {OUTSIDE} 7000")), "welcome\n");
    guest.join().unwrap();
    let list = lab.host.fairing(["network", "list"]).run().ok();
    assert!(!list.stderr.contains("chain"), "{list}");
    lab.stop(&[&pod]);
}
