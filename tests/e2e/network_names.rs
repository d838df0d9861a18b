//! What names resolve to in a pod.

use std::fs;

use harness::{ImageBuilder, Layer};

use crate::network_lab::Lab;
use crate::stocked::{IDLE, IMAGE};

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
fn the_hosts_dns_is_completed_by_what_is_asked_for() {
    let lab = Lab::with_resolv_conf(
        "# ours\nnameserver 192.0.2.53\nsearch corp.example\noptions edns0\n",
        None,
    );
    let show = "cat /etc/resolv.conf";
    assert_eq!(
        lab.pod(
            &[
                "--dns=host",
                "--dns-search=a.example",
                "--dns-search=b.example"
            ],
            show
        ),
        "# ours\nnameserver 192.0.2.53\noptions edns0\nsearch a.example b.example\n"
    );
    assert_eq!(
        lab.pod(&["--dns=host", "--dns-opt=ndots:2", "--net=host"], show),
        "# ours\nnameserver 192.0.2.53\nsearch corp.example\noptions ndots:2\n"
    );
}

#[test]
fn on_the_hosts_network_its_own_resolver_is_kept() {
    let lab = Lab::with_resolv_conf("nameserver 127.0.0.1\nsearch corp.example\n", None);
    assert_eq!(
        lab.pod(
            &["--net=host", "--dns-search=a.example"],
            "cat /etc/resolv.conf"
        ),
        "nameserver 127.0.0.1\nsearch a.example\n"
    );
}

#[test]
fn name_servers_that_nobody_would_ask_are_told_of() {
    let lab = Lab::new();
    let run = |dns: &str| {
        let run = lab.host.fairing(["run", "--rm", dns, IMAGE, "--"]);
        run.args(["cat", "/etc/resolv.conf"]).run().ok()
    };
    let asked = "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n";
    let three = run("--dns=192.0.2.1,192.0.2.2,192.0.2.3");
    assert_eq!(three.stdout, asked);
    assert!(!three.stderr.contains("left out"), "{three}");
    let five = run("--dns=192.0.2.1,192.0.2.2,192.0.2.3,192.0.2.4,2001:db8::5");
    assert_eq!(five.stdout, asked);
    let told: Vec<_> = five
        .stderr
        .lines()
        .filter(|line| line.contains("--dns"))
        .collect();
    assert_eq!(told.len(), 1, "{five}");
    assert!(
        told[0].ends_with("left out: 192.0.2.4, 2001:db8::5"),
        "{five}"
    );
}

#[test]
fn dns_flags_that_make_no_sense_are_named() {
    let lab = Lab::new();
    for (flags, parts) in [
        (
            &["--dns=none", "--dns=host"][..],
            &["--dns:", "\"host\" and \"none\""][..],
        ),
        (&["--dns=host,none"], &["--dns:", "\"host\" and \"none\""]),
        (
            &["--dns=192.0.2.1", "--dns=host"],
            &["--dns:", "\"host\"", "name servers"],
        ),
        (
            &["--dns=none,192.0.2.1"],
            &["--dns:", "\"none\"", "name servers"],
        ),
        (
            &["--dns=dns.example"],
            &["--dns:", "\"dns.example\" is not a name server"],
        ),
        (
            &["--dns-search=a b"],
            &["--dns-search:", "\"a b\" is not a domain"],
        ),
        (&["--dns-search="], &["--dns-search:", "it is empty"]),
        (
            &["--dns-opt=ndots: 2"],
            &["--dns-opt:", "\"ndots: 2\" is not an option"],
        ),
    ] {
        let run = lab.host.fairing(["run"]).args(flags);
        run.args([IMAGE, "--exec", "/bin/true"])
            .run()
            .expect_error(2, parts);
    }
    assert!(lab.host.pod_folders().is_empty());
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

#[test]
fn the_files_of_names_are_the_pods_and_not_of_an_apps_root() {
    let names = ["hosts", "hostname", "resolv.conf"];
    let own = names.iter().fold(Layer::new(), |layer, name| {
        layer.file(&format!("etc/{name}"), "of the image\n", 0o644)
    });
    let lab = Lab::with_image(ImageBuilder::busybox().layer(own));
    let run = lab
        .host
        .fairing(["run", "--detach", "--hostname=web.example.com"]);
    let run = run.args(["--dns=192.0.2.53", "--hosts-entry=10.1.2.3=db"]);
    let idle = ["--", "/bin/sh", "-c", IDLE];
    let run = run.args([IMAGE, "--app-name=a"]).args(idle);
    let run = run.args(["---", IMAGE, "--app-name=b"]).args(idle);
    let pod = run.run().ok().text().to_owned();
    let within = |app: &str, script: &str| lab.within_app(&pod, &["--app", app], script);

    let show = "cd /etc; for f in hosts hostname resolv.conf; do echo \"$f:\"; cat $f; done";
    let shown = within("a", show);
    assert_eq!(within("b", show), shown);
    for part in [
        "10.1.2.3\tdb\n",
        "hostname:\nweb.example.com\n",
        "resolv.conf:\nnameserver 192.0.2.53\n",
    ] {
        assert!(shown.contains(part), "{shown}");
    }
    assert!(!shown.contains("of the image"), "{shown}");

    // What one app writes into them is for all; what it writes beside them is its own.
    within(
        "a",
        "for f in hosts hostname resolv.conf; do echo '# by a' >> /etc/$f; done; : > /etc/own",
    );
    let shown = within("b", show);
    assert_eq!(shown.matches("# by a\n").count(), 3, "{shown}");
    assert_eq!(within("a", show), shown);
    assert_eq!(within("b", "ls /etc/own 2>/dev/null; :"), "");
    // They can't be put aside, which would show those of the image.
    within("a", "! rm /etc/hosts && ! mv /etc/resolv.conf /etc/x");

    lab.stop(&[&pod]);
    let changed = |app: &str| {
        let upper = lab
            .host
            .data_dir()
            .join(format!("pods/run/{pod}/apps/{app}/upper"));
        let mut names: Vec<_> = fs::read_dir(upper.join("etc"))
            .map(|entries| entries.map(|entry| entry.unwrap().file_name()).collect())
            .unwrap_or_default();
        names.sort_unstable();
        (upper.is_dir(), names)
    };
    assert_eq!(changed("a"), (true, vec!["own".into()]));
    assert_eq!(changed("b"), (true, vec![]));
    // The next pod of the image begins anew.
    let next = lab.pod(&[], "cat /etc/hosts /etc/hostname /etc/resolv.conf");
    assert!(
        !next.contains("# by a") && !next.contains("of the image"),
        "{next}"
    );
}
