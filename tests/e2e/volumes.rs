//! What is mounted in an app: files of the host, memory, volumes that apps share.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use harness::{FairingCommand, Host, Output, Signal, wait_until};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::stocked::{IDLE, IMAGE, busybox, detached, status, wait_log};

/// A directory of the host with one file.
fn source(host: &Host) -> PathBuf {
    let source = host.base().join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("file"), "of the host\n").unwrap();
    source
}

/// Runs a script in an app with these flags.
fn mounted(host: &Host, flags: &[&str], script: &str) -> FairingCommand {
    host.fairing(["run", "--rm", "--net=none", IMAGE])
        .args(flags)
        .args(["--", "/bin/sh", "-c", script])
}

fn volume(source: &Path, rest: &str) -> String {
    format!("--volume={}:{rest}", source.display())
}

/// What the host's mount table says of the test's directories.
fn mounts_of(host: &Host) -> Vec<String> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let base = host.base().to_str().unwrap().to_owned();
    let lines = table.lines().filter(|line| line.contains(&base));
    lines.map(str::to_owned).collect()
}

#[test]
fn a_directory_of_the_host_is_read_and_written() {
    let host = busybox();
    let source = source(&host);
    let script = "cat /data/file; echo from the app > /data/new; grep ' /data ' /proc/mounts";
    let output = mounted(&host, &[&volume(&source, "/data")], script)
        .run()
        .ok();
    assert!(output.stdout.starts_with("of the host\n"), "{output}");
    // Nothing that lies there gains privileges or reaches devices, unless the user says so.
    assert!(output.stdout.contains("nosuid,nodev"), "{output}");
    let written = source.join("new");
    assert_eq!(fs::read_to_string(&written).unwrap(), "from the app\n");
    assert_eq!(written.metadata().unwrap().uid(), 0);
    let allowed = mounted(
        &host,
        &[&volume(&source, "/data:suid,dev,noexec")],
        "grep ' /data ' /proc/mounts",
    );
    let output = allowed.run().ok();
    let kept = ["nosuid", "nodev"]
        .iter()
        .any(|word| output.stdout.contains(word));
    assert!(!kept && output.stdout.contains("noexec"), "{output}");
}

#[test]
fn files_sockets_and_relative_paths_are_mounted() {
    let host = busybox();
    let source = source(&host);
    let _listener = UnixListener::bind(source.join("socket")).unwrap();
    let output = host
        .fairing(["run", "--rm", "--net=none", "-v", "./file:/etc/one"])
        .args(["-v", "./socket:/run/socket", IMAGE, "--"])
        .args([
            "/bin/sh",
            "-c",
            "cat /etc/one; test -S /run/socket && echo socket",
        ])
        .current_dir(&source)
        .run()
        .ok();
    assert_eq!(output.stdout, "of the host\nsocket\n");
}

#[test]
fn read_only_holds_for_all_that_is_mounted_below() {
    let host = busybox();
    let source = source(&host);
    fs::create_dir(source.join("below")).unwrap();
    let script = "for at in /data /data/below; do echo x > $at/x && echo writable $at; done; true";
    let run_with = |flags: &[&str]| -> Output {
        let mount = format!(
            "mount -t tmpfs below {}/below && exec \"$@\"",
            source.display()
        );
        mounted(&host, flags, script)
            .through("unshare", ["--mount", "sh", "-c", &mount, "sh"])
            .run()
            .ok()
    };
    let run = |options: &str| run_with(&[&volume(&source, options)]);
    let writable = "writable /data\nwritable /data/below\n";
    assert_eq!(run("/data").stdout, writable);
    fs::remove_file(source.join("x")).unwrap();
    let refused = run("/data:ro");
    assert_eq!(refused.stdout, "", "{refused}");
    assert_eq!(refused.stderr.matches("Read-only file system").count(), 2);
    // Without what is mounted below.
    let below = source.join("below/x");
    assert_eq!(run("/data:bind").stdout, writable);
    assert!(below.exists(), "the tmpfs came along");
    fs::remove_file(&below).unwrap();
    let of_pod = |recursive: &str, mount: &str| {
        let path = source.display();
        let volume = format!("--volume=d,kind=host,source={path},recursive={recursive}");
        let mount = format!("--mount=volume=d,target=/data{mount}");
        assert_eq!(run_with(&[&volume, &mount]).stdout, writable);
        below.exists()
    };
    assert!(!of_pod("true", ""));
    assert!(!of_pod("false", ",rbind"));
    assert!(of_pod("false", ""));
}

#[test]
fn mounts_of_the_host_appear_only_if_asked_for() {
    let host = busybox();
    let source = source(&host);
    fs::create_dir(source.join("late")).unwrap();
    let run = |options: &str| {
        // The app waits until the host has mounted something.
        let script =
            "echo ready > /data/ready; until test -e /data/go; do usleep 5000; done; ls /data/late";
        let late = format!(
            "mount --make-shared -t tmpfs top {0} && mkdir {0}/late && exec 3>&- && \
             {{ until test -e {0}/ready; do sleep 0.01; done; mount -t tmpfs late {0}/late; \
             touch {0}/late/seen {0}/go; }} & cd / && until mountpoint -q {0}; do sleep 0.01; done; exec \"$@\"",
            source.display()
        );
        let propagation = ["--mount", "--propagation=private", "sh", "-c", &late, "sh"];
        let command = mounted(&host, &[&volume(&source, options)], script);
        command.through("unshare", propagation).run()
    };
    assert_eq!(run("/data:rslave").ok().stdout, "seen\n");
    assert_eq!(run("/data").ok().stdout, "");
}

#[test]
fn memory_has_its_size_and_mode() {
    let host = busybox();
    let script = "df /run | tail -n 1; stat -c %a /run /t; grep ' /run ' /proc/mounts";
    let flags = [
        "--tmpfs=/run:size=1m,mode=750",
        "--mount=type=tmpfs,target=/t",
    ];
    let output = mounted(&host, &flags, script).run().ok();
    let mut lines = output.stdout.lines();
    assert!(lines.next().unwrap().contains(" 1024 "), "{output}");
    assert_eq!((lines.next(), lines.next()), (Some("750"), Some("1777")));
    assert!(
        lines.next().unwrap().contains("nosuid,nodev,noexec"),
        "{output}"
    );
    // Files cost memory that no size counts.
    let flood = "cd /t && seq 200000 | xargs touch";
    let full = mounted(&host, &["--tmpfs=/t"], flood).run();
    assert_ne!(full.code, Some(0));
    assert!(full.stderr.contains("No space left"), "{full}");
}

#[test]
fn apps_share_a_volume_of_their_pod() {
    let host = busybox();
    for kind in [
        "kind=empty",
        "kind=tmpfs,size=1m",
        "kind=empty,medium=memory",
    ] {
        let definition = format!("--volume=shared,{kind}");
        let reader = "until test -s /b/file; do usleep 5000; done; cat /b/file";
        let output = host
            .fairing(["run", "--rm", "--net=none", &definition, IMAGE])
            .args(["--app-name=writer", "--mount=volume=shared,target=/a", "--"])
            .args([
                "/bin/sh",
                "-c",
                "echo shared > /a/file; grep ' /a ' /proc/mounts",
            ])
            .args(["---", IMAGE, "--app-name=reader"])
            .args(["--mount=volume=shared,target=/b,readonly", "--"])
            .args(["/bin/sh", "-c", reader])
            .run()
            .ok();
        assert!(output.stdout.contains("shared\n"), "{kind}: {output}");
        // As in all memory, programs are executed only if that is said.
        let in_memory = output.stdout.contains(" /a tmpfs ");
        assert_eq!(in_memory, kind != "kind=empty", "{kind}: {output}");
        assert_eq!(
            output.stdout.contains("noexec"),
            in_memory,
            "{kind}: {output}"
        );
    }
    assert_eq!(mounts_of(&host), Vec::<String>::new());
    host.expect_clean();
}

#[test]
fn an_app_that_joins_mounts_what_it_asks_for() {
    let host = busybox();
    let source = source(&host);
    let flags = ["--volume=shared,kind=tmpfs", "--lifetime=until-stopped"];
    let pod = detached(&host, &flags, "exit 0");
    wait_until("the app's end", Duration::from_secs(20), || {
        (status(&host, &pod)["apps"][0]["state"] == "exited").then_some(())
    });
    host.fairing(["app", "add", "--start", &pod, IMAGE, "--app-name=late"])
        .args([&volume(&source, "/data"), "--mount=volume=shared,target=/s"])
        .args(["--", "/bin/sh", "-c"])
        .arg(format!(
            "cat /data/file; grep -c ' /s tmpfs' /proc/mounts; {IDLE}"
        ))
        .run()
        .ok();
    wait_log(&host, &pod, "of the host\n");
    wait_log(&host, &pod, "1\n");
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn what_can_not_be_mounted_is_told_by_name() {
    let host = busybox();
    let source = source(&host);
    let shown = source.display();
    let refused = |flags: &[&str], code: i32, parts: &[&str]| {
        mounted(&host, flags, "true")
            .run()
            .expect_error(code, parts);
    };
    let missing = format!("--volume={shown}/none:/x");
    refused(
        &[&missing],
        125,
        &["cannot mount", "/none: No such file", "make no source"],
    );
    refused(
        &[&volume(&source, "/bin/sh")],
        125,
        &["mount on `/bin/sh`", "directory"],
    );
    refused(
        &[&volume(&source.join("file"), "/etc")],
        125,
        &["mount on `/etc`", "a file"],
    );
    let twice = [volume(&source, "/x"), volume(&source, "//x/")];
    refused(&[&twice[0], &twice[1]], 2, &["two mounts on /x"]);
    refused(
        &["--mount=volume=none,target=/x"],
        2,
        &["no volume called none"],
    );
    refused(
        &["--volume=-data:/x"],
        2,
        &["--volume", "a directory of the host begins with"],
    );
    refused(
        &[&volume(&source, "/proc/none")],
        125,
        &["mount on `/proc/none`", "in /proc stays"],
    );
    refused(
        &[&volume(&source, "/proc/sys")],
        125,
        &["mount on `/proc/sys`", "/proc"],
    );
    refused(
        &[&volume(&source, "/x:rshared")],
        125,
        &["mount", "shared mount"],
    );
    host.expect_clean();
}

#[test]
fn what_lies_within_another_mount_is_found_there() {
    let host = busybox();
    let source = source(&host);
    fs::create_dir_all(source.join("in/side")).unwrap();
    let inner = host.base().join("inner");
    fs::create_dir(&inner).unwrap();
    fs::write(inner.join("file"), "inner\n").unwrap();
    let flags = [
        volume(&inner, "/data/in/side/deep"),
        volume(&source, "/data"),
    ];
    let script = "cat /data/file /data/in/side/deep/file";
    let output = mounted(&host, &[&flags[0], &flags[1]], script).run().ok();
    assert_eq!(output.stdout, "of the host\ninner\n");
    assert!(source.join("in/side/deep").is_dir());
}

#[test]
fn links_in_a_volume_lead_nowhere_else() {
    let host = busybox();
    let source = source(&host);
    let outside = host.base().join("outside");
    fs::create_dir(&outside).unwrap();
    symlink(&outside, source.join("link")).unwrap();
    symlink("/", source.join("root")).unwrap();
    let base = volume(&source, "/data");
    // A place behind a link is one of the app, where the host's directory isn't.
    mounted(&host, &[&base, "--tmpfs=/data/link/x"], "true")
        .run()
        .expect_error(125, &["mount on `/data/link/x`", "link into nowhere"]);
    let own = mounted(
        &host,
        &[&base, "--tmpfs=/data/root/new"],
        "grep -c ' /new ' /proc/mounts",
    );
    assert_eq!(own.run().ok().stdout, "1\n");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    // A path within a volume stays there.
    let definition = format!("--volume=v,kind=host,source={}", source.display());
    for path in ["link", "root", "root/etc"] {
        let mount = format!("--mount=volume=v,target=/x,subpath={path}");
        mounted(&host, &[&definition, &mount], "true")
            .run()
            .expect_error(125, &["cannot mount", path, "out of the volume"]);
    }
}

/// Mounts a directory `sub` of a volume while it is swapped for a link to `/`, again and again: an app sees the directory, or
/// its start is refused.
pub(crate) fn mount_while_swapped(volume: &Path, times: usize, mount: impl Fn() -> Output) {
    let (real, link) = (volume.join("sub"), volume.join("other"));
    fs::create_dir(&real).unwrap();
    fs::write(real.join("mark"), "").unwrap();
    symlink("/", &link).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                renameat_with(CWD, &real, CWD, &link, RenameFlags::EXCHANGE).unwrap();
            }
        });
        let mut mounts = 0;
        for _ in 0..times {
            let output = mount();
            match output.code {
                Some(0) => {
                    assert_eq!(output.stdout, "mark\n");
                    mounts += 1;
                }
                _ => drop(output.expect_error(125, &["cannot mount", "sub"])),
            }
        }
        done.store(true, Ordering::Relaxed);
        assert!(mounts > 0, "it was never the directory");
    });
}

#[test]
fn a_path_within_a_volume_that_changes_meanwhile_leads_nowhere_else() {
    let host = busybox();
    let source = source(&host);
    let definition = format!("--volume=v,kind=host,source={}", source.display());
    let flags = [&*definition, "--mount=volume=v,target=/x,subpath=sub"];
    mount_while_swapped(&source, 40, || mounted(&host, &flags, "ls -A /x").run());
}

#[test]
fn nothing_of_a_volume_is_left_when_the_monitor_is_killed() {
    let host = busybox();
    let source = source(&host);
    let script = format!("echo data > /data/written; echo ready; {IDLE}");
    let running = mounted(&host, &[&volume(&source, "/data"), "--tmpfs=/t"], &script).spawn();
    running.wait_stdout("ready\n");
    running.signal(Signal::KILL);
    wait_until("the end of all", Duration::from_secs(10), || {
        host.processes().is_empty().then_some(())
    });
    assert_eq!(mounts_of(&host), Vec::<String>::new());
    assert_eq!(
        fs::read_to_string(source.join("written")).unwrap(),
        "data\n"
    );
    host.collect();
    // What is removed with the pod is the pod's.
    assert!(source.join("file").exists());
    host.expect_clean();
}
