//! Files of the state that can't be read any more: in nobody else's way, and gone after garbage collection. And what
//! that says, when it can't.

use cni_glue::runtime::AfterFailure;
use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::lab::{HOST_V4, Lab, OUTSIDE_V4, sh};
use crate::traffic::{serve, tcp};

fn state(lab: &Lab, file: &str) -> PathBuf {
    lab.attacher.runtime.state.join(file)
}

#[test]
fn what_is_remembered_of_a_pod_can_be_damaged() {
    let lab = Lab::new();
    lab.plugin("one", r#"[ "$CNI_COMMAND" != ADD ] || printf '{}'"#);
    let text = json!({"cniVersion": "1.0.0", "name": "n", "plugins": [{"type": "one"}]});
    lab.configure("cni/10-n.conflist", &text.to_string());
    let live = lab.pod("live", &[], &["8081:80"]);
    let dead = lab.pod("dead", &["default,n"], &["8080:80"]);
    drop(dead);
    drop(lab.pod("other", &[], &[]));
    lab.forget_calls();
    for file in ["default-dead-eth1", "n-dead-eth0", "default-live-eth0"] {
        fs::write(state(&lab, "results").join(file), "{").unwrap();
    }
    let lost = state(&lab, "results/once-was-dead-eth0");
    fs::write(&lost, "{").unwrap();
    // The pods of all others go, and those of networks that are known too.
    let is_live = |id: &cni_glue::id::ContainerId| id.as_str() == "live";
    let (report, errors) = lab.attacher.gc(&is_live, AfterFailure::Remember);
    assert_eq!((report.attachments, report.ports), (3, 1), "{errors:?}");
    assert_eq!(lab.order(), ["one DEL"]);
    // What can't be known is told, once.
    let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    let begin = format!("{} is damaged: ", lost.display());
    assert!(errors[0].starts_with(&begin), "{errors:?}");
    assert!(errors[0].contains("and was removed"), "{errors:?}");
    assert_eq!(lab.gc(&[&live]), Default::default());
    let rules = sh("nft list table inet fairing");
    assert!(!rules.contains("8080") && rules.contains("8081"), "{rules}");
    // One that lives ends as any other.
    lab.end(live);
    assert_eq!(lab.gc(&[]), Default::default());
    lab.wait_for_nothing();
}

#[test]
fn what_is_kept_of_a_network_can_be_damaged() {
    let lab = Lab::new();
    serve(&lab.outside, 80, "outside");
    lab.configure(
        "own/10-lan.conflist",
        r#"{"cniVersion": "1.0.0", "name": "lan", "plugins": [
            {"type": "fairing-cni", "bridge": "fairing7", "subnet": "10.5.0.0/24"}]}"#,
    );
    let neighbour = lab.pod("neighbour", &["lan"], &[]);
    let record = state(&lab, "networks/lan/network.json");
    fs::write(&record, "{").unwrap();
    // Who joins is told what is wrong.
    let error = lab.try_pod("a", &["lan"], &[]).err().unwrap().to_string();
    let begin = format!("network lan: {} is damaged: ", record.display());
    assert!(error.starts_with(&begin), "{error}");
    // Other networks are made, used and removed, and the pod that is in this one goes on.
    let works = |pod: &crate::lab::Pod| {
        assert_eq!(
            tcp(&pod.netns, OUTSIDE_V4, 80),
            format!("outside {HOST_V4}")
        );
    };
    let other = lab.pod("b", &["default"], &[]);
    works(&other);
    let (_, errors) = lab.attacher.gc(&|_| true, AfterFailure::Remember);
    let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors, [error]);
    lab.end(other);
    let (_, errors) = lab
        .attacher
        .gc(&|id| *id == neighbour.id, AfterFailure::Remember);
    assert_eq!(errors.len(), 1, "{errors:?}");
    works(&neighbour);
    // With the last pod it is nobody's loss: the next one makes it anew.
    lab.end(neighbour);
    let pod = lab.pod("c", &["lan"], &[]);
    assert!(pod.address(true).starts_with("10.5.0."));
    works(&pod);
    lab.end(pod);
    // Or it goes, whether it is still configured or not.
    for configured in [true, false] {
        lab.end(lab.pod("d", &["lan"], &[]));
        lab.end(lab.pod("e", &["default"], &[]));
        fs::write(&record, "{").unwrap();
        if !configured {
            // The bridge has the name that follows from the network's.
            fs::remove_file(lab.folder.path().join("own/10-lan.conflist")).unwrap();
            sh("ip link del fairing7");
        }
        lab.gc(&[]);
        lab.wait_for_nothing();
    }
}

#[test]
fn each_pod_that_a_plugin_does_not_let_go_is_told_of_once() {
    let lab = Lab::new();
    let broken = r#"[ "$CNI_COMMAND" != DEL ] || { printf '{"code": 100, "msg": "broke"}'; exit 1; }
printf '{}'"#;
    lab.plugin("one", broken);
    for name in ["n", "once"] {
        let list = json!({"cniVersion": "1.1.0", "name": name, "plugins": [{"type": "one"}]});
        lab.configure(&format!("cni/{name}.conflist"), &list.to_string());
    }
    for (pod, network) in [("a", "n"), ("b", "n"), ("c", "once")] {
        drop(lab.pod(pod, &[network], &[]));
    }
    // Whether it can be read what was remembered, or the network is still configured, makes no difference.
    fs::write(state(&lab, "results/n-b-eth0"), "{").unwrap();
    fs::remove_file(lab.folder.path().join("cni/once.conflist")).unwrap();
    let collect = || {
        let (report, errors) = lab.attacher.gc(&|_| false, AfterFailure::Remember);
        let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
        (report.attachments, errors)
    };
    let line = |pod: &str, network: &str| {
        format!(
            "pod {pod} has ended and can't be removed from its network: \
             network {network}: plugin one: DEL: broke (code 100)"
        )
    };
    let lines = vec![line("a", "n"), line("b", "n"), line("c", "once")];
    assert_eq!(collect(), (0, lines.clone()));
    // Each of them is tried again.
    assert_eq!(collect(), (0, lines));
    lab.plugin("one", "");
    assert_eq!(lab.gc(&[]).attachments, 3);
    lab.wait_for_nothing();
}
