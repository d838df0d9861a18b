//! Apps in virtual machines that have more than others do: their own cgroups, all capabilities, systemd.

use std::fs;
use std::time::Duration;

use harness::{Host, debian_image, wait_until};

use crate::kvm::run;
use crate::stocked::{IMAGE, busybox, status};

/// A translated machine takes its time.
const LIMIT: Duration = Duration::from_secs(180);

#[test]
fn an_app_of_a_machine_has_its_own_cgroups_or_all_of_the_machines_kernel_if_it_is_given_them() {
    let host = busybox();
    let own = "mkdir /sys/fs/cgroup/mine && cd /sys/fs/cgroup/mine && \
               echo $$ > cgroup.procs && cat /proc/self/cgroup";
    let all = "mount -t tmpfs none /root && echo mounted";
    let both = run(&host, &["--rm"])
        .args([
            IMAGE,
            "--app-name=own",
            "--security-opt=writable-cgroups",
            "--memory=64m",
        ])
        .args(["--", "/bin/sh", "-c", own])
        .args(["---", IMAGE, "--app-name=all", "--privileged"])
        .args(["--", "/bin/sh", "-c", all])
        .run();
    let both = both.ok();
    both.expect_stdout("0::/mine\n").expect_stdout("mounted\n");
}

#[test]
fn systemd_boots_in_a_machine_and_stops_in_order() {
    let host = Host::new();
    host.accept_unsigned();
    let image = "debian.example.com/systemd:1";
    host.fairing(["image", "import", &debian_image("systemd"), "--name", image])
        .run()
        .ok();
    let data = host.base().join("shared");
    fs::create_dir(&data).unwrap();
    run(&host, &["--detach", "--name=machine"])
        .args([image, "--app-name=os", "--memory=512m"])
        .arg(format!("--volume={}:/data", data.display()))
        .run()
        .ok();
    let within = |words: &[&str]| {
        let enter = host.fairing(["enter", "machine", "--"]).args(words);
        enter.limit(LIMIT).run()
    };
    wait_until("its target is reached", LIMIT, || {
        let told = within(&["/bin/systemctl", "is-active", "multi-user.target"]);
        (told.stdout == "active\n").then_some(())
    });
    let told = fs::read_to_string(data.join("started")).unwrap();
    assert_eq!(told.lines().next(), Some("0::/system.slice/told.service"));
    let comm = within(&["/bin/cat", "/proc/1/comm"]).ok();
    assert_eq!(comm.stdout, "systemd\n");
    let top = host.fairing(["top", "machine"]).limit(LIMIT).run().ok();
    top.expect_stdout("systemd-journ");
    host.fairing(["stop", "machine"]).limit(LIMIT).run().ok();
    assert_eq!(status(&host, "machine")["state"], "exited");
    let stopped = fs::read_to_string(data.join("stopped")).unwrap();
    assert!(stopped.contains("in order"), "{stopped}");
}
