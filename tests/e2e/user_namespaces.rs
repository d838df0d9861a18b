//! Pods whose root is nobody on the host: user namespaces, and IDs that no other pod has.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use harness::{Host, Signal};

use crate::stocked::{IDLE, IMAGE, busybox, detached, status};

/// IDs of the user `nobody`, for files that are nobody's in the pod.
const NOBODY: &str = "65534";

/// The first of the pod's IDs on the host.
#[track_caller]
fn first_id(host: &Host, pod: &str) -> u32 {
    let status = status(host, pod);
    let mapping = &status["user-namespace"]["uid-mappings"][0];
    assert_eq!(mapping["container-id"], 0, "{status}");
    assert_eq!(mapping["size"], 65_536, "{status}");
    mapping["host-id"].as_u64().unwrap().try_into().unwrap()
}

/// The user of a process on the host.
fn user_of(pid: &serde_json::Value) -> u32 {
    let path = format!("/proc/{}/status", pid.as_i64().unwrap());
    let text = fs::read_to_string(path).unwrap();
    let line = text.lines().find(|line| line.starts_with("Uid:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Who has which block.
fn blocks(host: &Host) -> Vec<(u32, String)> {
    let Ok(entries) = fs::read_dir(host.data_dir().join("userns")) else {
        return Vec::new();
    };
    let entries = entries.map(|entry| entry.unwrap().path());
    let block = |path: std::path::PathBuf| {
        let first = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
        let pod = fs::read_link(&path).unwrap();
        (first, pod.to_str().unwrap().to_owned())
    };
    entries.map(block).collect()
}

fn configure(host: &Host, table: &str) {
    host.write("etc/config.toml", format!("[user-namespaces]\n{table}\n"));
}

/// `fairing run --rm --userns=auto` with further flags, and a script.
fn auto(host: &Host, flags: &[&str], script: &str) -> harness::FairingCommand {
    host.fairing(["run", "--rm", "--userns=auto"])
        .args(flags)
        .args([IMAGE, "--", "/bin/sh", "-c", script])
}

#[test]
fn root_of_a_pod_is_nobody_on_the_host() {
    let host = busybox();
    let pods = ["a", "b"].map(|name| {
        detached(&host, &["--userns=auto", "--name", name], IDLE);
        first_id(&host, name)
    });
    assert_ne!(pods[0], pods[1]);
    for (name, first) in ["a", "b"].iter().zip(pods) {
        let status = status(&host, name);
        assert_eq!(user_of(&status["init-pid"]), first);
        assert_eq!(user_of(&status["apps"][0]["pid"]), first);
        let uuid = status["uuid"].as_str().unwrap().to_owned();
        assert!(blocks(&host).contains(&(first, uuid)));
        let shown = host.fairing(["status", name]).run().ok().stdout;
        assert!(
            shown.contains(&format!("\nuserns=0-{first}-65536\n")),
            "{shown}"
        );
        let entered = host.fairing(["enter", name, "--", "/bin/id", "-u"]).run();
        entered.ok().expect_stdout("0\n");
        host.fairing(["stop", "--force", name]).run().ok();
        // Its files are still there, and their owners.
        assert_eq!(first_id(&host, name), first);
        host.fairing(["rm", name]).run().ok();
    }
    assert_eq!(blocks(&host), []);
}

#[test]
fn a_pod_has_users_of_its_own_unless_it_is_to_have_the_hosts() {
    let host = busybox();
    let map = |flags: &[&str]| {
        // Whatever users all tests are run with.
        let run = host.fairing(["run", "--rm"]).env("FAIRING_USERNS", "");
        let run = run.args(flags).args([IMAGE, "--", "/bin/cat"]);
        run.arg("/proc/self/uid_map").run().ok()
    };
    let (own, hosts) = (" 65536", " 4294967295");
    let is = |flags: &[&str], end: &str| {
        let output = map(flags);
        assert!(output.stdout.trim_end().ends_with(end), "{output}");
    };
    is(&[], own);
    is(&["--userns=host"], hosts);
    configure(&host, "default = \"host\"");
    is(&[], hosts);
    is(&["--userns=auto"], own);
    assert_eq!(blocks(&host), []);
}

#[test]
fn many_pods_at_once_have_different_ids() {
    const PODS: u32 = 24;
    let host = busybox();
    let end = 1_048_576 + PODS * 65_536 - 1;
    configure(&host, &format!("ids = \"1048576-{end}\""));
    let prepare = || {
        let flags = ["prepare", "--userns=auto", IMAGE];
        host.fairing(flags).run().ok().text().to_owned()
    };
    let pods: Vec<String> = std::thread::scope(|scope| {
        let pods: Vec<_> = (0..PODS).map(|_| scope.spawn(prepare)).collect();
        pods.into_iter().map(|pod| pod.join().unwrap()).collect()
    });
    let firsts: BTreeSet<u32> = pods.iter().map(|pod| first_id(&host, pod)).collect();
    assert_eq!(firsts.len(), pods.len());
    let one_more = host.fairing(["prepare", "--userns=auto", IMAGE]).run();
    one_more.expect_error(125, &["no block of user IDs is free", "fairing rm"]);
    host.fairing(["rm", &pods[0]]).run().ok();
    let again = prepare();
    assert!(firsts.contains(&first_id(&host, &again)));
    host.fairing(["rm", &again]).args(&pods[1..]).run().ok();
    assert_eq!(blocks(&host), []);
}

#[test]
fn ids_of_a_pod_that_was_killed_are_free_once_it_is_collected() {
    let host = busybox();
    let pod = detached(&host, &["--userns=auto"], IDLE);
    let monitor = status(&host, &pod)["monitor-pid"].as_i64().unwrap();
    let monitor = rustix::process::Pid::from_raw(monitor.try_into().unwrap()).unwrap();
    rustix::process::kill_process(monitor, Signal::KILL).unwrap();
    host.fairing(["wait", &pod]).run();
    assert_eq!(blocks(&host).len(), 1);
    // What a command leaves that is killed before it has written down whose they are.
    let link = host.data_dir().join("userns/2000224256");
    let nobody = "00000000-0000-4000-8000-000000000000";
    std::os::unix::fs::symlink(nobody, link).unwrap();
    host.fairing(["gc", "--grace-period=0s"]).run().ok();
    assert_eq!(blocks(&host), []);
}

#[test]
fn files_in_volumes_have_the_owners_that_the_app_gave_them() {
    let host = busybox();
    let source = host.base().join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("mine"), "x").unwrap();
    chown(source.join("mine"), Some(1000), Some(1000)).unwrap();
    let volume = format!("--volume={}:/data", source.display());
    let script = "stat -c %u:%g /data/mine /data; cd /data; touch root; touch user; chown 1000:33 user; \
                  ln -s x link; chown -h 5:6 link; mkdir d; chown 65534:65534 d";
    auto(&host, &[&volume], script)
        .run()
        .ok()
        .expect_stdout("1000:1000\n0:0\n");
    let owner = |name: &str| {
        let metadata = fs::symlink_metadata(source.join(name)).unwrap();
        (metadata.uid(), metadata.gid())
    };
    assert_eq!(owner("root"), (0, 0));
    assert_eq!(owner("user"), (1000, 33));
    assert_eq!(owner("link"), (5, 6));
    assert_eq!(owner("d"), (65_534, 65_534));
    // Not mapped, it is the host's: the pod has none of its users.
    let script = "stat -c %u /data/root; touch /data/no 2>&1; cat /data/secret 2>&1";
    fs::write(source.join("secret"), "").unwrap();
    fs::set_permissions(source.join("secret"), fs::Permissions::from_mode(0o600)).unwrap();
    let output = auto(&host, &[&format!("{volume}:noidmap")], script).run();
    let told = output.expect_code(1).stdout.to_lowercase();
    assert!(told.starts_with(NOBODY), "{told}");
    assert_eq!(told.matches("permission denied").count(), 2, "{told}");
}

#[test]
fn volumes_of_the_pod_and_memory_belong_to_its_users() {
    let host = busybox();
    let flags = [
        "--volume=disk,kind=empty",
        "--volume=memory,kind=empty,medium=memory",
        "--mount=volume=disk,target=/disk",
        "--mount=volume=memory,target=/memory",
        "--tmpfs=/own",
    ];
    let script = "for place in /disk /memory /own /dev/shm /dev /dev/mqueue; do \
                  stat -c %u:%g $place; touch $place/x && chown 1000 $place/x && stat -c %u $place/x; rm $place/x; done";
    let output = auto(&host, &flags, script).run().ok();
    assert_eq!(output.stdout, "0:0\n1000\n".repeat(6), "{output}");
}

#[test]
fn a_source_that_can_not_be_mapped_is_told_with_its_filesystem() {
    let host = busybox();
    let volume = "--volume=/sys/kernel:/data:bind";
    let output = auto(&host, &[volume], "true").run();
    output.expect_error(125, &["/sys/kernel", "sysfs", "noidmap"]);
}

#[test]
fn what_an_app_has_changed_keeps_its_owners_when_it_starts_again() {
    let host = busybox();
    let pod = detached(
        &host,
        &["--userns=auto", "--lifetime=until-stopped", "--name=pod"],
        "test -e /mark && stat -c %u:%g /mark; touch /mark; chown 1000:33 /mark /bin /etc/hosts; ls -lnd /bin",
    );
    let app = status(&host, &pod)["apps"][0]["name"]
        .as_str()
        .unwrap()
        .to_owned();
    let ended = || status(&host, &pod)["apps"][0]["state"] == "exited";
    harness::wait_until("the app's end", std::time::Duration::from_secs(10), || {
        ended().then_some(())
    });
    let first = first_id(&host, &pod);
    let uuid = status(&host, &pod)["uuid"].as_str().unwrap().to_owned();
    let upper = host
        .data_dir()
        .join(format!("pods/run/{uuid}/apps/{app}/upper"));
    // On disk they are the host's.
    let owner = |path: &Path| {
        let metadata = fs::metadata(path).unwrap();
        (metadata.uid(), metadata.gid())
    };
    assert_eq!(owner(&upper.join("mark")), (first + 1000, first + 33));
    assert_eq!(owner(&upper), (first, first));
    host.fairing(["app", "start", "pod", &app]).run().ok();
    crate::stocked::wait_log(&host, &pod, "1000:33\n");
    host.fairing(["stop", "--force", "pod"]).run().ok();
    // The image is as it was.
    host.fairing(["image", "verify", IMAGE]).run().ok();
}

#[test]
fn users_can_be_given_by_hand() {
    let host = busybox();
    let given = [
        ("--userns=0-200000-65536", "0 200000 65536 0 200000 65536"),
        (
            "--userns=0-200000-65536:0-300000-65536",
            "0 200000 65536 0 300000 65536",
        ),
        ("--uidmap=0:200000:65536", "0 200000 65536 0 200000 65536"),
        (
            "--userns=0-200000-1000,1000-1000-1,1001-201001-64535",
            "0 200000 1000 1000 1000 1 1001 201001 64535 0 200000 1000 1000 1000 1 1001 201001 64535",
        ),
    ];
    for (flag, map) in given {
        let script = "cat /proc/self/uid_map /proc/self/gid_map";
        let output = host
            .fairing(["run", "--rm", flag, IMAGE, "--", "/bin/sh", "-c", script])
            .run()
            .ok();
        let found: Vec<&str> = output.stdout.split_whitespace().collect();
        assert_eq!(found.join(" "), map, "{flag}");
    }
    for (flag, part) in [
        ("--userns=keep-id", "auto, host"),
        ("--userns=0-200000-1000", "65534 in the pod"),
        ("--uidmap=1:1:1", "0 in the pod"),
        ("--uidmap=0", "POD:HOST:COUNT"),
    ] {
        let refused = host.fairing(["run", flag, IMAGE]).run().expect_code(2);
        assert!(refused.stderr.contains(part), "{refused}");
    }
}

#[test]
fn a_pod_without_the_group_of_terminals_has_terminals() {
    let host = busybox();
    let users = "--userns=0-200000-1,65534-200001-1";
    let output = host
        .fairing(["run", "--rm", users, IMAGE, "--", "/bin/sh", "-c"])
        .arg("test -c /dev/pts/ptmx && echo there")
        .run()
        .ok();
    assert_eq!(output.stdout, "there\n");
}

#[test]
fn a_user_that_the_pod_does_not_have_is_named() {
    let host = busybox();
    let flags = ["run", "--rm", "--userns=auto", IMAGE, "--user", "70000"];
    let output = host.fairing(flags).args(["--", "/bin/id"]).run();
    output.expect_error(125, &["user 70000"]);
    for flags in [
        &["--tmpfs=/data:uid=70000"][..],
        &[
            "--volume=d,kind=empty,gid=70000",
            "--mount=volume=d,target=/data",
        ],
        &[
            "--volume=d,kind=tmpfs,uid=70000",
            "--mount=volume=d,target=/data",
        ],
    ] {
        let output = auto(&host, flags, "echo ran").run();
        output.expect_error(125, &["no such user or group"]);
    }
}

#[test]
fn what_is_said_of_users_in_two_ways_is_refused() {
    let host = busybox();
    for users in ["--userns=host", "--userns=auto"] {
        let flags = ["run", users, "--uidmap=0:200000:65536", IMAGE];
        let run = host.fairing(flags).env("FAIRING_USERNS", "");
        let refused = run.run().expect_code(2);
        assert!(
            refused.stderr.contains("leave out one of them"),
            "{refused}"
        );
    }
}

#[test]
fn programs_in_a_pod_become_other_users_and_own_their_streams() {
    let host = busybox();
    let script = "echo to stderr > /proc/self/fd/2; id -u > /dev/stdout; id -G";
    let output = host
        .fairing(["run", "--rm", "--userns=auto", IMAGE, "--user", "1000:1000"])
        .args(["--", "/bin/sh", "-c", script])
        .run()
        .ok();
    assert_eq!(output.stdout, "1000\n1000\n", "{output}");
    assert!(output.stderr.contains("to stderr"), "{output}");
}

#[test]
fn with_the_hosts_network_a_pod_reads_sys_and_changes_nothing() {
    let host = busybox();
    let script = "test -d /sys/class/net/lo && grep ' /sys ' /proc/mounts; hostname other && hostname; \
                  echo 1 > /proc/sys/net/ipv4/ip_forward; ip link set lo mtu 1400";
    let output = auto(&host, &["--net=host", "--insecure-options=all"], script).run();
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert!(lines[0].contains("sysfs ro,"), "{output}");
    assert_eq!(lines[1], "other", "{output}");
    assert_ne!(output.code, Some(0), "{output}");
}

#[test]
fn root_of_a_pod_without_protections_can_not_change_the_host() {
    let host = busybox();
    let outside = host.base().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "of the host").unwrap();
    fs::set_permissions(outside.join("secret"), fs::Permissions::from_mode(0o600)).unwrap();
    let volume = format!("--volume={}:/host:noidmap,suid,dev", outside.display());
    let attempts = [
        "echo '|/tmp/x' > /proc/sys/kernel/core_pattern",
        "echo h > /proc/sysrq-trigger",
        "echo 1 > /proc/sys/vm/drop_caches",
        "echo 1 > /sys/kernel/mm/ksm/run",
        "mknod /tmp/disk b 8 0",
        "mknod /tmp/kmsg c 1 11",
        "date -s 2001-01-01; test $(date +%Y) = 2001",
        "dmesg -c",
        "cat /host/secret",
        "echo changed > /host/secret",
        "touch /host/new",
        "chown 0:0 /host/secret",
        "chmod 777 /host",
        "mount -t ext4 /dev/vda /mnt",
        "mount -o remount,rw /sys && echo 1 > /sys/kernel/mm/ksm/run",
        "mount -t securityfs none /mnt",
        "mount -t debugfs none /mnt",
        "mount -t tracefs none /mnt",
        "mount -t devtmpfs none /mnt",
        "swapon /tmp/swap",
        "nice -n -5 true",
        "echo -1000 > /proc/1/oom_score_adj",
    ];
    let mut script = "mkdir -p /mnt; ".to_owned();
    for (number, attempt) in attempts.iter().enumerate() {
        script.push_str(&format!(
            "({attempt}) >/dev/null 2>&1 && echo done {number}; "
        ));
    }
    script.push_str("echo end");
    let flags = ["--insecure-options=seccomp,capabilities,paths", &volume];
    let output = auto(&host, &flags, &script).run().ok();
    let done = output
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("done "));
    let done: Vec<&str> = done
        .map(|n| attempts[n.parse::<usize>().unwrap()])
        .collect();
    assert_eq!(done, Vec::<&str>::new(), "{output}");
    assert!(output.stdout.ends_with("end\n"), "{output}");
    assert_eq!(
        fs::read_to_string(outside.join("secret")).unwrap(),
        "of the host"
    );
}

#[test]
fn a_set_user_id_program_of_a_pod_is_nobodys_on_the_host() {
    let host = busybox();
    let script =
        "cp /bin/busybox /left; chmod 4755 /left; echo made; while :; do usleep 5000; done";
    let pod = detached(&host, &["--userns=auto"], script);
    crate::stocked::wait_log(&host, &pod, "made");
    let status = status(&host, &pod);
    let (uuid, app) = (&status["uuid"], &status["apps"][0]["name"]);
    let (uuid, app) = (uuid.as_str().unwrap(), app.as_str().unwrap());
    let left = format!("pods/run/{uuid}/apps/{app}/upper/left");
    let left = fs::metadata(host.data_dir().join(left)).unwrap();
    assert_eq!(left.mode() & 0o7777, 0o4755);
    assert_eq!(left.uid(), first_id(&host, &pod));
    host.fairing(["stop", "--force", &pod]).run().ok();
}
