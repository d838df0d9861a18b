//! Rules: which one decides, what each type asks for, and which files may hold them.

use std::fs;

use harness::{ImageBuilder, Key};

use crate::trust::{rule, run, unsigned};

fn keys(keys: &[&Key]) -> String {
    let pems: Vec<String> = keys
        .iter()
        .map(|key| format!("'''{}'''", fs::read_to_string(key.public()).unwrap()))
        .collect();
    format!("type = \"signed-by\"\nkeys = [{}]", pems.join(", "))
}

#[test]
fn the_longest_prefix_decides() {
    let (registry, host, image) = unsigned();
    host.write_policy("all.toml", &rule("*", "type = \"accept-unsigned\""));
    run(&host, &image).ok();
    host.write_policy(
        "team.toml",
        &rule(&registry.name("team"), "type = \"reject\""),
    );
    run(&host, &image).expect_error(115, &[&image, "rejected", "team.toml"]);
    let one = rule(&registry.name("team/busybox"), "type = \"accept-unsigned\"");
    host.write_policy("one.toml", &one);
    run(&host, &image).ok();
    // Two rules for the same prefix contradict each other, and both files are named.
    host.write_policy("two.toml", &one);
    run(&host, &image).expect_error(125, &["one.toml", "two.toml"]);
}

#[test]
fn a_local_file_masks_the_vendors_of_the_same_name() {
    let (registry, host, image) = unsigned();
    let key = Key::generate(&host, "team");
    host.write(
        "usr/trust.d/team.toml",
        rule("*", "type = \"accept-unsigned\""),
    );
    run(&host, &image).ok();
    host.write_policy("team.toml", &rule(&registry.name("team"), &keys(&[&key])));
    run(&host, &image).expect_error(115, &[&image, "etc/trust.d/team.toml"]);
    // An empty file takes the vendor's away and puts nothing in its place.
    host.write_policy("team.toml", "");
    run(&host, &image).expect_error(115, &[&image, "no trust rule covers"]);
    let listed = host
        .fairing(["trust", "list", "--format", "json"])
        .run()
        .ok();
    assert_eq!(listed.json().as_array().unwrap().len(), 0);
    listed.expect_stderr("usr/trust.d/team.toml is replaced by");
    // A file of another name masks nothing.
    fs::rename(
        host.local_config().join("trust.d/team.toml"),
        host.local_config().join("trust.d/team2.toml"),
    )
    .unwrap();
    run(&host, &image).ok();
}

#[test]
fn a_threshold_needs_so_many_keys() {
    let (registry, host, image) = unsigned();
    let (one, two) = (Key::generate(&host, "one"), Key::generate(&host, "two"));
    let both = format!("{}\nthreshold = 2", keys(&[&one, &two]));
    host.write_policy("team.toml", &rule(&registry.name("team"), &both));
    one.sign(&host, &image);
    run(&host, &image).expect_error(116, &[&image]);
    // The same key twice is one key.
    one.sign(&host, &image);
    run(&host, &image).expect_error(116, &[&image]);
    two.sign(&host, &image);
    run(&host, &image).ok();
}

#[test]
fn a_digest_rule_lists_what_may_run() {
    let (registry, host, image) = unsigned();
    let digest = ImageBuilder::busybox().build().digest();
    let listed = format!("type = \"digest\"\ndigests = [\"{digest}\"]");
    host.write_policy("team.toml", &rule(&registry.name("team"), &listed));
    run(&host, &image).ok();
    let other = ImageBuilder::busybox()
        .env("OTHER", "1")
        .build()
        .push(&registry, "team/other:1");
    run(&host, &other).expect_error(115, &[&other, "does not list"]);
}

#[test]
fn policy_files_that_others_can_write_are_refused() {
    use std::os::unix::fs::PermissionsExt;
    let (_registry, host, image) = unsigned();
    host.accept_unsigned();
    let file = host.local_config().join("trust.d/tests.toml");
    let folder = host.local_config().join("trust.d");
    for path in [&file, &folder] {
        let before = fs::metadata(path).unwrap().permissions();
        let mode = before.mode() | 0o002;
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        run(&host, &image).expect_error(125, &[path.to_str().unwrap()]);
        fs::set_permissions(path, before).unwrap();
        run(&host, &image).ok();
    }
    std::os::unix::fs::chown(&file, Some(1000), None).unwrap();
    run(&host, &image).expect_error(125, &["tests.toml"]);
    // A field that nobody knows is no comment.
    fs::remove_file(&file).unwrap();
    host.write_policy(
        "tests.toml",
        &rule("*", "type = \"accept-unsigned\"\nonly = \"a\""),
    );
    run(&host, &image).expect_error(125, &["tests.toml", "only"]);
}
