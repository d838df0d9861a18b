//! Newer images for services, under a real systemd: what comes up, what is taken back, and what is left alone.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use harness::{
    Artifact, FairingCommand, Host, ImageBuilder, Key, Layer, Output, Registry, Systemd, wait_until,
};
use serde_json::Value;

use crate::stocked::{IDLE, status};
use crate::trust::rule;

/// A registry whose images are signed, a machine that trusts the key, and its service manager.
pub(crate) struct Ground {
    pub(crate) systemd: Systemd,
    pub(crate) registry: Registry,
    pub(crate) host: Host,
    publisher: Host,
    key: Key,
}

/// How an image does.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// It gets ready.
    Good,
    /// It runs and never gets ready.
    Unready,
    /// It ends at once.
    Crashing,
}

pub(crate) fn image(version: &str, kind: Kind) -> Artifact {
    let builder = ImageBuilder::busybox().env("VERSION", version);
    let script = match kind {
        Kind::Crashing => "exit 3",
        _ => IDLE,
    };
    let builder = builder.cmd(["/bin/sh", "-c", script]);
    match kind {
        Kind::Unready => builder.build(),
        _ => builder
            .layer(Layer::new().file("good", version, 0o644))
            .build(),
    }
}

fn second() -> u64 {
    let time = SystemTime::now().duration_since(UNIX_EPOCH);
    time.unwrap().as_secs()
}

impl Ground {
    /// Names must not go back to images that were signed earlier, so that a rollback has something to overcome.
    pub(crate) fn new() -> Self {
        Self::with("monotonic = true\n")
    }

    /// With these lines in the rule.
    pub(crate) fn with(lines: &str) -> Self {
        let registry = Registry::start();
        let (host, publisher) = (Host::new(), Host::new());
        let key = Key::generate(&host, "team");
        let pem = fs::read_to_string(key.public()).unwrap();
        let signed = format!("type = \"signed-by\"\n{lines}keys = [\"\"\"{pem}\"\"\"]");
        host.write_policy("team.toml", &rule(&registry.name("team"), &signed));
        Self {
            systemd: Systemd::boot(&host),
            registry,
            host,
            publisher,
            key,
        }
    }

    /// Puts an image under a name, not signed. Gives the name.
    pub(crate) fn push(&self, image: &Artifact, name: &str) -> String {
        image.push(&self.registry, &format!("team/{name}"))
    }

    /// The same, signed later than anything before.
    pub(crate) fn publish(&self, image: &Artifact, name: &str) -> String {
        let before = second();
        wait_until("the next second", Duration::from_secs(5), || {
            (second() > before).then_some(())
        });
        let reference = self.push(image, name);
        self.key.sign(&self.publisher, &reference);
        reference
    }

    /// A service whose pod has its name and asks for newer images.
    pub(crate) fn service(&self, name: &str, image: &str) {
        self.service_asking(name, image, "registry");
    }

    pub(crate) fn service_asking(&self, name: &str, image: &str, policy: &str) {
        let label = format!("--label=io.containers.autoupdate={policy}");
        let command = self
            .host
            .fairing([
                "run",
                "--rm",
                "--name",
                name,
                "--ready-when=healthy",
                &label,
                image,
            ])
            .args(["--health-cmd", "test -e /good", "--health-interval", "1s"]);
        let lines = "Type=notify\nKillMode=mixed\nDelegate=yes\nTimeoutStartSec=4\n";
        self.start(name, &command, lines);
    }

    pub(crate) fn start(&self, name: &str, command: &FairingCommand, lines: &str) {
        let service = Systemd::service(command);
        let unit = format!("{name}.service");
        self.systemd
            .unit(&unit, &format!("[Service]\n{service}{lines}"));
        self.systemd.sh(&format!("systemctl start {unit}"));
    }

    /// `fairing update --all` with these words, for JSON.
    pub(crate) fn update(&self, words: &[&str]) -> FairingCommand {
        let command = self
            .host
            .fairing(["update", "--all", "--settle=1s", "--format=json"])
            .args(words);
        self.systemd.inside(command).limit(Duration::from_secs(120))
    }

    /// The digest of the manifest that a service's pod runs.
    pub(crate) fn runs(&self, name: &str) -> String {
        text(&status(&self.host, name)["apps"][0]["manifest"])
    }

    /// The digest that a name stands for.
    pub(crate) fn means(&self, reference: &str) -> String {
        let shown = self
            .host
            .fairing(["image", "list", "--format=json"])
            .run()
            .ok()
            .json();
        let images = shown.as_array().unwrap();
        let image = images.iter().find(|image| image["reference"] == reference);
        text(&image.unwrap_or_else(|| panic!("{reference} is not in {shown}"))["digest"])
    }

    pub(crate) fn record(&self) -> Value {
        let path = self.host.data_dir().join("updates/state.json");
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }

    fn has_blob(&self, digest: &str) -> bool {
        let hex = digest.trim_start_matches("sha256:");
        self.host
            .data_dir()
            .join("images/blobs/sha256")
            .join(hex)
            .exists()
    }

    fn starts(&self, name: &str) -> String {
        self.systemd
            .property(&format!("{name}.service"), "InvocationID")
    }

    pub(crate) fn stop(&self, names: &[&str]) {
        for name in names {
            self.systemd.sh(&format!("systemctl stop {name}.service"));
        }
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value}"))
        .to_owned()
}

/// What became of a service's pod.
#[track_caller]
pub(crate) fn updated(output: &Output, unit: &str) -> String {
    let rows = output.json();
    let unit = format!("{unit}.service");
    let row = rows
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["unit"] == unit.as_str());
    text(&row.unwrap_or_else(|| panic!("{unit} is not in {output}"))["updated"])
}

#[test]
fn services_get_a_newer_image_once_each_and_the_one_before_is_kept() {
    let ground = Ground::new();
    let (old, new) = (image("1", Kind::Good), image("2", Kind::Good));
    let app = ground.publish(&old, "app:1");
    let other = ground.publish(&old, "other:1");
    ground.service("one", &app);
    ground.service("two", &app);
    ground.service("three", &other);
    let nothing = ground.update(&[]).run().ok();
    for unit in ["one", "two", "three"] {
        assert_eq!(updated(&nothing, unit), "false");
    }
    let before = ["one", "two", "three"].map(|unit| ground.starts(unit));
    ground.publish(&new, "app:1");

    let planned = ground.update(&["--dry-run"]).run().ok();
    assert_eq!(updated(&planned, "one"), "pending");
    assert_eq!(updated(&planned, "three"), "false");
    assert_eq!(ground.means(&app), old.digest());
    assert!(!ground.has_blob(&new.digest()));
    assert_eq!(
        ["one", "two", "three"].map(|unit| ground.starts(unit)),
        before
    );

    let done = ground.update(&[]).run().ok();
    for (unit, expected) in [("one", "true"), ("two", "true"), ("three", "false")] {
        assert_eq!(updated(&done, unit), expected);
    }
    assert_eq!(
        done.stderr.matches("is started with newer images").count(),
        2,
        "{done}"
    );
    assert_eq!(ground.means(&app), new.digest());
    assert_eq!(
        [ground.runs("one"), ground.runs("two")],
        [new.digest(), new.digest()]
    );
    assert_eq!(ground.runs("three"), old.digest());
    assert_eq!(ground.starts("three"), before[2]);
    let layer = new.layer_digests().pop().unwrap();
    let asked = format!("\"GET /v2/team/app/blobs/{layer} ");
    assert_eq!(ground.registry.log().matches(&asked).count(), 1);
    // Nothing but the names is left of it.
    let names = ground
        .host
        .fairing(["image", "list", "--format={{.Name}}"])
        .run()
        .ok();
    assert!(!names.stdout.contains('@'), "{names}");

    let record = &ground.record()["names"][&app];
    assert_eq!(text(&record["current"]["digest"]), new.digest());
    assert_eq!(text(&record["previous"]["digest"]), old.digest());
    ground.stop(&["three"]);
    ground.host.fairing(["image", "rm", &other]).run().ok();
    ground.host.fairing(["image", "gc"]).run().ok();
    assert!(ground.has_blob(&old.digest()));
    ground.stop(&["one", "two"]);
}

#[test]
fn what_nobody_signed_is_no_update() {
    let ground = Ground::new();
    let (old, new) = (image("1", Kind::Good), image("2", Kind::Good));
    let app = ground.publish(&old, "app:1");
    ground.service("web", &app);
    let before = ground.starts("web");
    ground.push(&new, "app:1");
    for words in [&["--dry-run"] as &[&str], &[], &["--retry"]] {
        let refused = ground.update(words).run().expect_error(115, &[&app]);
        assert_eq!(updated(&refused, "web"), "refused");
    }
    assert_eq!(ground.means(&app), old.digest());
    assert_eq!(ground.starts("web"), before);
    assert!(!ground.has_blob(&new.digest()));
    // An image that was signed earlier than what the name has had is none either.
    let newer = image("3", Kind::Good);
    ground.publish(&newer, "app:1");
    assert_eq!(updated(&ground.update(&[]).run().ok(), "web"), "true");
    ground.push(&old, "app:1");
    let refused = ground.update(&[]).run().expect_error(116, &["older"]);
    assert_eq!(updated(&refused, "web"), "refused");
    assert_eq!(ground.runs("web"), newer.digest());
    ground.stop(&["web"]);
}

#[test]
fn a_service_that_does_not_get_ready_goes_back_and_the_image_is_not_tried_again() {
    let ground = Ground::new();
    let (old, bad) = (image("1", Kind::Good), image("2", Kind::Unready));
    let app = ground.publish(&old, "app:1");
    ground.service("web", &app);
    ground.publish(&bad, "app:1");
    let done = ground
        .update(&[])
        .run()
        .expect_error(125, &[&app, "went back", "web.service"]);
    assert_eq!(updated(&done, "web"), "rolled back");
    assert_eq!(ground.means(&app), old.digest());
    assert_eq!(ground.runs("web"), old.digest());
    assert_eq!(
        text(&ground.record()["names"][&app]["refused"][0]),
        bad.digest()
    );
    assert!(ground.record()["trial"].is_null());

    let before = ground.starts("web");
    let again = ground.update(&[]).run().ok().expect_stderr("--retry");
    assert_eq!(updated(&again, "web"), "refused");
    assert_eq!(ground.starts("web"), before);
    let retried = ground.update(&["--retry"]).run().expect_code(125);
    assert_eq!(updated(&retried, "web"), "rolled back");
    assert_ne!(ground.starts("web"), before);

    // Another digest is another image.
    let good = image("3", Kind::Good);
    ground.publish(&good, "app:1");
    assert_eq!(updated(&ground.update(&[]).run().ok(), "web"), "true");
    assert_eq!(ground.runs("web"), good.digest());
    ground.stop(&["web"]);
}

#[test]
fn a_pod_that_ends_soon_after_its_start_has_not_come_up() {
    let ground = Ground::new();
    let (old, bad) = (image("1", Kind::Good), image("2", Kind::Crashing));
    let app = ground.publish(&old, "app:1");
    // Nothing tells systemd that the pod is ready, and the service is started again and again.
    let label = "--label=io.containers.autoupdate=registry";
    let command = ground
        .host
        .fairing(["run", "--rm", "--name", "web", label, &app]);
    // It uses up the starts that systemd allows a service, and the old image comes back nonetheless.
    let lines = "KillMode=mixed\nDelegate=yes\nRestart=always\nRestartSec=50ms\n";
    ground.start("web", &command, lines);
    ground.publish(&bad, "app:1");
    let done = ground.update(&["--settle=5s"]).run().expect_code(125);
    assert_eq!(updated(&done, "web"), "rolled back");
    assert_eq!(ground.runs("web"), old.digest());

    // Without a way back, the service is left with what its name stands for.
    let worse = image("3", Kind::Crashing);
    ground.publish(&worse, "app:1");
    let kept = ground
        .update(&["--settle=5s", "--rollback=false"])
        .run()
        .expect_code(125);
    assert_eq!(updated(&kept, "web"), "failed");
    assert_eq!(ground.means(&app), worse.digest());
    ground.stop(&["web"]);
}

#[test]
fn one_service_that_fails_stops_no_other_and_neither_does_a_registry() {
    let ground = Ground::new();
    let old = image("1", Kind::Good);
    let (bad, good) = (
        ground.publish(&old, "bad:1"),
        ground.publish(&old, "good:1"),
    );
    ground.service("abad", &bad);
    ground.service("good", &good);
    ground.publish(&image("2", Kind::Unready), "bad:1");
    let new = image("2", Kind::Good);
    ground.publish(&new, "good:1");
    let done = ground.update(&[]).run().expect_code(125);
    assert_eq!(updated(&done, "abad"), "rolled back");
    assert_eq!(updated(&done, "good"), "true");
    assert_eq!(ground.runs("abad"), old.digest());
    assert_eq!(ground.runs("good"), new.digest());

    // Only what is asked for, by the name of the pod or of the service.
    let newer = image("3", Kind::Good);
    ground.publish(&newer, "good:1");
    let one = ground.update(&["abad"]).run().ok();
    assert_eq!(one.json().as_array().unwrap().len(), 1, "{one}");
    ground.update(&["none"]).run().expect_error(121, &["none"]);
    let Ground {
        systemd,
        registry,
        host,
        publisher,
        key,
    } = ground;
    registry.stop();
    let ground = Ground {
        systemd,
        registry: Registry::start(),
        host,
        publisher,
        key,
    };
    let down = ground.update(&["good.service"]).run().expect_code(122);
    assert_eq!(updated(&down, "good"), "failed");
    assert_eq!(ground.runs("good"), new.digest());
    ground.stop(&["abad", "good"]);
}

#[test]
fn services_with_one_image_stay_or_go_together() {
    let ground = Ground::new();
    let old = image("1", Kind::Good);
    let app = ground.publish(&old, "app:1");
    // The first comes up with the new image, the second does not.
    let label = "--label=io.containers.autoupdate=registry";
    let plain = ground
        .host
        .fairing(["run", "--rm", "--name", "aplain", label, &app]);
    ground.start(
        "aplain",
        &plain,
        "Type=notify\nKillMode=mixed\nDelegate=yes\n",
    );
    ground.service("web", &app);
    ground.publish(&image("2", Kind::Unready), "app:1");
    let done = ground.update(&[]).run().expect_code(125);
    for unit in ["aplain", "web"] {
        assert_eq!(updated(&done, unit), "rolled back");
        assert_eq!(ground.runs(unit), old.digest());
    }
    ground.stop(&["aplain", "web"]);
}

#[test]
fn a_local_policy_takes_what_the_name_stands_for_in_the_store() {
    let ground = Ground::new();
    let (old, new) = (image("1", Kind::Good), image("2", Kind::Good));
    let app = ground.publish(&old, "app:1");
    ground.service_asking("web", &app, "local");
    ground.publish(&new, "app:1");
    assert_eq!(updated(&ground.update(&[]).run().ok(), "web"), "false");
    ground.host.fairing(["fetch", &app]).run().ok();
    assert_eq!(updated(&ground.update(&[]).run().ok(), "web"), "true");
    assert_eq!(ground.runs("web"), new.digest());
    // Who has fetched a newer one by hand has said that none before it is to run: here the rule wants it so.
    let bad = image("3", Kind::Unready);
    ground.publish(&bad, "app:1");
    ground.host.fairing(["fetch", &app]).run().ok();
    let stuck = ground
        .update(&[])
        .run()
        .expect_error(116, &["can't go back", "older"]);
    assert_eq!(updated(&stuck, "web"), "failed");
    assert_eq!(ground.means(&app), bad.digest());
    ground.stop(&["web"]);
}

#[test]
fn who_goes_back_by_hand_is_not_updated_to_the_same_image_again() {
    let ground = Ground::with("");
    let (old, new) = (image("1", Kind::Good), image("2", Kind::Good));
    let app = ground.publish(&old, "app:1");
    ground.service("web", &app);
    ground.service_asking("local", &app, "local");
    ground.publish(&new, "app:1");
    let done = ground.update(&[]).run().ok();
    assert_eq!(updated(&done, "web"), "true");
    let pinned = format!("{}@{}", ground.registry.name("team/app"), old.digest());
    ground.host.fairing(["fetch", &pinned]).run().ok();
    ground
        .host
        .fairing(["image", "tag", &pinned, &app])
        .run()
        .ok();
    ground.systemd.sh("systemctl restart web.service");
    let left = ground
        .update(&["web"])
        .run()
        .ok()
        .expect_stderr("gone back");
    assert_eq!(updated(&left, "web"), "refused");
    assert_eq!(ground.runs("web"), old.digest());
    ground.stop(&["web", "local"]);
}
