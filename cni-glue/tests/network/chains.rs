//! What plugins are told, in which order, and what becomes of those that fail: with plugins made of a few lines of
//! shell.

use std::time::Duration;

use cni_glue::NetworkError;
use cni_glue::config::Networks;
use cni_glue::runtime::{AfterFailure, Asked};
use serde_json::{Value, json};

use crate::lab::{HOST_V4, Lab, OUTSIDE_V4, files, sh};
use crate::traffic::{serve, tcp};

const ANSWER: &str = r#"[ "$CNI_COMMAND" != ADD ] || printf '{"cniVersion": "%s", "ips": [{"address": "10.9.0.5/24"}]}' "$VERSION""#;

fn list(version: &str, plugins: Value) -> String {
    json!({"cniVersion": version, "name": "n", "plugins": plugins}).to_string()
}

#[test]
fn plugins_are_chained_and_called_in_reverse_at_the_end() {
    let lab = Lab::new();
    lab.plugin("one", &format!("VERSION=1.1.0; {ANSWER}"));
    lab.plugin("two", r#"[ "$CNI_COMMAND" != ADD ] || printf '{"cniVersion": "0.4.0", "ips": [{"version": "4", "address": "10.9.0.6/24"}], "dns": {}}'"#);
    let plugins = json!([
        {"type": "one", "strange": [1], "capabilities": {"portMappings": true, "aliases": true}},
        {"type": "two"},
    ]);
    lab.configure("cni/10-n.conflist", &list("1.1.0", plugins));
    let pod = lab.pod("a", &["n:K=V"], &["[2001:db8::1]:8080:80/udp"]);
    assert_eq!(pod.address(true), "10.9.0.6");
    let calls = lab.calls();
    let netns = lab
        .folder
        .path()
        .join("state/netns/a")
        .display()
        .to_string();
    assert_eq!(calls[0]["netns"], json!(netns));
    assert_eq!(calls[0]["args"], "IgnoreUnknown=1;K=V");
    assert_eq!(
        calls[0]["input"],
        json!({
            "type": "one", "strange": [1], "name": "n", "cniVersion": "1.1.0",
            "runtimeConfig": {
                "portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "udp", "hostIP": "2001:db8::1"}],
                "aliases": ["a"],
            },
        })
    );
    assert_eq!(
        calls[1]["input"],
        json!({
            "type": "two", "name": "n", "cniVersion": "1.1.0",
            "prevResult": {"cniVersion": "1.1.0", "ips": [{"address": "10.9.0.5/24"}]},
        })
    );
    lab.end(pod);
    assert_eq!(lab.order(), ["one ADD", "two ADD", "two DEL", "one DEL"]);
    let last = json!({"cniVersion": "1.1.0", "ips": [{"address": "10.9.0.6/24"}]});
    assert_eq!(lab.calls()[2]["input"]["prevResult"], last);
    assert_eq!(lab.calls()[3]["input"]["prevResult"], last);
    assert_eq!(lab.calls()[3]["netns"], json!(netns));
    lab.wait_for_nothing();
}

#[test]
fn one_that_fails_is_named_and_all_before_it_are_undone() {
    let lab = Lab::new();
    lab.plugin("one", &format!("VERSION=1.0.0; {ANSWER}"));
    lab.plugin("two", r#"[ "$CNI_COMMAND" != ADD ] || { printf '{"code": 11, "msg": "come back later", "details": "no lease"}'; exit 1; }"#);
    lab.plugin("three", "");
    lab.configure(
        "cni/10-n.conflist",
        &list(
            "1.0.0",
            json!([{"type": "one"}, {"type": "two"}, {"type": "three"}]),
        ),
    );
    let error = lab.try_pod("a", &["n"], &[]).map(|_| ()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "network n: plugin two: ADD: come back later: no lease (code 11)"
    );
    assert_eq!(lab.order(), ["one ADD", "two ADD", "two DEL", "one DEL"]);
    lab.wait_for_nothing();
}

#[test]
fn answers_that_are_none_are_refused_and_hanging_plugins_ended() {
    let mut lab = Lab::new();
    lab.configure(
        "cni/10-n.conflist",
        &list("1.0.0", json!([{"type": "one"}])),
    );
    for (then, reason) in [
        (
            "echo nonsense",
            "can't be understood: expected ident at line 1 column 2; it begins with \"nonsense\"",
        ),
        ("exit 0", "can't be understood: it is empty"),
        (
            "echo null",
            "it is not a JSON object; it begins with \"null\"",
        ),
        ("echo '[]'", "it is not a JSON object"),
        (r#"printf '{"cniVersion": "9.0.0"}'"#, "not supported"),
        (
            r#"printf '{"ips": [{"address": "10.0.0.1"}]}'"#,
            "prefix length",
        ),
        (
            "[ $CNI_COMMAND != ADD ] || head -c 2000000 /dev/zero",
            "longer than",
        ),
        (
            "[ $CNI_COMMAND != ADD ] || { echo oops >&2; exit 7; }",
            "exit status: 7 and no error that can be understood; it said: oops",
        ),
    ] {
        lab.plugin("one", then);
        let error = lab
            .try_pod("a", &["n"], &[])
            .map(|_| ())
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("network n: plugin one: ADD: ") && error.contains(reason),
            "{error}"
        );
    }
    lab.plugin("one", "[ $CNI_COMMAND != ADD ] || sleep 1000");
    lab.attacher.runtime.timeout = Duration::from_secs(2);
    let error = lab
        .try_pod("a", &["n"], &[])
        .map(|_| ())
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "network n: plugin one: ADD: it did not finish within 2 s and was ended"
    );
    lab.wait_for_nothing();
    std::fs::remove_file(lab.folder.path().join("bin/one")).unwrap();
    let error = lab
        .try_pod("a", &["n"], &[])
        .map(|_| ())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("there is no such program in ") && error.ends_with("/usr/lib/cni"),
        "{error}"
    );
}

#[test]
fn what_can_not_be_undone_is_told_and_tried_again_without_the_namespace() {
    let lab = Lab::new();
    let fails = r#"[ "$CNI_COMMAND" = DEL ] && [ -z "$CNI_NETNS" ] || { printf '{"code": 100, "msg": "%s broke"}' "$CNI_COMMAND"; exit 1; }"#;
    lab.plugin("one", fails);
    lab.configure(
        "cni/10-n.conflist",
        &list("1.0.0", json!([{"type": "one"}])),
    );
    let error = lab.try_pod("a", &["n"], &[]).map(|_| ()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "network n: plugin one: ADD: ADD broke (code 100); and it could not be undone: \
         network n: plugin one: DEL: DEL broke (code 100)"
    );
    assert_eq!(lab.order(), ["one ADD", "one DEL"]);
    lab.forget_calls();
    let (report, errors) = lab.attacher.gc(&|_| false, AfterFailure::Remember);
    assert_eq!((report.attachments, errors.len()), (1, 0), "{errors:?}");
    let netns: Vec<_> = lab.calls().iter().map(|call| call["netns"] != "").collect();
    assert_eq!(netns, [true, false]);
    lab.wait_for_nothing();
}

#[test]
fn no_plugin_is_called_unless_all_are_there() {
    let lab = Lab::new();
    lab.plugin("one", &format!("VERSION=1.0.0; {ANSWER}"));
    let plugins = json!([{"type": "one"}, {"type": "missing"}]);
    lab.configure("cni/10-n.conflist", &list("1.0.0", plugins));
    let error = lab.try_pod("a", &["n"], &[]).map(|_| ()).unwrap_err();
    let error = error.to_string();
    assert!(
        error.starts_with("network n: plugin missing: ADD: there is no such program in "),
        "{error}"
    );
    assert_eq!(lab.order(), [""; 0]);
    lab.wait_for_nothing();
}

#[test]
fn check_gc_and_status_go_to_those_who_know_them() {
    let lab = Lab::new();
    lab.plugin("one", &format!("VERSION=1.1.0; {ANSWER}"));
    // As plugins of an older make.
    lab.plugin("old", r#"case $CNI_COMMAND in GC|STATUS) printf '{"code": 4, "msg": "unknown CNI_COMMAND"}'; exit 1; esac; printf '{}'"#);
    lab.configure(
        "cni/10-n.conflist",
        &list("1.1.0", json!([{"type": "one"}, {"type": "old"}])),
    );
    let (a, b) = (lab.pod("a", &["n"], &[]), lab.pod("b", &["n"], &[]));
    lab.forget_calls();
    let networks = Networks::load(&lab.attacher.folders).unwrap();
    let network = networks.get(&"n".parse().unwrap()).unwrap();
    lab.attacher.runtime.status(network).unwrap();
    let mut netns = cni_glue::Netns::with_loopback().unwrap();
    lab.attacher
        .check(&a.id, &mut netns, Asked::Everyone)
        .unwrap();
    drop(b);
    assert_eq!(lab.gc(&[&a]).attachments, 1);
    assert_eq!(
        lab.order(),
        [
            "one STATUS",
            "old STATUS",
            "one CHECK",
            "old CHECK",
            "old DEL",
            "one DEL",
            "one GC",
            "old GC"
        ]
    );
    let gc = &lab.calls()[6];
    assert_eq!(
        gc["input"]["cni.dev/valid-attachments"],
        json!([{"containerID": "a", "ifname": "eth0"}])
    );
    // One that can't take pods says so.
    lab.plugin(
        "one",
        r#"printf '{"code": 50, "msg": "no uplink"}'; exit 1"#,
    );
    let error = lab.attacher.runtime.status(network).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("plugin one: STATUS: no uplink (code 50)"),
        "{error}"
    );
    // DEL fails too: it stays remembered, and is tried again.
    let mut a = a;
    lab.attacher.detach(&a.id, Some(&mut a.netns)).unwrap_err();
    assert_eq!(files(&lab.attacher.runtime.state.join("results")).len(), 1);
    lab.plugin("one", "");
    lab.end(a);
    lab.wait_for_nothing();
}

#[test]
fn older_versions_are_told_less() {
    let lab = Lab::new();
    lab.plugin("one", &format!("VERSION=0.3.1; {ANSWER}"));
    lab.configure(
        "cni/10-n.conflist",
        &list("0.3.1", json!([{"type": "one"}])),
    );
    let pod = lab.pod("a", &["n"], &[]);
    lab.attacher
        .check(
            &pod.id,
            &mut cni_glue::Netns::with_loopback().unwrap(),
            Asked::Everyone,
        )
        .unwrap();
    lab.end(pod);
    assert_eq!(lab.order(), ["one ADD", "one DEL"]);
    // What ADD said is given to DEL since 0.4.0.
    assert_eq!(lab.calls()[1]["input"].get("prevResult"), None);
    // A choice of versions: the plugins are asked.
    lab.forget_calls();
    lab.plugin("one", r#"case $CNI_COMMAND in VERSION) printf '{"cniVersion": "1.1.0", "supportedVersions": ["0.4.0", "1.0.0"]}';; ADD) printf '{}';; esac"#);
    let text = json!({"cniVersion": "0.3.1", "cniVersions": ["0.4.0", "1.0.0", "1.1.0"], "name": "n", "plugins": [{"type": "one"}]});
    lab.configure("cni/10-n.conflist", &text.to_string());
    lab.end(lab.pod("a", &["n"], &[]));
    let calls = lab.calls();
    assert_eq!(lab.order()[..2], ["one VERSION", "one ADD"]);
    assert_eq!(calls[1]["input"]["cniVersion"], "1.0.0");
}

#[test]
fn a_plugin_that_delegates_as_flannel_does() {
    let lab = Lab::new();
    sh("sysctl -qw net.ipv4.ip_forward=1");
    let folder = lab.folder.path().display().to_string();
    lab.plugin("flannel", &format!(
        r#"printf '%s' '{{"cniVersion": "0.3.1", "name": "cbr0", "type": "bridge", "bridge": "cni0", "hairpinMode": true,
            "isDefaultGateway": true, "ipMasq": true, "mtu": 1450,
            "ipam": {{"type": "host-local", "subnet": "10.244.0.0/24", "dataDir": "{folder}/ipam"}}}}' | "${{CNI_PATH##*:}}/bridge""#
    ));
    lab.configure(
        "cni/10-flannel.conflist",
        r#"{"name": "cbr0", "cniVersion": "0.3.1", "plugins": [
            {"type": "flannel", "delegate": {"hairpinMode": true, "isDefaultGateway": true}},
            {"type": "portmap", "capabilities": {"portMappings": true}}]}"#,
    );
    serve(&lab.outside, 80, "outside");
    let pod = lab.pod("a", &["cbr0"], &["8080:80"]);
    serve(&pod.netns, 80, "a");
    assert!(pod.address(true).starts_with("10.244.0."));
    assert_eq!(
        tcp(&pod.netns, crate::lab::OUTSIDE_V4, 80),
        format!("outside {}", crate::lab::HOST_V4)
    );
    assert!(tcp(&lab.outside, crate::lab::HOST_V4, 8080).starts_with("a "));
    lab.end(pod);
    sh("ip link del cni0");
    lab.wait_for_nothing();
}

#[test]
fn a_plugin_that_calls_a_built_in_network_does_not_wait_for_its_caller() {
    let lab = Lab::new();
    serve(&lab.outside, 80, "outside");
    let program = env!("CARGO_BIN_EXE_fairing-cni");
    lab.plugin(
        "delegating",
        &format!(r#"printf '%s' "$input" | "{program}""#),
    );
    let state = lab.attacher.runtime.state.display().to_string();
    let plugins = json!([{"type": "delegating", "bridge": "fairing7", "stateDir": state}]);
    lab.configure("cni/10-n.conflist", &list("1.1.0", plugins));
    let pod = lab.pod("a", &["n"], &[]);
    assert_eq!(
        tcp(&pod.netns, OUTSIDE_V4, 80),
        format!("outside {HOST_V4}")
    );
    lab.gc(&[&pod]);
    assert_eq!(
        tcp(&pod.netns, OUTSIDE_V4, 80),
        format!("outside {HOST_V4}")
    );
    lab.end(pod);
    lab.gc(&[]);
    assert!(lab.order().contains(&"delegating GC".into()));
    lab.wait_for_nothing();
}

#[test]
fn a_built_in_network_can_be_part_of_a_chain_and_a_plugin_of_others() {
    let lab = Lab::new();
    serve(&lab.outside, 80, "outside");
    // Under another name its program is run, as other runtimes do.
    std::fs::create_dir_all(lab.folder.path().join("bin")).unwrap();
    std::os::unix::fs::symlink(
        env!("CARGO_BIN_EXE_fairing-cni"),
        lab.folder.path().join("bin/other"),
    )
    .unwrap();
    let state = lab.folder.path().join("plugin-state").display().to_string();
    for kind in ["other", "fairing-cni"] {
        for version in ["0.3.1", "0.4.0", "1.0.0", "1.1.0"] {
            let plugins = json!([
                {"type": kind, "bridge": "fairing7", "subnet": "10.8.0.0/24", "stateDir": state, "capabilities": {"portMappings": true, "ips": true}},
                {"type": "tuning", "sysctl": {"net.ipv4.conf.eth0.arp_filter": "1"}, "dataDir": format!("{state}/tuning")},
            ]);
            lab.configure(
                "cni/10-n.conflist",
                &list(
                    if version == "1.1.0" && kind == "fairing-cni" {
                        "1.0.0"
                    } else {
                        version
                    },
                    match (kind, version) {
                        // Debian's plugins end at 1.0.0.
                        (_, "1.1.0") => json!([plugins[0]]),
                        _ => plugins.clone(),
                    },
                ),
            );
            let pod = lab.pod("a", &["n:IP=10.8.0.9"], &["8080:80"]);
            serve(&pod.netns, 80, "a");
            assert_eq!(pod.address(true), "10.8.0.9");
            assert_eq!(
                tcp(&pod.netns, crate::lab::OUTSIDE_V4, 80),
                format!("outside {}", crate::lab::HOST_V4)
            );
            assert!(tcp(&lab.outside, crate::lab::HOST_V4, 8080).starts_with("a "));
            let path = lab.folder.path().join("state/netns/a");
            let own = format!(
                "/proc/{}/fd/{}",
                std::process::id(),
                std::os::fd::AsRawFd::as_raw_fd(&std::os::fd::AsFd::as_fd(&pod.netns))
            );
            let path = if path.exists() { path } else { own.into() };
            lab.attacher
                .check(
                    &pod.id,
                    &mut cni_glue::Netns::open(&path).unwrap(),
                    Asked::Everyone,
                )
                .unwrap();
            lab.end(pod);
        }
        // Each has its own state: the first one's network goes before the second's is made.
        if kind == "other" {
            lab.configure("cni/10-n.conflist", &list("1.1.0", json!([{"type": kind, "bridge": "fairing7", "subnet": "10.8.0.0/24", "stateDir": state}])));
        }
        lab.gc(&[]);
        lab.wait_for_nothing();
    }
}

#[test]
fn a_plugin_that_is_no_file_name_is_never_looked_for() {
    let lab = Lab::new();
    lab.configure(
        "cni/10-n.conflist",
        &list("1.0.0", json!([{"type": "../../bin/sh"}])),
    );
    let error = lab.try_pod("a", &["n"], &[]).map(|_| ()).unwrap_err();
    assert!(matches!(error, NetworkError::Config(_)), "{error}");
    assert!(error.to_string().contains("is not a file name"), "{error}");
}
