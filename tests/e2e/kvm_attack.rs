//! A machine that was taken over, with the program that runs it: what it is given of the host's files is all that it gets,
//! whatever it says to who shares them.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use harness::{FairingCommand, Host, installed_kernel, probe_binary};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::kvm_volumes::{Server, served_by};
use crate::stocked::{IMAGE, busybox};

const SECRET: &str = "of the host\n";

/// `fairing run` where QEMU is a program that plays the machine.
fn run(host: &Host) -> FairingCommand {
    let script = format!(
        "mount --bind {} /usr/bin/qemu-system-x86_64 && exec \"$@\"",
        probe_binary().display()
    );
    let own = ["--mount", "--propagation", "private", "/bin/sh", "-c"];
    let own = own.into_iter().chain([script.as_str(), "sh"]);
    host.fairing(["run", "--stage1=kvm", "--net=none", "--rm"])
        .arg(format!("--kvm-kernel={}", installed_kernel().display()))
        .through("unshare", own)
        .limit(Duration::from_secs(240))
}

#[test]
fn a_machine_that_was_taken_over_reaches_no_file_but_its_volumes() {
    attack(&served_by(Server::C));
}

/// What no kernel says, and what a machine may do to the queue of its requests, by its number with the probe.
const NONSENSE: std::ops::RangeInclusive<u32> = 0..=11;

#[test]
fn a_machine_that_upsets_who_shares_files_with_it_ends_and_leaves_nothing() {
    for server in [Server::C, Server::Rust] {
        let host = served_by(server);
        fs::create_dir(host.base().join("open")).unwrap();
        host.write("open/own", "own\n");
        for number in NONSENSE {
            let ended = run(&host)
                .arg(format!("--kvm-memory={}m", 200 + number))
                .arg(format!("--volume={}/open:/open", host.base().display()))
                .args([IMAGE, "--", "/bin/true"])
                .run();
            let ended = ended.expect_error(125, &["virtual machine"]);
            let told = ["ended", "stuck"]
                .iter()
                .any(|how| ended.stderr.contains(how));
            assert!(told, "{ended}");
            let reached = ended.stderr.split_once("reached ").map(|(_, what)| what);
            assert!(reached.is_none_or(|what| what == "nothing\n"), "{ended}");
            assert!(host.processes().is_empty(), "{number}");
        }
        host.expect_clean();
    }
}

#[test]
fn a_machine_that_was_taken_over_opens_no_file_of_the_host_but_its_programs() {
    let host = busybox();
    let ended = run(&host)
        .arg("--kvm-memory=198m")
        .args([IMAGE, "--", "/bin/true"])
        .run();
    // Each of the others is there for every user.
    ended.expect_error(125, &["reached 3 of its own and [] of others"]);
    host.expect_clean();
}

#[test]
fn the_same_where_the_program_in_rust_shares_the_files() {
    attack(&served_by(Server::Rust));
}

fn attack(host: &Host) {
    let secret = host.write("secret", SECRET);
    let outside = host.base().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("mark"), SECRET).unwrap();
    let [open, fixed] = ["open", "fixed"].map(|name| {
        let volume = host.base().join(name);
        fs::create_dir_all(volume.join("inside")).unwrap();
        fs::write(volume.join("own"), "own\n").unwrap();
        volume
    });
    symlink(&secret, open.join("link")).unwrap();
    symlink("../secret", open.join("above")).unwrap();
    fs::create_dir(open.join("flip")).unwrap();
    fs::write(open.join("flip/mark"), "own\n").unwrap();
    symlink(&outside, open.join("flop")).unwrap();

    let is_over = AtomicBool::new(false);
    let output = std::thread::scope(|scope| {
        scope.spawn(|| {
            let (flip, flop) = (open.join("flip"), open.join("flop"));
            while !is_over.load(Ordering::Relaxed) {
                renameat_with(CWD, &flip, CWD, &flop, RenameFlags::EXCHANGE).unwrap();
            }
        });
        let output = run(host)
            .arg(format!("--volume={}:/open", open.display()))
            .arg(format!("--volume={}:/fixed:ro", fixed.display()))
            .args([IMAGE, "--", "/bin/true"])
            .run();
        is_over.store(true, Ordering::Relaxed);
        output
    });
    let told = output.expect_error(
        125,
        &[
            "the virtual machine ended: asked ",
            "to the end, reached nothing",
        ],
    );
    let asked = told.stderr.split_once("asked ").unwrap().1;
    let asked: u32 = asked.split(' ').next().unwrap().parse().unwrap();
    assert!(asked > 4000, "{asked}");

    let unchanged = |path: &std::path::Path, mode: u32| {
        assert_eq!(fs::read_to_string(path).unwrap(), SECRET);
        let metadata = fs::metadata(path).unwrap();
        assert_eq!((metadata.mode() & 0o7777, metadata.uid()), (mode, 0));
    };
    unchanged(&secret, 0o644);
    unchanged(&outside.join("mark"), 0o644);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(fixed.join("own")).unwrap(), "own\n");
    let mut left: Vec<_> = fs::read_dir(&fixed).unwrap().collect();
    assert_eq!(left.len(), 2, "{left:?}");
    left.clear();
    for entry in fs::read_dir(&open).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        let is_device = kind.is_block_device() || kind.is_char_device();
        // A whiteout is no device.
        let number = entry.metadata().unwrap().rdev();
        assert!(!is_device || number == 0, "{entry:?}");
    }
    host.expect_clean();
}
