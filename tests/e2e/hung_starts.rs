//! Apps and commands whose start hangs: whatever ends them overtakes it, and nobody else waits.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use harness::{Host, ImageBuilder, Layer, Lease, Output, Signal, wait_until};

use crate::app::{add, app, idle, sandbox, state};
use crate::stocked::{IMAGE, host_with, status, wait_log};

/// A program of the image, on whose file a test can hold a lease: who executes it waits.
const LATE: &str = "/bin/late";

/// Less than pod init gives a start that hangs.
const SOON: Duration = Duration::from_secs(5);

fn host() -> Host {
    let script = "#!/bin/sh\necho late runs\nexec sleep 1000\n";
    host_with(ImageBuilder::busybox().layer(Layer::new().file("bin/late", script, 0o755)))
}

fn lease(host: &Host) -> Lease {
    fn find(directory: &Path, name: &str) -> Option<PathBuf> {
        let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
        entries.map(|entry| entry.path()).find_map(|path| {
            match fs::symlink_metadata(&path).unwrap() {
                found if found.is_dir() => find(&path, name),
                found => (found.is_file() && path.ends_with(name)).then_some(path),
            }
        })
    }
    let layers = host.data_dir().join("images/layers");
    Lease::take(&find(&layers, "bin/late").expect("the layer is unpacked"))
}

/// A pod without apps, and one that has been added to it: its program is the late one.
fn sandbox_with_late(host: &Host) -> String {
    let pod = sandbox(host, &[]);
    let command = host.fairing(["app", "add", &pod, IMAGE, "--app-name", "late"]);
    command.args(["--", LATE]).run().ok();
    pod
}

#[track_caller]
fn expect_soon(output: Output) -> Output {
    assert!(output.elapsed < SOON, "it took {:?}", output.elapsed);
    output
}

#[test]
fn an_app_that_is_stopped_while_it_starts_does_not_run_once_that_is_answered() {
    let host = host();
    let pod = sandbox_with_late(&host);
    let mut lease = lease(&host);
    let start = host.fairing(["app", "start", &pod, "late"]).spawn();
    lease.wait_awaited();
    let stop = host.fairing(["app", "stop", &pod, "late"]).run().ok();
    expect_soon(stop);
    let start = start.wait();
    expect_soon(start).expect_error(125, &["late", "stopped while it was being started"]);
    drop(lease);
    assert_ne!(state(&host, &pod, "late"), "running");
    assert!(!fs::exists(log(&host, &pod)).unwrap() || !text(&host, &pod).contains("late runs"));
    // Nothing of that start is in the way of the next.
    app(&host, &["start", &pod, "late"]);
    wait_log(&host, &pod, "late runs");
    app(&host, &["stop", "--force", &pod, "late"]);
    host.fairing(["stop", &pod]).run().ok();
}

fn log(host: &Host, pod: &str) -> PathBuf {
    crate::app::pod_file(host, pod, "apps/late/log")
}

fn text(host: &Host, pod: &str) -> String {
    host.fairing(["logs", pod]).run().ok().stdout
}

#[test]
fn an_app_leaves_its_pod_while_it_starts_by_force_alone() {
    let host = host();
    let pod = sandbox_with_late(&host);
    let mut lease = lease(&host);
    let start = host.fairing(["app", "start", &pod, "late"]).spawn();
    lease.wait_awaited();
    let removal = host.fairing(["app", "rm", &pod, "late"]).run();
    removal.expect_error(125, &["late", "is being started"]);
    let removal = host.fairing(["app", "rm", "--force", &pod, "late"]).run();
    expect_soon(removal.ok());
    expect_soon(start.wait()).expect_error(125, &["late"]);
    assert_eq!(state(&host, &pod, "late"), "");
    host.fairing(["stop", &pod]).run().ok();
}

#[test]
fn a_pod_ends_while_an_app_starts_in_it() {
    let host = host();
    let pod = sandbox_with_late(&host);
    add(&host, &pod, "web", &[], &idle("web is up"));
    app(&host, &["start", &pod, "web"]);
    let mut lease = lease(&host);
    let start = host.fairing(["app", "start", &pod, "late"]).spawn();
    lease.wait_awaited();
    expect_soon(host.fairing(["stop", &pod]).run().ok());
    expect_soon(start.wait()).expect_error(125, &[]);
    assert_eq!(status(&host, &pod)["state"], "exited");
}

#[test]
fn a_pod_that_is_stopped_while_it_starts_was_never_there() {
    let host = host();
    let mut lease = lease(&host);
    let web = idle("web is up");
    let run = host
        .fairing(["run", IMAGE, "--app-name", "web", "--", "/bin/sh", "-c"])
        .args([&web, "---", IMAGE, "--app-name", "late", "--", LATE])
        .spawn();
    lease.wait_awaited();
    run.signal(Signal::TERM);
    let output = expect_soon(run.wait()).expect_code(143);
    output.expect_stderr("interrupted by SIGTERM");
    assert_eq!(host.pod_folders(), []);
}

#[test]
fn what_hangs_in_one_app_holds_up_no_other() {
    let host = host();
    let (web, db) = (idle("web is up"), idle("db is up"));
    let run = host.fairing([
        "run",
        "--detach",
        IMAGE,
        "--app-name",
        "web",
        "--",
        "/bin/sh",
    ]);
    let run = run.args(["-c", &web, "---", IMAGE, "--app-name", "db", "--"]);
    let pod = run
        .args(["/bin/sh", "-c", &db])
        .run()
        .ok()
        .text()
        .to_owned();
    wait_log(&host, &pod, "web is up");
    let mut lease = lease(&host);
    let hung = host.fairing(["enter", "--app", "db", &pod, "--", LATE]);
    let hung = hung.spawn();
    lease.wait_awaited();
    let entered = host.fairing(["enter", "--app", "web", &pod, "--", "/bin/true"]);
    expect_soon(entered.run().ok());
    expect_soon(host.fairing(["app", "stop", &pod, "web"]).run().ok());
    assert_eq!(state(&host, &pod, "web"), "exited");
    assert!(hung.is_running());
    drop(lease);
    hung.wait_stdout("late runs");
    host.fairing(["stop", &pod]).run().ok();
    hung.wait();
}

#[test]
fn a_start_that_takes_too_long_is_given_up() {
    let host = host();
    let pod = sandbox_with_late(&host);
    add(&host, &pod, "web", &[], &idle("web is up"));
    app(&host, &["start", &pod, "web"]);
    let mut lease = lease(&host);
    let start = host.fairing(["app", "start", &pod, "late"]).spawn();
    lease.wait_awaited();
    let command = host
        .fairing(["enter", "--app", "web", &pod, "--", LATE])
        .run();
    command.expect_error(125, &["app web", "within 10 s"]);
    start.wait().expect_error(125, &["app late", "within 10 s"]);
    drop(lease);
    wait_until("the app can be started again", SOON, || {
        let output = host.fairing(["app", "start", &pod, "late"]).run();
        (output.code == Some(0)).then_some(())
    });
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn the_longest_working_directory_holds_up_no_other_app() {
    let deep = ImageBuilder::busybox().workdir(&"/z".repeat(2040));
    let host = host_with(deep);
    let pod = sandbox(&host, &[]);
    add(&host, &pod, "deep", &[], &idle("deep is up"));
    let start = host.fairing(["app", "start", &pod, "deep"]).run();
    expect_soon(start.ok());
    wait_log(&host, &pod, "deep is up");
    expect_soon(host.fairing(["stop", "--force", &pod]).run().ok());
    host.fairing(["rm", &pod]).run().ok();
}

#[test]
fn a_working_directory_that_the_kernel_does_not_take_is_refused_before_anything_is_made() {
    let host = host_with(ImageBuilder::busybox().workdir(&"/z".repeat(2048)));
    let run = host
        .fairing(["run", "--rm", IMAGE, "--", "/bin/true"])
        .run();
    run.expect_error(125, &["working directory", "4096 bytes is too long"]);
    assert_eq!(host.pod_folders(), []);
}
