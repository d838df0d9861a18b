//! What is no image yet, imported as one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use harness::{Host, ImageBuilder, Key, Layer};
use serde_json::json;

/// A directory with busybox as its root filesystem.
fn root_folder(host: &Host) -> PathBuf {
    let root = host.base().join("root");
    fs::create_dir_all(root.join("bin")).unwrap();
    fs::create_dir_all(root.join("etc")).unwrap();
    let busybox = root.join("bin/busybox");
    let source = ["/bin/busybox", "/usr/bin/busybox"];
    let source = source
        .iter()
        .find(|path| fs::exists(path).unwrap())
        .unwrap();
    fs::copy(source, &busybox).unwrap();
    fs::set_permissions(&busybox, fs::Permissions::from_mode(0o755)).unwrap();
    for applet in ["sh", "id", "pwd", "cat"] {
        std::os::unix::fs::symlink("busybox", root.join("bin").join(applet)).unwrap();
    }
    fs::write(
        root.join("etc/passwd"),
        "root:x:0:0::/:/bin/sh\napp:x:7:8::/:/bin/sh\n",
    )
    .unwrap();
    fs::write(root.join("etc/group"), "root:x:0:\napp:x:8:\n").unwrap();
    root
}

const SCRIPT: &str = r#"["/bin/sh","-c","id -u; id -g; pwd; echo $WORD"]"#;

/// The flags that the tests of roots give.
fn flags(name: &str) -> [&str; 10] {
    let settings = [
        "--cmd",
        SCRIPT,
        "--user",
        "app",
        "--workdir",
        "/etc",
        "--env",
        "WORD=hello",
    ];
    let [a, b, c, d, e, f, g, h] = settings;
    ["--name", name, a, b, c, d, e, f, g, h]
}

#[test]
fn a_root_folder_and_its_tars_run_as_they_are_told_to() {
    let host = Host::new();
    host.accept_unsigned();
    let root = root_folder(&host);
    let tar = host.base().join("root.tar");
    let packed = Command::new("tar")
        .arg("-C")
        .arg(&root)
        .arg("-cf")
        .arg(&tar)
        .arg(".")
        .status();
    assert!(packed.unwrap().success());
    for (tool, flags) in [("gzip", "-1"), ("zstd", "-1"), ("xz", "-0")] {
        let packed = Command::new(tool)
            .args([flags, "--keep", "-q"])
            .arg(&tar)
            .status();
        assert!(packed.unwrap().success());
    }
    for source in [
        "root",
        "rootfs:root",
        "root.tar",
        "root.tar.gz",
        "root.tar.zst",
        "root.tar.xz",
    ] {
        let name = format!("example.com/{}:1", source.replace([':', '.'], "-"));
        let imported = host
            .fairing(["image", "import", source])
            .args(flags(&name))
            .run()
            .ok();
        assert_eq!(imported.text(), name);
        let ran = host.fairing(["run", "--rm", &name]).run().ok();
        assert_eq!(ran.stdout, "7\n8\n/etc\nhello\n", "{source}");
    }
    // The same directory is the same image.
    let digest = |name: &str| {
        host.fairing(["image", "import", "root"])
            .args(flags(name))
            .run()
            .ok();
        let inspected = host.fairing(["image", "inspect", name]).run().ok().json();
        inspected["manifest"].clone()
    };
    assert_eq!(digest("example.com/a:1"), digest("example.com/b:1"));
}

/// `worker.aci` in the host's directory: an appc image that says who it is.
fn worker_aci(host: &Host) {
    let manifest = json!({
        "acKind": "ImageManifest", "acVersion": "0.8.11", "name": "example.com/worker",
        "labels": [
            { "name": "version", "value": "1.0" },
            { "name": "os", "value": "linux" }, { "name": "arch", "value": "amd64" },
        ],
        "app": {
            "exec": ["/bin/sh", "-c", "id -u; id -g; pwd; echo $WORD"],
            "user": "7", "group": "8", "workingDirectory": "/etc",
            "environment": [{ "name": "WORD", "value": "hello" }],
        },
    });
    let root = root_folder(host);
    let aci = host.base().join("aci");
    fs::create_dir(&aci).unwrap();
    fs::rename(root, aci.join("rootfs")).unwrap();
    fs::write(aci.join("manifest"), manifest.to_string()).unwrap();
    let file = host.base().join("worker.aci");
    let packed = Command::new("tar")
        .arg("-C")
        .arg(&aci)
        .arg("-czf")
        .arg(&file)
        .args(["manifest", "rootfs"])
        .status();
    assert!(packed.unwrap().success());
}

#[test]
fn an_appc_image_runs_under_the_name_that_it_has() {
    let host = Host::new();
    host.accept_unsigned();
    worker_aci(&host);
    let imported = host.fairing(["image", "import", "worker.aci"]).run().ok();
    assert_eq!(imported.text(), "example.com/worker:1.0");
    let ran = host
        .fairing(["run", "--rm", "--pull=never", "example.com/worker:1.0"])
        .run()
        .ok();
    assert_eq!(ran.stdout, "7\n8\n/etc\nhello\n");
}

#[test]
fn a_source_needs_no_path_with_a_slash_and_is_never_a_name_of_docker_hub() {
    let host = Host::new();
    host.accept_unsigned();
    worker_aci(&host);
    root_folder(&host);
    ImageBuilder::busybox()
        .build()
        .write_layout(&host.base().join("layout"), "1");
    for source in ["aci:worker.aci", "oci:layout", "rootfs:root"] {
        let fetched = host.fairing(["fetch", "--quiet", source]).run().ok();
        assert!(fetched.text().starts_with("sha256:"), "{source}: {fetched}");
        let run = ["run", "--rm", "--pull=always", source, "--exec", "/bin/pwd"];
        let ran = host.fairing(run).run().ok();
        assert!(ran.stdout.starts_with('/'), "{source}: {ran}");
    }
    let ran = host.fairing(["run", "--rm", "aci:worker.aci"]).run().ok();
    assert_eq!(ran.stdout, "7\n8\n/etc\nhello\n");
    for missing in ["aci:no.aci", "oci:no", "rootfs:no", "docker-archive:no.tar"] {
        for command in [
            &["run", "--rm"][..],
            &["fetch"],
            &["image", "import", "--name=a.io/b"],
        ] {
            let said = host.fairing(command.iter().copied()).arg(missing).run();
            assert_ne!(said.code, Some(0), "{said}");
            let path = missing.split_once(':').unwrap().1;
            assert!(
                said.stderr.contains(path) && !said.stderr.contains("docker.io"),
                "{missing}: {said}"
            );
        }
        let never = host.fairing(["run", "--rm", "--pull=never", missing]).run();
        never.expect_error(110, &[missing]);
        let inspected = host.fairing(["image", "inspect", missing]).run();
        inspected.expect_error(110, &[missing]);
    }
}

#[test]
fn trust_is_for_the_name_that_an_import_gives() {
    let host = Host::new();
    root_folder(&host);
    let key = Key::generate(&host, "team");
    key.trust(&host, "example.com/team");
    let import = |name: &str, flags: &[&str]| {
        let command = host.fairing(flags.iter().copied());
        command
            .args(["image", "import", "root", "--name", name])
            .run()
    };
    import("example.com/other:1", &[]).expect_code(115);
    import("example.com/team/root:1", &[]).expect_code(115);
    let listed = host.fairing(["image", "list", "--format=json"]).run().ok();
    assert_eq!(listed.json(), json!([]));
    import("example.com/team/root:1", &["--insecure-options=image"]).ok();
    let run = || {
        host.fairing([
            "run",
            "--rm",
            "example.com/team/root:1",
            "--exec",
            "/bin/id",
        ])
    };
    run().run().expect_code(115);
    key.sign(&host, "example.com/team/root:1");
    run().run().ok();
}

#[test]
fn what_makes_no_sense_is_told() {
    let host = Host::new();
    host.accept_unsigned();
    root_folder(&host);
    ImageBuilder::busybox()
        .build()
        .write_layout(&host.base().join("layout"), "1");
    let import = |args: &[&str]| host.fairing(["image", "import"]).args(args).run();
    import(&["rootfs:root"]).expect_error(2, &["--name"]);
    import(&["oci:layout", "--env", "A=b"]).expect_error(2, &["oci:layout"]);
    import(&["root", "--name=a.io/b", "--env", "A"]).expect_error(2, &["NAME=VALUE"]);
    import(&["root", "--name=a.io/b", "--cmd", "[1]"]).expect_error(2, &["--cmd"]);
    import(&["root", "--name=a.io/b", "--workdir", "x"]).expect_error(2, &["--workdir"]);
    import(&["root"]).expect_error(
        113,
        &["root filesystem, not an image", "rootfs:root --name"],
    );
    std::fs::create_dir(host.base().join("photos")).unwrap();
    let photos = import(&["photos", "--name=a.io/b"]);
    photos.expect_error(113, &["not an image", "rootfs:photos --name"]);
    let hostile = Layer::new().file("rootfs/../../escaped", "x", 0o644);
    host.write("hostile.aci", hostile.tar());
    import(&["hostile.aci"]).expect_error(112, &["escaped"]);
    assert!(host.leftovers().is_empty(), "{}", host.leftovers());
}
