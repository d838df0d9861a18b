//! Who asks for updates, and how often at a time.

use serde_json::Value;

use crate::updates::{Ground, Kind, image};

#[test]
fn who_asks_without_a_service_is_told_and_left_alone() {
    let ground = Ground::new();
    let old = image("1", Kind::Good);
    let app = ground.publish(&old, "app:1");
    let run = |name: &str, label: &str, image: &str| {
        let label = format!("--label=io.containers.autoupdate={label}");
        let words = ["run", "--detach", "--rm", "--name", name, &label, image];
        // What a unit is called is not for the environment to say.
        let command = ground
            .host
            .fairing(words)
            .env("PODMAN_SYSTEMD_UNIT", "web.service");
        ground.systemd.inside(command).run().ok();
    };
    run("alone", "registry", &app);
    run("odd", "sometimes", &app);
    run("none", "disabled", &app);
    ground.publish(&image("2", Kind::Good), "app:1");
    let done = ground
        .update(&[])
        .run()
        .ok()
        .expect_stderr("pod alone")
        .expect_stderr("sometimes");
    let rows = done.json();
    assert_eq!(rows.as_array().unwrap().len(), 1, "{done}");
    assert_eq!(
        (&rows[0]["unit"], &rows[0]["updated"]),
        (&Value::Null, &"false".into())
    );
    for name in ["alone", "odd", "none"] {
        ground.host.fairing(["stop", name]).run().ok();
    }
}

#[test]
fn one_command_updates_at_a_time_and_limits_are_another_matter() {
    let ground = Ground::new();
    let app = ground.publish(&image("1", Kind::Good), "app:1");
    ground.service("web", &app);
    ground.update(&[]).run().ok();
    let lock = ground.host.data_dir().join("updates/lock");
    let locked = ground
        .host
        .fairing(["auto-update"])
        .through("flock", [&lock]);
    locked
        .run()
        .expect_error(125, &["another update is running"]);
    // Who only looks is in nobody's way.
    let looks = ground
        .host
        .fairing(["auto-update", "--dry-run"])
        .through("flock", [&lock]);
    looks.run().ok();
    let limits = |words: &[&str]| ground.host.fairing(["update", "--all"]).args(words).run();
    limits(&["--pids-limit=100"]).ok().expect_stdout("");
    limits(&["--pids-limit=100", "--dry-run"]).expect_code(2);
    limits(&["--pids-limit=100", "web"]).expect_code(2);
    ground
        .host
        .fairing(["update", "web"])
        .run()
        .expect_error(2, &["--all"]);
    let table = ground
        .systemd
        .inside(ground.host.fairing(["auto-update"]))
        .run()
        .ok();
    for part in [
        "UNIT",
        "POLICY",
        "UPDATED",
        "web.service",
        "registry",
        "false",
    ] {
        assert!(table.stdout.contains(part), "{table}");
    }
    ground.stop(&["web"]);
}
