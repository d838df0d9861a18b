//! `fairing rename`: another name for a pod.

use std::path::{Path, PathBuf};
use std::time::Duration;

use harness::{Host, wait_until};

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

/// The names that lead to a pod.
fn names_of(host: &Host, pod: &str) -> Vec<String> {
    let links = std::fs::read_dir(host.data_dir().join("pods/names")).unwrap();
    let paths = links.map(|link| link.unwrap().path());
    let of_pod = paths.filter(|path| std::fs::read_link(path).unwrap() == Path::new(pod));
    let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    of_pod.map(name).collect()
}

#[test]
fn of_many_renames_at_once_one_wins_and_no_other_name_stays() {
    let host = busybox();
    let pod = detached(&host, &["--name", "r0"], IDLE);
    let mut name = "r0".to_owned();
    for round in 1..=6 {
        let wanted: Vec<String> = (0..6).map(|one| format!("r{round}-{one}")).collect();
        let start = |wanted: &String| host.fairing(["rename", &name, wanted]).spawn();
        let started: Vec<_> = wanted.iter().map(start).collect();
        let ended: Vec<_> = started.into_iter().map(|rename| rename.wait()).collect();
        let winners = wanted
            .iter()
            .zip(&ended)
            .filter(|(_, end)| end.code == Some(0));
        let winners: Vec<_> = winners.map(|(wanted, _)| wanted.clone()).collect();
        assert_eq!(winners.len(), 1, "{ended:?}");
        let losers = ended.iter().filter(|end| end.code != Some(0));
        losers.for_each(|end| assert_eq!(end.code, Some(121), "{end}"));
        assert_eq!(names_of(&host, &pod), winners);
        name.clone_from(&winners[0]);
        assert_eq!(status(&host, &pod)["name"], name.as_str());
    }
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn gc_takes_a_name_that_a_pod_that_runs_does_not_bear() {
    let host = busybox();
    let pod = detached(&host, &["--name", "borne"], IDLE);
    let names = host.data_dir().join("pods/names");
    std::os::unix::fs::symlink(&pod, names.join("left")).unwrap();
    host.fairing(["gc"]).run().ok();
    assert_eq!(names_of(&host, &pod), ["borne"]);
    // What was left is in nobody's way even before.
    std::os::unix::fs::symlink(&pod, names.join("left")).unwrap();
    host.fairing(["rename", "borne", "left"]).run().ok();
    assert_eq!(names_of(&host, &pod), ["left"]);
    host.fairing(["stop", "--force", &pod]).run().ok();
}
