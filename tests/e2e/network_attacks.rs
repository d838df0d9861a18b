//! What a hostile app tries on its network.

use crate::network_lab::Lab;
use crate::stocked::IMAGE;

#[test]
fn root_of_an_app_can_not_be_somebody_else_on_its_network() {
    let lab = Lab::new();
    let pod = lab.server("victim", &[]);
    let victim = lab.address("victim", true);
    let victim_v6 = lab.address("victim", false);
    // Another's address or hardware address, other ways, answers for others, raw packets, another's settings.
    let attempts = [
        format!("ip addr add {victim}/16 dev eth0"),
        format!("ip addr add {victim_v6}/64 dev eth0"),
        "ip link set eth0 down".to_owned(),
        "ip link set eth0 address 02:00:00:00:00:01".to_owned(),
        "ip link set eth0 promisc on".to_owned(),
        "ip link add dummy0 type dummy".to_owned(),
        format!("ip route add 192.0.2.99 via {victim}"),
        format!("ip neigh add {victim} lladdr 02:00:00:00:00:01 dev eth0"),
        format!("arping -c 1 -w 1 -I eth0 {victim}"),
        format!("arping -U -c 1 -w 1 -I eth0 {victim}"),
        format!("ping -c 1 -W 1 {victim}"),
        "echo 1 > /proc/sys/net/ipv4/ip_nonlocal_bind".to_owned(),
        "echo 1 > /proc/sys/net/ipv6/conf/eth0/forwarding".to_owned(),
    ];
    let script: String = attempts
        .iter()
        .map(|attempt| format!("({attempt}) >/dev/null 2>&1 && echo 'done: {attempt}'\n"))
        .collect();
    let script = format!("{script}nc {victim} 80 </dev/null && echo reached");
    assert_eq!(lab.pod(&[], &script), "reached\n");
    lab.stop(&[&pod]);
}

/// The kernel has one table of neighbours for the whole machine. What fills it from a bridge has no one to ask for on a pair of
/// interfaces of its own.
#[test]
fn a_pod_on_ptp_asks_for_no_neighbours_and_neither_does_the_host_for_it() {
    let lab = Lab::new();
    let script = "net=$(ip -o -4 addr show eth0 | sed 's/.* inet \\([0-9]*\\.[0-9]*\\)\\..*/\\1/'); i=1; \
        while [ $i -le 100 ]; do nc -w 2 $net.77.$i 80 & i=$((i + 1)); done 2> /dev/null; \
        usleep 500000; tail -n +2 /proc/net/arp | wc -l; cat /proc/net/arp >&2";
    let neighbours = |net: &str| {
        let before = lab.machine.sh("ip neigh | wc -l");
        let asked: usize = lab.pod(&["--net", net], script).trim().parse().unwrap();
        let after = lab.machine.sh("ip neigh | wc -l");
        let number = |text: &str| text.trim().parse::<usize>().unwrap();
        (asked, number(&after).saturating_sub(number(&before)))
    };
    let (asked, _) = neighbours("default");
    assert!(asked > 50, "{asked}");
    let (asked, by_host) = neighbours("ptp");
    assert!(asked <= 1 && by_host <= 4, "{asked}, {by_host}");
}

#[test]
fn a_networks_configuration_leads_to_no_other_file() {
    let lab = Lab::new();
    for (file, text, reason) in [
        (
            "a.conf",
            r#"{"cniVersion": "1.0.0", "name": "a", "type": "../../bin/sh"}"#,
            "\"../../bin/sh\" is not a file name",
        ),
        (
            "b.conf",
            r#"{"cniVersion": "1.0.0", "name": "../../b", "type": "bridge"}"#,
            "is not a valid network name",
        ),
        (
            "c.conf",
            r#"{"cniVersion": "1.0.0", "name": "c; drop", "type": "fairing-cni"}"#,
            "is not a valid network name",
        ),
    ] {
        // What the administrator wrote has to be right; among others' files, the rest goes on.
        let path = lab.host.write(format!("etc/net.d/{file}"), text);
        let list = lab.host.fairing(["network", "list"]);
        list.run().expect_error(125, &[file, reason]);
        std::fs::rename(&path, lab.host.write(format!("cni/{file}"), "")).unwrap();
        let list = lab.host.fairing(["network", "list"]).run().ok();
        assert!(list.stdout.contains("default"), "{list}");
        assert!(
            list.stderr.contains(file) && list.stderr.contains(reason),
            "{list}"
        );
        lab.pod(&[], "true");
        std::fs::remove_file(lab.host.base().join("cni").join(file)).unwrap();
    }
}

#[test]
fn what_a_plugin_says_of_names_breaks_no_file() {
    let lab = Lab::new();
    lab.script(
        "liar",
        r#"[ $CNI_COMMAND = DEL ] || printf '%s' '{"cniVersion": "1.0.0", "dns": {
            "nameservers": ["192.0.2.53\nnameserver 6.6.6.6", "192.0.2.54"], "domain": "a\nnameserver 6.6.6.7",
            "search": ["b c", "good.example"], "options": ["d\noptions e", "ndots:2"]}}'"#,
    );
    let run = lab.host.fairing(["run", "--rm", "--net=liar"]);
    let run = run.env("CNI_PATH", lab.host.base().join("bin"));
    let run = run.args([IMAGE, "--exec", "/bin/cat", "--", "/etc/resolv.conf"]);
    assert_eq!(
        run.run().ok().stdout,
        "nameserver 192.0.2.54\nsearch good.example\noptions ndots:2\n"
    );
}
