//! `fairing cp` beside apps that do not want to be copied.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::process::Command;
use std::time::Duration;

use harness::{Host, Output, Signal, wait_until};

use crate::app::pod_file;
use crate::stocked::{IDLE, busybox, detached, status, wait_log};

fn cp(host: &Host, from: &str, to: &str) -> Output {
    host.fairing(["cp", from, to])
        .limit(Duration::from_secs(120))
        .run()
}

fn out(host: &Host, pod: &str, path: &str, to: &str) -> Output {
    let to = host.base().join(to);
    cp(host, &format!("{pod}:{path}"), to.to_str().unwrap())
}

fn is_copying(host: &Host) -> bool {
    let mut processes = host.processes().into_iter();
    processes.any(|process| process.command_line.contains("fairing-copy"))
}

#[test]
fn what_is_no_file_is_left_out_and_told_in_words_that_command_no_terminal() {
    let host = busybox();
    let script = "cd /tmp; mkdir d; mkfifo d/pipe; ln -s /dev/zero d/zero; echo x > d/file; \
         chmod 6755 d/file; truncate -s 300G endless; echo made; ";
    let pod = detached(&host, &["--userns=host"], &format!("{script}{IDLE}"));
    wait_log(&host, &pod, "made");
    out(&host, &pod, "/tmp/d", "d").ok();
    let d = host.base().join("d");
    assert!(
        fs::symlink_metadata(d.join("pipe"))
            .unwrap()
            .file_type()
            .is_fifo()
    );
    assert!(fs::symlink_metadata(d.join("zero")).unwrap().is_symlink());
    // No program of the pod runs as its owner here.
    assert_eq!(fs::metadata(d.join("file")).unwrap().mode() & 0o7777, 0o755);
    let output = out(&host, &pod, "/dev", "devices").ok();
    assert!(
        output.stderr.contains("dev/zero is a device: left out"),
        "{output}"
    );
    assert!(!host.base().join("devices/zero").exists());
    out(&host, &pod, "/dev/zero", "x").expect_error(125, &["is a device"]);
    let linked = format!("{pod}:/tmp/d/zero");
    let x = host.base().join("x");
    host.fairing(["cp", "-L", &linked, x.to_str().unwrap()])
        .run()
        .expect_error(125, &["is a device"]);
    out(&host, &pod, "/tmp/endless", "x").expect_error(112, &["endless"]);
    for odd in ["/proc/kmsg", "/proc/1/environ", "/proc/1/root"] {
        let name = odd.rsplit('/').next().unwrap();
        out(&host, &pod, odd, "odd").expect_error(125, &[name]);
    }
    assert!(!x.exists() && !host.base().join("odd").exists());
    let hostile = "cd /tmp; p=n; for n in $(seq 199); do p=$p/$(printf 'e\\033[2J'); done; \
         mkdir -p $p; for n in $(seq 30); do mkdir $p/$n; done";
    host.fairing(["enter", &pod, "--", "/bin/sh", "-c", hostile])
        .run()
        .ok();
    let output = out(&host, &pod, "/tmp/n", "n").ok();
    assert!(
        output.stderr.contains("is nested too deeply: left out"),
        "{output}"
    );
    assert!(output.stderr.contains("10 more are left out"), "{output}");
    assert!(!output.stderr.contains('\u{1b}'), "{output}");
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn a_tree_that_changes_while_it_is_copied_is_copied_as_far_as_it_is_there() {
    let host = busybox();
    host.write("outside/secret", "untouched");
    let script = "mkdir -p /tmp/d/a /tmp/other; echo other > /tmp/other/f; echo ready; \
         while :; do echo x > /tmp/d/a/f; mv /tmp/d/a /tmp/d/b; ln -s /tmp/other /tmp/d/a; \
         rm /tmp/d/a; mv /tmp/d/b /tmp/d/a; rm -f /tmp/d/a/f; mkfifo /tmp/d/a/f; rm /tmp/d/a/f; done";
    let pod = detached(&host, &[], script);
    wait_log(&host, &pod, "ready");
    // What is there already are links out.
    let to = host.base().join("to");
    fs::create_dir_all(&to).unwrap();
    symlink(host.base().join("outside"), to.join("a")).unwrap();
    for _ in 0..20 {
        let output = out(&host, &pod, "/tmp/d/.", "to");
        let told = format!("{output}");
        assert!(
            output.code == Some(0) || told.contains("nothing is written through links"),
            "{told}"
        );
        let secret = fs::read_to_string(host.base().join("outside/secret")).unwrap();
        assert_eq!(secret, "untouched");
        assert_eq!(
            fs::read_dir(host.base().join("outside")).unwrap().count(),
            1
        );
    }
    // The same the other way: a place that is now a directory and now a link.
    host.write("in/f", "from here");
    let from = host.base().join("in/.");
    for _ in 0..20 {
        let output = cp(&host, from.to_str().unwrap(), &format!("{pod}:/tmp/d/a"));
        assert!(
            output.code == Some(0) || output.code == Some(125),
            "{output}"
        );
    }
    assert_eq!(status(&host, &pod)["state"], "running");
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn a_hundred_thousand_entries_go_out_and_in() {
    let host = busybox();
    let script = "mkdir /tmp/d; cd /tmp/d; seq 100000 | xargs touch; echo made; ";
    let pod = detached(&host, &[], &format!("{script}{IDLE}"));
    let limit = Duration::from_secs(60);
    wait_until("the files", limit, || {
        let logs = host.fairing(["logs", &pod]).run().ok();
        logs.stdout.contains("made").then_some(())
    });
    out(&host, &pod, "/tmp/d", "d").ok();
    let d = host.base().join("d");
    assert_eq!(fs::read_dir(&d).unwrap().count(), 100_000);
    cp(&host, d.to_str().unwrap(), &format!("{pod}:/tmp/back")).ok();
    let count = "ls /tmp/back | wc -l";
    let counted = host
        .fairing(["enter", &pod, "--", "/bin/sh", "-c", count])
        .run()
        .ok();
    assert_eq!(counted.text(), "100000");
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn a_copy_that_is_killed_on_any_side_leaves_nothing_behind() {
    let host = busybox();
    let pod = detached(
        &host,
        &[],
        &format!("dd if=/dev/zero of=/tmp/large bs=1M count=64 2>/dev/null; echo made; {IDLE}"),
    );
    wait_log(&host, &pod, "made");
    let from = format!("{pod}:/tmp/large");
    let begun = || {
        wait_until("the copy", Duration::from_secs(20), || {
            is_copying(&host).then_some(())
        });
    };
    let ended = || {
        wait_until("the end of the copy", Duration::from_secs(20), || {
            (!is_copying(&host)).then_some(())
        });
    };
    // The client: nobody reads what it writes, so it is on its way for ever.
    let (_reader, writer) = rustix::pipe::pipe().unwrap();
    let client = host.fairing(["cp", &from, "-"]).stdout_file(writer).spawn();
    begun();
    client.signal(Signal::KILL);
    client.wait();
    ended();
    // One that sends nothing.
    let client = host
        .fairing(["cp", "-", &format!("{pod}:/tmp")])
        .stdin_open()
        .spawn();
    begun();
    client.signal(Signal::KILL);
    client.wait();
    ended();
    // The process in the app.
    let (_reader, writer) = rustix::pipe::pipe().unwrap();
    let client = host.fairing(["cp", &from, "-"]).stdout_file(writer).spawn();
    begun();
    let kill = "for p in /proc/[0-9]*; do grep -q fairing-cop[y] $p/cmdline 2>/dev/null && \
         kill -9 ${p#/proc/}; done; true";
    host.fairing(["enter", &pod, "--", "/bin/sh", "-c", kill])
        .run()
        .ok();
    ended();
    client.signal(Signal::KILL);
    client.wait();
    assert_eq!(status(&host, &pod)["state"], "running");
    // The pod.
    let client = host
        .fairing(["cp", "-", &format!("{pod}:/tmp")])
        .stdin_open()
        .spawn();
    begun();
    host.fairing(["stop", "--force", &pod]).run().ok();
    ended();
    client.signal(Signal::KILL);
    client.wait();
}

#[test]
fn files_of_an_ended_pod_are_no_less_hostile_and_its_copies_end_with_their_command() {
    let host = busybox();
    let secret = host.write("outside/secret", "untouched");
    let outside = secret.parent().unwrap().display();
    let script = format!(
        "cd /tmp; mkfifo pipe; mknod null c 1 3; truncate -s 300G endless; ln -s {outside} out; \
         ln -s ../../../../../../..{outside} up; mkdir many; cd many; seq 100000 | xargs touch; \
         dd if=/dev/zero of=/tmp/large bs=1M count=8 2>/dev/null"
    );
    let pod = detached(&host, &["--userns=host", "--cap-add=MKNOD"], &script);
    host.fairing(["wait", &pod]).run().ok();
    out(&host, &pod, "/tmp/null", "x").expect_error(125, &["is a device"]);
    out(&host, &pod, "/tmp/endless", "x").expect_error(112, &["endless"]);
    for path in ["/tmp/out/secret", "/tmp/up/secret", "/proc/self/root"] {
        out(&host, &pod, path, "x").expect_error(125, &["in pod"]);
    }
    assert!(!host.base().join("x").exists());
    cp(
        &host,
        secret.to_str().unwrap(),
        &format!("{pod}:/tmp/out/new"),
    )
    .expect_error(125, &["in pod"]);
    assert_eq!(
        fs::read_dir(host.base().join("outside")).unwrap().count(),
        1
    );
    out(&host, &pod, "/tmp/pipe", "pipe").ok();
    out(&host, &pod, "/tmp/many", "many").ok();
    assert_eq!(
        fs::read_dir(host.base().join("many")).unwrap().count(),
        100_000
    );
    let is_copying = || {
        let mut processes = host.processes().into_iter();
        processes.any(|process| process.command_line.contains("stage1-nspawn copy"))
    };
    let limit = Duration::from_secs(20);
    // Nobody reads what it writes, and nobody writes what it reads.
    let (_reader, writer) = rustix::pipe::pipe().unwrap();
    let sending = host.fairing(["cp", &format!("{pod}:/tmp/large"), "-"]);
    let sending = sending.stdout_file(writer).spawn();
    let taking = host.fairing(["cp", "-", &format!("{pod}:/tmp")]);
    let mut taking = taking.stdin_open().spawn();
    // The first file of an archive that goes on: once it is there, the copy has the files to itself.
    let mut tar = Command::new("tar");
    tar.args(["-cf-", "-C"])
        .arg(secret.parent().unwrap())
        .arg("secret");
    let archive = tar.output().unwrap().stdout;
    taking.write(std::str::from_utf8(&archive[..1024]).unwrap());
    let taken = pod_file(&host, &pod, "apps/busybox/upper/tmp/secret");
    wait_until("the first file", limit, || taken.exists().then_some(()));
    let refused = format!("{pod}:/tmp/new");
    cp(&host, secret.to_str().unwrap(), &refused).expect_error(125, &["already"]);
    for client in [sending, taking] {
        client.signal(Signal::KILL);
        client.wait();
    }
    // A process that ends has no command line any more a moment before it lets go of its lock.
    wait_until("the end of the copies", limit, || {
        let output = cp(&host, secret.to_str().unwrap(), &refused);
        (output.code == Some(0) && !is_copying()).then_some(())
    });
    host.fairing(["rm", &pod]).run().ok();
}
