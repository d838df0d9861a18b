//! `fairing diff`: what an app has changed.

use harness::{ImageBuilder, Layer};

use crate::stocked::{IDLE, detached, host_with, wait_log};

const SCRIPT: &str = "cd /srv; echo x > changed; rm gone; rm -r tree; mkdir new; echo x > new/a; \
     rm -r replaced; mkdir replaced; echo x > replaced/other; rm kind; mkdir kind; \
     chmod 700 mode; touch untouched.new; rm untouched.new; \
     mkdir -p /srv/deep/same/x; echo made";

const EXPECTED: &str = "C /srv\nC /srv/changed\nC /srv/deep\nC /srv/deep/same\nA /srv/deep/same/x\n\
     D /srv/gone\nC /srv/kind\nC /srv/mode\nA /srv/new\nA /srv/new/a\nC /srv/replaced\n\
     D /srv/replaced/inner\nA /srv/replaced/other\nD /srv/tree\n";

#[test]
fn what_is_added_changed_and_deleted_is_shown_of_pods_that_run_and_that_have_ended() {
    let lower = Layer::new()
        .folder("srv", 0o755)
        .file("srv/changed", "1", 0o644)
        .file("srv/gone", "1", 0o644)
        .file("srv/kept", "1", 0o644)
        .file("srv/kind", "1", 0o644)
        .folder("srv/mode", 0o755)
        .folder("srv/tree", 0o755)
        .file("srv/tree/leaf", "1", 0o644)
        .folder("srv/deep", 0o755)
        .folder("srv/deep/same", 0o755)
        .folder("srv/replaced", 0o755);
    let upper = Layer::new().file("srv/replaced/inner", "1", 0o644);
    let host = host_with(ImageBuilder::busybox().layer(lower).layer(upper));
    let pod = detached(&host, &[], &format!("{SCRIPT}; {IDLE}"));
    wait_log(&host, &pod, "made\n");
    let diff = |flags: &[&str]| host.fairing(["diff", &pod]).args(flags).run().ok();
    assert_eq!(diff(&[]).expect_no_stderr().stdout, EXPECTED);
    let json = diff(&["--format", "json"]).json();
    assert_eq!(json["added"][0], "/srv/deep/same/x");
    assert_eq!(
        json["deleted"],
        serde_json::json!(["/srv/gone", "/srv/replaced/inner", "/srv/tree"])
    );
    let added = diff(&["--format", "{{len .added}}"]);
    assert_eq!(added.text(), "4");
    // A name that would be two lines, and one that commands terminals.
    let names = "cd /tmp; touch \"$(printf 'a\\nD x')\" \"$(printf 'b\\033[2J')\"";
    host.fairing(["enter", &pod, "--", "/bin/sh", "-c", names])
        .run()
        .ok();
    let output = diff(&[]);
    assert!(output.stdout.contains("A /tmp/a D x\n"), "{output}");
    assert!(output.stdout.contains("A /tmp/b [2J\n"), "{output}");
    host.fairing(["stop", "--force", &pod]).run().ok();
    let ended = diff(&[]).stdout;
    assert!(ended.starts_with(EXPECTED), "{ended}");
    host.fairing(["diff", "nobody"])
        .run()
        .expect_error(121, &["nobody"]);
}

#[test]
fn where_something_is_mounted_is_no_change() {
    let host = host_with(ImageBuilder::busybox().workdir("/work/here"));
    let flags = [
        "--name",
        "web",
        "--read-only",
        "-v",
        "kept:/srv/data",
        "--tmpfs",
        "/own/scratch",
    ];
    detached(&host, &flags, IDLE);
    let diff = |pod: &str| host.fairing(["diff", pod]).run().ok().stdout;
    assert_eq!(diff("web"), "");
    host.fairing(["stop", "--force", "web"]).run().ok();
    host.fairing(["rm", "web"]).run().ok();
    let flags = ["--name", "web", "-v", "kept:/srv/data"];
    detached(
        &host,
        &flags,
        &format!("touch /srv/data/x; touch /srv/own; echo made; {IDLE}"),
    );
    wait_log(&host, "web", "made");
    let shown = diff("web/busybox");
    assert!(shown.ends_with("/srv/own\n"), "{shown}");
    assert!(
        !shown.contains("/srv/data") && !shown.contains("/work"),
        "{shown}"
    );
    host.fairing(["diff", "web/other"])
        .run()
        .expect_error(121, &["other"]);
    host.fairing(["stop", "--force", "web"]).run().ok();
}
