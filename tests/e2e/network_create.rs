//! Networks that can't be made are refused when they are configured, and not when the first pod wants to join.

use crate::network_lab::Lab;
use crate::stocked::IMAGE;

/// Expects that a network can't be created, for this reason, and that nothing is written.
#[track_caller]
fn refused(lab: &Lab, arguments: &[&str], code: i32, parts: &[&str]) {
    let folder = lab.host.local_config().join("net.d");
    let files = || {
        let names = std::fs::read_dir(&folder).map(|entries| {
            let names = entries.map(|entry| entry.unwrap().file_name());
            names.collect::<std::collections::BTreeSet<_>>()
        });
        names.unwrap_or_default()
    };
    let before = files();
    let create = lab.host.fairing(["network", "create"]).args(arguments);
    create.run().expect_error(code, parts);
    assert_eq!(files(), before);
}

#[track_caller]
fn create(lab: &Lab, arguments: &[&str]) {
    let create = lab.host.fairing(["network", "create"]).args(arguments);
    create.run().ok();
}

#[test]
fn a_subnet_that_meets_a_route_is_refused_by_the_routes_name() {
    let lab = Lab::new();
    lab.machine
        .sh("ip route add 10.77.0.0/16 dev uplink; ip route add fd77::/32 dev uplink");
    for (flag, subnet, route) in [
        ("--subnet", "10.77.1.0/24", "10.77.0.0/16"),
        ("--subnet", "10.64.0.0/10", "10.77.0.0/16"),
        ("--subnet", "192.0.2.0/24", "192.0.2.0/24"),
        ("--subnet6", "fd77:0:1::/64", "fd77::/32"),
    ] {
        let route = format!("the host's route to {route} by uplink");
        for mode in ["--mode=bridge", "--mode=ptp"] {
            refused(
                &lab,
                &["lan", flag, subnet, mode],
                125,
                &["network lan", subnet, &route],
            );
        }
    }
    // Pods of such a network are where the host's interface is.
    create(&lab, &["over", "--mode=macvlan", "--subnet=192.0.2.0/24"]);
    // What was free is so still once somebody joins.
    create(
        &lab,
        &["lan", "--subnet=10.78.0.0/16", "--subnet6=fd78::/64"],
    );
    let run = lab.host.fairing(["run", "--rm", "--net=lan", IMAGE]);
    run.args(["--exec", "/bin/true"]).run().ok();
}

#[test]
fn a_subnet_of_another_network_is_refused_by_the_networks_name() {
    let lab = Lab::new();
    // Nobody is in it.
    create(
        &lab,
        &["one", "--subnet=10.99.0.0/24", "--subnet6=fd99::/64"],
    );
    let parts = [
        "network two",
        "10.99.0.128/25",
        "10.99.0.0/24 of network one",
    ];
    refused(&lab, &["two", "--subnet=10.99.0.128/25"], 125, &parts);
    let parts = ["network two", "fd99::/16", "fd99::/64 of network one"];
    refused(&lab, &["two", "--subnet6=fd99::/16"], 125, &parts);
    // Whose subnet was chosen when a pod joined.
    let pod = lab.server("web", &[]);
    let parts = [
        "network two",
        "10.172.5.0/24",
        "10.172.0.0/16 of network default",
    ];
    refused(&lab, &["two", "--subnet=10.172.5.0/24"], 125, &parts);
    lab.stop(&[&pod]);
    // It is free again with the configuration.
    lab.host.fairing(["network", "rm", "one"]).run().ok();
    create(&lab, &["two", "--subnet=10.99.0.128/25"]);
}

#[test]
fn a_name_that_is_taken_is_refused_with_where_it_is() {
    let lab = Lab::new();
    refused(
        &lab,
        &["default"],
        120,
        &["network default already", "built in"],
    );
    let list = |name: &str| {
        format!(r#"{{"cniVersion": "1.0.0", "name": "{name}", "plugins": [{{"type": "bridge"}}]}}"#)
    };
    for (name, file) in [
        ("own", "etc/net.d/10-own.conflist"),
        ("vendors", "usr/net.d/vendors.conflist"),
        ("cni", "cni/cni.conflist"),
    ] {
        let path = lab.host.write(file, list(name));
        let place = path.display().to_string();
        refused(
            &lab,
            &[name],
            120,
            &[&format!("network {name} already"), &place],
        );
    }
    // A file that is somebody else's is not written over.
    let path = lab.host.write("etc/net.d/lan.conflist", list("other"));
    let place = path.display().to_string();
    refused(&lab, &["lan"], 125, &[&place, "already exists"]);
    assert_eq!(std::fs::read_to_string(path).unwrap(), list("other"));
    for word in ["none", "host", "all"] {
        refused(&lab, &[word], 2, &[word, "--net="]);
    }
}

#[test]
fn of_networks_that_are_created_at_once_each_sees_those_before_it() {
    let lab = Lab::new();
    let folder = lab.host.local_config().join("net.d");
    std::fs::create_dir_all(&folder).unwrap();
    // What a killed one has left.
    std::fs::write(folder.join(".killed.new"), "{").unwrap();
    let create = |arguments: [String; 2]| {
        let create = lab.host.fairing(["network", "create"]);
        create.args(arguments).spawn()
    };
    let one_name = (0..6).map(|n| ["lan".to_owned(), format!("--subnet=10.{}.0.0/24", 80 + n)]);
    let one_subnet = (0..6).map(|n| [format!("net{n}"), "--subnet=10.90.0.0/24".to_owned()]);
    let [named, placed] = [one_name.collect::<Vec<_>>(), one_subnet.collect()].map(|lines| {
        let running: Vec<_> = lines
            .into_iter()
            .map(|line| (line.clone(), create(line)))
            .collect();
        let ended = running.into_iter().map(|(line, one)| (line, one.wait()));
        let made = ended.filter(|(_, output)| output.code == Some(0));
        made.map(|(line, _)| line).collect::<Vec<_>>()
    });
    assert_eq!((named.len(), placed.len()), (1, 1), "{named:?} {placed:?}");
    // What the one that succeeded said is what is there.
    let subnet = named[0][1].trim_start_matches("--subnet=");
    let file = std::fs::read_to_string(folder.join("lan.conflist")).unwrap();
    assert!(file.contains(subnet), "{file}");
    let names = std::fs::read_dir(&folder).unwrap();
    assert!(
        names
            .flatten()
            .all(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
    );
}
