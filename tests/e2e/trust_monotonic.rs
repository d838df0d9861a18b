//! Names that must not go back to an older image.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use harness::{Artifact, Host, ImageBuilder, Key, Registry, wait_until};

use crate::trust::rule;

fn second() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

fn image(version: &str) -> Artifact {
    ImageBuilder::busybox().env("VERSION", version).build()
}

fn version(host: &Host, pull: &str, image: &str) -> String {
    host.fairing(["run", "--rm", pull, image, "--"])
        .args(["/bin/sh", "-c", "echo $VERSION"])
        .run()
        .ok()
        .stdout
}

#[test]
fn an_older_image_under_the_same_name_is_refused_for_good() {
    let registry = Registry::start();
    // Who signs has no older image of that name.
    let (host, publisher) = (Host::new(), Host::new());
    let key = Key::generate(&host, "team");
    let pem = fs::read_to_string(key.public()).unwrap();
    let signed = format!("type = \"signed-by\"\nmonotonic = true\nkeys = [\"\"\"{pem}\"\"\"]");
    host.write_policy("team.toml", &rule(&registry.name("team"), &signed));

    let old = image("old").push(&registry, "team/app:1");
    key.sign(&publisher, &old);
    let pinned = {
        host.fairing(["fetch", &old]).run().ok();
        let shown = host.fairing(["image", "list", "--format", "json"]).run();
        let digest = shown.ok().json()[0]["digest"].as_str().unwrap().to_owned();
        format!("{}@{digest}", registry.name("team/app"))
    };
    assert_eq!(version(&host, "--pull=never", &old), "old\n");

    // Signing times have whole seconds.
    let before = second();
    wait_until("the next second", Duration::from_secs(5), || {
        (second() > before).then_some(())
    });
    let new = image("new").push(&registry, "team/app:1");
    key.sign(&publisher, &new);
    assert_eq!(version(&host, "--pull=always", &new), "new\n");

    // The registry serves the old image by that name again, its signatures and all.
    image("old").push(&registry, "team/app:1");
    let refused = ["older", &new];
    let again = ["run", "--rm", "--pull=always", &new, "--", "/bin/true"];
    host.fairing(again).run().expect_error(116, &refused);
    // The new one is in the store still, and the memory outlives it.
    assert_eq!(version(&host, "--pull=never", &new), "new\n");
    host.fairing(["image", "rm", &new]).run().ok();
    host.fairing(["image", "gc", "--expire", "0s"]).run().ok();
    host.fairing(["fetch", &new])
        .run()
        .expect_error(116, &refused);
    // Who names a digest has chosen.
    assert_eq!(version(&host, "--pull=missing", &pinned), "old\n");
}

#[test]
fn a_signature_without_a_time_does_not_count_where_names_must_not_go_back() {
    let registry = Registry::start();
    let host = Host::new();
    let key = Key::generate(&host, "team");
    let image = image("one").push(&registry, "team/app:1");
    key.sign(&host, &image);
    key.trust(&host, &registry.name("team"));
    assert_eq!(version(&host, "--pull=missing", &image), "one\n");
    // The record of the name's age is not there to be guessed at: a damaged one refuses.
    let pem = fs::read_to_string(key.public()).unwrap();
    let signed = format!("type = \"signed-by\"\nmonotonic = true\nkeys = [\"\"\"{pem}\"\"\"]");
    let prefix = registry.name("team/app");
    host.write_policy("monotonic.toml", &rule(&prefix, &signed));
    assert_eq!(version(&host, "--pull=never", &image), "one\n");
    let folder = host.data_dir().join("images/newest");
    let record = fs::read_dir(&folder).unwrap().next().unwrap().unwrap();
    fs::write(record.path(), "never\n").unwrap();
    host.fairing(["run", "--rm", &image, "--", "/bin/true"])
        .run()
        .expect_error(111, &["newest"]);
}
