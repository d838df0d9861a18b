//! Pods in virtual machines: the same commands, with another kernel below the apps.

use std::fs;
use std::time::Duration;

use harness::{FairingCommand, Host, ImageBuilder, Layer, installed_kernel};

use crate::stocked::{IMAGE, busybox, host_with, import, status, wait_log};

/// A translated machine takes its time where others work beside it.
const LIMIT: Duration = Duration::from_secs(120);

/// `fairing run`, with these flags of the pod, in a machine.
pub(crate) fn run(host: &Host, flags: &[&str]) -> FairingCommand {
    let network = flags.iter().all(|flag| !flag.starts_with("--net"));
    host.fairing(["run", "--stage1=kvm"])
        .arg(format!("--kvm-kernel={}", installed_kernel().display()))
        .args(network.then_some("--net=none"))
        .args(flags)
        .limit(LIMIT)
}

/// The same for one app of busybox.
pub(crate) fn shell(host: &Host, flags: &[&str], script: &str) -> FairingCommand {
    run(host, flags).args([IMAGE, "--", "/bin/sh", "-c", script])
}

/// Starts a pod in the background, and gives its UUID.
#[track_caller]
pub(crate) fn detached(host: &Host, flags: &[&str], script: &str) -> String {
    let started = shell(host, flags, script).run();
    started.ok().text().to_owned()
}

#[test]
fn an_app_has_a_kernel_of_its_own_and_its_output_and_exit_code_come_out() {
    let host = busybox();
    let script = "uname -r; cat; echo error >&2; exit 7";
    let output = shell(&host, &["--rm", "--interactive"], script)
        .stdin("input\n")
        .run();
    let output = output.expect_code(7).expect_stderr("error\n");
    let (release, rest) = output.stdout.split_once('\n').unwrap();
    assert_eq!(rest, "input\n");
    let kernel = installed_kernel();
    let kernel = kernel.file_name().unwrap().to_str().unwrap();
    assert_eq!(kernel, format!("vmlinuz-{release}"));
    let own = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert_ne!(release, own.trim());
    output.expect_stderr("virtual machine is slow");
}

#[test]
fn apps_see_their_images_and_what_they_write_and_nothing_of_the_host() {
    let layer = Layer::new()
        .file("mark", "from the image", 0o640)
        .symlink("link", "mark");
    let host = host_with(ImageBuilder::busybox().layer(layer));
    let other = "test.example/other:latest";
    import(&host, &ImageBuilder::busybox().build(), other);
    let secret = host.base().join("secret");
    fs::write(&secret, "of the host").unwrap();
    let script = format!(
        "echo \"$(cat /link) $(stat -c '%a %u' /mark)\"; echo more > /mark; cat /mark {}",
        secret.display()
    );
    let output = run(&host, &["--rm"])
        .args([IMAGE, "--", "/bin/sh", "-c", &script])
        .args(["---", other, "--app-name=other", "--"])
        .args(["/bin/sh", "-c", "[ -e /mark ] || echo no mark"])
        .run()
        .expect_code(1);
    for part in ["from the image 640 0\n", "more\n", "no mark\n"] {
        assert!(output.stdout.contains(part), "{output}");
    }
    assert!(!output.stdout.contains("of the host"), "{output}");
    output.expect_stderr("No such file or directory");
}

#[test]
fn commands_reach_into_a_machine() {
    let host = busybox();
    let flags = ["--detach", "--name=box", "--memory=64m"];
    let script = "echo up; read line; echo \"read $line\"; while :; do sleep 1; done";
    let uuid = detached(&host, &flags, script);
    wait_log(&host, &uuid, "up");
    let output = host
        .fairing([
            "enter",
            "--interactive",
            "box",
            "--",
            "/bin/sh",
            "-c",
            "cat; hostname; exit 3",
        ])
        .stdin("through\n")
        .run();
    let output = output.expect_code(3);
    assert_eq!(output.stdout, "through\nbox\n");
    let limit = host
        .fairing([
            "enter",
            "box",
            "--",
            "/bin/cat",
            "/sys/fs/cgroup/memory.max",
        ])
        .run()
        .ok();
    assert_eq!(limit.stdout, format!("{}\n", 64 << 20));
    let file = host.write("file", "copied");
    host.fairing(["cp"])
        .arg(&file)
        .arg("box:/root/file")
        .run()
        .ok();
    let back = host.base().join("back");
    host.fairing(["cp", "box:/root/file"]).arg(&back).run().ok();
    assert_eq!(fs::read_to_string(back).unwrap(), "copied");
    let listed = host.fairing(["list"]).run().ok();
    listed.expect_stdout("box").expect_stdout("running");
    host.fairing(["stop", "--force", "box"]).run().ok();
    assert_eq!(status(&host, "box")["state"], "exited");
}

#[test]
fn a_terminal_of_a_machine_has_the_size_of_the_one_before_it() {
    let host = busybox();
    let mut terminal = shell(
        &host,
        &["--rm", "--tty", "--interactive"],
        "stty size; read x; echo $x-done",
    )
    .spawn_on_terminal(33, 77);
    terminal.wait_screen("33 77");
    terminal.type_keys("typed\n");
    terminal.wait_screen("typed-done");
    terminal.wait().ok();
}

#[test]
fn what_a_machine_can_not_do_is_refused_by_name_before_anything_starts() {
    let host = busybox();
    for (flags, word) in [
        (["--net=host"], "host-network"),
        (["--userns=auto"], "user-namespaces"),
        (["--ipc=host"], "host-namespaces"),
        (["--cgroupns=host"], "host-namespaces"),
        (["--cpuset-cpus=0"], "cpuset"),
        (["--blkio-weight=100"], "block-io"),
        (["--hugetlb=2MB=2m"], "hugepages"),
        (["--device=/dev/null"], "devices"),
    ] {
        let refused = run(&host, &flags).args([IMAGE, "--", "/bin/true"]).run();
        let refused = refused.expect_error(125, &[word, "isolator `kvm` does not offer"]);
        // Who is refused does not have to hear how slow it would have been.
        assert!(!refused.stderr.contains("is slow"), "{refused}");
    }
    for (flag, variable, help) in [
        (
            "--device-cgroup-rule=c 1:3 r",
            "",
            "leave --device-cgroup-rule out",
        ),
        ("--userns=auto", "", "leave --userns out"),
        ("--rm", "auto", "`FAIRING_USERNS= fairing …` does without"),
    ] {
        let refused = run(&host, &[flag]).args([IMAGE, "--", "/bin/true"]);
        let refused = refused.env("FAIRING_USERNS", variable).run();
        refused.expect_error(125, &[help]);
    }
    let swaps = run(&host, &["--memory-swappiness=7"]).args([IMAGE, "--", "/bin/true"]);
    let swaps = swaps.run();
    swaps.expect_error(
        125,
        &[
            "vm.swappiness is the machine's",
            "leave --memory-swappiness out",
        ],
    );
    // And what only a machine has by others.
    host.fairing([
        "run",
        "--net=none",
        "--kvm-memory=1g",
        IMAGE,
        "--",
        "/bin/true",
    ])
    .run()
    .expect_error(
        125,
        &["virtual-machine", "isolator `nspawn` does not offer"],
    );
    assert!(host.pod_folders().is_empty());
}

#[test]
fn what_is_missing_for_a_machine_is_named() {
    let host = busybox();
    let kernel = |path: &str| {
        host.fairing(["run", "--stage1=kvm", "--net=none"])
            .arg(format!("--kvm-kernel={path}"))
            .args([IMAGE, "--", "/bin/true"])
            .run()
    };
    kernel("/nowhere/vmlinuz-1.2.3")
        .expect_error(125, &["there is no kernel /nowhere/vmlinuz-1.2.3"]);
    let lone = host.write("vmlinuz-1.2.3", "no kernel");
    kernel(lone.to_str().unwrap()).expect_error(125, &["lib/modules/1.2.3"]);
    fs::create_dir_all(host.base().join("lib/modules/1.2.3")).unwrap();
    kernel(lone.to_str().unwrap())
        .expect_error(125, &["cannot take the kernel out of", "no kernel"]);
    assert!(host.pod_folders().is_empty());
    run(&host, &["--kvm-memory=64m"])
        .args([IMAGE, "--", "/bin/true"])
        .run()
        .expect_error(2, &["96m"]);
}

#[test]
fn a_machine_is_as_large_as_was_asked_for() {
    let host = busybox();
    let script = "grep MemTotal /proc/meminfo; grep -c ^processor /proc/cpuinfo";
    let flags = [
        "--rm",
        "--kvm-memory=300m",
        "--kvm-cpus=2",
        "--kvm-accel=tcg",
    ];
    let output = shell(&host, &flags, script).run().ok();
    // Who asks for a translated one knows that it is slow.
    assert!(!output.stderr.contains("slow"), "{output}");
    let (memory, processors) = output.stdout.trim().split_once('\n').unwrap();
    assert_eq!(processors, "2");
    let kilobytes: u64 = memory.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!((200 << 10..300 << 10).contains(&kilobytes), "{memory}");
}

#[test]
fn the_filesystem_of_an_image_is_made_once_and_goes_with_the_image() {
    let host = busybox();
    let folder = host.data_dir().join("images/filesystems");
    // One that is kept shares its files with the host.
    let kept = run(&host, &["--name=kept"]).args([IMAGE, "--", "/bin/true"]);
    kept.run().ok();
    assert!(!folder.exists());
    let status = host.fairing(["status", "kept"]).run().ok();
    assert!(!status.stdout.contains("filesystem"), "{status}");
    status.expect_stdout("machine-checks-images=no: a pod that is kept shares its files");
    let prepared = || {
        let output = run(&host, &["--rm"]).args([IMAGE, "--", "/bin/true"]).run();
        output.ok();
        let entries = fs::read_dir(&folder).unwrap();
        entries
            .map(|entry| fs::metadata(entry.unwrap().path().join("image")).unwrap())
            .map(|metadata| std::os::unix::fs::MetadataExt::ino(&metadata))
            .collect::<Vec<_>>()
    };
    let first = prepared();
    assert_eq!(first.len(), 1);
    assert_eq!(prepared(), first);
    host.fairing(["rm", "kept"]).run().ok();
    host.fairing(["image", "rm", IMAGE]).run().ok();
    host.fairing(["image", "gc"]).run().ok();
    let left = fs::read_dir(&folder).unwrap();
    assert_eq!(left.count(), 0);
}

#[test]
fn what_is_configured_of_machines_and_isolators_counts_where_nothing_else_is_asked() {
    let host = busybox();
    let kernel = installed_kernel();
    host.write(
        "etc/config.toml",
        format!(
            "[pods]\nstage1 = \"kvm\"\n[kvm]\nkernel = \"{}\"\nmemory = \"160M\"\ncpus = 2\naccel = \"tcg\"",
            kernel.display()
        ),
    );
    let script = "uname -r; grep -c ^processor /proc/cpuinfo; grep MemTotal /proc/meminfo";
    let pod = |flags: &[&str]| {
        let run = host.fairing(["run", "--rm", "--net=none"]).args(flags);
        run.args([IMAGE, "--", "/bin/sh", "-c", script])
            .limit(LIMIT)
    };
    let release = kernel.file_name().unwrap().to_str().unwrap();
    let release = release.strip_prefix("vmlinuz-").unwrap();
    let machine = pod(&["--kvm-cpus=1"]).run().ok();
    let told: Vec<&str> = machine.stdout.lines().collect();
    assert_eq!(told[..2], [release, "1"], "{machine}");
    let kilobytes: u64 = told[2].split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!((90 << 10..160 << 10).contains(&kilobytes), "{machine}");
    // Who has asked for a translated one in the configuration knows that it is slow.
    assert!(!machine.stderr.contains("slow"), "{machine}");
    let own = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    pod(&["--stage1=nspawn"]).run().ok().expect_stdout(&own);
    let by_variable = pod(&[]).env("FAIRING_STAGE1", "nspawn").run().ok();
    by_variable.expect_stdout(&own);
    let file = host.write(
        "pod.yaml",
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: box}}\nspec:\n  runtimeClassName: kvm\n  \
             restartPolicy: Never\n  containers:\n  - name: app\n    image: {IMAGE}\n    \
             command: [/bin/uname, -r]\n"
        ),
    );
    // What the pod asks for counts more than a variable.
    let play = host
        .fairing(["play", "--detach", "--network=none"])
        .arg(file);
    let play = play.env("FAIRING_STAGE1", "nspawn").limit(LIMIT);
    play.run().ok();
    host.fairing(["wait", "box"]).limit(LIMIT).run().ok();
    let log = host.fairing(["logs", "box"]).run().ok();
    log.expect_stdout(release);
    let doctor = host.fairing(["doctor"]).run();
    let shown = kernel.display().to_string();
    assert_eq!(doctor.stdout.matches(&shown).count(), 1, "{doctor}");
}
