//! Images whose files are mounted: judged as those that apps run, read-only, and kept while they are used.

use harness::{Host, ImageBuilder, Key, Layer, Registry};

use crate::stocked::{IDLE, IMAGE, busybox, detached, import};

const TOOLS: &str = "test.example/tools:1";

/// A host with an image of two layers to be mounted.
fn with_tools() -> Host {
    let host = busybox();
    let lower = Layer::new()
        .folder("bin/", 0o755)
        .file("bin/tool", "#!/bin/sh\necho tool\n", 0o4755)
        .file("gone", "", 0o644)
        .symlink("out", "/etc");
    let upper = Layer::new()
        .file("file", "of the image\n", 0o644)
        .whiteout("gone");
    let tools = ImageBuilder::new().layer(lower).layer(upper);
    import(&host, &tools.build(), TOOLS);
    host
}

fn run(host: &Host, flags: &[&str], script: &str) -> harness::Output {
    host.fairing(["run", "--rm", "--net=none", IMAGE])
        .args(flags)
        .args(["--", "/bin/sh", "-c", script])
        .run()
}

#[test]
fn the_files_of_an_image_are_mounted_read_only() {
    let host = with_tools();
    let script = "ls /x; cat /x/file; /x/bin/tool; grep ' /x ' /proc/mounts; touch /x/new";
    let volume = format!("tools,kind=image,source={TOOLS}");
    for flags in [
        vec![format!("--mount=type=image,source={TOOLS},target=/x")],
        vec![
            format!("--volume={volume}"),
            "--mount=volume=tools,target=/x".to_owned(),
        ],
    ] {
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let output = run(&host, &flags, script).expect_code(1);
        let begin = "bin\nfile\nout\nof the image\ntool\n";
        assert!(output.stdout.starts_with(begin), "{output}");
        assert!(output.stdout.contains("nosuid,nodev"), "{output}");
        assert!(output.stderr.contains("Read-only file system"), "{output}");
    }
    let part = format!("--mount=type=image,source={TOOLS},target=/x,subpath=bin");
    assert_eq!(run(&host, &[&part], "ls /x").ok().stdout, "tool\n");
    let file = format!("--mount=type=image,source={TOOLS},target=/x/y,image-subpath=file");
    assert_eq!(
        run(&host, &[&file], "cat /x/y").ok().stdout,
        "of the image\n"
    );
    let out = format!("--mount=type=image,source={TOOLS},target=/x,subpath=out/passwd");
    run(&host, &[&out], "true").expect_error(125, &["cannot mount the image", "out of the volume"]);
    // One layer alone, which the app's own image shares.
    let own = format!("--mount=type=image,source={IMAGE},target=/x");
    run(&host, &[&own], "touch /x/new || test -e /x/bin/sh").ok();
    host.expect_clean();
}

#[test]
fn an_image_that_may_not_run_is_not_mounted_either() {
    let registry = Registry::start();
    let push = |name: &str| ImageBuilder::busybox().build().push(&registry, name);
    let (image, tools) = (push("team/app:1"), push("other/tools:1"));
    let host = Host::new();
    let key = Key::generate(&host, "team");
    key.trust(&host, &registry.name("team"));
    key.sign(&host, &image);
    for flags in [
        [
            format!("--mount=type=image,source={tools},target=/x"),
            "--net=none".to_owned(),
        ],
        [
            format!("--volume=t,kind=image,source={tools}"),
            "--net=none".to_owned(),
        ],
    ] {
        host.fairing(["run", "--rm"])
            .args(flags)
            .args([&image, "--", "/bin/true"])
            .run()
            .expect_error(115, &[&tools, "no trust rule covers"]);
    }
    assert!(host.pod_folders().is_empty());
    // One that was prepared while it was allowed is judged again.
    key.trust(&host, &registry.name("other"));
    key.sign(&host, &tools);
    let mount = format!("--mount=type=image,source={tools},target=/x");
    let pod = host
        .fairing([
            "prepare",
            "--net=none",
            &image,
            &mount,
            "--",
            "/bin/ls",
            "/x/bin/sh",
        ])
        .run()
        .ok();
    host.fairing(["trust", "rm", "--prefix", &registry.name("other")])
        .run()
        .ok();
    host.fairing(["run-prepared", pod.text()])
        .run()
        .expect_error(115, &[&tools]);
    host.fairing(["rm", pod.text()]).run().ok();
}

#[test]
fn an_image_that_is_mounted_stays_in_the_store() {
    let host = with_tools();
    let mount = format!("--mount=type=image,source={TOOLS},target=/x");
    let output = host
        .fairing([
            "run",
            "--detach",
            "--net=none",
            IMAGE,
            &mount,
            "--",
            "/bin/sh",
            "-c",
            IDLE,
        ])
        .run()
        .ok();
    let pod = output.text();
    host.fairing(["image", "rm", TOOLS]).run().expect_code(125);
    host.fairing(["image", "gc", "--expire=0s"]).run();
    let late = detached(&host, &["--net=none", "--lifetime=until-stopped"], "exit 0");
    host.fairing([
        "app",
        "add",
        "--start",
        &late,
        IMAGE,
        "--app-name=late",
        &mount,
    ])
    .args(["--", "/bin/sh", "-c", "cat /x/file"])
    .run()
    .ok();
    crate::stocked::wait_log(&host, &late, "of the image\n");
    host.fairing(["stop", "--force", pod, &late]).run().ok();
    host.fairing(["rm", pod, &late]).run().ok();
    host.fairing(["image", "rm", TOOLS]).run().ok();
}
