//! Files of pods in virtual machines that others see too: volumes, and what outlives the machine.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::process::Command;
use std::time::Duration;

use harness::{
    FairingCommand, Host, ImageBuilder, Layer, Signal, fairing_with_virtiofsd_in_rust, wait_until,
};
use rustix::process::{Pid, kill_process};

use crate::kvm::{detached, run};
use crate::stocked::{IMAGE, busybox, import, status, wait_log};

/// Another image, which no machine of these tests starts with.
const OTHER: &str = "test.example/other:latest";

/// The programs that share files with machines.
#[derive(Clone, Copy)]
pub(crate) enum Server {
    C,
    Rust,
}

/// A host that lets every image run, with busybox in its store, and this program.
pub(crate) fn served_by(server: Server) -> Host {
    match server {
        Server::C => busybox(),
        Server::Rust => {
            let fairing = fairing_with_virtiofsd_in_rust();
            let host = Host::builder().binary(fairing).build();
            host.accept_unsigned();
            import(&host, &ImageBuilder::busybox().build(), IMAGE);
            host
        }
    }
}

macro_rules! with_either_server {
    ($($test:ident,)+) => {
        mod served_in_c {
            $(#[test]
            fn $test() {
                super::$test(super::Server::C);
            })+
        }

        mod served_in_rust {
            $(#[test]
            fn $test() {
                super::$test(super::Server::Rust);
            })+
        }
    };
}

with_either_server! {
    apps_in_a_machine_see_volumes_of_all_kinds_and_share_them,
    a_machine_that_gives_up_its_own_protections_reaches_no_file_but_its_volumes,
    what_a_kept_pod_has_written_is_there_when_its_machine_is_gone,
    apps_join_a_machine_with_images_and_volumes_that_it_did_not_start_with,
    a_pod_whose_files_nobody_serves_any_more_ends_and_says_why,
    what_the_host_changes_in_a_volume_is_whole_in_the_machine,
}

fn host(server: Server) -> Host {
    let host = served_by(server);
    let layer = Layer::new().file("mark", "of the other image\n", 0o644);
    let other = ImageBuilder::busybox().layer(layer).build();
    import(&host, &other, OTHER);
    host
}

/// A command that is given at most a minute, for a machine that has work to do.
fn patient(host: &Host, words: &[&str]) -> FairingCommand {
    host.fairing(words).limit(Duration::from_secs(60))
}

fn apps_in_a_machine_see_volumes_of_all_kinds_and_share_them(server: Server) {
    let host = host(server);
    let source = host.base().join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("file"), "of the host\n").unwrap();
    std::os::unix::fs::chown(source.join("file"), Some(1000), Some(33)).unwrap();
    let single = host.write("single", "one file\n");
    let of = |path: &std::path::Path, rest: &str| format!("--volume={}:{rest}", path.display());
    let first = "cat /data/file /single; stat -c '%u %g' /data/file; echo more >> /single; \
                 echo new > /data/new; chown 7:8 /data/new; echo x > /fixed/x || echo fixed; \
                 cat /image/mark; echo x > /image/x || echo fixed too; echo kept > /named/file; \
                 grep -c ' /data virtiofs rw,nosuid,nodev' /proc/mounts; \
                 stat -c %a /own; echo of one > /empty/file; echo of one > /memory/file; \
                 while [ ! -e /memory/done ]; do usleep 20000; done; df -m /memory | tail -1";
    let second = "while [ ! -e /cache/file ]; do usleep 20000; done; cat /cache/file /spool/file; \
                  [ ! -e /own ] || echo not alone; touch /cache/done";
    let output = run(
        &host,
        &[
            "--rm",
            "--volume=memory,kind=tmpfs,size=3m",
            "--volume=empty,kind=empty",
        ],
    )
    .args([
        of(&source, "/data"),
        of(&source, "/fixed:ro"),
        of(&single, "/single"),
    ])
    .args(["--volume=data:/named", "--tmpfs=/own:mode=700"])
    .args([&format!("--mount=type=image,source={OTHER},target=/image")])
    .args([IMAGE, "--app-name=one"])
    .args([
        "--mount=volume=memory,target=/memory",
        "--mount=volume=empty,target=/empty",
    ])
    .args(["--", "/bin/sh", "-c", first, "---", IMAGE, "--app-name=two"])
    .args([
        "--mount=volume=memory,target=/cache",
        "--mount=volume=empty,target=/spool",
    ])
    .args(["--", "/bin/sh", "-c", second])
    .run()
    .ok();
    for part in [
        "of the host\none file\n1000 33\n",
        "fixed\nof the other image\nfixed too\n1\n700\n",
        "of one\nof one\n",
        " 3 ",
    ] {
        assert!(output.stdout.contains(part), "{part}: {output}");
    }
    assert!(!output.stdout.contains("not alone"), "{output}");
    assert_eq!(fs::read_to_string(single).unwrap(), "one file\nmore\n");
    let new = fs::metadata(source.join("new")).unwrap();
    assert_eq!((new.uid(), new.gid()), (7, 8));
    let named = host.data_dir().join("volumes/data/data/file");
    assert_eq!(fs::read_to_string(named).unwrap(), "kept\n");
    assert!(!source.join("x").exists());
}

fn a_machine_that_gives_up_its_own_protections_reaches_no_file_but_its_volumes(server: Server) {
    let host = host(server);
    let source = host.base().join("source");
    let secret = host.write("secret", "of the host\n");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("open"), "").unwrap();
    symlink(&secret, source.join("link")).unwrap();
    symlink("../secret", source.join("above")).unwrap();
    let script = format!(
        "cat /data/link /data/above; ls /data/../secret; mkdir /all; mount -t virtiofs fairing-host /all; \
         cat /all/link /all/above /all/../secret /all/0/../../secret {secret}; \
         mount -o remount,suid,dev,rw /data; mount -o remount,rw /fixed; echo x > /fixed/x; \
         mknod /data/disk b 8 0; mknod /data/null c 1 3; \
         ln -s {secret} /data/planted; cat /data/planted; cp /bin/busybox /data/shell; chmod 4755 /data/shell; \
         echo over",
        secret = secret.display()
    );
    let source_flag = format!("--volume={}", source.display());
    let output = run(
        &host,
        &["--rm", "--insecure-options=paths,capabilities,seccomp"],
    )
    .args([
        &format!("{source_flag}:/data"),
        &format!("{source_flag}:/fixed:ro"),
    ])
    .args([IMAGE, "--", "/bin/sh", "-c", &script])
    .run()
    .ok();
    assert!(output.stdout.ends_with("over\n"), "{output}");
    assert!(!output.stdout.contains("of the host"), "{output}");
    assert!(
        !source.join("x").exists(),
        "written through a read-only mount"
    );
    for entry in fs::read_dir(&source).unwrap() {
        let kind = entry.unwrap().file_type().unwrap();
        assert!(
            !kind.is_block_device() && !kind.is_char_device(),
            "{kind:?}"
        );
    }
    // As root of any pod may: it is for the host to mount such a directory without set-user-ID bits.
    assert_eq!(
        fs::metadata(source.join("shell")).unwrap().mode() & 0o7777,
        0o4755
    );
    // A part of a volume is looked up on the host, and never out of the volume.
    let flag = format!("--volume=v,kind=host,source={}", source.display());
    run(&host, &["--rm", &flag])
        .args([
            IMAGE,
            "--mount=volume=v,subpath=planted,target=/x",
            "--",
            "/bin/true",
        ])
        .run()
        .expect_error(125, &["planted in it"]);
}

fn what_a_kept_pod_has_written_is_there_when_its_machine_is_gone(server: Server) {
    let host = host(server);
    let prepared = patient(&host, &["prepare", "--stage1=kvm", "--net=none", "--name=box"])
        .arg(format!("--kvm-kernel={}", harness::installed_kernel().display()))
        .args([IMAGE, "--", "/bin/sh", "-c"])
        .arg("cat /root/in; rm /bin/tail; rm -r /var; mkdir /var; echo out > /var/out; chown 5:6 /var/out");
    prepared.run().ok();
    let input = host.write("in", "given before\n");
    host.fairing(["cp"])
        .arg(&input)
        .arg("box:/root/in")
        .run()
        .ok();
    let ran = patient(&host, &["run-prepared", "box"]).run().ok();
    assert_eq!(ran.stdout, "given before\n");
    let changes = host.fairing(["diff", "box"]).run().ok().stdout;
    for line in ["D /bin/tail\n", "A /root/in\n", "A /var/out\n"] {
        assert!(changes.contains(line), "{changes}");
    }
    let back = host.base().join("back");
    host.fairing(["cp", "box:/var/out"]).arg(&back).run().ok();
    assert_eq!(fs::read_to_string(&back).unwrap(), "out\n");
    host.fairing(["cp"])
        .arg(&input)
        .arg("box:/var/after")
        .run()
        .ok();
    let archive = host.base().join("box.tar");
    host.fairing(["export", "box", "--output"])
        .arg(&archive)
        .run()
        .ok();
    let listed = Command::new("tar")
        .arg("-tvnf")
        .arg(&archive)
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(
        listed.contains("5/6") && listed.contains("var/after"),
        "{listed}"
    );
    assert!(!listed.contains("bin/tail"), "{listed}");
    host.fairing(["commit", "box", "test.example/committed:latest"])
        .run()
        .ok();
    let again = run(&host, &["--rm"])
        .args([
            "test.example/committed:latest",
            "--",
            "/bin/sh",
            "-c",
            "cat /var/out",
        ])
        .run();
    assert_eq!(again.ok().stdout, "out\n");
}

fn apps_join_a_machine_with_images_and_volumes_that_it_did_not_start_with(server: Server) {
    let host = host(server);
    let pod = detached(
        &host,
        &["--detach", "--name=box"],
        "echo up; exec sleep 1000",
    );
    wait_log(&host, &pod, "up");
    let script =
        "cat /mark; echo line >> /data/lines; echo line >> /lines; cat /data/lines /lines | wc -l";
    patient(
        &host,
        &[
            "app",
            "add",
            "box",
            OTHER,
            "--app-name=late",
            "--volume=late:/data",
        ],
    )
    .args(["--", "/bin/sh", "-c", script])
    .run()
    .ok();
    for lines in [2, 4] {
        patient(&host, &["app", "start", "box", "late"]).run().ok();
        wait_log(&host, &pod, &format!("{lines}\n"));
        wait_until("it has ended", Duration::from_secs(20), || {
            let apps = status(&host, "box")["apps"].clone();
            let late = apps
                .as_array()
                .unwrap()
                .iter()
                .find(|app| app["name"] == "late");
            (late.unwrap()["state"] == "exited").then_some(())
        });
    }
    let logs = host.fairing(["logs", "box", "--app=late"]).run().ok();
    assert_eq!(
        logs.stdout.matches("of the other image").count(),
        2,
        "{logs}"
    );
    host.fairing(["app", "rm", "box", "late"]).run().ok();
    let shared = ["app", "add", "box", OTHER, "--app-name=shared", "--start"];
    patient(&host, &shared)
        .args(["--volume=/tmp:/data:rshared", "--", "/bin/true"])
        .run()
        .expect_error(125, &["`rshared`", "never seen on the host"]);
    assert_eq!(status(&host, "box")["state"], "running");
    host.fairing(["stop", "--force", "box"]).run().ok();
    let lines = fs::read_to_string(host.data_dir().join("volumes/late/data/lines"));
    assert_eq!(lines.unwrap(), "line\nline\n");
    // A machine that has no way to the host's files gets none later.
    detached(
        &host,
        &["--rm", "--detach", "--name=lone"],
        "exec sleep 1000",
    );
    patient(
        &host,
        &[
            "app",
            "add",
            "lone",
            OTHER,
            "--app-name=late",
            "--",
            "/bin/true",
        ],
    )
    .run()
    .expect_error(125, &["app late can't join", "the files of another image"]);
    patient(
        &host,
        &["app", "add", "lone", IMAGE, "--app-name=late", "--start"],
    )
    .args(["--", "/bin/touch", "/mark"])
    .run()
    .ok();
    host.fairing(["stop", "--force", "lone"]).run().ok();
}

fn a_pod_whose_files_nobody_serves_any_more_ends_and_says_why(server: Server) {
    let host = host(server);
    let pod = detached(
        &host,
        &["--detach", "--name=box"],
        "echo up; while :; do cat /bin/sh; done > /dev/null",
    );
    wait_log(&host, &pod, "up");
    let servers = host.processes_named("virtiofsd");
    assert_eq!(
        servers.len(),
        4,
        "two, and the one that each of them waits for"
    );
    let pid = servers.iter().map(|server| server.pid).max().unwrap();
    kill_process(
        Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(),
        Signal::KILL,
    )
    .unwrap();
    let ended = wait_until("the pod has ended", Duration::from_secs(20), || {
        let status = status(&host, "box");
        (status["state"] == "exited").then_some(status)
    });
    assert_eq!(ended["exit-code"], 137);
    let failure = ended["failure"].as_str().unwrap();
    assert!(
        failure.starts_with("virtiofsd, which shares files"),
        "{failure}"
    );
    // Told as ended once the monitor has let go of it; the kernel ends the rest with the monitor.
    wait_until("nothing runs any more", Duration::from_secs(10), || {
        host.processes().is_empty().then_some(())
    });
    host.fairing(["rm", "box"]).run().ok();
    host.expect_clean();
}

#[test]
fn without_virtiofsd_only_what_needs_it_is_refused() {
    let host = host(Server::C);
    // In a mount namespace of its own, where it is nowhere.
    let hide = "for place in /usr/lib/qemu /usr/libexec /usr/local/libexec; do \
                [ ! -e $place/virtiofsd ] || mount -t tmpfs none $place; done; exec \"$@\"";
    let hidden = |flags: &[&str]| {
        run(&host, flags)
            .args([IMAGE, "--", "/bin/echo", "ran"])
            .through("unshare", ["--mount", "/bin/sh", "-c", hide, "sh"])
            .run()
    };
    for (flags, why) in [
        (&["--volume=data:/data", "--rm"][..], "it has volumes"),
        (&["--name=kept"], "unlike one with --rm"),
    ] {
        hidden(flags).expect_error(125, &["there is no virtiofsd", why, "Debian's virtiofsd"]);
    }
    assert!(host.pod_folders().is_empty());
    assert_eq!(hidden(&["--rm", "--tmpfs=/run"]).ok().stdout, "ran\n");
}

fn what_the_host_changes_in_a_volume_is_whole_in_the_machine(server: Server) {
    let host = served_by(server);
    let volume = host.base().join("volume");
    fs::create_dir(&volume).unwrap();
    let file = volume.join("file");
    fs::write(&file, "short\n").unwrap();
    let shared = format!("--volume={}:/volume", volume.display());
    let flags = ["--detach", "--name=box", &shared];
    let uuid = detached(&host, &flags, "echo up; exec sleep 1000");
    wait_log(&host, &uuid, "up");
    let read = || {
        let enter = host.fairing(["enter", "box", "--", "/bin/cat", "/volume/file"]);
        enter.run().ok().stdout
    };
    assert_eq!(read(), "short\n");
    for (content, replaces) in [
        ("what is much longer than before\n", false),
        ("another file, and an even longer one, in its place\n", true),
    ] {
        if replaces {
            fs::remove_file(&file).unwrap();
        }
        fs::write(&file, content).unwrap();
        match server {
            Server::C => assert_eq!(read(), content),
            // It takes what it knows for true for a second.
            Server::Rust => wait_until("it is seen", Duration::from_secs(20), || {
                (read() == content).then_some(())
            }),
        }
    }
    host.fairing(["stop", "--time=1", "box"]).run();
    host.fairing(["rm", "box"]).run().ok();
}
