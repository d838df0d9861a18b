//! Networks of CNI plugins.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use harness::{Signal, wait_until};

use crate::network_lab::{HOST, Lab, OUTSIDE, fetch, greet};
use crate::stocked::{IDLE, IMAGE};

/// Debian's plugins, as a distribution of Kubernetes would have them.
fn configure(lab: &Lab) {
    let data = lab.host.base().join("host-local");
    lab.host.write(
        "etc/net.d/50-lan.conflist",
        format!(
            r#"{{"cniVersion": "1.0.0", "name": "lan", "plugins": [
            {{"type": "bridge", "bridge": "lan0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
              "ipam": {{"type": "host-local", "dataDir": "{}", "subnet": "10.95.0.0/24",
                       "routes": [{{"dst": "0.0.0.0/0"}}]}}}},
            {{"type": "portmap", "capabilities": {{"portMappings": true}}, "snat": true}}]}}"#,
            data.display()
        ),
    );
}

#[test]
fn a_list_of_plugins_connects_a_pod_and_lets_go_of_it() {
    let lab = Lab::new();
    configure(&lab);
    // The first pod makes the bridge, and plugins leave chains, which stay.
    lab.pod(&["--net=lan", "--port=8080:80"], "true");
    let before = lab.traces();
    let guest = greet(lab.outside.listen(&format!("{OUTSIDE}:7000")));
    let script = format!("nc {OUTSIDE} 7000");
    assert_eq!(lab.pod(&["--net=lan"], &script), "welcome\n");
    assert_eq!(guest.join().unwrap(), HOST);
    let pod = lab.server("web", &["--net=lan", "--port=8080:80"]);
    assert!(lab.address("web", true).starts_with("10.95.0."));
    assert_eq!(fetch(&lab.outside, &format!("{HOST}:8080")), "web");
    lab.stop(&[&pod]);
    lab.expect_traces(&before);

    // One that was killed is cleared by gc.
    let pod = lab.server("killed", &["--net=lan", "--port=8080:80"]);
    for process in lab.host.pod_processes(&pod) {
        process.kill();
    }
    lab.host.collect();
    lab.expect_traces(&before);
}

#[test]
fn what_a_plugin_has_called_has_ended_before_a_killed_start_is_undone() {
    let lab = Lab::new();
    configure(&lab);
    lab.pod(&["--net=lan"], "true");
    let before = lab.traces();
    // It outlives the plugin that calls it for a new chain, and makes that late.
    let late = lab.host.write(
        "bin/iptables",
        format!(
            "#!/bin/sh\ncd {}\ncase \"$*\" in *\" -N CNI-\"*) : > called; sleep 2; : > made;; esac\n\
             exec /usr/sbin/iptables \"$@\"\n",
            lab.host.base().display()
        ),
    );
    std::fs::set_permissions(&late, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", late.parent().unwrap().display());
    let run = lab.host.fairing(["run", "--net=lan", IMAGE]);
    let run = run.env("PATH", path);
    let running = run.args(["--exec", "/bin/true"]).spawn();
    wait_until(
        "the plugin to make its chain",
        Duration::from_secs(60),
        || lab.host.base().join("called").exists().then_some(()),
    );
    running.signal(Signal::KILL);
    running.wait();
    lab.host.collect();
    assert!(lab.host.base().join("made").exists());
    lab.expect_traces(&before);
}

#[test]
fn a_plugin_that_fails_is_named_with_its_own_words() {
    let lab = Lab::new();
    let plugin = lab.host.write(
        "bin/faulty",
        "#!/bin/sh\n[ \"$CNI_COMMAND\" = VERSION ] && exec echo '{\"cniVersion\":\"1.0.0\",\"supportedVersions\":[\"1.0.0\"]}'\n\
         [ \"$CNI_COMMAND\" = ADD ] || exit 0\n\
         echo '{\"cniVersion\":\"1.0.0\",\"code\":123,\"msg\":\"the cable is cut\"}'\nexit 1\n",
    );
    std::fs::set_permissions(&plugin, std::fs::Permissions::from_mode(0o755)).unwrap();
    lab.host.write(
        "etc/net.d/faulty.conflist",
        r#"{"cniVersion": "1.0.0", "name": "broken", "plugins": [{"type": "faulty"}]}"#,
    );
    let before = lab.traces();
    let run = lab.host.fairing(["run", "--net=broken", IMAGE]);
    run.env("CNI_PATH", plugin.parent().unwrap())
        .run()
        .expect_error(125, &["faulty", "broken", "the cable is cut", "123"]);
    assert!(lab.host.pod_folders().is_empty());
    lab.expect_traces(&before);
}

#[test]
fn status_names_the_plugin_that_finds_a_pod_disconnected() {
    let lab = Lab::new();
    let flag = lab.host.base().join("cut");
    let plugin = lab.host.write(
        "bin/watchful",
        format!(
            "#!/bin/sh\n[ \"$CNI_COMMAND\" = VERSION ] && exec echo '{{\"cniVersion\":\"1.0.0\",\"supportedVersions\":[\"1.0.0\"]}}'\n\
             [ \"$CNI_COMMAND\" = ADD ] && exec echo '{{\"cniVersion\":\"1.0.0\",\"ips\":[{{\"address\":\"10.9.8.7/24\"}}]}}'\n\
             [ \"$CNI_COMMAND\" = CHECK ] && [ -e {} ] || exit 0\n\
             echo '{{\"cniVersion\":\"1.0.0\",\"code\":123,\"msg\":\"the cable is cut\"}}'\nexit 1\n",
            flag.display()
        ),
    );
    std::fs::set_permissions(&plugin, std::fs::Permissions::from_mode(0o755)).unwrap();
    lab.host.write(
        "etc/net.d/watched.conflist",
        r#"{"cniVersion": "1.0.0", "name": "watched", "plugins": [{"type": "watchful"}]}"#,
    );
    let fairing = |words: &[&str]| {
        let command = lab.host.fairing(words);
        command.env("CNI_PATH", plugin.parent().unwrap()).run()
    };
    let sleep = ["--", "/bin/sh", "-c", IDLE];
    let run = [&["run", "--detach", "--net=watched", IMAGE], &sleep[..]].concat();
    let pod = fairing(&run).ok().text().to_owned();
    let status = ["status", "--check", "--format=json", &pod];
    let well = fairing(&status).ok().json();
    assert!(well["network-failure"].is_null(), "{well}");
    std::fs::write(&flag, "").unwrap();
    let failure = fairing(&status).ok().json()["network-failure"].clone();
    assert_eq!(failure["network"], "watched");
    assert_eq!(failure["plugin"], "watchful");
    assert_eq!(failure["code"], 123);
    // Plugins are asked by who wants that: the CHECK of some is wrong, or changes something.
    let unasked = fairing(&["status", "--format=json", &pod]).ok().json();
    assert!(unasked["network-failure"].is_null(), "{unasked}");
    let text = fairing(&["status", "--check", &pod]).ok();
    let line =
        "network-failure=network watched: plugin watchful: CHECK: the cable is cut (code 123)\n";
    assert!(text.stdout.contains(line), "{text}");
    fairing(&["stop", &pod]).ok();
}
