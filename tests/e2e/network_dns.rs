//! Whom a pod asks for names, with somebody there who answers.

use std::net::Ipv4Addr;

use crate::dns_server::DnsServer;
use crate::network_lab::{Lab, OUTSIDE};

const NAME: &str = "db.corp.example";
const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 99);

fn server(lab: &Lab) -> DnsServer {
    DnsServer::new(&lab.outside, &format!("{OUTSIDE}:53"), NAME, ADDRESS)
}

/// Looks a name up in a pod, as its files say.
#[track_caller]
fn look_up(lab: &Lab, flags: &[&str], name: &str) -> String {
    lab.pod(flags, &format!("nslookup {name} 2>&1; :"))
}

#[track_caller]
fn expect_found(output: &str) {
    assert!(output.contains(&ADDRESS.to_string()), "{output}");
}

#[test]
fn the_server_of_the_command_line_is_asked_and_short_names_are_completed() {
    let lab = Lab::new();
    let server = server(&lab);
    let dns = format!("--dns={OUTSIDE}");
    expect_found(&look_up(&lab, &[&dns], NAME));
    let output = look_up(&lab, &[&dns], "db");
    assert!(!output.contains(&ADDRESS.to_string()), "{output}");
    expect_found(&look_up(&lab, &[&dns, "--dns-search=corp.example"], "db"));
    let asked = server.asked();
    assert!(asked.iter().any(|name| name == "db"), "{asked:?}");
}

#[test]
fn the_server_that_a_network_names_is_asked() {
    let lab = Lab::new();
    let _server = server(&lab);
    lab.host.write(
        "etc/net.d/lan.conflist",
        format!(
            r#"{{"cniVersion": "1.1.0", "name": "lan", "plugins": [{{"type": "fairing-cni", "mode": "bridge",
                "dns": {{"nameservers": ["{OUTSIDE}"], "search": ["corp.example"]}}}}]}}"#
        ),
    );
    expect_found(&look_up(&lab, &["--net=lan"], "db"));
}

#[test]
fn the_hosts_server_is_asked_where_nobody_says_otherwise() {
    let resolv_conf = format!("nameserver {OUTSIDE}\nsearch corp.example\n");
    let lab = Lab::with_resolv_conf(&resolv_conf, None);
    let _server = server(&lab);
    expect_found(&look_up(&lab, &[], "db"));
    expect_found(&look_up(&lab, &["--dns=host"], "db"));
}

#[test]
fn where_the_host_asks_itself_pods_ask_whom_it_asks() {
    let resolv_conf = "nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch .\n";
    let upstream = format!("nameserver {OUTSIDE}\nsearch corp.example\n");
    let lab = Lab::with_resolv_conf(resolv_conf, Some(&upstream));
    let _server = server(&lab);
    expect_found(&look_up(&lab, &[], "db"));
    // As it is on the host, where that address is somebody else.
    assert_eq!(
        lab.pod(&["--dns=host"], "cat /etc/resolv.conf"),
        resolv_conf
    );
}

#[test]
fn a_resolver_on_the_hosts_loopback_alone_is_no_pods() {
    // Without systemd-resolved nobody says whom it asks.
    let lab = Lab::with_resolv_conf("nameserver 127.0.0.1\nsearch corp.example\n", None);
    let at_home = DnsServer::new(&lab.machine, "127.0.0.1:53", NAME, ADDRESS);
    assert_eq!(
        lab.pod(&[], "cat /etc/resolv.conf"),
        "search corp.example\n"
    );
    assert!(!look_up(&lab, &[], "db").contains(&ADDRESS.to_string()));
    assert_eq!(at_home.asked(), Vec::<String>::new());
    // On the host's own network it is theirs too.
    expect_found(&look_up(&lab, &["--net=host"], "db"));
    // And one that is told whom to ask asks.
    let _server = server(&lab);
    expect_found(&look_up(&lab, &[&format!("--dns={OUTSIDE}")], "db"));
}
