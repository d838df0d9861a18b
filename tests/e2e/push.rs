//! Images of the store into registries.

use harness::{Artifact, Format, Host, Key, Registry, index};

use crate::imported::{accepting_host, import, marked};
use crate::other_tools::{add_bundle, bundles, skopeo_copies, skopeo_digest};

/// Lines of the registry's log with a request of this method, for a path with this part.
fn requests(registry: &Registry, method: &str, part: &str) -> usize {
    let log = registry.log();
    let lines = log.lines().filter(|line| line.contains("HTTP/1.1\" "));
    lines
        .filter(|line| line.contains(&format!("\"{method} ")) && line.contains(part))
        .count()
}

#[test]
fn a_pushed_image_is_the_same_and_its_signature_counts_elsewhere() {
    let registry = Registry::start();
    let image = marked("pushed").build();
    let (here, there) = (Host::new(), Host::new());
    let name = registry.reference("team/app:1");
    image.write_layout(&here.base().join("layout"), "1");
    here.fairing(["--insecure-options=image", "image", "import", "oci:layout"])
        .args(["--name", &name])
        .run()
        .ok();
    let key = Key::generate(&here, "team");
    key.sign(&here, &name);
    let pushed = here.fairing(["push", &name]).run().ok();
    assert_eq!(pushed.text(), image.digest());
    assert_eq!(
        skopeo_copies(&here, &format!("docker://{name}")),
        image.digest()
    );
    key.trust(&there, &registry.name("team"));
    // Without signatures it is an image that nobody vouches for.
    let bare = registry.reference("team/bare:1");
    here.fairing(["push", "--no-signatures", &name, &bare])
        .run()
        .ok();
    there.fairing(["run", &bare]).run().expect_code(115);
    let ran = there.fairing(["run", "--rm", &name]).run().ok();
    assert_eq!(ran.stdout, "pushed");
}

#[test]
fn what_the_registry_has_is_not_sent_again() {
    let registry = Registry::start();
    let host = accepting_host();
    let image = marked("x").build();
    let name = image.push(&registry, "team/one:1");
    host.fairing(["fetch", &name]).run().ok();
    let before = requests(&registry, "PUT", "/blobs/uploads/");
    host.fairing(["push", &name]).run().ok();
    assert_eq!(requests(&registry, "PUT", "/blobs/uploads/"), before);
    // In another repository of the same registry, blobs are mounted from the first.
    let other = registry.reference("other/two:1");
    host.fairing(["push", &name, &other]).run().ok();
    assert_eq!(requests(&registry, "PUT", "/blobs/uploads/"), before);
    assert_eq!(requests(&registry, "POST", "?mount=sha256"), 3);
    assert_eq!(
        skopeo_copies(&host, &format!("docker://{other}")),
        image.digest()
    );
}

#[test]
fn bundles_go_along_where_the_registry_has_no_api_for_them() {
    let registry = Registry::start();
    let image = marked("x").build();
    let (here, there) = (accepting_host(), accepting_host());
    let layout = here.base().join("layout");
    image.write_layout(&layout, "1");
    add_bundle(&layout, &image, br#"{"bundle":1}"#);
    let name = registry.reference("team/app:1");
    here.fairing(["image", "import", "oci:layout", "--name", &name])
        .run()
        .ok();
    assert_eq!(bundles(&here, &name), [serde_json::json!({"bundle": 1})]);
    here.fairing(["push", &name]).run().ok();
    there.fairing(["fetch", &name]).run().ok();
    assert_eq!(bundles(&there, &name), [serde_json::json!({"bundle": 1})]);
    // A second bundle is listed beside the first.
    add_bundle(&layout, &image, br#"{"bundle":2}"#);
    here.fairing(["image", "import", "oci:layout", "--name", &name])
        .run()
        .ok();
    here.fairing(["push", &name]).run().ok();
    there.fairing(["fetch", &name]).run().ok();
    assert_eq!(bundles(&there, &name).len(), 2);
}

#[test]
fn an_index_of_which_the_store_has_one_platform_is_pushed_as_that_platform() {
    let registry = Registry::start();
    let host = accepting_host();
    let own = marked("own").build();
    let other = marked("other").platform("linux/s390x").build();
    let several = index(Format::Oci, [own.clone(), other]);
    let name = several.push(&registry, "team/several:1");
    host.fairing(["fetch", &name]).run().ok();
    let to = registry.reference("team/one:1");
    let pushed = host.fairing(["push", &name, &to]).run().ok();
    assert_eq!(pushed.text(), own.digest());
    assert!(pushed.stderr.contains(&several.digest()), "{pushed}");
    assert!(
        pushed.stderr.contains("does not have all platforms"),
        "{pushed}"
    );
    assert_eq!(skopeo_digest(&format!("docker://{to}")), own.digest());
    // An index that is whole is pushed as it is.
    let whole = index(Format::Docker, [own]);
    let name = import_as(&host, &whole, "whole:1");
    let to = registry.reference("team/whole:1");
    let pushed = host.fairing(["push", &name, &to]).run().ok();
    assert_eq!(pushed.text(), whole.digest());
    assert_eq!(skopeo_digest(&format!("docker://{to}")), whole.digest());
}

fn import_as(host: &Host, image: &Artifact, name: &str) -> String {
    import(host, image, name)
}

#[test]
fn a_layer_that_is_not_there_is_named_and_nothing_gets_the_name() {
    let registry = Registry::start();
    let host = accepting_host();
    let image = marked("x").build();
    let name = import(&host, &image, "app:1");
    let lost = &image.layer_digests()[1];
    let blob = host.data_dir().join("images/blobs/sha256").join(&lost[7..]);
    std::fs::remove_file(blob).unwrap();
    let to = registry.reference("team/app:1");
    host.fairing(["push", &name, &to])
        .run()
        .expect_error(125, &[lost, "missing from the store"]);
    host.fairing(["fetch", &to]).run().expect_code(110);
    // Where the registry has it, it isn't missed.
    image.push(&registry, "team/app:other");
    host.fairing(["push", &name, &to]).run().ok();
}

#[test]
fn what_can_not_be_pushed_is_told() {
    let host = accepting_host();
    let name = import(&host, &marked("x").build(), "app:1");
    host.fairing(["push", "example.com/unknown:1"])
        .run()
        .expect_error(110, &["example.com/unknown:1"]);
    host.fairing(["push", &name, "oci:somewhere"])
        .run()
        .expect_error(2, &["image export"]);
    host.fairing(["push", &name, "127.0.0.1:1/team/app:1"])
        .run()
        .expect_error(122, &["127.0.0.1:1"]);
}
