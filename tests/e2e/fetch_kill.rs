//! SIGKILL to commands that fill and empty the store, at many moments: what can be seen is whole, the
//! command can be repeated, and nothing stays on the disk.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use harness::store_contents::{Contents, contents, expect_whole, layers};
use harness::{FairingCommand, Host, ImageBuilder, Layer, Registry, Signal};

/// How often fetches are killed.
const FETCHES: u32 = 200;
/// How often removals and collections are.
const REMOVALS: u32 = 60;

/// Random numbers that are the same for one seed (SplitMix64).
struct Random(u64);

impl Random {
    fn new() -> Self {
        let given = std::env::var("FAIRING_TEST_SEED").ok();
        Self(
            given
                .and_then(|seed| seed.parse().ok())
                .unwrap_or(20_260_417),
        )
    }

    /// From 0 to 1.
    fn fraction(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        f64::from(u32::try_from((z ^ (z >> 31)) >> 32).unwrap()) / f64::from(u32::MAX)
    }
}

/// Kills a command when a part of the time has passed that it usually takes. True if it was still
/// running.
fn kill_within(command: FairingCommand, usual: Duration, random: &mut Random) -> bool {
    let moment = Instant::now() + usual.mul_f64(random.fraction());
    let running = command.spawn();
    // The moment is to be any, not that of an event.
    std::thread::sleep(moment.saturating_duration_since(Instant::now()));
    running.signal(Signal::KILL);
    running.wait().signal == Some(9)
}

/// A store with and without an image of several layers, and how it looks.
struct Ground {
    host: Host,
    image: String,
    empty: Contents,
    complete: BTreeMap<String, Contents>,
    _registry: Registry,
}

impl Ground {
    fn new() -> Self {
        let registry = Registry::start();
        let mut image = ImageBuilder::busybox();
        for seed in 0..4_usize {
            let files = (0..40).fold(Layer::new(), |layer, number| {
                let data: Vec<u8> = (0..3000)
                    .map(|i| ((i * 31 + number * 17 + seed) % 251) as u8)
                    .collect();
                layer.file(&format!("data/{seed}/{number}"), data, 0o644)
            });
            image = image.layer(files);
        }
        let image = image.build().push(&registry, "team/killed:1");
        // In memory: bringing things to the disk would be most of the time, and is waiting.
        let host = Host::builder().data_size("128m").build();
        host.accept_unsigned();
        host.fairing(["fetch", &image]).run().ok();
        let complete = layers(&host);
        assert_eq!(complete.len(), 5);
        host.fairing(["image", "rm", &image]).run().ok();
        let empty = contents(&host.data_dir().join("images"));
        Self {
            host,
            image,
            empty,
            complete,
            _registry: registry,
        }
    }

    fn fetch(&self) -> FairingCommand {
        self.host.fairing(["fetch", &self.image])
    }

    fn remove(&self) -> FairingCommand {
        self.host.fairing(["image", "rm", &self.image])
    }

    fn expect_whole(&self) {
        expect_whole(&self.host, &self.complete);
    }

    #[track_caller]
    fn expect_empty(&self) {
        assert_eq!(contents(&self.host.data_dir().join("images")), self.empty);
    }

    fn has_name(&self) -> bool {
        let listed = self.host.fairing(["image", "list", "--format", "json"]);
        let listed = listed.run().ok().json();
        !listed.as_array().unwrap().is_empty()
    }
}

#[test]
fn killed_fetches_leave_a_valid_store_and_no_byte() {
    let ground = Ground::new();
    let mut random = Random::new();
    println!("FAIRING_TEST_SEED={}", random.0);
    let mut usual = ground.fetch().run().ok().elapsed;
    ground.remove().run().ok();
    let mut killed = 0;
    for _ in 0..FETCHES {
        killed += u32::from(kill_within(ground.fetch(), usual, &mut random));
        ground.expect_whole();
        let fetched = ground.fetch().run().ok();
        // As fast as the machine is now.
        usual = (usual + fetched.elapsed) / 2;
        ground.expect_whole();
        assert_eq!(layers(&ground.host), ground.complete);
        ground.remove().run().ok();
        ground.expect_empty();
    }
    println!("{killed} of {FETCHES} were killed before they ended");
    assert!(killed > FETCHES / 10, "only {killed}");
}

#[test]
fn what_a_killed_fetch_left_is_collected() {
    let ground = Ground::new();
    let mut random = Random::new();
    println!("FAIRING_TEST_SEED={}", random.0);
    let usual = ground.fetch().run().ok().elapsed;
    ground.remove().run().ok();
    for _ in 0..20 {
        kill_within(ground.fetch(), usual, &mut random);
        ground
            .host
            .fairing(["image", "gc", "--expire=0"])
            .run()
            .ok();
        ground.expect_empty();
    }
}

#[test]
fn killed_removals_are_finished_by_the_next() {
    let ground = Ground::new();
    let mut random = Random::new();
    println!("FAIRING_TEST_SEED={}", random.0);
    ground.fetch().run().ok();
    let mut usual = ground.remove().run().ok().elapsed;
    let collect = || ground.host.fairing(["image", "gc", "--expire=0"]);
    let mut killed = 0;
    for number in 0..REMOVALS {
        ground.fetch().run().ok();
        let removal = match number % 2 {
            0 => ground.remove(),
            _ => collect(),
        };
        killed += u32::from(kill_within(removal, usual, &mut random));
        ground.expect_whole();
        // With its name, an image has all its layers; without, it has none that anybody sees.
        if ground.has_name() {
            assert_eq!(layers(&ground.host), ground.complete);
            let shell = [
                "run",
                "--rm",
                "--pull=never",
                &ground.image,
                "--",
                "/bin/true",
            ];
            ground.host.fairing(shell).run().ok();
        }
        // A second attempt may be killed too.
        kill_within(collect(), usual, &mut random);
        ground.expect_whole();
        let collected = collect().run().ok();
        usual = (usual + collected.elapsed) / 2;
        ground.expect_empty();
    }
    println!("{killed} of {REMOVALS} were killed before they ended");
    assert!(killed > REMOVALS / 20, "only {killed}");
}
