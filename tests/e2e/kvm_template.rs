//! Pods in virtual machines that are copies of a template: machines of their own in all that an app sees.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime};

use harness::{Host, Signal, installed_kernel, wait_until};
use rustix::process::{Pid, kill_process};

use crate::kvm::{detached, run, shell};
use crate::network_lab::{Lab, fetch};
use crate::stocked::{IMAGE, busybox, status, wait_log};

const FLAG: &str = "--kvm-template";
const NO_COPY: &str = "is no copy of a template";

/// The directories of templates and what is being made; none if there are none.
fn templates(host: &Host) -> Vec<PathBuf> {
    let boot_files = fs::read_dir(host.data_dir().join("kvm")).into_iter();
    let folders = boot_files.flatten().flatten().map(|entry| entry.path());
    let entries = folders.filter_map(|folder| fs::read_dir(folder.join("templates")).ok());
    let entries = entries.flatten().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_dir()).collect()
}

/// Seconds since 1970.
fn now() -> u64 {
    let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    time.unwrap().as_secs()
}

fn template(host: &Host) -> PathBuf {
    let all = templates(host);
    assert_eq!(all.len(), 1, "{all:?}");
    all.into_iter().next().unwrap()
}

/// What an app says in a pod with this name that is a copy: a line each.
#[track_caller]
fn told(host: &Host, name: &str, script: &str) -> Vec<String> {
    let script = format!("{script}\necho up; sleep 1000");
    let environment = "--env=MARK=mark-of-a-pod";
    let flags = ["--detach", "--rm", FLAG, "--name", name, environment];
    let started = shell(host, &flags, &script).run();
    let started = started.ok();
    assert!(!started.stderr.contains(NO_COPY), "{started}");
    wait_log(host, name, "up");
    let log = host.fairing(["logs", name]).run().ok();
    log.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn copies_of_a_template_differ_in_all_that_has_to_and_share_its_memory() {
    let host = busybox();
    let script = "
        cat /proc/sys/kernel/random/uuid /proc/sys/kernel/random/boot_id
        hostname
        grep stack /proc/self/maps
        head -c 16 /dev/urandom | od -An -tx1
        date +%s
        sleep 2
    ";
    let before = now();
    let one = told(&host, "one", script);
    let made = template(&host);
    let two = told(&host, "two", script);
    assert_eq!(template(&host), made);
    for (number, what) in ["uuid", "boot ID", "host name", "stack", "random bytes"]
        .iter()
        .enumerate()
    {
        assert_ne!(one[number], two[number], "the {what} of both");
        assert!(!one[number].is_empty());
    }
    // Time goes on as the host's, at first and later; a second may be about to begin.
    let is_about = |time: u64, earliest: u64| (earliest - 1..=now() + 1).contains(&time);
    for (copy, name) in [(&one, "one"), (&two, "two")] {
        let first: u64 = copy[5].parse().unwrap();
        assert!(is_about(first, before), "{first} {before}");
        let shown = host.fairing(["status", name]).run().ok();
        shown.expect_stdout("machine-start=copy of a template\n");
        let earliest = now();
        let asked = host.fairing(["enter", name, "--", "/bin/date", "+%s"]);
        let later: u64 = asked.run().ok().text().parse().unwrap();
        assert!(is_about(later, earliest), "{later} {earliest}");
    }
    // One is what the other is: what it says of its template is the same file, and a program that has been taken over
    // can't write to it.
    let holder = |pod: &str| -> serde_json::Value {
        let uuid = status(&host, pod)["uuid"].as_str().unwrap().to_owned();
        let record = host.run_dir().join("pods").join(uuid).join("template");
        serde_json::from_slice(&fs::read(record).unwrap()).unwrap()
    };
    assert_eq!(holder("one")["inode"], holder("two")["inode"]);
    let machine = status(&host, "two")["init-pid"].as_i64().unwrap();
    let memory = fs::read_dir(format!("/proc/{machine}/fd"))
        .unwrap()
        .find_map(|entry| {
            let path = entry.unwrap().path();
            let target = fs::read_link(&path).unwrap();
            target
                .to_string_lossy()
                .contains("fairing-template")
                .then_some(path)
        });
    let memory = File::options().write(true).open(memory.unwrap()).unwrap();
    let refused = memory.write_at(b"x", 0).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied);
    // Nothing of a pod is in it.
    for word in ["mark-of-a-pod", IMAGE] {
        let mut grep = Command::new("grep");
        let found = grep
            .args(["-r", "-l", "-a", "-F", word])
            .arg(&made)
            .output();
        let found = found.unwrap();
        assert_eq!(found.status.code(), Some(1), "{word}: {found:?}");
    }
    host.fairing(["stop", "--force", "one", "two"]).run().ok();
}

#[test]
fn copies_have_the_addresses_of_their_own_pods() {
    let lab = Lab::new();
    let kernel = format!("--kvm-kernel={}", installed_kernel().display());
    let flags = ["--stage1=kvm", "--rm", "--kvm-accel=tcg", FLAG, &kernel];
    let pods = ["one", "two"].map(|name| lab.server(name, &flags));
    for (name, pod) in ["one", "two"].iter().zip(&pods) {
        let own = lab.listed(name)["networks"][0].clone();
        let shown = lab.within(pod, "ip addr show eth0");
        assert!(shown.contains(own["mac"].as_str().unwrap()), "{shown}");
        let address = lab.address(name, true);
        assert_eq!(fetch(&lab.machine, &format!("{address}:80")), *name);
    }
    assert_eq!(lab.within(&pods[0], "wget -qO- http://two/"), "two\n");
    assert_eq!(
        template(&lab.host).parent().unwrap().file_name().unwrap(),
        "templates"
    );
    lab.stop(&[&pods[0], &pods[1]]);
}

#[test]
fn a_template_that_was_changed_or_does_not_load_is_gone_and_its_pod_boots() {
    let host = busybox();
    let copy = || shell(&host, &["--rm", FLAG], "echo ran").run();
    let first = copy().ok();
    assert_eq!(first.stdout, "ran\n");
    assert!(!first.stderr.contains(NO_COPY), "{first}");
    let made = template(&host);
    let memory = File::options()
        .write(true)
        .open(made.join("memory"))
        .unwrap();
    memory.write_at(b"x", 1 << 20).unwrap();
    let booted = copy()
        .expect_stderr(NO_COPY)
        .expect_stderr("its memory was changed");
    assert_eq!(booted.ok().stdout, "ran\n");
    assert!(templates(&host).is_empty());
    // One whose record tells of what is there, which is not what QEMU takes.
    copy().ok();
    let made = template(&host);
    fs::write(made.join("state"), "no state").unwrap();
    let found = fs::metadata(made.join("state")).unwrap();
    let facts = {
        use std::os::unix::fs::MetadataExt;
        format!(
            "{} {} {}.{} {}.{}",
            found.ino(),
            found.size(),
            found.ctime(),
            found.ctime_nsec(),
            found.mtime(),
            found.mtime_nsec()
        )
    };
    let record = made.join("record.json");
    let mut text: serde_json::Value = serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
    text["state"] = facts.into();
    fs::write(&record, text.to_string()).unwrap();
    let booted = copy()
        .expect_stderr(NO_COPY)
        .expect_stderr("the machine has ended: qemu-system-x86_64: ");
    assert_eq!(booted.ok().stdout, "ran\n");
    assert!(templates(&host).is_empty());
}

#[test]
fn of_a_template_whose_maker_was_killed_gc_leaves_nothing() {
    let host = busybox();
    let start = || shell(&host, &["--rm", "--name=maker", FLAG], "true").spawn();
    let killed = start();
    let folder = wait_until("a template is being made", Duration::from_secs(60), || {
        templates(&host).into_iter().next()
    });
    assert_eq!(folder.file_name().unwrap(), "new");
    // The template's machine has begun.
    wait_until("its machine runs", Duration::from_secs(60), || {
        let all = host.processes();
        all.iter()
            .any(|one| one.name.starts_with("qemu"))
            .then_some(())
    });
    kill_process(Pid::from_raw(killed.pid() as i32).unwrap(), Signal::KILL).unwrap();
    killed.wait_for(Duration::from_secs(20));
    wait_until("the machine is gone", Duration::from_secs(20), || {
        let all = host.processes();
        all.iter()
            .all(|one| !one.name.starts_with("qemu"))
            .then_some(())
    });
    assert!(folder.exists());
    host.collect();
    assert!(templates(&host).is_empty());
    host.expect_clean();
}

#[test]
fn a_pod_that_shares_files_boots_and_says_so() {
    let host = busybox();
    let folder = host.base().join("folder");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("file"), "shared").unwrap();
    let volume = format!("--volume={}:/shared", folder.display());
    let output = run(&host, &["--rm", FLAG])
        .args([&volume, IMAGE, "--", "/bin/cat", "/shared/file"])
        .run();
    let output = output
        .expect_stderr(NO_COPY)
        .expect_stderr("shares files with the host");
    assert_eq!(output.ok().stdout, "shared");
    assert!(templates(&host).is_empty());
    // And who asks for a copy elsewhere is refused.
    host.fairing(["run", FLAG, IMAGE, "--", "/bin/true"])
        .run()
        .expect_error(
            125,
            &["virtual-machine", "isolator `nspawn` does not offer"],
        );
}

#[test]
fn a_pod_in_the_background_is_a_copy_whose_commands_reach_into_it() {
    let host = busybox();
    let uuid = detached(
        &host,
        &["--detach", "--rm", "--name=box", FLAG],
        "echo up; sleep 1000",
    );
    wait_log(&host, &uuid, "up");
    let output = host
        .fairing(["enter", "box", "--", "/bin/hostname"])
        .run()
        .ok();
    assert_eq!(output.stdout, "box\n");
    host.fairing(["stop", "--force", "box"]).run().ok();
}
