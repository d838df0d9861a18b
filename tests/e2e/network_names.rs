//! What names resolve to in a pod.

use crate::network_lab::Lab;

const FILES: &str = "cat /etc/resolv.conf; echo; cat /etc/hosts";

#[test]
fn the_files_of_names_are_as_asked_for() {
    let lab = Lab::new();
    let files = lab.pod(
        &[
            "--name=web",
            "--hostname=web.example.com",
            "--dns=9.9.9.9,2001:db8::53",
            "--dns-search=example.com",
            "--dns-opt=ndots:2",
            "--hosts-entry=10.1.2.3=db,database",
        ],
        FILES,
    );
    let (resolv_conf, hosts) = files.split_once("\n\n").unwrap();
    assert_eq!(
        resolv_conf,
        "nameserver 9.9.9.9\nnameserver 2001:db8::53\nsearch example.com\noptions ndots:2"
    );
    assert!(hosts.contains("\n10.1.2.3\tdb database\n"), "{hosts}");
    // Its own address goes by its names.
    let own = hosts
        .lines()
        .find(|line| line.contains("web.example.com web"));
    assert!(own.is_some_and(|line| !line.starts_with("127.")), "{hosts}");
}

#[test]
fn dns_is_the_hosts_or_nobodys() {
    let lab = Lab::new();
    let hosts_own = std::fs::read_to_string("/etc/resolv.conf").unwrap();
    let show = "cat /etc/resolv.conf";
    assert_eq!(lab.pod(&["--dns=host"], show), hosts_own);
    assert_eq!(lab.pod(&["--dns=none"], show), "");
    assert_eq!(lab.pod(&["--net=none"], show), "");
    assert_eq!(lab.pod(&["--net=host"], show), hosts_own);
}

#[test]
fn what_a_network_says_of_dns_counts_where_nothing_is_asked_for() {
    let lab = Lab::new();
    lab.host.write(
        "etc/net.d/lan.conflist",
        r#"{"cniVersion": "1.0.0", "name": "lan", "plugins": [{"type": "bridge", "bridge": "lan0",
            "ipam": {"type": "host-local", "dataDir": "/run/fairing-test-host-local", "subnet": "10.96.0.0/24"},
            "dns": {"nameservers": ["10.96.0.53"], "domain": "lan.example"}}]}"#
            .replace("/run/fairing-test-host-local", &lab.host.base().join("host-local").display().to_string()),
    );
    assert_eq!(
        lab.pod(&["--net=lan"], "cat /etc/resolv.conf"),
        "nameserver 10.96.0.53\nsearch lan.example\n"
    );
}

#[test]
fn a_pod_finds_those_that_run_already_by_name() {
    let lab = Lab::new();
    let pod = lab.server("web", &[]);
    let address = lab.address("web", true);
    let found = lab.pod(&[], "grep web /etc/hosts");
    assert!(found.contains(&format!("{address}\tweb\t")), "{found}");
    lab.stop(&[&pod]);
}
