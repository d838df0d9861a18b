//! Updates that are killed: names mean one of two verified images at every moment, and the next update goes on.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use harness::{Systemd, eventually, wait_until};

use crate::updates::{Ground, Kind, image, updated};

/// The service that updates, as the shipped one does.
const UPDATE: &str = "fairing-update.service";

/// Starts an update, as a service, and kills it when `is_time`.
fn kill_when(ground: &Ground, is_time: impl FnMut() -> Option<()>) {
    ground
        .systemd
        .sh(&format!("systemctl start --no-block {UPDATE}"));
    // One that was faster is as good.
    eventually(Duration::from_secs(10), is_time);
    let _ = ground
        .systemd
        .run(&format!("systemctl kill --signal=KILL {UPDATE}"));
    wait_until("the end of the update", Duration::from_secs(20), || {
        let state = ground.systemd.property(UPDATE, "ActiveState");
        matches!(state.as_str(), "inactive" | "failed").then_some(())
    });
    let _ = ground
        .systemd
        .run(&format!("systemctl reset-failed {UPDATE}"));
}

fn ground_with_updates() -> Ground {
    let ground = Ground::new();
    let command = ground.host.fairing(["update", "--all", "--settle=500ms"]);
    let service = Systemd::service(&command);
    // The shipped one, with all that it may not do; but here, its directories are below /tmp.
    let shipped = include_str!("../../dist/systemd/system/fairing-update.service.in");
    let base = ground.host.base().display();
    let lines = shipped
        .lines()
        .filter_map(|line| match line.split_once('=') {
            Some(("ExecStart", _)) => Some(service.clone()),
            Some(("ReadWritePaths" | "PrivateTmp" | "ConditionPathIsDirectory", _)) => None,
            _ => Some(format!("{line}\n")),
        });
    let unit = format!("{}ReadWritePaths={base}\n", lines.collect::<String>());
    ground.systemd.unit(UPDATE, &unit);
    ground
}

/// What the record says is being done; nothing if it says nothing.
fn stage(ground: &Ground) -> Option<String> {
    let path: PathBuf = ground.host.data_dir().join("updates/state.json");
    let record: serde_json::Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    Some(record["trial"]["stage"].as_str()?.to_owned())
}

#[test]
fn a_killed_update_is_gone_on_with_from_each_stage() {
    let ground = ground_with_updates();
    let mut last = image("0", Kind::Good);
    let app = ground.publish(&last, "app:1");
    ground.service("web", &app);
    for (round, wanted) in ["fetching", "trying"].into_iter().enumerate() {
        let new = image(&format!("good {round}"), Kind::Good);
        ground.publish(&new, "app:1");
        kill_when(&ground, || (stage(&ground)? == wanted).then_some(()));
        let means = ground.means(&app);
        assert!([last.digest(), new.digest()].contains(&means), "{means}");
        let done = ground.update(&[]).run().ok();
        assert_eq!(updated(&done, "web"), "true", "{wanted}: {done}");
        assert_eq!(
            [ground.means(&app), ground.runs("web")],
            [new.digest(), new.digest()]
        );
        last = new;
    }
    // The shipped service is confined, and can do all that it has to.
    let new = image("good, and not disturbed", Kind::Good);
    ground.publish(&new, "app:1");
    ground.systemd.sh(&format!("systemctl start {UPDATE}"));
    assert_eq!(
        [ground.means(&app), ground.runs("web")],
        [new.digest(), new.digest()]
    );
    last = new;
    let bad = image("bad", Kind::Unready);
    ground.publish(&bad, "app:1");
    kill_when(&ground, || (stage(&ground)? == "going-back").then_some(()));
    let means = ground.means(&app);
    assert!([last.digest(), bad.digest()].contains(&means), "{means}");
    let done = ground.update(&[]).run();
    assert!(
        ["rolled back", "refused"].contains(&&*updated(&done, "web")),
        "{done}"
    );
    assert_eq!(
        [ground.means(&app), ground.runs("web")],
        [last.digest(), last.digest()]
    );
    assert!(ground.record()["trial"].is_null());
    ground.stop(&["web"]);
}

#[test]
fn wherever_an_update_is_killed_names_mean_one_of_two_images() {
    let ground = ground_with_updates();
    let mut last = image("0", Kind::Good);
    let app = ground.publish(&last, "app:1");
    ground.service("web", &app);
    // Lives of ever more milliseconds end in all of its steps.
    for round in 0..8_u32 {
        let new = image(&format!("round {round}"), Kind::Good);
        ground.publish(&new, "app:1");
        let life = Duration::from_millis(20 * u64::from(round * round));
        let end = std::time::Instant::now() + life;
        kill_when(&ground, || (std::time::Instant::now() >= end).then_some(()));
        let means = ground.means(&app);
        assert!(
            [last.digest(), new.digest()].contains(&means),
            "{life:?}: {means}"
        );
        ground.host.fairing(["image", "gc"]).run().ok();
        let done = ground.update(&[]).run().ok();
        assert_eq!(
            [ground.means(&app), ground.runs("web")],
            [new.digest(), new.digest()],
            "{done}"
        );
        assert!(ground.record()["trial"].is_null());
        last = new;
    }
    let names = ground
        .host
        .fairing(["image", "list", "--format={{.Name}}"])
        .run()
        .ok();
    assert!(!names.stdout.contains('@'), "{names}");
    ground.stop(&["web"]);
}
