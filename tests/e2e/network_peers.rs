//! Pods of one network find each other by name, whichever starts first.

use std::time::Duration;

use harness::eventually;

use crate::network_lab::Lab;
use crate::stocked::{IDLE, IMAGE};

const LIMIT: Duration = Duration::from_secs(30);

impl Lab {
    /// Names of other pods in a pod's file, each once.
    #[track_caller]
    fn found_in(&self, pod: &str, app: &[&str]) -> Vec<String> {
        let hosts = self.within_app(pod, app, "cat /etc/hosts");
        let lines = hosts
            .lines()
            .filter(|line| line.trim_end().ends_with("# pod"));
        let mut names: Vec<String> = lines
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split_whitespace().nth(1).unwrap().to_owned())
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// Waits until these are the other pods that a pod finds.
    #[track_caller]
    fn expect_found(&self, pod: &str, names: &[&str]) {
        self.expect_found_by(pod, &[], names);
    }

    /// As [`Self::expect_found`], of one app.
    #[track_caller]
    fn expect_found_by(&self, pod: &str, app: &[&str], names: &[&str]) {
        let mut found = Vec::new();
        eventually(LIMIT, || {
            found = self.found_in(pod, app);
            (found == names).then_some(())
        });
        assert_eq!(found, names, "in {pod} {app:?}");
    }

    /// Starts a pod that does nothing.
    #[track_caller]
    fn idle(&self, name: &str, flags: &[&str]) -> String {
        let run = self.host.fairing(["run", "--detach", "--name", name]);
        let run = run.args(flags).args([IMAGE, "--", "/bin/sh", "-c", IDLE]);
        run.run().ok().text().to_owned()
    }

    /// Directories of networks that a pod's monitor has open.
    fn watched_by(&self, name: &str) -> usize {
        let status = self.host.fairing(["status", "--format=json", name]).run();
        let monitor = status.ok().json()["monitor-pid"].as_u64().unwrap();
        let descriptors = std::fs::read_dir(format!("/proc/{monitor}/fd")).unwrap();
        let paths = descriptors.map(|fd| std::fs::read_link(fd.unwrap().path()));
        paths
            .filter(|path| path.as_ref().is_ok_and(|p| p.ends_with("leases")))
            .count()
    }
}

#[test]
fn pods_that_start_later_are_found_and_those_that_end_are_not() {
    let lab = Lab::new();
    let a = lab.idle("a", &[]);
    lab.expect_found(&a, &[]);
    lab.within(&a, "echo '192.0.2.77 mine' >> /etc/hosts");
    let inode = lab.within(&a, "stat -c %i /etc/hosts");

    let b = lab.server("b", &[]);
    lab.expect_found(&a, &["b"]);
    lab.expect_found(&b, &["a"]);
    let get = "wget -q -O - http://b/index.html 2>&1; :";
    let mut answer = String::new();
    eventually(LIMIT, || {
        answer = lab.within(&a, get);
        (answer == "b\n").then_some(())
    });
    assert_eq!(answer, "b\n");
    for address in [lab.address("b", true), lab.address("b", false)] {
        let line = format!("\n{address}\tb\t");
        let found = eventually(LIMIT, || {
            let hosts = lab.within(&a, "cat /etc/hosts");
            hosts.contains(&line).then_some(())
        });
        assert!(found.is_some(), "{line:?} is not in the file");
    }

    lab.stop(&[&b]);
    lab.expect_found(&a, &[]);
    let answer = lab.within(&a, get);
    assert!(answer.contains("bad address"), "{answer}");
    // The same file all the time, with what the app wrote.
    let c = lab.idle("c", &[]);
    lab.expect_found(&a, &["c"]);
    assert_eq!(lab.within(&a, "stat -c %i /etc/hosts"), inode);
    let mine = lab.within(&a, "grep mine /etc/hosts");
    assert_eq!(mine, "192.0.2.77 mine\n");
    lab.stop(&[&a, &c]);
}

#[test]
fn every_app_of_a_pod_finds_others_and_one_that_was_killed_until_gc() {
    let lab = Lab::new();
    let both = lab.host.fairing(["run", "--detach", "--name=both", IMAGE]);
    let both = both.args(["--app-name=one", "--", "/bin/sh", "-c", IDLE, "---", IMAGE]);
    let both = both.args(["--app-name=two", "--", "/bin/sh", "-c", IDLE]);
    let both = both.run().ok().text().to_owned();
    let other = lab.idle("other", &[]);
    for app in ["one", "two"] {
        lab.expect_found_by(&both, &["--app", app], &["other"]);
    }
    for process in lab.host.pod_processes(&other) {
        process.kill();
    }
    // Its address is its own until `gc`, and so is its name.
    let third = lab.idle("third", &[]);
    lab.expect_found_by(&both, &["--app=one"], &["other", "third"]);
    lab.host.collect();
    lab.expect_found_by(&both, &["--app=one"], &["third"]);
    lab.stop(&[&both, &third]);
}

#[test]
fn a_pod_that_starts_later_takes_nobodys_name() {
    let lab = Lab::new();
    let a = lab.idle(
        "a",
        &["--hostname=web.example", "--hosts-entry=192.0.2.7=db,store"],
    );
    lab.within(&a, "echo '192.0.2.77 mine' >> /etc/hosts");
    let others = ["db", "store", "localhost", "mine", "plain"].map(|name| lab.idle(name, &[]));
    lab.expect_found(&a, &["plain"]);
    for name in ["db", "store"] {
        let line = lab.within(&a, &format!("grep -w {name} /etc/hosts"));
        assert_eq!(line, "192.0.2.7\tdb store\n");
    }
    // One that starts now leaves them out as well.
    let late = lab.idle("late", &["--hosts-entry=192.0.2.8=db"]);
    lab.expect_found(&late, &["a", "mine", "plain", "store"]);
    lab.stop(&others.each_ref().map(String::as_str));
    lab.stop(&[&a, &late]);
}

#[test]
fn a_file_that_an_app_made_huge_is_left_alone_and_told_of_once() {
    let lab = Lab::new();
    let a = lab.host.fairing(["run", "--name=a", IMAGE, "--"]);
    let a = a.args(["/bin/sh", "-c", IDLE]).spawn();
    let started = eventually(LIMIT, || {
        let enter = lab.host.fairing(["enter", "a", "--", "/bin/true"]).run();
        (enter.code == Some(0)).then_some(())
    });
    assert!(started.is_some());
    lab.within("a", "truncate -s 2M /etc/hosts");
    let b = lab.idle("b", &[]);
    let warning = "the pod's /etc/hosts does not follow other pods";
    a.wait_stderr(warning);
    assert_eq!(lab.within("a", "wc -c < /etc/hosts"), "2097152\n");
    let c = lab.idle("c", &[]);
    // Once there is room, all are there that were missed.
    lab.within("a", "echo '127.0.0.1 localhost' > /etc/hosts");
    let d = lab.idle("d", &[]);
    lab.expect_found("a", &["b", "c", "d"]);
    assert_eq!(a.stderr().matches(warning).count(), 1, "{}", a.stderr());
    lab.stop(&["a", &b, &c, &d]);
    a.wait();
}

#[test]
fn many_that_start_at_once_find_each_other_and_leave_nothing() {
    const PODS: usize = 24;
    let lab = Lab::new();
    let a = lab.idle("a", &[]);
    let names: Vec<String> = (0..PODS).map(|n| format!("pod-{n:02}")).collect();
    std::thread::scope(|scope| {
        for name in &names {
            scope.spawn(|| lab.idle(name, &[]));
        }
    });
    let mut all: Vec<&str> = vec!["a"];
    all.extend(names.iter().map(String::as_str));
    for own in &all {
        let others: Vec<_> = all.iter().copied().filter(|name| name != own).collect();
        lab.expect_found(own, &others);
    }
    lab.stop(&all[1..]);
    lab.expect_found(&a, &[]);
    lab.stop(&[&a]);
}

#[test]
fn networks_that_tell_of_nobody_are_not_watched() {
    let lab = Lab::new();
    lab.host.write(
        "etc/net.d/lan.conflist",
        r#"{"cniVersion": "1.0.0", "name": "lan", "plugins": [{"type": "ptp",
            "ipam": {"type": "host-local", "dataDir": "DATA", "subnet": "10.96.0.0/24"}}]}"#
            .replace(
                "DATA",
                &lab.host.base().join("host-local").display().to_string(),
            ),
    );
    let mut pods = Vec::new();
    for (network, folders) in [
        ("none", 0),
        ("host", 0),
        ("lan", 0),
        ("default", 1),
        ("default,default-restricted,lan", 2),
    ] {
        let name = format!("pod-{}", pods.len());
        pods.push(lab.idle(&name, &[&format!("--net={network}")]));
        assert_eq!(lab.watched_by(&name), folders, "{network}");
    }
    lab.expect_found("pod-3", &["pod-4"]);
    lab.expect_found("pod-0", &[]);
    let pods: Vec<_> = pods.iter().map(String::as_str).collect();
    lab.stop(&pods);
}
