//! Updates of names that somebody gives other images by hand.

use std::time::Duration;

use harness::{Artifact, wait_until};

use crate::updates::{Ground, Kind, image, updated};

/// Gives a name an image by hand, which the registry has under another name.
fn give(ground: &Ground, image: &Artifact, name: &str) {
    let pinned = format!("{}@{}", ground.registry.name("team/app"), image.digest());
    ground.host.fairing(["fetch", &pinned]).run().ok();
    ground
        .host
        .fairing(["image", "tag", &pinned, name])
        .run()
        .ok();
}

#[test]
fn services_that_ran_different_images_by_one_name_get_their_own_back() {
    let ground = Ground::with("");
    let [first, second] = ["1", "2"].map(|version| image(version, Kind::Good));
    let bad = image("3", Kind::Unready);
    let app = ground.publish(&first, "app:1");
    ground.service_asking("one", &app, "local");
    ground.publish(&second, "app:2");
    give(&ground, &second, &app);
    ground.service_asking("two", &app, "local");
    ground.publish(&bad, "app:3");
    give(&ground, &bad, &app);
    let done = ground.update(&[]).run().expect_error(125, &["went back"]);
    for (unit, ran) in [("one", &first), ("two", &second)] {
        assert_eq!(updated(&done, unit), "rolled back");
        assert_eq!(ground.runs(unit), ran.digest(), "{unit}");
    }
    assert_eq!(ground.means(&app), first.digest());
    assert!(ground.record()["trial"].is_null());
    ground.stop(&["one", "two"]);
}

#[test]
fn a_name_that_is_given_another_image_meanwhile_is_not_moved_back() {
    let ground = Ground::with("");
    let [old, other] = ["1", "2"].map(|version| image(version, Kind::Good));
    let bad = image("3", Kind::Unready);
    let app = ground.publish(&old, "app:1");
    ground.service("web", &app);
    ground.publish(&other, "app:2");
    ground.publish(&bad, "app:1");
    let update = ground.update(&[]).spawn();
    wait_until("the trial", Duration::from_secs(30), || {
        (ground.means(&app) == bad.digest()).then_some(())
    });
    give(&ground, &other, &app);
    let done = update.wait();
    done.expect_error(125, &[&app, "can't go back", "was given another image"]);
    assert_eq!(ground.means(&app), other.digest());
    // It is for who did that to start the service again, and the next update has nothing against it.
    ground.systemd.sh("systemctl restart web.service");
    assert_eq!(ground.runs("web"), other.digest());
    ground.stop(&["web"]);
}
