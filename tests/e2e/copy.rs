//! Images from place to place, without the store.

use std::process::Command;

use harness::{
    Answer, Format, Host, ImageBuilder, Key, Layer, Registry, ScriptedRegistry, digest_of, index,
};
use serde_json::json;

use crate::other_tools::{add_bundle, bundles, list_entry, referrer, skopeo_copies, skopeo_digest};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn marked(mark: &str) -> ImageBuilder {
    ImageBuilder::busybox()
        .layer(Layer::new().file("mark", mark, 0o644))
        .cmd(["/bin/cat", "/mark"])
}

/// `fairing image copy FROM TO`; gives the digest that it prints.
#[track_caller]
fn copy(host: &Host, from: &str, to: &str) -> String {
    let copied = host.fairing(["image", "copy", from, to]).run().ok();
    copied.text().to_owned()
}

#[test]
fn all_platforms_and_all_signatures_go_from_registry_to_registry_and_through_files() {
    let (from, to) = (Registry::start(), Registry::start());
    let host = Host::new();
    let others = marked("other").platform("linux/s390x").build();
    let own = marked("own").build();
    let several = index(Format::Oci, [others.clone(), own]);
    let name = several.push(&from, "team/app:1");
    let key = Key::generate(&host, "team");
    // Signed for the name that it will have.
    let target = to.reference("team/app:1");
    let digest = several.digest();
    assert_eq!(copy(&host, &name, "oci:layout:a"), digest);
    assert_eq!(
        copy(&host, "oci:layout:a", "oci-archive:archive.tar:b"),
        digest
    );
    assert_eq!(copy(&host, "oci-archive:archive.tar:b", &target), digest);
    assert!(!host.data_dir().join("images/blobs").exists());
    assert_eq!(skopeo_digest(&format!("docker://{target}")), digest);
    let all = [
        "--insecure-policy",
        "copy",
        "--all",
        "--quiet",
        "--src-tls-verify=false",
    ];
    let status = Command::new("skopeo")
        .args(all)
        .arg(format!("docker://{target}"))
        .arg(format!("dir:{}", host.base().join("all").display()))
        .status();
    assert!(status.unwrap().success());
    key.sign(&host, &target);
    let third = format!("{}@{digest}", to.name("team/app"));
    assert_eq!(copy(&host, &third, "oci:signed:c"), digest);
    let mirror = Registry::start();
    assert_eq!(
        copy(&host, "oci:signed:c", &mirror.reference("m/app:1")),
        digest
    );
    assert!(
        mirror
            .log()
            .contains(&format!("sha256-{}.sig", &digest[7..]))
    );
    // One platform alone.
    let one = host
        .fairing(["image", "copy", "--platform=linux/s390x", &name, "oci:one"])
        .run()
        .ok();
    assert_eq!(one.text(), others.digest());
}

#[test]
fn a_docker_archive_takes_one_platform() {
    let registry = Registry::start();
    let host = Host::new();
    host.accept_unsigned();
    let own = marked("own").format(Format::Docker).build();
    let other = marked("other")
        .format(Format::Docker)
        .platform("linux/s390x");
    let several = index(Format::Docker, [own, other.build()]);
    let name = several.push(&registry, "team/app:1");
    host.fairing(["image", "copy", &name, "docker-archive:all.tar"])
        .run()
        .expect_error(113, &["one platform"]);
    assert!(!host.base().join("all.tar").exists());
    let to = "docker-archive:one.tar:example.com/app:2";
    host.fairing(["image", "copy", "--platform=linux/amd64", &name, to])
        .run()
        .ok();
    host.fairing(["image", "import", "one.tar"]).run().ok();
    let ran = host
        .fairing(["run", "--rm", "example.com/app:2"])
        .run()
        .ok();
    assert_eq!(ran.stdout, "own");
    skopeo_copies(
        &host,
        &format!("docker-archive:{}/one.tar", host.base().display()),
    );
}

#[test]
fn bundles_of_a_registry_with_the_api_are_kept() {
    let registry = ScriptedRegistry::start();
    let mirror = Registry::start();
    let host = Host::new();
    host.accept_unsigned();
    let image = marked("x").build();
    let name = registry.offer(&image, "team/app:1");
    let (manifest, blobs) = referrer(&image.digest(), br#"{"bundle":1}"#);
    for blob in blobs {
        let path = format!("/v2/team/app/blobs/{}", digest_of(&blob));
        registry.answer(&path, Answer::ok("application/octet-stream", blob));
    }
    let path = format!("/v2/team/app/manifests/{}", digest_of(&manifest));
    registry.answer(
        &path,
        Answer::ok(
            "application/vnd.oci.image.manifest.v1+json",
            manifest.clone(),
        ),
    );
    let list = json!({ "schemaVersion": 2, "manifests": [list_entry(&manifest)] });
    let path = format!("/v2/team/app/referrers/{}", image.digest());
    registry.answer(&path, Answer::ok(INDEX, list.to_string()));
    // By a fetch, and by a copy into a registry without the API and back.
    host.fairing(["fetch", &name]).run().ok();
    assert_eq!(bundles(&host, &name), [json!({"bundle": 1})]);
    let copied = mirror.reference("team/copy:1");
    assert_eq!(copy(&host, &name, &copied), image.digest());
    host.fairing(["fetch", &copied]).run().ok();
    assert_eq!(bundles(&host, &copied), [json!({"bundle": 1})]);
}

#[test]
fn lists_of_referrers_that_lie_are_left_out() {
    let registry = ScriptedRegistry::start();
    let host = Host::new();
    host.accept_unsigned();
    let image = marked("x").build();
    let name = registry.offer(&image, "team/app:1");
    let path = format!("/v2/team/app/referrers/{}", image.digest());
    let list = |entries: serde_json::Value| json!({ "schemaVersion": 2, "manifests": entries });

    // No signature is known from who says nothing of use: the verdict decides.
    registry.answer(&path, Answer::ok(INDEX, "<html>"));
    host.fairing(["fetch", &name]).run().ok();
    let elsewhere = "<http://192.0.2.1/more>; rel=\"next\"";
    let answer = Answer::ok(INDEX, list(json!([])).to_string()).header("Link", elsewhere);
    registry.answer(&path, answer);
    host.fairing(["fetch", &name]).run().ok();
    // A list that goes on elsewhere is followed by nobody, and no list at all; who copies is told.
    let copied = host.fairing(["image", "copy", &name, "oci:out"]).run().ok();
    assert!(copied.stderr.contains("192.0.2.1"), "{copied}");

    // About another image: it is told, counts for nothing, and the image can be used.
    let (manifest, _) = referrer(&digest_of(b"another image"), b"{}");
    let manifest_path = format!("/v2/team/app/manifests/{}", digest_of(&manifest));
    registry.answer(
        &manifest_path,
        Answer::ok(
            "application/vnd.oci.image.manifest.v1+json",
            manifest.clone(),
        ),
    );
    let entries = json!([list_entry(&manifest)]);
    registry.answer(&path, Answer::ok(INDEX, list(entries).to_string()));
    let fetched = host.fairing(["fetch", &name]).run().ok();
    assert!(fetched.stderr.contains("its subject is"), "{fetched}");
    assert!(bundles(&host, &name).is_empty());
}

#[test]
fn an_image_is_added_to_a_layout_with_others() {
    let host = Host::new();
    for mark in ["one", "two"] {
        let layout = host.base().join(mark);
        let image = marked(mark).build();
        image.write_layout(&layout, "x");
        add_bundle(&layout, &image, mark.as_bytes());
        let to = format!("oci:both:{mark}");
        assert_eq!(copy(&host, &format!("oci:{mark}:x"), &to), image.digest());
    }
    let at = host.base().display();
    for mark in ["one", "two"] {
        let digest = skopeo_copies(&host, &format!("oci:{at}/both:{mark}"));
        assert_eq!(digest, skopeo_digest(&format!("oci:{at}/{mark}:x")));
    }
    host.write("mine", "a file of mine");
    host.fairing(["image", "copy", "oci:one:x", "oci-archive:mine"])
        .run()
        .expect_error(125, &["mine", "exists"]);
    assert_eq!(
        std::fs::read(host.base().join("mine")).unwrap(),
        b"a file of mine"
    );
}
