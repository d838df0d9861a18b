use image_layer::ContentError;
use serde_json::json;

use super::*;
use crate::fixture::{Head, Tar, gzip, tree};

fn manifest() -> Value {
    json!({
        "acKind": "ImageManifest",
        "acVersion": "0.8.11",
        "name": "example.com/worker",
        "labels": [
            { "name": "version", "value": "1.2.0" },
            { "name": "os", "value": "linux" },
            { "name": "arch", "value": "amd64" },
            { "name": "channel", "value": "alpha" },
        ],
        "app": {
            "exec": ["/bin/worker", "--quiet"],
            "user": "100", "group": "300",
            "workingDirectory": "/work",
            "environment": [{ "name": "A", "value": "b=c" }],
            "mountPoints": [{ "name": "data", "path": "/data", "readOnly": true }],
            "ports": [{ "name": "web", "protocol": "tcp", "port": 8080, "count": 2 }],
            "isolators": [{ "name": "resource/memory", "value": { "limit": "1G" } }],
        },
        "annotations": [
            { "name": "authors", "value": "Somebody" },
            { "name": "created", "value": "2016-01-01T00:00:00Z" },
        ],
    })
}

fn aci(manifest: &Value) -> Tar {
    Tar::default()
        .file("manifest", manifest.to_string().as_bytes())
        .folder("rootfs")
}

fn with(change: impl Fn(&mut Value)) -> Vec<u8> {
    let mut changed = manifest();
    change(&mut changed);
    aci(&changed).end()
}

fn full() -> Tar {
    aci(&manifest())
        .folder("rootfs/bin")
        .head(&Head {
            name: b"rootfs/bin/worker",
            mode: 0o4755,
            uid: 7,
            gid: 8,
            data: b"program",
            ..Head::default()
        })
        .hard_link("rootfs/bin/again", "rootfs/bin/worker")
        .symlink("rootfs/etc", "/elsewhere")
}

#[test]
fn an_appc_image_becomes_one_of_oci() {
    let ground = Ground::new();
    ground.write("a.aci", &gzip(&full().end()));
    let (image, notes) = ground.import("aci:a.aci").unwrap();
    let config = ground.config(&image);
    assert_eq!(config["os"], "linux");
    assert_eq!(config["created"], "2016-01-01T00:00:00Z");
    assert_eq!(
        config["config"],
        json!({
            "Entrypoint": ["/bin/worker", "--quiet"],
            "User": "100:300",
            "WorkingDir": "/work",
            "Env": ["A=b=c"],
            "Volumes": { "/data": {} },
            "ExposedPorts": { "8080/tcp": {}, "8081/tcp": {} },
            "Labels": {
                "appc.io/name": "example.com/worker",
                "appc.io/label/channel": "alpha",
                "org.opencontainers.image.authors": "Somebody",
                "org.opencontainers.image.version": "1.2.0",
            },
        })
    );
    assert!(notes[0].contains("resource/memory"), "{notes:?}");
    let name = Reference::parse("example.com/worker:1.2.0").unwrap();
    let record = ground.store.resolve(&name).unwrap().unwrap();
    assert_eq!(record.digest, *image.manifest_digest());
    assert_eq!(
        tree(&image.layers()[0].path),
        [
            "bin 40755 0:0 0",
            "bin/again 104755 7:8 7",
            "bin/worker 104755 7:8 7",
            "etc 120777 0:0 0 -> \"/elsewhere\"",
        ]
    );
}

#[test]
fn every_packing_gives_the_same_image() {
    let ground = Ground::new();
    let plain = full().end();
    ground.write("plain.aci", &plain);
    ground.write("gzip.aci", &gzip(&plain));
    ground.write("zstd.aci", &crate::fixture::zstd(&plain));
    let digests = ["plain", "gzip", "zstd"].map(|name| {
        let (image, _) = ground.import(&format!("aci:{name}.aci")).unwrap();
        image.manifest_digest().clone()
    });
    assert!(digests.iter().all(|digest| *digest == digests[0]));
    // And found by what it is, without a scheme.
    let path = ground.write("unnamed", &plain);
    let source = ImageSource::parse(path.to_str().unwrap()).unwrap();
    assert!(matches!(source, ImageSource::Aci { .. }));
}

#[test]
fn an_app_may_run_as_the_owner_of_a_file() {
    let ground = Ground::new();
    let mut changed = manifest();
    changed["app"]["user"] = json!("/bin/worker");
    changed["app"]["group"] = json!("/bin/worker");
    let tar = aci(&changed).head(&Head {
        name: b"rootfs/bin/worker",
        uid: 7,
        gid: 8,
        ..Head::default()
    });
    ground.write("a.aci", &tar.end());
    let (image, _) = ground.import("aci:a.aci").unwrap();
    assert_eq!(ground.config(&image)["config"]["User"], "7:8");
    ground.write("b.aci", &aci(&changed).end());
    let error = ground.import("aci:b.aci").unwrap_err().to_string();
    assert!(error.contains("/bin/worker"), "{error}");
}

#[test]
fn what_no_image_can_be_made_of_is_refused_with_the_reason() {
    let doubled = manifest()
        .to_string()
        .replacen('{', r#"{"name":"x.io/y","#, 1);
    let no_root = Tar::default().file("manifest", manifest().to_string().as_bytes());
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (
            with(|m| m["dependencies"] = json!([{ "imageName": "x" }])),
            "depends on other images",
        ),
        (
            with(|m| m["pathWhitelist"] = json!(["/a"])),
            "path whitelist",
        ),
        (with(|m| m["acKind"] = json!("PodManifest")), "PodManifest"),
        (with(|m| m["acVersion"] = json!("9")), "version"),
        (
            with(|m| m["name"] = json!("worker")),
            "can't be that of an OCI image",
        ),
        (with(|m| m["labels"][3]["name"] = json!("os")), "twice"),
        (with(|m| m["labels"][2]["value"] = json!("vax")), "vax"),
        (with(|m| m["app"]["user"] = json!("")), "user"),
        (with(|m| m["app"]["group"] = json!("a:b")), "group"),
        (
            with(|m| m["app"]["workingDirectory"] = json!("x")),
            "working directory",
        ),
        (
            with(|m| m["app"]["environment"][0]["name"] = json!("A=B")),
            "variable",
        ),
        (
            with(|m| m["app"]["mountPoints"][0]["path"] = json!("../x")),
            "mount point",
        ),
        (
            with(|m| m["app"]["ports"][0]["port"] = json!(70000)),
            "port",
        ),
        (
            with(|m| m["app"]["ports"][0]["count"] = json!(u64::MAX)),
            "port",
        ),
        (with(|m| m["app"]["exec"] = json!("x")), "manifest"),
        (Tar::default().folder("rootfs").end(), "no manifest"),
        (no_root.end(), "no rootfs"),
        (
            Tar::default()
                .file("manifest", b"<html>")
                .folder("rootfs")
                .end(),
            "JSON",
        ),
        (
            Tar::default()
                .file("manifest", doubled.as_bytes())
                .folder("rootfs")
                .end(),
            "`name` is there twice",
        ),
        (aci(&manifest()).file("manifest", b"{}").end(), "twice"),
        (aci(&manifest()).file("other", b"").end(), "nothing but"),
        (aci(&manifest()).file("rootfs/../x", b"").end(), ".."),
        (aci(&manifest()).file("../rootfs/x", b"").end(), ".."),
        (aci(&manifest()).file("rootfs/.wh.x", b"").end(), "removal"),
        (
            aci(&manifest()).hard_link("rootfs/x", "manifest").end(),
            "hard link",
        ),
        (
            aci(&manifest()).hard_link("rootfs/x", "rootfs").end(),
            "hard link",
        ),
        (
            Tar::default().symlink("rootfs", "/").end(),
            "must be a directory",
        ),
        (
            Tar::default().symlink("manifest", "/etc/passwd").end(),
            "nothing but",
        ),
        (
            aci(&manifest()).file("rootfs/x", b"xyz").open_end()[..2600].to_vec(),
            "ends within",
        ),
        (
            Tar::default().file("manifest", &vec![b' '; 2 << 20]).end(),
            "limit",
        ),
        (b"BZh91AY&SY".to_vec(), "bzip2"),
        (b"no tar at all".repeat(100), "checksum"),
    ];
    for (bytes, reason) in cases {
        let ground = Ground::new();
        ground.write("a.aci", &bytes);
        let error = ground.import("aci:a.aci").unwrap_err().to_string();
        assert!(error.contains(reason), "{reason}: {error}");
        assert_eq!(ground.leftovers(), 0, "{reason}");
    }
}

#[test]
fn a_bomb_stops_at_the_limits() {
    let ground = Ground::new();
    let mut options = FetchOptions::default();
    options.limits.expanded = 1 << 20;
    let tar = aci(&manifest()).file("rootfs/zeros", &vec![0; 4 << 20]);
    ground.write("a.aci", &gzip(&tar.end()));
    let error = ground.import_with("aci:a.aci", &options).unwrap_err();
    assert!(
        matches!(error, StoreError::Content(ContentError::LayerLimit { .. })),
        "{error}"
    );
    assert_eq!(ground.leftovers(), 0);
}
