//! What an app can do and see. A program that tries everything runs as an app, and what it prints
//! must be what was reviewed, line by line, in `data/`.

use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use harness::{Host, ImageBuilder, Process};
use rustix::io::{FdFlags, fcntl_setfd};

use crate::imported::{busybox_host, import};

fn probe_host() -> (Host, String) {
    let host = Host::new();
    host.accept_unsigned();
    let image = import(&host, &ImageBuilder::probe().build(), "probe:1");
    (host, image)
}

/// The probe's sections, without the limits: those are the caller's.
fn sections(report: &str) -> Vec<&str> {
    report
        .split("\n\n")
        .map(str::trim)
        .filter(|section| !section.is_empty() && !section.starts_with("[limits]"))
        .collect()
}

/// Compares with a reviewed file. Lines that begin with `#` are the reviewer's.
#[track_caller]
fn compare(report: &str, reviewed: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("e2e/data")
        .join(reviewed);
    let reviewed = fs::read_to_string(&path).unwrap_or_default();
    let reviewed: Vec<&str> = reviewed
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    let reviewed = reviewed.join("\n");
    let without_cgroups = without_ids(&without_cgroup_mounts(report));
    let (found, wanted) = (sections(&without_cgroups), sections(&reviewed));
    let mut differences = Vec::new();
    for number in 0..found.len().max(wanted.len()) {
        let found: Vec<&str> = found
            .get(number)
            .map_or(Vec::new(), |text| text.lines().collect());
        let wanted: Vec<&str> = wanted
            .get(number)
            .map_or(Vec::new(), |text| text.lines().collect());
        let name = found
            .first()
            .or(wanted.first())
            .copied()
            .unwrap_or_default();
        let missing = wanted.iter().filter(|line| !found.contains(line));
        differences.extend(missing.map(|line| format!("{name} - {line}")));
        let new = found.iter().filter(|line| !wanted.contains(line));
        differences.extend(new.map(|line| format!("{name} + {line}")));
    }
    assert!(
        differences.is_empty(),
        "not as reviewed in {} (- reviewed, + found):\n{}\n\nwhole report:\n{report}",
        path.display(),
        differences.join("\n")
    );
}

/// The report without the mounts of cgroups, of which there are as many as the host has hierarchies. Each is for reading.
fn without_cgroup_mounts(report: &str) -> String {
    let is_mount = |line: &str| {
        line.split_once(' ').is_some_and(|(path, rest)| {
            path.starts_with("/sys/fs/cgroup")
                && ["tmpfs", "cgroup", "cgroup2"].contains(&rest.split(' ').next().unwrap())
        })
    };
    let (mounts, others): (Vec<&str>, Vec<&str>) = report.lines().partition(|l| is_mount(l));
    for mount in mounts {
        assert!(
            mount.contains(" ro,nosuid,nodev,noexec,relatime private"),
            "{mount}"
        );
    }
    others.join("\n")
}

/// The report with a word for the IDs on the host of the pod's own users.
fn without_ids(report: &str) -> String {
    let map = report
        .lines()
        .find_map(|line| line.strip_prefix("uid map = 0 "));
    let first = map.and_then(|map| map.strip_suffix(" 65536"));
    let Some(first) = first else {
        return report.to_owned();
    };
    let group = first.parse::<u32>().unwrap() + 5;
    report
        .replace(first, "BLOCK")
        .replace(&group.to_string(), "BLOCK+5")
}

fn probe(host: &Host, users: &str, image: &str, flags: &[&str]) -> String {
    host.fairing([
        "run",
        "--rm",
        "--hostname",
        "probe",
        "--userns",
        users,
        image,
    ])
    .args(flags)
    .args(["--", "/probe"])
    .run()
    .ok()
    .stdout
}

#[test]
fn root_of_an_app_is_confined_as_reviewed() {
    let (host, image) = probe_host();
    compare(&probe(&host, "host", &image, &[]), "probe-root.txt");
}

#[test]
fn a_user_of_an_app_is_confined_as_reviewed() {
    let (host, image) = probe_host();
    let report = probe(&host, "host", &image, &["--user", "app"]);
    compare(&report, "probe-user.txt");
}

#[test]
fn root_of_an_app_in_a_user_namespace_is_confined_as_reviewed() {
    let (host, image) = probe_host();
    compare(&probe(&host, "auto", &image, &[]), "probe-root-userns.txt");
}

#[test]
fn a_user_of_an_app_in_a_user_namespace_is_confined_as_reviewed() {
    let (host, image) = probe_host();
    let report = probe(&host, "auto", &image, &["--user", "app"]);
    compare(&report, "probe-user-userns.txt");
}

#[test]
fn an_app_in_a_machine_is_confined_as_reviewed() {
    let (host, image) = probe_host();
    let report = crate::kvm::run(&host, &["--rm", "--hostname=probe", "--net=none"])
        .args([&image, "--", "/probe"])
        .run()
        .ok();
    // Threads of the machine's kernel, and the namespaces that it began with: its own all the same.
    let is_of_kernel = |line: &&str| !line.starts_with("another = ");
    let lines: Vec<&str> = report.stdout.lines().filter(is_of_kernel).collect();
    compare(&lines.join("\n"), "probe-root-machine.txt");
}

#[test]
fn a_command_that_enters_is_confined_like_the_app() {
    let (host, image) = probe_host();
    let all = ["root", "user"].map(|name| [(name, "host", ""), (name, "auto", "-userns")]);
    for (name, users, suffix) in all.into_iter().flatten() {
        let user = if name == "root" { "root" } else { "app" };
        let name = format!("{name}{suffix}");
        host.fairing(["run", "--detach", "--hostname", "probe", "--userns", users])
            .args(["--name", &name, &image])
            .args(["--user", user, "--", "/bin/sleep", "1000"])
            .run()
            .ok();
        let entered = host
            .fairing(["enter", &name, "--", "/probe"])
            .run()
            .ok()
            .stdout;
        // The app is there too, and the standard input comes through a pipe; that is all.
        let entered = entered.replace("another = sleep\n", "");
        let entered = entered.replace("\n0 = pipe\n", "\n0 = /dev/null\n");
        compare(&entered, &format!("probe-{name}.txt"));
        host.fairing(["stop", "--force", &name]).run().ok();
    }
}

#[test]
fn limits_of_processes_are_the_callers() {
    let (host, image) = busybox_host();
    let limits = host
        .fairing(["run", "--rm", &image, "--", "/bin/cat", "/proc/self/limits"])
        .run()
        .ok();
    assert_eq!(
        limits.stdout,
        fs::read_to_string("/proc/self/limits").unwrap()
    );
}

#[test]
fn signals_are_reset_for_the_app() {
    let (host, image) = busybox_host();
    host.fairing([
        "run",
        "--rm",
        &image,
        "--",
        "/bin/grep",
        "^Sig[BI]",
        "/proc/self/status",
    ])
    .run()
    .ok()
    .expect_stdout("SigBlk:\t0000000000000000\n")
    .expect_stdout("SigIgn:\t0000000000000000\n");
}

const SECRET: &str = "a secret of the host";

/// Descriptors that every command of this test inherits: of files, directories and the root.
fn leak(host: &Host) -> Vec<OwnedFd> {
    let secret = host.write("secret", SECRET);
    let mut leaked = Vec::new();
    for _ in 0..8 {
        for path in [Path::new("/"), host.base(), &secret] {
            let file = OwnedFd::from(File::open(path).unwrap());
            fcntl_setfd(file.as_fd(), FdFlags::empty()).unwrap();
            leaked.push(file);
        }
    }
    leaked
}

fn identity(path: &Path) -> (u64, u64) {
    let found = fs::metadata(path).unwrap();
    (found.dev(), found.ino())
}

#[test]
fn descriptors_that_the_caller_leaks_reach_nobody_in_the_pod() {
    let (host, image) = probe_host();
    let _leaked = leak(&host);
    let only_streams = "[descriptors]\n0 = /dev/null\n1 = pipe\n2 = pipe\n\n";
    let run = host
        .fairing(["run", "--rm", &image, "--", "/probe", "descriptors"])
        .run()
        .ok();
    assert_eq!(run.stdout, only_streams);
    let pod = host
        .fairing([
            "run",
            "--name",
            "leaky",
            &image,
            "--",
            "/bin/sh",
            "-c",
            "echo up; exec sleep 1000",
        ])
        .spawn();
    pod.wait_stdout("up");
    let entered = host
        .fairing(["enter", "leaky", "--", "/probe", "descriptors"])
        .run()
        .ok();
    // Without `--interactive` there is nothing to read for a command.
    assert_eq!(entered.stdout, only_streams.replace("/dev/null", "pipe"));
    // Pod init has none of them either: an app's way out would be through its descriptors.
    let status = host
        .fairing(["status", "leaky", "--format", "json"])
        .run()
        .ok()
        .json();
    let inside = [&status["init-pid"], &status["apps"][0]["pid"]];
    for pid in inside {
        for entry in fs::read_dir(format!("/proc/{pid}/fd")).unwrap() {
            let entry = entry.unwrap();
            let target = fs::read_link(entry.path()).unwrap();
            // The root of an app's files is called so, too.
            let is_of_host = || identity(&entry.path()) == identity(Path::new("/"));
            assert!(
                !target.starts_with(host.base()) && (target != Path::new("/") || !is_of_host()),
                "{} is {}",
                entry.path().display(),
                target.display()
            );
        }
    }
    host.fairing(["stop", "--force", "leaky"]).run().ok();
    pod.wait();
}

/// A working directory that looks for a way out is one in the app, or none.
#[track_caller]
fn expect_inside(workdir: &str, output: harness::Output) {
    let output = match output.code {
        Some(0) => output,
        _ => output.expect_error(125, &["working directory"]),
    };
    assert!(!output.stdout.contains(SECRET), "{workdir}\n{output}");
}

#[test]
fn a_working_directory_among_descriptors_leads_nowhere() {
    let (host, image) = busybox_host();
    let _leaked = leak(&host);
    let up = format!("../../../../../../..{}", host.base().display());
    let look = format!("pwd; ls; cat secret ../secret {up}/secret ../../../../etc/hostname; true");
    for number in 0..40 {
        for workdir in [
            format!("/proc/self/fd/{number}"),
            format!("/proc/1/fd/{number}"),
            format!("/proc/self/fd/{number}/../../.."),
        ] {
            let output = host
                .fairing(["run", "--rm", "--pull=never", &image, "--workdir", &workdir])
                .args(["--", "/bin/sh", "-c", &look])
                .run();
            expect_inside(&workdir, output);
        }
    }
    // The same from an image's configuration.
    for number in 3..12 {
        let hostile = ImageBuilder::busybox()
            .workdir(&format!("/proc/self/fd/{number}"))
            .build();
        let hostile = import(&host, &hostile, &format!("hostile:{number}"));
        let output = host
            .fairing(["run", "--rm", &hostile, "--", "/bin/sh", "-c", &look])
            .run();
        expect_inside(&format!("descriptor {number}"), output);
    }
}

#[test]
fn the_hosts_mount_namespace_has_nothing_of_a_running_pod() {
    let (host, image) = busybox_host();
    let before = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let pod = host
        .fairing([
            "run",
            "--name",
            "mounts",
            &image,
            "--",
            "/bin/sh",
            "-c",
            "echo up; exec sleep 1000",
        ])
        .spawn();
    pod.wait_stdout("up");
    let here = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(
        host.leftovers().host_mounts.is_empty(),
        "{:?}",
        host.leftovers().host_mounts
    );
    let layers = fs::read_dir(host.data_dir().join("images/layers")).unwrap();
    for layer in layers {
        let layer = layer.unwrap().file_name().into_string().unwrap();
        assert!(
            !here.contains(&layer),
            "a layer is mounted on the host:\n{here}"
        );
    }
    let overlays = |text: &str| text.matches(" - overlay ").count();
    assert_eq!(overlays(&here), overlays(&before));

    let status = host
        .fairing(["status", "mounts", "--format", "json"])
        .run()
        .ok()
        .json();
    let read = |value: &serde_json::Value| {
        Process::read(u32::try_from(value.as_u64().unwrap()).unwrap()).unwrap()
    };
    let (monitor, init) = (read(&status["monitor-pid"]), read(&status["init-pid"]));
    let app = read(&status["apps"][0]["pid"]);
    let own = Process::read(std::process::id()).unwrap();
    assert_eq!(monitor.namespaces["mnt"], own.namespaces["mnt"]);
    for kind in ["mnt", "net", "pid", "ipc", "uts"] {
        assert_ne!(init.namespaces[kind], own.namespaces[kind], "{kind}");
    }
    assert_ne!(app.namespaces["mnt"], init.namespaces["mnt"]);
    assert_ne!(app.namespaces["cgroup"], own.namespaces["cgroup"]);

    // And the pod has none of the host's mounts: not in the app, and not in its init.
    for pid in [init.pid, app.pid] {
        let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap();
        let disks: Vec<&str> = mounts
            .lines()
            .filter(|line| line.contains(" - ext"))
            .collect();
        assert_eq!(disks, Vec::<&str>::new(), "process {pid}");
        let writable = mounts
            .lines()
            .find(|line| line.contains(" - cgroup") && !line.contains(" ro,"));
        assert_eq!(writable, None, "process {pid}");
        // Pod init has none; the app sees no more than its own.
        let is_init = pid == init.pid;
        assert!(!(is_init && mounts.contains(" - cgroup")), "{mounts}");
        assert!(mounts.lines().count() < 40, "process {pid}:\n{mounts}");
    }
    host.fairing(["stop", "--force", "mounts"]).run().ok();
    pod.wait();
}
