//! A pod's network namespace is mounted on the host only where a plugin's program has to be told a path, and only for
//! as long as the pod is in its networks.

use std::fs;

use serde_json::{Value, json};

use crate::lab::{Lab, Pod, files};

/// Namespaces that are mounted below the state, and what else is where they are.
fn mounted(lab: &Lab) -> (Vec<String>, Vec<String>) {
    let state = lab.folder.path().canonicalize().unwrap().join("state");
    let mounts = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    let mounts = mounts.lines().filter_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let place = place.split(' ').nth(4)?;
        let ours = kind.starts_with("nsfs ") && place.starts_with(state.to_str()?);
        ours.then(|| place.rsplit('/').next().unwrap_or_default().to_owned())
    });
    let mut mounts: Vec<_> = mounts.collect();
    mounts.sort();
    (mounts, files(&state.join("netns")))
}

fn assert_nothing(lab: &Lab, when: &str) {
    assert_eq!(mounted(lab), (Vec::new(), Vec::new()), "{when}");
}

fn assert_only(lab: &Lab, pod: &str, when: &str) {
    let (mounts, files) = mounted(lab);
    assert_eq!((mounts, files.len()), (vec![pod.to_owned()], 1), "{when}");
}

/// Where the pod's namespace was, as is remembered.
fn remembered(lab: &Lab, file: &str) -> String {
    let path = lab.attacher.runtime.state.join("results").join(file);
    let cached: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    cached["netns"].as_str().unwrap().to_owned()
}

#[test]
fn built_in_networks_need_no_mount() {
    let lab = Lab::new();
    for net in [
        "default",
        "ptp",
        "default-restricted",
        "macvlan:IP=192.0.2.50/24;MASTER=uplink",
    ] {
        let name = net.split(':').next().unwrap();
        let pod: Pod = lab.pod("a", &[net], &[]);
        assert_nothing(&lab, net);
        // Nor was there one while it joined.
        let was = remembered(&lab, &format!("{name}-a-eth0"));
        assert!(was.starts_with("/proc/"), "{was}");
        lab.end(pod);
        assert_nothing(&lab, net);
    }
    drop(lab.pod("killed", &["default,ptp"], &[]));
    lab.gc(&[]);
    assert_nothing(&lab, "two networks");
    lab.wait_for_nothing();
}

#[test]
fn a_program_finds_the_namespace_for_as_long_as_the_pod_is_in() {
    let lab = Lab::new();
    // It looks for itself, and fails if there is none.
    lab.plugin(
        "one",
        r#"case $CNI_COMMAND in ADD|DEL)
    [ "$(stat -fc %T "$CNI_NETNS")" = nsfs ] || { printf '{"code": 100, "msg": "no namespace"}'; exit 1; }
esac
[ "$CNI_COMMAND" != ADD ] || printf '{}'"#,
    );
    lab.plugin(
        "bad",
        r#"[ "$CNI_COMMAND" != ADD ] || { printf '{"code": 100, "msg": "no"}'; exit 1; }"#,
    );
    for (name, kind) in [("n", "one"), ("bad", "bad")] {
        let list = json!({"cniVersion": "1.0.0", "name": name, "plugins": [{"type": kind}]});
        lab.configure(&format!("cni/{name}.conflist"), &list.to_string());
    }
    for net in ["n", "default,n"] {
        let pod = lab.pod("a", &[net], &[]);
        assert_only(&lab, "a", net);
        lab.gc(&[&pod]);
        assert_only(&lab, "a", "after a collection that is none of its");
        lab.end(pod);
        assert_nothing(&lab, net);
    }
    // Of one that could not start nothing is left either.
    lab.try_pod("a", &["bad"], &[]).map(|_| ()).unwrap_err();
    assert_nothing(&lab, "a start that failed");
    // Of one that is killed, until it is collected: the plugin is told the path then.
    drop(lab.pod("killed", &["n"], &[]));
    assert_only(&lab, "killed", "killed");
    let live = lab.pod("live", &["default"], &[]);
    lab.forget_calls();
    assert_eq!(lab.gc(&[&live]).attachments, 1);
    assert_eq!(lab.order(), ["one DEL"]);
    assert_nothing(&lab, "collected");
    lab.end(live);
    lab.gc(&[]);
    lab.wait_for_nothing();
}
