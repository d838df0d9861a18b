//! Two fairings with directories of their own in one network namespace.

use cni_glue::attach::{Attacher, GcReport};
use cni_glue::runtime::{AfterFailure, Asked};

use crate::lab::{HOST_V4, Lab, OUTSIDE_V4, sh};
use crate::traffic::{serve, tcp};

/// Another fairing on the same host.
fn other_fairing(lab: &Lab) -> Attacher {
    let mut runtime = lab.attacher.runtime.clone();
    runtime.state = lab.folder.path().join("other/state");
    Attacher {
        runtime,
        ..lab.attacher.clone()
    }
}

/// What it clears, none of the pods being its own.
fn gc(attacher: &Attacher) -> GcReport {
    let (report, errors) = attacher.gc(&|_| false, AfterFailure::Remember);
    assert!(errors.is_empty(), "{errors:?}");
    report
}

#[test]
fn one_clears_nothing_of_the_others_pods() {
    let mut lab = Lab::new();
    serve(&lab.outside, 80, "outside");
    let bridged = lab.pod("a", &[], &["8080:80"]);
    let pair = lab.pod("b", &["ptp"], &["8081:80"]);
    serve(&bridged.netns, 80, "a");
    serve(&pair.netns, 80, "b");
    let other = other_fairing(&lab);
    assert_eq!(gc(&other), GcReport::default());
    // Nor after it got as far as it gets.
    let own = std::mem::replace(&mut lab.attacher, other.clone());
    for net in ["default", "default-restricted", "ptp"] {
        let refused = lab.try_pod("c", &[net], &[]).err().unwrap().to_string();
        let state = own.runtime.state.display();
        assert!(
            refused.ends_with(&format!(
                "another fairing, which keeps its state in {state}, has the firewall rules of pods in this network \
                 namespace, and there can be only one"
            )),
            "{refused}"
        );
        let seen = lab.attacher.other_fairing().unwrap();
        assert_eq!(seen, Some(state.to_string()));
    }
    assert_eq!(gc(&other), GcReport::default());
    // What needs no rules is nobody's business.
    let beside = lab.pod("c", &["macvlan:IP=192.0.2.77/24"], &[]);
    lab.end(beside);
    assert_eq!(gc(&other), GcReport::default());
    lab.attacher = own;
    for (pod, port, name) in [(&bridged, 8080, "a"), (&pair, 8081, "b")] {
        assert!(tcp(&pod.netns, OUTSIDE_V4, 80).starts_with("outside "));
        assert!(tcp(&lab.outside, HOST_V4, port).starts_with(name));
    }
    lab.end(bridged);
    lab.end(pair);
    lab.gc(&[]);
    lab.wait_for_nothing();
    // Now there is room for it.
    lab.attacher = other;
    let pod = lab.pod("c", &[], &[]);
    lab.end(pod);
    lab.gc(&[]);
    lab.wait_for_nothing();
}

#[test]
fn whose_a_link_is_shows_without_the_rules_too() {
    let mut lab = Lab::new();
    let mut pod = lab.pod("a", &[], &[]);
    sh("nft flush ruleset");
    let other = other_fairing(&lab);
    let own = std::mem::replace(&mut lab.attacher, other.clone());
    let refused = lab.try_pod("c", &[], &[]).err().unwrap().to_string();
    assert_eq!(
        refused,
        "another fairing has the bridge fairing0 in this network namespace, and there can be only one"
    );
    assert_eq!(gc(&other), GcReport::default());
    lab.attacher = own;
    lab.attacher
        .check(&pod.id, &mut pod.netns, Asked::BuiltIn)
        .unwrap();
    lab.end(pod);
    lab.gc(&[]);
    lab.wait_for_nothing();
}

#[test]
fn links_and_rules_of_an_older_version_are_cleared() {
    let lab = Lab::new();
    // As they were before they told whose they are.
    sh("nft 'add table inet fairing { comment \"rules 3\"; }'
        ip link add fairingabcdefgh type veth peer name gone");
    let pod = lab.pod("a", &[], &[]);
    assert!(sh("nft list table inet fairing").contains("comment \"rules 4 of "));
    assert_eq!(lab.gc(&[&pod]).links, 1);
    lab.end(pod);
    lab.gc(&[]);
    lab.wait_for_nothing();
}
