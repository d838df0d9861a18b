//! The images of the store: listed, inspected, imported, exported, signed and removed.

use std::fs;
use std::path::Path;
use std::process::Command;

use harness::{Compression, Format, Host, ImageBuilder, Key, Registry, digest_of, index};
use serde_json::Value;

use crate::imported::{busybox_host, import};

fn list(host: &Host) -> Vec<Value> {
    let listed = host
        .fairing(["image", "list", "--format", "json"])
        .run()
        .ok()
        .json();
    listed.as_array().unwrap().clone()
}

fn skopeo(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("skopeo")
        .args(arguments)
        .output()
        .expect("start skopeo");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "skopeo {arguments:?}: {errors}");
    output.stdout
}

fn count(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, |entries| entries.count())
}

#[test]
fn list_and_inspect_tell_what_is_there() {
    let host = Host::new();
    host.accept_unsigned();
    assert!(list(&host).is_empty());
    let artifact = ImageBuilder::busybox()
        .env("COLOUR", "green")
        .user("app")
        .build();
    let image = import(&host, &artifact, "team/busybox:1");
    let listed = list(&host);
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["reference"], image.as_str());
    assert_eq!(listed[0]["digest"], artifact.digest().as_str());
    assert_eq!(listed[0]["layers"], 1);
    assert!(listed[0]["size"].as_u64().unwrap() > 500_000);
    let digits = &artifact.digest()[7..19];
    host.fairing(["image", "list"])
        .run()
        .ok()
        .expect_stdout("NAME")
        .expect_stdout(&image)
        .expect_stdout(digits);
    host.fairing(["image", "list", "--full", "--no-legend"])
        .run()
        .ok()
        .expect_stdout(&artifact.digest());

    // By name, and by the beginning of the digest.
    for name in [image.as_str(), digits] {
        let inspected = host.fairing(["image", "inspect", name]).run().ok().json();
        assert_eq!(inspected["manifest"], artifact.digest().as_str());
        assert_eq!(inspected["config"]["config"]["User"], "app");
        let environment = inspected["config"]["config"]["Env"].to_string();
        assert!(environment.contains("COLOUR=green"), "{environment}");
    }
    host.fairing(["image", "inspect", "example.com/none:1"])
        .run()
        .expect_error(110, &["example.com/none:1"]);
}

#[test]
fn all_forms_of_an_image_are_imported() {
    let host = Host::new();
    host.accept_unsigned();
    let folder = host.base().join("forms");
    fs::create_dir(&folder).unwrap();
    let at = folder.display();
    for (number, compression) in [Compression::Gzip, Compression::Zstd, Compression::None]
        .into_iter()
        .enumerate()
    {
        let image = ImageBuilder::busybox()
            .compression(compression)
            .env("FORM", &number.to_string())
            .build();
        image.write_layout(&folder.join(format!("layout{number}")), "tag");
        image.write_oci_archive(&folder.join(format!("oci{number}.tar")), "tag");
        let plain = ImageBuilder::busybox()
            .compression(Compression::None)
            .format(Format::Docker)
            .env("FORM", &number.to_string())
            .build();
        plain.write_docker_archive(
            &folder.join(format!("docker{number}.tar")),
            "example.com/docker:1",
        );
        for source in [
            format!("oci:{at}/layout{number}:tag"),
            format!("{at}/layout{number}"),
            format!("oci-archive:{at}/oci{number}.tar:tag"),
            format!("{at}/oci{number}.tar"),
            format!("docker-archive:{at}/docker{number}.tar"),
            format!("{at}/docker{number}.tar"),
        ] {
            let name = "example.com/imported:1";
            let imported = host
                .fairing(["image", "import", &source, "--name", name])
                .run()
                .ok();
            assert_eq!(imported.text(), name, "{source}");
            host.fairing(["run", "--rm", "--pull=never", name, "--", "/bin/sh", "-c"])
                .arg("echo form $FORM")
                .run()
                .ok()
                .expect_stdout(&format!("form {number}\n"));
        }
    }
    // What a docker archive calls itself is its name.
    let named = host
        .fairing([
            "image",
            "import",
            &format!("docker-archive:{at}/docker0.tar"),
        ])
        .run()
        .ok();
    assert_eq!(named.text(), "example.com/docker:1");
}

#[test]
fn an_image_in_use_is_not_removed() {
    let (host, image) = busybox_host();
    let pod = host
        .fairing([
            "run",
            "--name",
            "user",
            &image,
            "--",
            "/bin/sh",
            "-c",
            "echo up; cat; sleep 1000",
        ])
        .spawn();
    pod.wait_stdout("up");
    host.fairing(["image", "rm", &image])
        .run()
        .expect_error(125, &[&image, "in use", "user"]);
    assert_eq!(list(&host).len(), 1);
    host.fairing(["gc", "--grace-period=0s"]).run().ok();
    // The running pod still has its files.
    host.fairing(["enter", "user", "--", "/bin/ls", "/bin/busybox"])
        .run()
        .ok();
    host.fairing(["stop", "--force", "user"]).run().ok();
    pod.wait();
    host.fairing(["rm", "user"]).run().ok();

    let prepared = host
        .fairing(["prepare", &image, "--", "/bin/true"])
        .run()
        .ok();
    host.fairing(["image", "rm", &image])
        .run()
        .expect_error(125, &[&image, "in use"]);
    host.fairing(["rm", prepared.text()]).run().ok();

    host.fairing(["image", "rm", &image]).run().ok();
    assert!(list(&host).is_empty());
    let images = host.data_dir().join("images");
    assert_eq!(count(&images.join("layers")), 0);
    assert_eq!(count(&images.join("blobs/sha256")), 0);
    host.fairing(["image", "rm", &image])
        .run()
        .expect_error(110, &[&image]);
}

#[test]
fn an_image_with_another_name_loses_only_this_one() {
    let host = Host::new();
    host.accept_unsigned();
    let artifact = ImageBuilder::busybox().build();
    let (one, two) = (
        import(&host, &artifact, "one:1"),
        import(&host, &artifact, "two:1"),
    );
    host.fairing(["image", "rm", &one]).run().ok();
    host.fairing(["run", "--rm", "--pull=never", &two, "--", "/bin/true"])
        .run()
        .ok();
    host.fairing(["run", "--pull=never", &one])
        .run()
        .expect_error(110, &[&one]);
}

#[test]
fn an_export_is_the_same_image_for_other_tools() {
    let registry = Registry::start();
    let host = Host::new();
    host.accept_unsigned();
    let base = host.base().display().to_string();
    for (number, artifact) in [
        ImageBuilder::busybox().build(),
        ImageBuilder::busybox()
            .compression(Compression::Zstd)
            .build(),
        index(
            Format::Oci,
            [ImageBuilder::busybox().env("IN", "index").build()],
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let image = artifact.push(&registry, &format!("busybox:{number}"));
        host.fairing(["fetch", &image]).run().ok();
        let folder = format!("{base}/export{number}");
        let file = format!("{base}/export{number}.tar");
        host.fairing(["image", "export", &image, &folder])
            .run()
            .ok();
        host.fairing(["image", "export", &image, &file]).run().ok();
        let top: Value =
            serde_json::from_slice(&fs::read(format!("{folder}/index.json")).unwrap()).unwrap();
        assert_eq!(top["manifests"][0]["digest"], artifact.digest().as_str());
        let tag = top["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"]
            .as_str()
            .unwrap_or("latest");
        for source in [
            format!("oci:{folder}:{tag}"),
            format!("oci-archive:{file}:{tag}"),
        ] {
            let raw = skopeo(&["inspect", "--raw", &source]);
            assert_eq!(digest_of(&raw), artifact.digest(), "{source}");
            // All blobs are there and are what their digests say.
            let copy = format!("dir:{base}/copy{number}");
            skopeo(&[
                "copy",
                "--quiet",
                "--preserve-digests",
                "--all",
                &source,
                &copy,
            ]);
            fs::remove_dir_all(format!("{base}/copy{number}")).unwrap();
        }
        host.fairing(["image", "export", &image, &folder])
            .run()
            .expect_error(125, &[&folder]);
    }
}

#[test]
fn a_docker_archive_is_read_by_other_tools() {
    let (host, image) = busybox_host();
    let file = host.base().join("docker.tar").display().to_string();
    host.fairing([
        "image",
        "export",
        "--format",
        "docker-archive",
        &image,
        &file,
    ])
    .run()
    .ok();
    let config = skopeo(&["inspect", "--config", &format!("docker-archive:{file}")]);
    let config: Value = serde_json::from_slice(&config).unwrap();
    assert_eq!(config["config"]["Cmd"], serde_json::json!(["/bin/sh"]));
    let other = Host::new();
    other.accept_unsigned();
    let back = other
        .fairing(["image", "import", &file, "--name", "a.io/back:1"])
        .run()
        .ok();
    other
        .fairing([
            "run",
            "--rm",
            "--pull=never",
            back.text(),
            "--",
            "/bin/true",
        ])
        .run()
        .ok();
}

#[test]
fn a_signature_goes_along_with_an_export() {
    let host = Host::new();
    let artifact = ImageBuilder::busybox().build();
    let image = import(&host, &artifact, "team/busybox:1");
    let key = Key::generate(&host, "team");
    // Signed in the store: there is no registry.
    key.sign(&host, &image);
    let inspected = host.fairing(["image", "inspect", &image]).run().ok().json();
    let signatures = inspected["signatures"].as_array().unwrap();
    assert_eq!(signatures.len(), 1);
    let payload: Value = serde_json::from_str(signatures[0]["payload"].as_str().unwrap()).unwrap();
    assert_eq!(
        payload["critical"]["image"]["docker-manifest-digest"],
        artifact.digest().as_str()
    );
    key.trust(&host, "example.com/team");
    host.fairing(["run", "--rm", &image, "--", "/bin/true"])
        .run()
        .ok();

    for form in ["signed", "signed.tar"] {
        let file = host.base().join(form);
        host.fairing(["image", "export", &image])
            .arg(&file)
            .run()
            .ok();
        let other = Host::new();
        other
            .fairing(["trust", "add", "--yes", "--prefix", "example.com/team"])
            .arg(key.public())
            .run()
            .ok();
        other
            .fairing(["image", "import"])
            .arg(&file)
            .args(["--name", &image])
            .run()
            .ok();
        other
            .fairing(["run", "--rm", "--pull=never", &image, "--", "/bin/true"])
            .run()
            .ok();
    }
}

#[test]
fn sign_writes_what_cosign_would_read() {
    let registry = Registry::start();
    let artifact = ImageBuilder::busybox().build();
    let image = artifact.push(&registry, "team/busybox:1");
    let host = Host::new();
    let (one, two) = (Key::generate(&host, "one"), Key::generate(&host, "two"));
    one.sign(&host, &image);
    two.sign(&host, &image);
    let tag = format!("{}.sig", artifact.digest().replace(':', "-"));
    let reference = registry.reference(&format!("team/busybox:{tag}"));
    let raw = skopeo(&[
        "inspect",
        "--raw",
        "--tls-verify=false",
        &format!("docker://{reference}"),
    ]);
    let manifest: Value = serde_json::from_slice(&raw).unwrap();
    let layers = manifest["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 2, "each key's signature: {manifest}");
    for layer in layers {
        assert_eq!(
            layer["mediaType"],
            "application/vnd.dev.cosign.simplesigning.v1+json"
        );
        assert!(layer["annotations"]["dev.cosignproject.cosign/signature"].is_string());
    }
}
