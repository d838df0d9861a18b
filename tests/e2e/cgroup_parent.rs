//! `--cgroup-parent`: pods below a cgroup that somebody else has made, with their monitors; and in slices of systemd.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use harness::{Host, Systemd, wait_until};
use serde_json::Value;

use crate::stocked::{IDLE, IMAGE, busybox, status};

/// A cgroup of a test's own in all hierarchies, removed with those below it that are empty.
pub(crate) struct Parent(pub(crate) String);

impl Parent {
    pub(crate) fn of(host: &Host) -> Self {
        let base = host.base().display().to_string();
        Self(base.trim_start_matches('/').replace('/', "-"))
    }

    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        hierarchies().map(|one| one.join(&self.0)).collect()
    }
}

impl Drop for Parent {
    fn drop(&mut self) {
        for folder in self.folders() {
            let _ = fs::remove_dir(folder.join("inner"));
            let _ = fs::remove_dir(folder);
        }
    }
}

fn hierarchies() -> impl Iterator<Item = PathBuf> {
    let found = fs::read_dir("/sys/fs/cgroup").unwrap();
    let found = found.map(|entry| entry.unwrap());
    let found = found.filter(|entry| entry.file_type().unwrap().is_dir());
    found.map(|entry| entry.path())
}

/// Where a process is in each hierarchy that is mounted where all are: others may come and go with other tests.
pub(crate) fn places(pid: &Value) -> Vec<String> {
    places_in(&fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap())
}

fn places_in(text: &str) -> Vec<String> {
    let mounted: Vec<PathBuf> = hierarchies().collect();
    let place = |line: &str| {
        let mut parts = line.splitn(3, ':').skip(1);
        let name = match parts.next()? {
            "" => "unified",
            name => name.trim_start_matches("name="),
        };
        let is_there = mounted.iter().any(|one| one.ends_with(name));
        is_there.then(|| format!("{name}: {}", parts.next().unwrap_or_default()))
    };
    text.lines().filter_map(place).collect()
}

fn run(host: &Host, parent: &str) -> String {
    let flag = format!("--cgroup-parent={parent}");
    let words = ["run", "--detach", &flag, IMAGE, "--", "/bin/sh", "-c", IDLE];
    host.fairing(words).run().ok().text().to_owned()
}

#[test]
fn a_pod_and_its_monitor_lie_below_the_parent_in_every_hierarchy() {
    let host = busybox();
    let parent = Parent::of(&host);
    let path = format!("/{}/inner", parent.0);
    let uuid = run(&host, &path);
    let seen = status(&host, &uuid);
    let below = format!("{path}/fairing-{uuid}");
    for who in [
        &seen["monitor-pid"],
        &seen["init-pid"],
        &seen["apps"][0]["pid"],
    ] {
        for place in places(who) {
            assert!(place.contains(&below), "{who}: {place}");
        }
    }
    let memory = Path::new("/sys/fs/cgroup/memory").join(below.trim_start_matches('/'));
    let app = fs::read_to_string(memory.join("busybox/cgroup.procs")).unwrap();
    let pid = seen["apps"][0]["pid"].to_string();
    assert!(app.lines().any(|line| line == pid), "{app}");
    let manifest = host.fairing(["cat-manifest", &uuid]).run().ok().json();
    assert_eq!(manifest["cgroup-parent"], path.as_str());
    host.fairing(["stop", &uuid]).run().ok();
    assert_eq!(host.cgroups(), Vec::<PathBuf>::new());
    for folder in parent.folders() {
        assert!(folder.join("inner").exists(), "the parent stays");
    }
}

#[test]
fn the_cgroups_of_a_monitor_that_was_killed_are_removed_by_gc() {
    let host = busybox();
    let parent = Parent::of(&host);
    let uuid = run(&host, &format!("{}/inner", parent.0));
    let seen = status(&host, &uuid);
    let monitor = seen["monitor-pid"].to_string();
    let killed = std::process::Command::new("kill")
        .args(["-KILL", &monitor])
        .status();
    assert!(killed.unwrap().success());
    wait_until("the end of the pod", Duration::from_secs(10), || {
        (status(&host, &uuid)["state"] == "exited").then_some(())
    });
    assert!(!host.cgroups().is_empty());
    host.collect();
    assert_eq!(host.cgroups(), Vec::<PathBuf>::new());
}

#[test]
fn limits_of_the_parent_hold_for_the_pod() {
    let host = busybox();
    let parent = Parent::of(&host);
    let inner = Path::new("/sys/fs/cgroup/pids").join(&parent.0);
    fs::create_dir(&inner).unwrap();
    fs::write(inner.join("pids.max"), "6").unwrap();
    // The monitor, pod init, and the app's own.
    let bomb = "for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; wait";
    let flag = format!("--cgroup-parent={}", parent.0);
    host.fairing(["run", "--rm", &flag, IMAGE, "--", "/bin/sh", "-c", bomb])
        .run()
        .expect_code(2)
        .expect_stderr("can't fork");
}

#[test]
fn a_parent_that_leads_elsewhere_is_refused() {
    let host = busybox();
    for (bad, reason) in [
        ("/a/../b", "is not the path of a cgroup"),
        ("", "is not the path of a cgroup"),
        ("-x.slice", "is not the name of a slice"),
        (
            "/b.slice/a-c.slice",
            "the slice a-c.slice is at /a.slice/a-c.slice",
        ),
    ] {
        let flag = format!("--cgroup-parent={bad}");
        host.fairing(["run", "--rm", &flag, IMAGE])
            .run()
            .expect_code(2)
            .expect_stderr(reason);
    }
    assert!(host.pod_folders().is_empty());
}

#[test]
fn without_systemd_there_is_no_slice() {
    let host = busybox();
    // Namespaces of its own, in which nobody listens.
    let script = "mount -t tmpfs tmpfs /run/systemd 2>/dev/null; exec \"$@\"";
    host.fairing(["run", "--rm", "--cgroup-parent=a.slice", IMAGE])
        .through("unshare", ["--mount", "sh", "-c", script, "sh"])
        .run()
        .expect_code(125)
        .expect_stderr("the pod has no place in the slice a.slice: cannot connect to systemd");
    assert!(host.pod_folders().is_empty());
}

#[test]
fn a_pod_in_a_slice_outlives_the_service_that_started_it() {
    let host = busybox();
    let systemd = Systemd::boot(&host);
    let words = [
        "run",
        "--detach",
        "--name",
        "web",
        "--cgroup-parent=kube-pods.slice",
    ];
    let command = host
        .fairing(words)
        .arg(IMAGE)
        .args(["--", "/bin/sh", "-c", IDLE]);
    let service = Systemd::service(&command);
    let text = format!("[Service]\n{service}Type=oneshot\nRemainAfterExit=yes\n");
    systemd.unit("shim.service", &text);
    systemd.sh("systemctl start shim.service");
    let seen = status(&host, "web");
    let uuid = seen["uuid"].as_str().unwrap();
    let scope = format!("fairing-{uuid}.scope");
    assert_eq!(systemd.property(&scope, "ActiveState"), "active");
    assert_eq!(systemd.property(&scope, "Slice"), "kube-pods.slice");
    assert_eq!(systemd.property(&scope, "Delegate"), "yes");
    let below = format!("/kube.slice/kube-pods.slice/{scope}");
    for who in [&seen["monitor-pid"], &seen["apps"][0]["pid"]] {
        let places = places_in(&systemd.sh(&format!("cat /proc/{who}/cgroup")));
        assert!(
            places.iter().any(|place| place.contains(&below)),
            "{places:?}"
        );
    }
    // What systemd kills of a service is what is in its cgroup.
    systemd.sh("systemctl stop shim.service");
    assert_eq!(status(&host, "web")["state"], "running");
    host.fairing(["stop", "web"]).run().ok();
    systemd.wait_property(&scope, "ActiveState", "inactive");
}
