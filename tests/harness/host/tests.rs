//! The harness finds what a careless fairing leaves. `fairing` is a shell script here, whose
//! arguments are `--dir D --run-dir R --local-config C --system-config S SUBCOMMAND …`.

use std::os::unix::fs::PermissionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::{Host, Signal, wait_until};

fn host(folder: &TempDir, script: &str) -> Host {
    let path = folder.path().join("fairing");
    std::fs::write(&path, format!("#!/bin/sh\ndata=$2\nshift 8\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    Host::builder().binary(path).build()
}

/// Runs `fairing run`, ends the host, and gives what the end complained of.
fn complaint(script: &str) -> String {
    let folder = TempDir::new().unwrap();
    let host = host(&folder, &format!("case $1 in run) {script} ;; esac"));
    host.fairing(["run"]).run().ok();
    match catch_unwind(AssertUnwindSafe(|| drop(host))) {
        Ok(()) => String::new(),
        Err(message) => *message.downcast::<String>().unwrap(),
    }
}

#[test]
fn a_clean_host_ends_without_a_word() {
    assert_eq!(complaint("true"), "");
}

#[test]
fn a_pod_folder_that_is_left_is_found() {
    const UUID: &str = "0f0e0d0c-0b0a-4908-8706-050403020100";
    let found = complaint(&format!("mkdir -p $data/pods/run/{UUID}"));
    assert!(found.contains(&format!("pod folder run/{UUID}")), "{found}");
}

#[test]
fn the_cgroup_of_a_pod_that_came_and_went_is_found() {
    const UUID: &str = "0f0e0d0c-0b0a-4908-8706-050403020101";
    let hierarchy = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"]
        .into_iter()
        .find(|path| Path::new(path).join("cgroup.procs").exists())
        .unwrap();
    let cgroup = PathBuf::from(format!("{hierarchy}/fairing-{UUID}"));
    let script = format!(
        "mkdir $data/pods/prepare/{UUID}; rmdir $data/pods/prepare/{UUID}; mkdir {}",
        cgroup.display()
    );
    let found = complaint(&script);
    assert!(
        found.contains(&format!("cgroup {}", cgroup.display())),
        "{found}"
    );
    assert!(!cgroup.exists(), "the cgroup should have been taken away");
}

#[test]
fn a_mount_on_the_host_is_found() {
    let found = complaint("mkdir $data/m; mount -t tmpfs fairing-test $data/m");
    assert!(found.contains("mount on the host"), "{found}");
}

#[test]
fn processes_of_the_host_are_found_and_killed() {
    let folder = TempDir::new().unwrap();
    let host = host(
        &folder,
        "case $1 in run) setsid sleep 1000 > /dev/null 2>&1 & ;; esac",
    );
    host.fairing(["run"]).run().ok();
    // The command ends before what it left has become `sleep`.
    let found = wait_until("one sleep", Duration::from_secs(10), || {
        let found = host.processes_named("sleep");
        (found.len() == 1).then_some(found)
    });
    assert!(found[0].is_alive());
    assert!(!host.leftovers().is_empty());
    host.kill_all();
    assert!(!found[0].is_alive());
    host.expect_clean();
}

#[test]
fn a_command_is_followed_signalled_and_waited_for() {
    let folder = TempDir::new().unwrap();
    let script = "[ $1 = gc ] || { trap 'echo bye; exit 5' TERM; read word; echo got $word; \
                  while :; do sleep 0.01; done; }";
    let host = host(&folder, script);
    let mut running = host.fairing(["run"]).stdin_open().spawn();
    running.write("hello\n");
    running.wait_stdout("got hello");
    running.signal(Signal::TERM);
    let output = running.wait().expect_code(5);
    assert_eq!(output.stdout, "got hello\nbye\n");
}

#[test]
fn a_terminal_has_a_size_and_control_keys() {
    let folder = TempDir::new().unwrap();
    let script = "[ $1 = gc ] || { trap 'stty size' WINCH; trap 'exit 9' INT; stty size; \
                  while :; do sleep 0.01; done; }";
    let host = host(&folder, script);
    let mut terminal = host.fairing(["run"]).spawn_on_terminal(24, 80);
    terminal.wait_screen("24 80");
    terminal.resize(50, 132);
    terminal.wait_screen("50 132");
    terminal.type_keys("\x03");
    terminal.wait().expect_code(9);
}

#[test]
fn a_full_data_folder_says_so() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("fairing");
    std::fs::write(
        &path,
        "#!/bin/sh\n[ $9 = gc ] || dd if=/dev/zero of=$2/big bs=1M count=2 2>&1\n",
    )
    .unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let host = Host::builder().binary(path).data_size("1m").build();
    host.fairing(["fetch"])
        .run()
        .expect_code(1)
        .expect_stdout("No space left");
}
