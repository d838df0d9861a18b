//! What can not be done with a good image: a clear line, an exit code of its own, and nothing left
//! behind.

use std::time::Duration;

use harness::{Host, wait_until};

use crate::bad_input::refused;
use crate::stocked::{IMAGE, busybox, detached};

/// Expects that a pod that could not start has left nothing by the time that the command has ended.
#[track_caller]
fn no_pod_is_left(host: &Host) {
    assert_eq!(host.pod_folders(), []);
    let left = host.leftovers();
    assert!(left.names.is_empty(), "{left}");
    assert!(left.cgroups.is_empty(), "{left}");
    assert!(left.run_folders.is_empty(), "{left}");
    assert!(left.host_mounts.is_empty(), "{left}");
    // A detached monitor has told its failure, and now exits.
    let gone = || host.leftovers().is_empty().then_some(());
    wait_until("nothing is left", Duration::from_secs(5), gone);
}

#[test]
fn an_unknown_user_or_group() {
    let host = busybox();
    for (flags, name) in [
        (["--user", "stranger"], "stranger"),
        (["--user", "app:strangers"], "strangers"),
        (["--group", "strangers"], "strangers"),
    ] {
        for detach in [&[][..], &["--detach"]] {
            let command = host.fairing(["run"]).args(detach).arg(IMAGE).args(flags);
            refused(command.run(), 119, &[name]);
            no_pod_is_left(&host);
        }
    }
}

#[test]
fn a_missing_program() {
    let host = busybox();
    for detach in [&[][..], &["--detach"]] {
        let command = host.fairing(["run", "--name", "gone"]).args(detach);
        refused(
            command.args([IMAGE, "--exec", "/no/such"]).run(),
            127,
            &["such"],
        );
        no_pod_is_left(&host);
    }
    // One of two apps: the other does not run either.
    let command = host.fairing(["run", IMAGE, "--", "/bin/sleep", "1000", "---", IMAGE]);
    refused(command.args(["--exec", "/no/such"]).run(), 127, &["such"]);
    no_pod_is_left(&host);
}

#[test]
fn a_name_in_use() {
    let host = busybox();
    let first = detached(&host, &["--name", "mine"], "exec sleep 1000");
    for command in ["run", "prepare"] {
        let again = host.fairing([command, "--name", "mine", IMAGE]).run();
        refused(again, 120, &["mine", &first]);
        assert_eq!(host.pod_folders(), [("run".to_owned(), first.clone())]);
    }
    host.fairing(["stop", "--force", "mine"]).run().ok();
}

#[test]
fn not_root() {
    let host = busybox();
    for arguments in [
        vec!["run", IMAGE],
        vec!["fetch", IMAGE],
        vec!["list"],
        vec!["gc"],
        vec!["image", "list"],
    ] {
        let command = host.fairing(&arguments).as_user(65534, 65534);
        let words = arguments.iter().filter(|word| **word != IMAGE);
        let words: Vec<&str> = words.copied().collect();
        refused(command.run(), 118, &[&words.join(" "), "root"]);
    }
    // What touches nothing is for everybody.
    let version = host.fairing(["version"]).as_user(65534, 65534).run().ok();
    assert!(version.stdout.starts_with("fairing "), "{version}");
}

#[test]
fn command_lines_that_make_no_sense() {
    let host = busybox();
    for arguments in [
        vec!["nonsense"],
        vec!["run"],
        vec!["run", "--no-such-flag", IMAGE],
        vec!["run", IMAGE, "--net=none"],
        vec!["run", "--net=a,a", IMAGE],
        vec!["run", "--grace-period=soon", IMAGE],
        vec!["run", IMAGE, "--env", "=x"],
        vec!["run", IMAGE, "---"],
        vec!["run", IMAGE, "--memory", "1"],
        vec!["stop"],
        vec!["kill", "--signal=-1", "x"],
        vec!["kill", "--signal=0", "x"],
        vec!["kill", "--signal=99999", "x"],
        vec!["gc", "--grace-period", "-1s"],
        vec!["status", "--wait=never", "x"],
    ] {
        let output = host.fairing(&arguments).run().expect_code(2);
        assert!(output.stderr.starts_with("fairing: "), "{output}");
        assert_eq!(output.stdout, "", "{output}");
    }
    assert_eq!(host.pod_folders(), []);
}

#[test]
fn files_and_isolators_that_are_not_there() {
    let host = busybox();
    refused(
        host.fairing(["run", IMAGE, "--env-file", "/no/such/file"])
            .run(),
        125,
        &["/no/such/file"],
    );
    refused(
        host.fairing(["run", "--stage1", "nosuch", IMAGE]).run(),
        125,
        &["nosuch"],
    );
    refused(
        host.fairing(["run", "--uuid-file-save", "/no/such/folder/uuid", IMAGE])
            .run(),
        125,
        &["/no/such/folder/uuid"],
    );
    refused(
        host.fairing(["status", "--uuid-file", "/no/such/file"])
            .run(),
        125,
        &["/no/such/file"],
    );
    assert_eq!(host.pod_folders(), []);
    for reference in [
        "a.io/UPPER",
        "a.io/b:",
        "a.io/b@sha256:12",
        "a.io/b@md5:00",
        ":tag",
        "a b",
    ] {
        refused(host.fairing(["run", reference]).run(), 2, &[reference]);
    }
    assert_eq!(host.pod_folders(), []);
}
