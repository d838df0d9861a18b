//! A fetch as its user sees it: beside others of the same image, interrupted, and on terminals.

use std::fs;
use std::time::Duration;

use harness::{Artifact, Host, ImageBuilder, Layer, Output, ScriptedRegistry, Signal, wait_until};

const NAME: &str = "team/app";
const WAITING: &str = "waiting for another command";

struct Ground {
    registry: ScriptedRegistry,
    host: Host,
    image: Artifact,
    reference: String,
}

impl Ground {
    fn new() -> Self {
        let registry = ScriptedRegistry::start();
        let image = ImageBuilder::busybox()
            .layer(Layer::new().file("one", "1", 0o644))
            .layer(Layer::new().file("two", "2", 0o644))
            .build();
        let reference = registry.offer(&image, &format!("{NAME}:1"));
        let host = Host::new();
        host.accept_unsigned();
        Self {
            registry,
            host,
            image,
            reference,
        }
    }

    fn blob(digest: &str) -> String {
        format!("/v2/{NAME}/blobs/{digest}")
    }

    /// How often a path was asked for.
    fn asked(&self, path: &str) -> usize {
        let request = format!("GET {path}");
        let requests = self.registry.requests();
        requests.iter().filter(|asked| **asked == request).count()
    }

    /// Lets the registry stop in the middle of the first layer, until [`Ground::flow`]. Gives the layer's path.
    fn stall(&self) -> String {
        self.stall_in(0)
    }

    /// As [`Ground::stall`], in the layer of that number.
    fn stall_in(&self, layer: usize) -> String {
        let path = Self::blob(&self.image.layer_digests()[layer]);
        self.registry.change(&path, |mut answer| {
            answer.announced = Some(answer.body.len());
            answer.body.truncate(answer.body.len() / 2);
            answer.stall = true;
            answer
        });
        path
    }

    /// Who asks from now on gets the layer.
    fn flow(&self) {
        self.registry.offer(&self.image, &format!("{NAME}:1"));
    }

    fn wait_asked(&self, path: &str) {
        let asked = || (self.asked(path) > 0).then_some(());
        wait_until("the layer is asked for", Duration::from_secs(30), asked);
    }

    /// Not even a lock is left where fetches work.
    #[track_caller]
    fn expect_nothing_half_done(&self) {
        let temporary = self.host.data_dir().join("images/tmp");
        assert_eq!(fs::read_dir(temporary).unwrap().count(), 0);
    }

    /// Nothing of an image is in the store, seen or unseen: at most the locks that were held.
    fn expect_nothing(&self) {
        let temporary = self.host.data_dir().join("images/tmp");
        for entry in fs::read_dir(&temporary).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(name.ends_with(".lock"), "{name}");
        }
        self.host.fairing(["image", "gc"]).run().ok();
        for folder in ["tmp", "layers", "blobs/sha256", "refs"] {
            let folder = self.host.data_dir().join("images").join(folder);
            let found: Vec<_> = fs::read_dir(&folder).map_or_else(
                |_| Vec::new(),
                |entries| entries.map(|entry| entry.unwrap().path()).collect(),
            );
            assert!(found.is_empty(), "{found:?}");
        }
    }
}

#[test]
fn concurrent_fetches_transfer_each_layer_once() {
    let ground = Ground::new();
    let running: Vec<_> = (0..8)
        .map(|_| ground.host.fairing(["fetch", &ground.reference]).spawn())
        .collect();
    for fetch in running {
        fetch.wait().ok().expect_stdout(&ground.image.digest());
    }
    for digest in ground.image.layer_digests() {
        assert_eq!(ground.asked(&Ground::blob(&digest)), 1, "{digest}");
    }
    ground.expect_nothing_half_done();
}

#[test]
fn a_fetch_takes_over_from_one_that_was_killed() {
    let ground = Ground::new();
    let path = ground.stall();
    let first = ground.host.fairing(["fetch", &ground.reference]).spawn();
    ground.wait_asked(&path);
    ground.flow();
    let second = ground
        .host
        .fairing(["fetch", &ground.reference])
        .spawn_on_terminal(24, 80);
    second.wait_screen(WAITING);
    first.signal(Signal::KILL);
    assert_eq!(first.wait().signal, Some(9));
    second.wait().ok().expect_stdout(&ground.image.digest());
    assert_eq!(ground.asked(&path), 2);
    ground.host.fairing(["image", "gc"]).run().ok();
    ground.expect_nothing_half_done();
}

/// While a registry stands still in the middle of a layer, `act` brings the same layer into the store.
fn beside_a_stalling_registry(act: impl FnOnce(&Ground)) {
    let ground = Ground::new();
    let path = ground.stall();
    let slow = ground.host.fairing(["fetch", &ground.reference]).spawn();
    ground.wait_asked(&path);
    act(&ground);
    slow.signal(Signal::TERM);
    slow.wait().expect_code(143);
    ground.host.fairing(["image", "gc"]).run().ok();
    ground.expect_nothing_half_done();
}

#[test]
fn an_import_does_not_wait_for_a_stranger_s_download() {
    beside_a_stalling_registry(|ground| {
        let archive = ground.host.write("image.tar", "");
        ground.image.write_oci_archive(&archive, "1");
        let archive = format!("oci-archive:{}", archive.display());
        let import = ["image", "import", "--name", "team/imported:1", &archive];
        ground.host.fairing(import).run().ok();
        let run = ["run", "--rm", "--net=none", "team/imported:1", "/bin/true"];
        ground.host.fairing(run).run().ok();
    });
}

#[test]
fn a_fetch_does_not_wait_for_another_registry() {
    beside_a_stalling_registry(|ground| {
        let elsewhere = ScriptedRegistry::start();
        let reference = elsewhere.offer(&ground.image, "other/app:1");
        let fetched = ground.host.fairing(["fetch", &reference]).run().ok();
        fetched.expect_stdout(&ground.image.digest());
    });
}

#[test]
fn a_fetch_does_not_wait_for_a_connection_that_stands_still() {
    beside_a_stalling_registry(|ground| {
        ground.flow();
        let fetched = ground.host.fairing(["fetch", &ground.reference]).run();
        fetched.ok().expect_stdout(&ground.image.digest());
    });
}

#[test]
fn who_collects_waits_for_no_registry() {
    let slow = Ground::new();
    // Of which the other image has nothing.
    let path = slow.stall_in(1);
    let host = &slow.host;
    // A start of one, and an app of a pod whose other image is there.
    let other = ImageBuilder::probe().build();
    let archive = host.write("other.tar", "");
    other.write_oci_archive(&archive, "1");
    let archive = format!("oci-archive:{}", archive.display());
    let import = |name: &str| {
        let import = ["image", "import", "--name", name, &archive];
        host.fairing(import).run().ok();
    };
    import("kept:1");
    let fetch = host.fairing(["fetch", &slow.reference]).spawn();
    let run = ["run", "--net=none", "kept:1", "---", &slow.reference];
    let run = host.fairing(run).spawn();
    slow.wait_asked(&path);
    for round in 0..2 {
        import("gone:1");
        let gone = host.fairing(["image", "rm", "gone:1"]).run().ok();
        assert_eq!(gone.stderr, "", "round {round}");
        for gc in [&["image", "gc"][..], &["gc"]] {
            assert_eq!(host.fairing(gc).run().ok().stderr, "", "round {round}");
        }
    }
    for waiting in [fetch, run] {
        waiting.signal(Signal::TERM);
        waiting.wait().expect_code(143);
    }
    host.fairing(["image", "gc"]).run().ok();
    slow.expect_nothing_half_done();
}

#[test]
fn ctrl_c_leaves_nothing() {
    let ground = Ground::new();
    let path = ground.stall();
    let mut fetch = ground
        .host
        .fairing(["fetch", &ground.reference])
        .spawn_on_terminal(24, 80);
    ground.wait_asked(&path);
    fetch.wait_screen("layers\r\n");
    fetch.type_keys("\x03");
    let output = fetch.wait().expect_code(130);
    assert!(
        output
            .stdout
            .ends_with("fairing: interrupted by SIGINT\r\n"),
        "{output}"
    );
    ground.expect_nothing();
    // It is as if there had been no fetch.
    ground.flow();
    let run = ["run", "--rm", "--net=none", &ground.reference];
    ground
        .host
        .fairing(run)
        .args(["--exec", "/bin/true"])
        .run()
        .ok();
}

#[test]
fn asked_to_end_while_waiting_for_another() {
    let ground = Ground::new();
    let path = ground.stall();
    let first = ground.host.fairing(["fetch", &ground.reference]).spawn();
    ground.wait_asked(&path);
    let second = ground
        .host
        .fairing(["fetch", &ground.reference, "docker://127.0.0.1:1/never"])
        .spawn_on_terminal(24, 80);
    second.wait_screen(WAITING);
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(second.pid().cast_signed()).unwrap(),
        Signal::TERM,
    )
    .unwrap();
    let output = second.wait().expect_code(143);
    // The image after it is not tried.
    assert!(!output.stdout.contains("never"), "{output}");
    first.signal(Signal::TERM);
    first.wait().expect_error(143, &["interrupted by SIGTERM"]);
    ground.expect_nothing();
}

#[test]
fn a_signal_that_was_ignored_stays_ignored() {
    let ground = Ground::new();
    let path = ground.stall();
    let fetch = ground
        .host
        .fairing(["fetch", &ground.reference])
        .through("/bin/sh", ["-c", "trap '' HUP INT && exec \"$@\"", "sh"])
        .spawn();
    ground.wait_asked(&path);
    fetch.signal(Signal::HUP);
    fetch.signal(Signal::INT);
    fetch.signal(Signal::TERM);
    fetch.wait().expect_code(143);
}

/// The lines that were drawn, without what moves the cursor.
fn drawn(output: &Output) -> Vec<String> {
    let mut plain = String::new();
    let mut rest = output.stdout.as_str();
    while let Some((before, after)) = rest.split_once("\x1b[") {
        plain.push_str(before);
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
        rest = &rest[1..];
    }
    plain.push_str(rest);
    plain
        .split("\r\n")
        .map(|line| line.trim_matches('\r').to_owned())
        .collect()
}

#[test]
fn a_terminal_shows_each_layer_in_its_width() {
    for columns in [30, 100] {
        let ground = Ground::new();
        let fetch = ground.host.fairing(["fetch", &ground.reference]);
        let output = fetch.spawn_on_terminal(24, columns).wait().ok();
        let lines = drawn(&output);
        let digest = lines.iter().find(|line| line.starts_with("sha256:"));
        assert_eq!(digest, Some(&ground.image.digest()));
        for digest in ground.image.layer_digests() {
            let done = format!("  {}  done, ", &digest[7..19]);
            let done = &done[..done.len().min(usize::from(columns) - 1)];
            assert!(lines.iter().any(|line| line.starts_with(done)), "{output}");
        }
        let layers = lines.iter().filter(|line| line.starts_with("  "));
        assert!(layers.clone().count() >= 3);
        for line in layers {
            assert!(line.chars().count() < usize::from(columns), "{line:?}");
        }
    }
}

#[test]
fn elsewhere_each_layer_is_a_line() {
    let ground = Ground::new();
    let output = ground.host.fairing(["fetch", &ground.reference]).run().ok();
    for digest in ground.image.layer_digests() {
        let lines = output.stderr.lines();
        let of_layer = lines.filter(|line| line.contains(&digest)).count();
        assert_eq!(of_layer, 1, "{output}");
    }
    assert!(!output.stderr.contains('\x1b'), "{output}");
    let quiet = Host::new();
    quiet.accept_unsigned();
    let output = quiet
        .fairing(["fetch", "--quiet", &ground.reference])
        .run()
        .ok();
    assert_eq!(output.text(), ground.image.digest());
    assert!(!output.stderr.contains("layer"), "{output}");
}
