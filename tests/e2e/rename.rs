//! `fairing rename`: another name for a pod.

use std::time::Duration;

use harness::wait_until;

use crate::stocked::{IDLE, IMAGE, busybox, detached, status};

#[test]
fn a_pod_has_its_new_name_and_others_may_have_the_old_one() {
    let host = busybox();
    let rename = |pod: &str, name: &str| host.fairing(["rename", pod, name]).run();
    let pod = detached(&host, &["--name", "old"], IDLE);
    rename("old", "new").ok().expect_no_stderr();
    assert_eq!(status(&host, "new")["name"], "new");
    let names = host.fairing(["ps", "--format", "{{.Names}}"]).run().ok();
    assert_eq!(names.text(), "new");
    host.fairing(["status", "old"])
        .run()
        .expect_error(121, &["old"]);
    // Once more the same, which is so already; one that has none; one that another has.
    rename("new", "new").ok();
    let other = detached(&host, &[], IDLE);
    rename(&other, "old").ok();
    rename("old", "new").expect_error(120, &["new"]);
    rename("nobody", "x").expect_error(121, &["nobody"]);
    rename("new", "No_Name").expect_error(2, &["No_Name"]);
    assert_eq!(status(&host, "old")["uuid"], other.as_str());
    // A pod that has ended, and one that has not begun.
    host.fairing(["stop", "--force", "new", "old"]).run().ok();
    rename("new", "ended").ok();
    assert_eq!(status(&host, "ended")["uuid"], pod.as_str());
    host.fairing(["prepare", "--name", "new", IMAGE]).run().ok();
    rename("new", "later").ok();
    host.fairing(["rm", "later", "ended", "old"]).run().ok();
    let run = host.fairing(["run", "--rm", "--name", "ended", IMAGE, "--", "/bin/true"]);
    run.run().ok();
}

#[test]
fn pods_of_a_network_find_it_by_its_new_name() {
    let host = busybox();
    host.fairing(["network", "create", "lan"]).run().ok();
    let first = detached(&host, &["--net", "lan", "--name", "first"], IDLE);
    let second = detached(&host, &["--net", "lan", "--name", "second"], IDLE);
    let hosts = || {
        let cat = host.fairing(["enter", &second, "--", "/bin/cat", "/etc/hosts"]);
        cat.run().ok().stdout
    };
    wait_until("the name", Duration::from_secs(20), || {
        hosts().contains("first").then_some(())
    });
    host.fairing(["rename", "first", "renamed"]).run().ok();
    wait_until("the new name", Duration::from_secs(20), || {
        let hosts = hosts();
        (hosts.contains("renamed") && !hosts.contains("first")).then_some(())
    });
    host.fairing(["stop", "--force", &first, &second])
        .run()
        .ok();
    host.fairing(["network", "rm", "lan"]).run();
}
