//! Volumes that outlive pods: made at the start of who mounts them, filled once, kept while a pod names them.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use harness::{FairingCommand, Host, ImageBuilder, Layer, Signal, wait_until};
use rustix::fs::{CWD, FileType, makedev, mknodat};

use crate::stocked::{IDLE, IMAGE, busybox, detached, host_with, import, wait_log};
use crate::volumes::mount_while_swapped;

/// Runs a script in an app with these flags.
fn run(host: &Host, flags: &[&str], script: &str) -> FairingCommand {
    host.fairing(["run", "--rm", "--net=none", IMAGE])
        .args(flags)
        .args(["--", "/bin/sh", "-c", script])
}

/// The directory of a volume that apps see.
fn data(host: &Host, name: &str) -> PathBuf {
    host.data_dir().join("volumes").join(name).join("data")
}

/// All that lies in the directory of the volumes.
fn entries(host: &Host) -> Vec<String> {
    let entries = fs::read_dir(host.data_dir().join("volumes")).unwrap();
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
    let mut names: Vec<_> = entries
        .map(|entry| name(entry).into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A host whose image has content at `/srv`: a directory of user 70 with a file, a link, and a file in a directory.
fn with_content() -> Host {
    let content = Layer::new()
        .owner(70, 71)
        .folder("srv/", 0o2750)
        .file("srv/file", "of the image\n", 0o640)
        .xattr("user.note", "kept")
        .folder("srv/sub/", 0o700)
        .file("srv/sub/deep", "deep\n", 0o4755)
        .symlink("srv/link", "sub/deep")
        .symlink("way", "/srv");
    host_with(ImageBuilder::busybox().layer(content))
}

#[test]
fn a_named_volume_is_made_at_the_start_and_outlives_its_pods() {
    let host = busybox();
    let script = "echo one > /data/file; grep ' /data ' /proc/mounts";
    let output = run(&host, &["-v", "My_data.1:/data"], script).run().ok();
    // As of all volumes: nothing in it gains privileges or reaches devices, unless the user says so.
    assert!(output.stdout.contains("nosuid,nodev"), "{output}");
    host.collect();
    for flag in [
        "--volume=My_data.1:/x:ro",
        "--mount=type=volume,source=My_data.1,target=/x",
        "--mount=source=My_data.1,target=/x,readonly",
    ] {
        assert_eq!(
            run(&host, &[flag], "cat /x/file").run().ok().stdout,
            "one\n"
        );
    }
    // By the words of rkt, in two apps.
    let output = host
        .fairing([
            "run",
            "--rm",
            "--net=none",
            "-v",
            "v,kind=named,source=My_data.1,readOnly=true",
        ])
        .args([
            IMAGE,
            "--mount=volume=v,target=/a",
            "--",
            "/bin/cat",
            "/a/file",
        ])
        .args([
            "---",
            IMAGE,
            "--app-name=second",
            "--mount=volume=v,target=/b",
            "--",
        ])
        .args(["/bin/sh", "-c", "echo x > /b/file; true"])
        .run()
        .ok();
    assert!(output.stdout.contains("one\n"), "{output}");
    assert!(output.stderr.contains("Read-only"), "{output}");
    assert_eq!(
        fs::read_to_string(data(&host, "My_data.1").join("file")).unwrap(),
        "one\n"
    );
    assert_eq!(entries(&host), ["My_data.1"]);
    host.expect_clean();
}

#[test]
fn a_volume_in_use_stays_and_its_pods_are_named() {
    let host = busybox();
    let volume = ["-v", "data:/data"];
    let remove = || host.fairing(["volume", "rm", "data"]).run();
    host.fairing(["prepare", "--name=first", "--net=none", IMAGE])
        .args(volume)
        .args(["--", "/bin/true"])
        .run()
        .ok();
    remove().expect_error(
        125,
        &[
            "volume data is in use",
            "pod first (prepared)",
            "fairing rm",
        ],
    );
    let running = host
        .fairing(["run", "--detach", "--net=none", "--name=second", IMAGE])
        .args(volume)
        .args(["--", "/bin/sh", "-c", IDLE])
        .run()
        .ok();
    remove().expect_error(125, &["first (prepared)", "second (running)"]);
    host.fairing(["volume", "rm", "--force", "data"])
        .run()
        .expect_error(125, &["in use"]);
    host.fairing(["stop", "--force", running.text()]).run().ok();
    host.fairing(["rm", "first"]).run().ok();
    // One that has ended can be looked into, and this is what it leaves.
    remove().expect_error(125, &["pod second (exited)"]);
    host.fairing(["rm", "second"]).run().ok();
    assert_eq!(remove().ok().stdout, "data\n");
    assert_eq!(entries(&host), Vec::<String>::new());
    remove().expect_error(121, &["no volume called data", "fairing volume list"]);
    host.fairing(["volume", "rm", "--force", "data"]).run().ok();
}

#[test]
fn an_app_that_joins_a_pod_can_mount_a_named_volume() {
    let host = with_content();
    let definition = "v,kind=named,source=of-pod";
    let flags = ["--net=none", "--lifetime=until-stopped", "-v", definition];
    let pod = detached(&host, &flags, IDLE);
    host.fairing(["app", "add", "--start", &pod, IMAGE, "--app-name=late"])
        .args(["-v", "data:/d", "--mount=volume=v,target=/srv"])
        .args(["--", "/bin/sh", "-c"])
        .arg(format!("echo late > /d/file; ls /srv; echo done; {IDLE}"))
        .run()
        .ok();
    // One that nobody had mounted is as new as the other.
    wait_log(&host, &pod, "file\n");
    wait_log(&host, &pod, "done\n");
    host.fairing(["volume", "rm", "data"])
        .run()
        .expect_error(125, &["in use"]);
    host.fairing(["app", "add", &pod, IMAGE, "-v", "e,kind=empty"])
        .run()
        .expect_error(2, &["joins a pod"]);
    host.fairing(["stop", "--force", &pod]).run().ok();
    let written = data(&host, "data").join("file");
    assert_eq!(fs::read_to_string(written).unwrap(), "late\n");
}

#[test]
fn a_new_volume_begins_with_what_the_image_has_there() {
    let host = with_content();
    let script = "stat -L -c '%n %u:%g %a' /v /v/file /v/sub /v/sub/deep; cat /v/link; rm /v/file";
    // Where a link of the image leads.
    let output = run(&host, &["-v", "data:/way"], &script.replace("/v", "/way"))
        .run()
        .ok();
    let wanted = "/way 70:71 2750\n/way/file 70:71 640\n/way/sub 70:71 700\n/way/sub/deep 70:71 4755\ndeep\n";
    assert_eq!(output.stdout, wanted);
    let copied = data(&host, "data").join("sub/deep");
    let mut layers = fs::read_dir(host.data_dir().join("images/layers")).unwrap();
    let original = layers.find_map(|layer| {
        let path = layer.unwrap().path().join("fs/srv/sub/deep");
        path.metadata().ok()
    });
    let original = original.expect("the layer with the file");
    assert_eq!(copied.metadata().unwrap().mtime(), original.mtime());
    // Once: what an app has removed stays away, and an empty volume stays empty.
    let output = run(&host, &["-v", "data:/srv"], "ls /srv").run().ok();
    assert_eq!(output.stdout, "link\nsub\n");
    let nothing = run(
        &host,
        &["-v", "plain:/srv:nocopy"],
        "ls -A /srv; stat -c '%u %a' /srv",
    );
    assert_eq!(nothing.run().ok().stdout, "0 755\n");
    assert_eq!(
        run(&host, &["-v", "plain:/srv"], "ls -A /srv")
            .run()
            .ok()
            .stdout,
        ""
    );
    // What was put into it beforehand stays as it is.
    host.fairing(["volume", "create", "filled"]).run().ok();
    fs::write(data(&host, "filled").join("own"), "").unwrap();
    assert_eq!(
        run(&host, &["-v", "filled:/srv"], "ls /srv")
            .run()
            .ok()
            .stdout,
        "own\n"
    );
    // And a part of it is mounted as it is.
    let part = "--mount=source=filled,target=/srv,subpath=own";
    run(&host, &[part], "true")
        .run()
        .expect_error(125, &["mount on `/srv`"]);
}

#[test]
fn extended_attributes_and_owners_of_a_new_volume_are_as_asked_for() {
    let host = with_content();
    let definition = "v,kind=named,source=data,uid=1000,gid=1001,mode=0700";
    let flags = ["--volume", definition, "--mount=volume=v,target=/srv"];
    let output = run(&host, &flags, "stat -c '%u:%g %a' /srv /srv/file")
        .run()
        .ok();
    assert_eq!(output.stdout, "1000:1001 700\n70:71 640\n");
    let mut value = [0; 8];
    let file = data(&host, "data").join("file");
    let length = rustix::fs::getxattr(&file, "user.note", &mut value).unwrap();
    assert_eq!(&value[..length], b"kept");
    let memory = "m,kind=tmpfs,uid=1000,gid=1001,mode=0710";
    let empty = "e,kind=empty,uid=1002,mode=0711";
    let flags = [
        "--volume",
        memory,
        "--volume",
        empty,
        "--mount=volume=m,target=/m",
        "--mount=volume=e,target=/e",
        "--tmpfs=/t:uid=5,gid=6,mode=700",
    ];
    let output = run(&host, &flags, "stat -c '%u:%g %a' /m /e /t").run().ok();
    assert_eq!(output.stdout, "1000:1001 710\n1002:0 711\n5:6 700\n");
}

#[test]
fn a_place_alone_gets_a_volume_that_goes_with_the_pod() {
    let host = with_content();
    for flag in ["--volume=/srv", "--mount=type=volume,target=/srv"] {
        let script = "ls /srv; stat -c '%u %a' /srv; touch /srv/new; grep -c ' /srv ' /proc/mounts";
        let output = run(&host, &[flag], script).run().ok();
        assert_eq!(output.stdout, "file\nlink\nsub\n70 2750\n1\n");
    }
    let nothing = run(&host, &["--mount=target=/srv,nocopy"], "ls -A /srv");
    assert_eq!(nothing.run().ok().stdout, "");
    assert!(!host.data_dir().join("volumes").exists());
    host.expect_clean();
}

#[test]
fn pods_that_begin_at_once_fill_a_volume_once() {
    let host = with_content();
    std::thread::scope(|scope| {
        let pods: Vec<_> = (0..8)
            .map(|_| {
                let script = "cat /srv/file /srv/sub/deep && touch /srv/$$.$(cat /proc/sys/kernel/random/uuid)";
                scope.spawn(|| run(&host, &["-v", "data:/srv"], script).run().ok())
            })
            .collect();
        for pod in pods {
            assert_eq!(pod.join().unwrap().stdout, "of the image\ndeep\n");
        }
    });
    // Nobody's files were put aside by a later copy.
    assert_eq!(fs::read_dir(data(&host, "data")).unwrap().count(), 3 + 8);
    assert_eq!(entries(&host), ["data"]);
}

#[test]
fn what_a_killed_start_left_half_made_is_made_again_or_collected() {
    // Large enough that a start is killed while it copies.
    let files = (0..400).fold(Layer::new().folder("srv/", 0o755), |layer, number| {
        layer.file(&format!("srv/{number}"), [7; 20_000], 0o644)
    });
    let host = host_with(ImageBuilder::busybox().layer(files));
    let script = "ls /srv | wc -l; cat /srv/* | wc -c";
    let whole = "400\n8000000\n";
    let mut killed = 0;
    for round in 0..24 {
        let name = format!("data{round}");
        let volume = format!("{name}:/srv");
        let running = run(&host, &["-v", &volume], script).spawn();
        // Some step of it: the directory of the volumes, the volume, what is copied.
        let step = [
            host.data_dir().join("volumes"),
            host.data_dir().join("volumes").join(&name),
            host.data_dir().join("volumes").join(&name).join("data.new"),
            host.data_dir()
                .join("volumes")
                .join(&name)
                .join(format!("data.new/{}", round * 16)),
        ];
        let step = &step[round % 4];
        while !step.exists() && running.is_running() {}
        killed += usize::from(running.is_running());
        running.signal(Signal::KILL);
        drop(running.wait());
        if round % 2 == 0 {
            host.collect();
            assert!(entries(&host).iter().all(|entry| !entry.starts_with('.')));
            assert!(!step.ends_with("data.new") || !step.exists());
        }
        let output = run(&host, &["-v", &volume], script).run().ok();
        assert_eq!(output.stdout, whole, "round {round}");
    }
    assert!(killed > 4, "{killed} were killed in time");
    host.collect();
    assert_eq!(entries(&host).len(), 24);
    host.expect_clean();
}

#[test]
fn a_disk_without_room_for_what_is_copied_fails_the_start_and_nothing_else() {
    let host = Host::builder().data_size("24M").build();
    host.accept_unsigned();
    let content = Layer::new().file("srv/large", vec![7; 9 << 20], 0o644);
    import(
        &host,
        &ImageBuilder::busybox().layer(content).build(),
        IMAGE,
    );
    run(&host, &["-v", "one:/srv"], "true").run().ok();
    let refused = run(&host, &["-v", "two:/srv"], "true").run();
    refused.expect_error(117, &["no space left", "volumes/two"]);
    assert_eq!(fs::read_dir(data(&host, "two")).unwrap().count(), 0);
    assert!(!data(&host, "two").with_extension("new").exists());
    // Room is made, and the volume is as new as it was.
    host.fairing(["volume", "rm", "one"]).run().ok();
    run(&host, &["-v", "two:/srv"], "test -s /srv/large")
        .run()
        .ok();
}

#[test]
fn a_link_in_the_place_of_a_volume_leads_nowhere() {
    let host = busybox();
    let outside = host.base().join("outside");
    fs::create_dir(&outside).unwrap();
    host.fairing(["volume", "create", "data"]).run().ok();
    run(&host, &["-v", "data:/d"], "true").run().ok();
    fs::remove_dir(data(&host, "data")).unwrap();
    symlink(&outside, data(&host, "data")).unwrap();
    run(&host, &["-v", "data:/d"], "touch /d/x")
        .run()
        .expect_error(125, &["cannot mount the volume data", "symbolic links"]);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    host.fairing(["volume", "rm", "data"]).run().ok();
    assert!(outside.exists());
}

#[test]
fn a_directory_in_a_volume_that_is_swapped_for_a_link_leads_nowhere_else() {
    let host = busybox();
    host.fairing(["volume", "create", "data"]).run().ok();
    let flags = ["--mount=source=data,target=/x,volume-subpath=sub"];
    mount_while_swapped(&data(&host, "data"), 30, || {
        run(&host, &flags, "ls -A /x").run()
    });
}

#[test]
fn devices_and_files_that_run_as_their_owner_mean_nothing_in_a_volume() {
    let host = busybox();
    let script = "cp /bin/busybox /d/busybox; chmod 4755 /d/busybox";
    run(&host, &["-v", "data:/d"], script).run().ok();
    let device = data(&host, "data").join("null");
    let mode = rustix::fs::Mode::from_raw_mode(0o666);
    mknodat(CWD, &device, FileType::CharacterDevice, mode, makedev(1, 3)).unwrap();
    fs::set_permissions(&device, fs::Permissions::from_mode(0o666)).unwrap();
    let check = "echo x > /d/null || echo refused; /d/busybox id -u";
    let as_user = |options: &str| {
        let volume = format!("data:/d{options}");
        run(&host, &["-v", &volume, "--user=1000"], check)
            .run()
            .ok()
    };
    assert_eq!(as_user("").stdout, "refused\n1000\n");
    assert!(
        data(&host, "data")
            .join("busybox")
            .metadata()
            .unwrap()
            .permissions()
            .mode()
            & 0o4000
            != 0
    );
    // No other user of the host gets as far as to what runs as root there.
    let mode = host
        .data_dir()
        .join("volumes")
        .metadata()
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o077, 0);
}

#[test]
fn a_volume_is_never_removed_under_a_pod_that_begins() {
    let host = busybox();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let remover = scope.spawn(|| {
            let mut removed = 0;
            while !done.load(Ordering::Relaxed) {
                let output = host.fairing(["volume", "rm", "data"]).run();
                match output.code {
                    Some(0) => removed += 1,
                    Some(121) => {}
                    _ => drop(output.expect_error(125, &["volume"])),
                }
            }
            removed
        });
        for round in 0..40 {
            // What it writes it finds: nobody else makes one of that name meanwhile.
            let script = format!("echo {round} > /d/mark; sync; cat /d/mark; test -e /d/mark");
            let output = run(&host, &["-v", "data:/d"], &script).run().ok();
            assert_eq!(output.stdout, format!("{round}\n"));
        }
        done.store(true, Ordering::Relaxed);
        assert!(remover.join().unwrap() > 0, "none was removed");
    });
}

#[test]
fn starts_creations_and_removals_at_once_leave_nothing_half_made() {
    let host = busybox();
    std::thread::scope(|scope| {
        for worker in 0..8 {
            let host = &host;
            scope.spawn(move || {
                for round in 0..25 {
                    let name = format!("v{}", (worker + round) % 3);
                    let command = match (worker + round * 3) % 5 {
                        0 | 1 => run(host, &["-v", &format!("{name}:/d")], "touch /d/x"),
                        2 => host.fairing(["volume", "create", "--ignore", &name]),
                        3 => host.fairing(["volume", "rm", "--force", &name]),
                        _ => host.fairing(["volume", "prune", "--force"]),
                    };
                    let shown = command.shown().to_owned();
                    let output = command.limit(Duration::from_secs(120)).run();
                    let in_use = shown.contains(" rm ") && output.stderr.contains("in use");
                    assert!(output.code == Some(0) || in_use, "{shown}: {output}");
                }
            });
        }
    });
    assert!(entries(&host).iter().all(|entry| entry.starts_with('v')));
    for name in entries(&host) {
        assert!(data(&host, &name).is_dir() && !data(&host, &name).with_extension("new").exists());
    }
    host.fairing(["volume", "prune", "--force"]).run().ok();
    assert_eq!(entries(&host), Vec::<String>::new());
    host.collect();
    host.expect_clean();
}

#[test]
fn data_in_a_volume_survives_the_death_of_the_monitor() {
    let host = busybox();
    let script = format!("echo kept > /d/file; sync; echo ready; {IDLE}");
    let running = run(&host, &["-v", "data:/d"], &script).spawn();
    running.wait_stdout("ready\n");
    running.signal(Signal::KILL);
    wait_until("the end of all", Duration::from_secs(10), || {
        host.processes().is_empty().then_some(())
    });
    host.collect();
    assert_eq!(
        run(&host, &["-v", "data:/d"], "cat /d/file")
            .run()
            .ok()
            .stdout,
        "kept\n"
    );
    host.expect_clean();
}
