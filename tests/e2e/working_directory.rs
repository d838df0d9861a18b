//! Working directories that lead out of the app's root: through pod init's root, through open
//! descriptors, through links that the app made.

use harness::{Host, ImageBuilder, Layer, Output};

use crate::stocked::{IDLE, IMAGE, busybox, detached, host_with, wait_log};

/// Ends with 0 if the way up from the working directory ends at the app's root. The kernel walks
/// it, since the shell's own idea of the directory says nothing. The lists are for [`expect_inside`].
const WHERE: &str = "ls -a . ..; up=../../../../../../../../../..; ls -a $up; \
    [ \"$(stat -c %d:%i $up)\" = \"$(stat -c %d:%i /)\" ]";

/// Expects a command that either was refused or ended inside of the app's root.
#[track_caller]
fn expect_inside(host: &Host, path: &str, output: Output) {
    if output.code != Some(0) {
        let output = output.expect_error(125, &[path]);
        assert_eq!(output.stdout, "", "{path}: it ran\n{output}");
        return;
    }
    let base = host.base().file_name().unwrap().to_str().unwrap();
    for foreign in ["mount-points", "cgroup.procs", base] {
        let seen = output.stdout.lines().any(|line| line.contains(foreign));
        assert!(!seen, "{path}: the app sees {foreign}\n{output}");
    }
}

fn run_in(host: &Host, path: &str) -> Output {
    host.fairing(["run", "--rm", IMAGE, "--workdir", path, "--"])
        .args(["/bin/sh", "-c", WHERE])
        .run()
}

#[test]
fn a_directory_that_only_root_may_enter_is_entered_and_gives_no_more_rights() {
    let host = Host::new();
    host.accept_unsigned();
    let closed = Layer::new()
        .folder("root", 0o700)
        .file("root/secret", "x", 0o600);
    let image = ImageBuilder::busybox()
        .layer(closed)
        .user("1000")
        .workdir("/root");
    image.build().write_layout(&host.base().join("closed"), "x");
    host.fairing(["run", "--rm", "oci:closed:x", "--", "/bin/sh", "-c"])
        .arg("stat -c %a:%u /root && { cat secret || echo denied; }")
        .run()
        .ok()
        .expect_stdout("700:0")
        .expect_stdout("denied");
}

#[test]
fn an_ordinary_directory_is_inside() {
    let host = busybox();
    for path in ["/", "/var", "/made/for/it", "/dev/shm", "/proc/self"] {
        run_in(&host, path).ok();
    }
}

#[test]
fn the_root_of_pod_init_is_no_way_out() {
    let host = busybox();
    for path in [
        "/proc/1/root",
        "/proc/1/root/mount-points",
        "/proc/1/cwd",
        "/proc/self/root/proc/1/root",
        "/proc/self/cwd",
        "/proc/self/task/../../1/root",
    ] {
        expect_inside(&host, path, run_in(&host, path));
    }
}

#[test]
fn descriptors_of_pod_init_are_no_way_out() {
    let host = busybox();
    for number in 3..=20 {
        for path in [
            format!("/proc/1/fd/{number}"),
            format!("/proc/1/fd/{number}/../../../../.."),
        ] {
            expect_inside(&host, &path, run_in(&host, &path));
        }
    }
}

#[test]
fn descriptors_of_the_start_are_no_way_out() {
    let host = busybox();
    for number in 0..=20 {
        let path = format!("/proc/self/fd/{number}");
        expect_inside(&host, &path, run_in(&host, &path));
    }
}

#[test]
fn a_link_in_the_image_is_no_way_out() {
    for target in ["/proc/1/root", "/proc/1/fd/9", "/proc/self/fd/3"] {
        let link = harness::Layer::new().symlink("w", target);
        let host = host_with(ImageBuilder::busybox().layer(link).workdir("/w"));
        let output = host
            .fairing(["run", "--rm", IMAGE, "--", "/bin/sh", "-c", WHERE])
            .run();
        expect_inside(&host, "/w", output);
    }
}

#[test]
fn a_link_that_the_app_made_is_no_way_out_for_a_later_command() {
    let host = host_with(ImageBuilder::busybox().workdir("/w"));
    let targets = (3..=20)
        .map(|number| format!("/proc/1/fd/{number}"))
        .chain(["/proc/1/root".to_owned(), "/proc/self/fd/3".to_owned()]);
    let script = format!("cd /; rmdir /w; ln -s /nowhere /w; echo up; {IDLE}");
    let pod = detached(&host, &[], &script);
    wait_log(&host, &pod, "up");
    let app = host.fairing(["status", "--format", "json", &pod]).run();
    let app = app.ok().json()["apps"][0]["pid"].as_u64().unwrap();
    for target in targets {
        // Through the app's root, as the app would.
        let link = format!("/proc/{app}/root/w");
        std::fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let output = host
            .fairing(["enter", &pod, "--", "/bin/sh", "-c", WHERE])
            .run();
        expect_inside(&host, "/w", output);
    }
    host.fairing(["stop", "--force", &pod]).run().ok();
}
