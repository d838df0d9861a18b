//! Images that nobody signed: pinned by digest, allowed by prefix, signed for this machine alone.

use harness::{Host, ImageBuilder, Key};

use crate::trust::{rule, run, unsigned};

#[test]
fn a_pinned_image_runs_and_another_of_its_name_does_not() {
    let (registry, host, image) = unsigned();
    let advice = format!("fairing trust allow {image}");
    run(&host, &image).expect_code(115).expect_stderr(&advice);
    // Without a terminal nobody is asked, and nothing is written.
    host.fairing(["trust", "allow", &image])
        .run()
        .expect_error(125, &["no terminal to ask on", "--yes"]);
    run(&host, &image).expect_code(115);
    let allowed = host.fairing(["trust", "allow", "--yes", &image]).run().ok();
    for shown in ["digest:  sha256:", "config:  sha256:", "size:", "created:"] {
        assert!(allowed.stderr.contains(shown), "{}", allowed.stderr);
    }
    assert!(
        allowed.stdout.contains("may run, by "),
        "{}",
        allowed.stdout
    );
    run(&host, &image).ok();
    host.fairing(["trust", "allow", "--yes", &image])
        .run()
        .ok()
        .expect_stdout("is pinned already");
    // The way back, and forth again.
    let team = registry.name("team/busybox");
    let remove = || host.fairing(["trust", "rm", "--prefix", &team]).run();
    remove().ok().expect_stdout("(digest) is gone");
    run(&host, &image).expect_error(115, &["no trust rule covers"]);
    remove().expect_error(125, &["has no rule"]);
    host.fairing(["trust", "allow", "--yes", &image]).run().ok();
    // What the name stands for later is not what was pinned.
    let other = ImageBuilder::busybox().env("OTHER", "1").build();
    other.push(&registry, "team/busybox:1");
    host.fairing(["run", "--rm", "--pull", "always", &image, "--", "/bin/true"])
        .run()
        .expect_error(115, &["does not list"]);
    host.fairing([
        "trust",
        "allow",
        "--yes",
        &other.push(&registry, "team/busybox:2"),
    ])
    .run()
    .ok();
    host.fairing(["run", "--rm", "--pull", "always", &image, "--", "/bin/true"])
        .run()
        .ok();
}

#[test]
fn run_asks_on_a_terminal_whether_to_pin() {
    let (_registry, host, image) = unsigned();
    let ask = || {
        let command = host.fairing(["run", "--rm", &image, "--", "/bin/echo", "it ran"]);
        let terminal = command.spawn_on_terminal(40, 200);
        terminal.wait_screen("(yes/no)");
        assert!(terminal.screen().contains("digest:  sha256:"));
        terminal
    };
    let mut terminal = ask();
    terminal.type_keys("no\r");
    terminal.wait_screen("fairing trust allow");
    terminal.wait().expect_code(115);
    let mut terminal = ask();
    terminal.type_keys("yes\r");
    terminal.wait_screen("it ran");
    terminal.wait().expect_code(0);
    run(&host, &image).ok();
}

#[test]
fn what_a_rule_rejects_is_not_allowed_by_the_way() {
    let (registry, host, image) = unsigned();
    let team = registry.name("team");
    host.write_policy("no.toml", &rule(&team, "type = \"reject\""));
    let refused = run(&host, &image).expect_error(115, &["is rejected by rule", "no.toml"]);
    assert!(
        !refused.stderr.contains("trust allow"),
        "{}",
        refused.stderr
    );
    assert!(!refused.stderr.contains("--insecure"), "{}", refused.stderr);
    for allow in [
        vec!["trust", "allow", "--yes", &image],
        vec!["trust", "allow", "--yes", "--unsigned", &team],
    ] {
        host.fairing(allow)
            .run()
            .expect_error(125, &["is rejected by rule", "no.toml"]);
    }
}

#[test]
fn a_waived_archive_takes_no_name_from_a_trusted_image_unless_it_is_loaded() {
    let (registry, host, image) = unsigned();
    host.fairing(["trust", "allow", "--yes", &image]).run().ok();
    run(&host, &image).ok();
    let other = ImageBuilder::busybox().env("OTHER", "1").build();
    let file = host.base().join("other.tar");
    other.write_docker_archive(&file, &image);
    let file = file.to_str().unwrap();
    let source = format!("docker-archive:{file}");
    let waived = "--insecure-options=image";
    host.fairing(["run", "--rm", waived, &source, "--", "/bin/sh", "-c"])
        .arg("echo $OTHER")
        .run()
        .ok()
        .expect_stdout("1")
        .expect_stderr(&format!("{image} stays sha256:"));
    run(&host, &image).ok();
    drop(registry);
    host.fairing([waived, "load", "--input", file])
        .run()
        .ok()
        .expect_stderr(&format!("{image} was sha256:"));
    run(&host, &image).expect_code(115);
}

#[test]
fn an_image_is_found_in_the_store_by_repository_and_digest() {
    let (registry, host, image) = unsigned();
    host.accept_unsigned();
    host.fairing(["fetch", &image]).run().ok();
    let listed = host.fairing(["image", "inspect", &image]).run().ok().json();
    let digest = listed["digest"].as_str().unwrap();
    let pinned = format!("{}@{digest}", registry.name("team/busybox"));
    drop(registry);
    run(&host, &pinned).ok();
    let other = pinned.replace("team/busybox", "team/other");
    assert_ne!(run(&host, &other).code, Some(0));
}

#[test]
fn a_prefix_can_be_allowed_unsigned() {
    let (registry, host, image) = unsigned();
    let team = registry.name("team");
    host.fairing(["trust", "allow", "--unsigned", "--yes", &team])
        .run()
        .ok()
        .expect_stderr("will run unverified");
    run(&host, &image).ok();
    host.fairing(["trust", "allow", "--unsigned", "--yes", &team])
        .run()
        .ok()
        .expect_stdout("already");
}

#[test]
fn an_image_is_signed_for_this_machine_alone() {
    let (registry, host, image) = unsigned();
    let key = Key::generate(&host, "own");
    key.trust(&host, &registry.name("team"));
    let sign = |host: &Host| {
        let private = key.private().to_str().unwrap().to_owned();
        host.fairing(["image", "sign", "--local", "--key", &private, &image])
            .run()
    };
    sign(&host).expect_error(125, &["is not in the store", "fairing fetch"]);
    host.fairing(["fetch", "--insecure-options=image", &image])
        .run()
        .ok();
    sign(&host).ok();
    run(&host, &image).ok();
    // Its registry was told nothing.
    let elsewhere = Host::new();
    key.trust(&elsewhere, &registry.name("team"));
    run(&elsewhere, &image).expect_error(115, &["is not signed"]);
}
