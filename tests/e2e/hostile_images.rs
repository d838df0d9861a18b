//! Images that want to make fairing change or read the host.

use std::fs;
use std::path::Path;
use std::time::Duration;

use harness::{Artifact, Host, ImageBuilder, Layer, Output};

use crate::imported::import;

/// A directory of the host that hostile images point at.
struct Target {
    path: String,
}

impl Target {
    fn new(host: &Host) -> Self {
        let file = host.write("target/file", "untouched");
        Self {
            path: file.parent().unwrap().to_str().unwrap().to_owned(),
        }
    }

    /// Ways to write its path that would lead out of a root.
    fn links(&self) -> [String; 2] {
        [
            self.path.clone(),
            format!("../../../../../../../..{}", self.path),
        ]
    }

    #[track_caller]
    fn expect_untouched(&self) {
        let names: Vec<_> = fs::read_dir(&self.path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["file"], "in {}", self.path);
        let file = Path::new(&self.path).join("file");
        assert_eq!(fs::read_to_string(file).unwrap(), "untouched");
    }
}

fn run_hostile(host: &Host, image: &Artifact, flags: &[&str]) -> Output {
    let image = import(host, image, "hostile:1");
    host.fairing(["run", "--rm", "--pull=never", &image])
        .args(flags)
        .args(["--", "/bin/busybox", "echo", "it runs"])
        .limit(Duration::from_secs(10))
        .run()
}

#[test]
fn kernel_folders_that_are_links_are_refused() {
    let host = Host::new();
    host.accept_unsigned();
    let target = Target::new(&host);
    for name in ["dev", "proc", "sys"] {
        for link in target.links() {
            let image = ImageBuilder::busybox()
                .layer(Layer::new().symlink(name, &link))
                .build();
            run_hostile(&host, &image, &[]).expect_error(125, &[&format!("/{name}")]);
            target.expect_untouched();
            assert!(host.pod_folders().is_empty());
        }
        for image in [
            ImageBuilder::busybox().layer(Layer::new().file(name, "a file", 0o644)),
            ImageBuilder::busybox().layer(Layer::new().fifo(name)),
        ] {
            run_hostile(&host, &image.build(), &[]).expect_error(125, &[&format!("/{name}")]);
        }
    }
    host.expect_clean();
}

#[test]
fn what_lies_in_kernel_folders_of_an_image_is_not_used() {
    let host = Host::new();
    host.accept_unsigned();
    let target = Target::new(&host);
    let link = target.path.clone();
    let layer = Layer::new()
        .folder("dev", 0o755)
        .symlink("dev/null", &format!("{link}/file"))
        .symlink("dev/pts", &link)
        .symlink("dev/shm", &link)
        .symlink("dev/mqueue", &link)
        .symlink("dev/console", &format!("{link}/file"))
        .folder("proc", 0o755)
        .symlink("proc/self", &link)
        .symlink("proc/kcore", &format!("{link}/file"))
        .folder("sys", 0o755)
        .symlink("sys/firmware", &link);
    let image = ImageBuilder::busybox().layer(layer).build();
    run_hostile(&host, &image, &[])
        .ok()
        .expect_stdout("it runs");
    target.expect_untouched();
    host.fairing([
        "run",
        "--rm",
        "example.com/hostile:1",
        "--",
        "/bin/sh",
        "-c",
    ])
    .arg("echo x > /dev/null; echo y > /dev/shm/y; test -c /dev/null && echo device")
    .run()
    .ok()
    .expect_stdout("device");
    target.expect_untouched();
}

#[test]
fn files_of_the_pod_are_put_over_no_file_of_the_host() {
    let host = Host::new();
    host.accept_unsigned();
    let target = Target::new(&host);
    for link in target.links() {
        let files = Layer::new()
            .symlink("etc/hosts", &format!("{link}/file"))
            .symlink("etc/hostname", &format!("{link}/new"))
            .symlink("etc/resolv.conf", "/proc/1/root/etc/resolv.conf");
        run_hostile(&host, &ImageBuilder::busybox().layer(files).build(), &[])
            .ok()
            .expect_stdout("it runs");
        target.expect_untouched();
        // The whole directory elsewhere.
        let folder = Layer::new().whiteout("etc").symlink("etc", &link);
        let output = run_hostile(&host, &ImageBuilder::busybox().layer(folder).build(), &[]);
        assert!(matches!(output.code, Some(0 | 125)), "{output}");
        target.expect_untouched();
    }
    let loops = Layer::new()
        .symlink("etc/hosts", "hosts")
        .fifo("etc/hostname")
        .folder("etc/resolv.conf", 0o755);
    run_hostile(&host, &ImageBuilder::busybox().layer(loops).build(), &[])
        .ok()
        .expect_stdout("it runs");
    let workdir = Layer::new().symlink("work", &target.path);
    let workdir = ImageBuilder::busybox()
        .layer(workdir)
        .workdir("/work/new/folder");
    let output = run_hostile(&host, &workdir.build(), &[]);
    assert!(matches!(output.code, Some(0 | 125)), "{output}");
    target.expect_untouched();
}

#[test]
fn devices_of_an_image_can_not_be_opened() {
    let host = Host::new();
    host.accept_unsigned();
    // Devices that the app's own /dev has too, so that nothing but the mount stands in the way.
    let layer = Layer::new()
        .character_device("srv/zero", 1, 5)
        .character_device("zero", 1, 5);
    let image = ImageBuilder::busybox().layer(layer).build();
    let image = import(&host, &image, "devices:1");
    let opened = "for device in /srv/zero /zero; do
            test -c $device || echo no device
            head -c 1 $device > /dev/null 2> /dev/null && echo opened
        done; head -c 1 /dev/zero > /dev/null && echo end";
    let output = host
        .fairing([
            "run",
            "--rm",
            "--pull=never",
            &image,
            "--",
            "/bin/sh",
            "-c",
            opened,
        ])
        .run()
        .ok();
    assert_eq!(output.stdout, "end\n", "{output}");
}

#[test]
fn account_files_of_an_image_are_read_with_care() {
    let host = Host::new();
    host.accept_unsigned();
    host.write("target/passwd", "app:x:0:0::/:/bin/sh\n");
    let passwd = host.base().join("target/passwd").display().to_string();
    let image = |layer: Layer| ImageBuilder::busybox().layer(layer).build();
    let as_app = ["--user", "app"];

    // A pipe would block who opens it, a link leads out, and a directory can't be read.
    let fifo = image(Layer::new().whiteout("etc/passwd").fifo("etc/passwd"));
    run_hostile(&host, &fifo, &as_app).expect_error(125, &["/etc/passwd"]);
    let group = image(Layer::new().whiteout("etc/group").fifo("etc/group"));
    run_hostile(&host, &group, &as_app).expect_error(125, &["/etc/group"]);
    let folder = image(
        Layer::new()
            .whiteout("etc/passwd")
            .folder("etc/passwd", 0o755),
    );
    run_hostile(&host, &folder, &as_app).expect_error(125, &["/etc/passwd"]);
    let zero = image(
        Layer::new()
            .whiteout("etc/passwd")
            .character_device("etc/passwd", 1, 5),
    );
    let zero = run_hostile(&host, &zero, &as_app);
    assert!(
        matches!(zero.code, Some(112 | 125)) || zero.stderr.contains("/etc/passwd"),
        "{zero}"
    );
    for link in [passwd.clone(), format!("../../../../../../..{passwd}")] {
        let link = image(
            Layer::new()
                .whiteout("etc/passwd")
                .symlink("etc/passwd", &link),
        );
        run_hostile(&host, &link, &as_app).expect_error(119, &["app"]);
    }
    let looped = image(
        Layer::new()
            .whiteout("etc/passwd")
            .symlink("etc/passwd", "passwd"),
    );
    let looped = run_hostile(&host, &looped, &as_app);
    assert!(matches!(looped.code, Some(119 | 125)), "{looped}");

    // Larger than any that is real.
    let huge = "x:x:1:1::/:/bin/sh\n".repeat(400_000);
    let huge = image(Layer::new().file("etc/passwd", huge, 0o644));
    run_hostile(&host, &huge, &as_app).expect_error(125, &["/etc/passwd"]);

    // Numbers that are none, lines that are none.
    for line in [
        "app:x:-1:0::/:/bin/sh",
        "app:x:4294967295:0::/:/bin/sh",
        "app:x:4294967296:0::/:/bin/sh",
        "app:x:0x0:0::/:/bin/sh",
        "app:x::0::/:/bin/sh",
        "app:x: 0:0::/:/bin/sh",
        "app:x",
        "app",
    ] {
        let odd = image(Layer::new().file("etc/passwd", format!("{line}\n"), 0o644));
        let output = run_hostile(&host, &odd, &as_app);
        assert!(
            matches!(output.code, Some(119 | 125)),
            "{line} is no user\n{output}"
        );
    }
    host.expect_clean();
}

#[test]
fn what_an_image_says_of_its_start_leads_nowhere_and_makes_nobody_root() {
    let host = Host::new();
    host.accept_unsigned();
    let run = |image: ImageBuilder| {
        let image = import(&host, &image.build(), "hostile:1");
        let run = host.fairing(["run", "--rm", "--pull=never", &image]);
        run.limit(Duration::from_secs(10)).run()
    };
    let image = || ImageBuilder::busybox().cmd(["/bin/sh", "-c", "pwd; id -u"]);
    let no_user = "is not in the image's /etc/passwd";
    for (image, part) in [
        (image().user(":"), "invalid user"),
        (image().user(":5"), "invalid user"),
        (image().user("-1"), no_user),
        (image().user("+0"), no_user),
        (image().user(" root"), no_user),
        (image().user("root\n"), no_user),
        (image().user("0x0"), no_user),
        (image().user("4294967295"), no_user),
        (image().user("4294967296"), no_user),
        (image().user("0:4294967296"), "/etc/group"),
        (image().workdir("/proc/self/fd/9"), "working directory"),
        (image().workdir("/proc/1/cwd"), "working directory"),
        (image().workdir("/bin/busybox"), "working directory"),
        (image().stop_signal("99999"), "stop signal"),
        (image().stop_signal("-1"), "stop signal"),
        (image().stop_signal("SIGRTMIN+99"), "stop signal"),
        (image().cmd(["/bin/sh\0x"]), "NUL"),
        (image().cmd([""]), "program"),
        (image().cmd(["/proc/1/exe"]), "cannot execute"),
        (image().cmd(["/dev/null"]), "cannot execute"),
    ] {
        let output = run(image);
        assert!(
            output.code.is_some_and(|code| code > 100),
            "{part}: {output}"
        );
        assert!(output.stderr.contains(part), "{part}: {output}");
        assert!(!output.stdout.contains('0'), "{part}: {output}");
    }
    // What looks as if it led out, and doesn't.
    for path in ["../../../..", "/dev/../..", "/proc/self/root/.."] {
        let output = run(image().workdir(path));
        assert_eq!(output.ok().stdout, "/\n0\n", "{path}");
    }
}
