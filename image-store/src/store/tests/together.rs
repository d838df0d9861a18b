//! Many at once, and some of them killed.

use std::collections::HashSet;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::thread;

use image_layer::sha256;

use super::{Ground, application, base, named, platform};
use crate::error::StoreError;
use crate::fetch::FetchEvent;
use crate::fixture::{Tar, TestLayer, TestLayout, tree};
use crate::options::FetchOptions;
use crate::source::ImageSource;
use crate::store::{LayerLock, Staging, Store};

/// An image that takes some time to unpack.
fn slow_image(layout: &mut TestLayout) {
    let layer = |seed: usize| {
        let tar = (0..300).fold(Tar::default(), |tar, n| {
            let data: Vec<u8> = (0..5000)
                .map(|i| ((i * 31 + n * 17 + seed) % 251) as u8)
                .collect();
            tar.file(&format!("{seed}/{n}"), &data)
        });
        TestLayer::gzip(&tar.end())
    };
    layout.image("slow", &[layer(1), layer(2), layer(3)]);
}

#[test]
fn threads_fetch_one_image_at_once() {
    let mut ground = Ground::new();
    slow_image(&mut ground.layout);
    let barrier = Barrier::new(8);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                barrier.wait();
                let image = ground.fetch("slow").unwrap();
                assert_eq!(image.layers().len(), 3);
                assert_eq!(
                    fs::read_dir(image.layers()[0].path.join("1"))
                        .unwrap()
                        .count(),
                    300
                );
            });
        }
    });
    assert!(tree(&ground.store.path().join("tmp")).is_empty());
    assert_eq!(
        fs::read_dir(ground.store.path().join("layers"))
            .unwrap()
            .count(),
        3
    );
}

#[test]
fn fetching_removing_and_collecting_at_once() {
    let ground = Ground::new();
    thread::scope(|scope| {
        for tag in ["one", "two", "one", "two"] {
            let ground = &ground;
            scope.spawn(move || {
                for _ in 0..10 {
                    let (image, pin) = ground.fetch_pinned(tag).unwrap();
                    // While it is pinned, it is whole, whatever the others do.
                    ground
                        .store
                        .image(image.manifest_digest(), &platform())
                        .unwrap();
                    drop(pin);
                    ground.store.remove(&ground.reference(tag)).unwrap();
                }
            });
        }
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..10 {
                    let report = ground.collect();
                    assert!(report.damaged.is_empty(), "{report:?}");
                }
            });
        }
    });
    ground.collect();
    assert!(ground.contents().is_empty(), "{:?}", ground.contents());
}

#[test]
fn a_fetch_keeps_nobody_waiting_and_gets_again_what_was_collected() {
    let ground = Ground::new();
    ground.fetch("one").unwrap();
    ground.store.remove(&ground.reference("one")).unwrap();
    let source = ground.layout.source("two");
    let fetch = ground.store.begin_fetch(&source, &named("a.io/two"));
    let mut collected = Vec::new();
    let completed = fetch.unwrap().complete(&mut |event| match event {
        // It would wait for ever beside a pin of this thread's.
        FetchEvent::Layer { .. } => collected.push(ground.collect().layers),
        FetchEvent::Done { .. } if collected.len() == 2 => {
            collected.push(ground.collect().layers);
        }
        _ => {}
    });
    let (image, pin) = completed.unwrap();
    // Both layers that were there went at once, one of them needed.
    assert_eq!(collected, [2, 0, 0]);
    assert!(image.layers().iter().all(|layer| layer.path.exists()));
    let is_pinned = || try_lock(&ground) == Err(rustix::io::Errno::WOULDBLOCK);
    assert!(is_pinned());
    drop(pin);
    assert!(!is_pinned());
}

#[test]
fn what_is_held_stays_without_a_pin_until_its_holder_is_gone() {
    let ground = Ground::new();
    let (image, pin) = ground.fetch_pinned("one").unwrap();
    let hold = ground.store.hold(image.chain().iter(), &pin).unwrap();
    drop(pin);
    let expire = || {
        let alone = ground.store.exclusive().unwrap();
        let now = Some(std::time::SystemTime::now() + std::time::Duration::from_secs(120));
        let survey = ground.store.survey();
        let report = ground.store.gc(survey, &HashSet::new(), now, alone);
        report.unwrap()
    };
    assert_eq!((expire().expired.len(), ground.collect().layers), (0, 0));
    // Whoever takes the name away does not take the layers.
    ground.store.remove(&ground.reference("one")).unwrap();
    assert_eq!(ground.collect().layers, 0);
    let digest = image.manifest_digest();
    ground.store.image(digest, &platform()).unwrap();
    assert_eq!(ground.collect().leftovers, 0);
    drop(hold);
    // What a killed one has left holds nothing.
    let dead = ground.store.path().join("tmp/stage-1-dead");
    fs::create_dir_all(&dead).unwrap();
    fs::write(dead.join("needs"), format!("{digest}\n")).unwrap();
    let report = ground.collect();
    assert_eq!((report.layers, report.leftovers), (2, 1));
    assert!(ground.contents().is_empty(), "{:?}", ground.contents());
}

/// Runs [`a_process_that_fetches`] in a process of its own.
fn spawn(layout: &Path, store: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact"])
        .arg("store::tests::together::a_process_that_fetches")
        .env("FAIRING_TEST_LAYOUT", layout)
        .env("FAIRING_TEST_STORE", store)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "proves nothing alone: other tests run it, in processes of its own"]
fn a_process_that_fetches() {
    let named_by = |variable| std::env::var_os(variable).expect("run by another test");
    let layout = named_by("FAIRING_TEST_LAYOUT");
    let store = named_by("FAIRING_TEST_STORE");
    let source = ImageSource::Layout {
        path: layout.into(),
        tag: Some("slow".to_owned()),
    };
    let store = Store::open(Path::new(&store));
    let fetch = store.begin_fetch(&source, &named("a.io/slow")).unwrap();
    fetch.complete(&mut |_| {}).unwrap();
}

#[test]
fn processes_fetch_one_image_at_once() {
    let mut ground = Ground::new();
    slow_image(&mut ground.layout);
    let layout = ground.folder.path().join("layout");
    let children: Vec<_> = (0..6)
        .map(|_| spawn(&layout, ground.store.path()))
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    ground.fetch("slow").unwrap();
    assert!(tree(&ground.store.path().join("tmp")).is_empty());
}

#[test]
fn killed_fetches_leave_a_valid_store() {
    let mut ground = Ground::new();
    slow_image(&mut ground.layout);
    let layout = ground.folder.path().join("layout");
    let mut killed = 0;
    for attempt in 0..30 {
        let mut child = spawn(&layout, ground.store.path());
        // At another moment each time, from before it begins to after it has ended.
        let tmp = ground.store.path().join("tmp");
        let mut seen = 0;
        while child.try_wait().unwrap().is_none() && seen < attempt * 10 {
            seen = if tmp.exists() { count(&tmp) } else { 0 };
        }
        child.kill().unwrap();
        killed += usize::from(child.wait().unwrap().signal().is_some());
        if let Some(record) = ground.store.resolve(&ground.reference("slow")).unwrap() {
            let image = ground.store.image(&record.digest, &platform()).unwrap();
            assert_eq!(image.layers().len(), 3);
        }
        for layer in super::super::find::names_in(&ground.store.path().join("layers")).unwrap() {
            let files = count(&ground.store.path().join("layers").join(layer).join("fs"));
            assert_eq!(files, 301, "a layer is visible that is not whole");
        }
        ground.store.remove(&ground.reference("slow")).unwrap();
        ground.collect();
        assert!(ground.contents().is_empty(), "{:?}", ground.contents());
    }
    assert!(killed > 10, "only {killed} were killed in time");
    ground.fetch("slow").unwrap();
}

/// Entries below a directory that may be changing.
fn count(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| {
            1 + if entry.file_type().is_ok_and(|t| t.is_dir()) {
                count(&entry.path())
            } else {
                0
            }
        })
        .sum()
}

#[test]
fn leftovers_go_and_what_is_alive_stays() {
    let ground = Ground::new();
    let tmp = ground.store.path().join("tmp");
    fs::create_dir_all(tmp.join("stage-1-dead/layer/fs")).unwrap();
    fs::write(tmp.join("stage-1-dead/layer/fs/file"), "x").unwrap();
    fs::write(tmp.join("layer-0.lock"), "").unwrap();
    let alive = ground.store.stage().unwrap();
    alive.write("file", b"x").unwrap();
    let report = ground.collect();
    assert_eq!(report.leftovers, 2);
    assert!(alive.path().join("file").exists());
    drop(alive);
    assert!(tree(&tmp).is_empty());
}

#[test]
fn a_removal_that_was_killed_is_finished() {
    let ground = Ground::new();
    let image = ground.fetch("one").unwrap();
    let layer = image.layers()[0].path.parent().unwrap();
    let name = layer.file_name().unwrap().to_str().unwrap();
    let moved = layer.parent().unwrap().join(format!("removed-{name}"));
    fs::rename(layer, &moved).unwrap();
    ground.fetch("one").unwrap();
    ground.collect();
    assert!(layer.exists() && !moved.exists());
}

#[test]
fn collecting_waits_for_pins() {
    let ground = Ground::new();
    let pin = ground.store.pin().unwrap();
    let second = ground.store.pin().unwrap();
    drop(second);
    assert_eq!(try_lock(&ground), Err(rustix::io::Errno::WOULDBLOCK));
    drop(pin);
    try_lock(&ground).unwrap();
}

/// Takes the lock of a collection for a moment.
fn try_lock(ground: &Ground) -> Result<(), rustix::io::Errno> {
    let lock = File::open(ground.store.path().join("lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive)
}

/// What a fetch tells, up to its end; `act` is called when it waits for another.
fn fetch_while_busy(
    ground: &Ground,
    options: FetchOptions,
    act: impl FnOnce(),
) -> Result<Vec<FetchEvent>, StoreError> {
    let fetch = ground
        .store
        .begin_fetch(&ground.layout.source("one"), &options)
        .unwrap();
    let (mut act, mut events) = (Some(act), Vec::new());
    let completed = fetch.complete(&mut |event| {
        if matches!(event, FetchEvent::Waiting { .. })
            && let Some(act) = act.take()
        {
            act();
        }
        events.push(event);
    });
    completed.map(|_| events)
}

#[test]
fn a_layer_that_another_gave_up_is_taken_over() {
    let ground = Ground::new();
    let lock = ground.store.lock_layer(&base().diff_id).unwrap();
    assert!(lock.is_some());
    let events = fetch_while_busy(&ground, named("a.io/one"), || drop(lock)).unwrap();
    let of_base = |event: &&FetchEvent| {
        matches!(
            event,
            FetchEvent::Waiting { digest } | FetchEvent::Done { digest } | FetchEvent::Received { digest, .. }
                if *digest == sha256(&base().blob)
        )
    };
    let told: Vec<_> = events.iter().filter(of_base).collect();
    assert!(
        matches!(told.first(), Some(FetchEvent::Waiting { .. })),
        "{told:?}"
    );
    assert!(
        told.iter()
            .any(|event| matches!(event, FetchEvent::Received { .. }))
    );
    assert!(
        matches!(told.last(), Some(FetchEvent::Done { .. })),
        "{told:?}"
    );
    assert!(tree(&ground.store.path().join("tmp")).is_empty());
}

/// Somebody who has the base layer and gets it from `place`.
fn at_work_on_base(ground: &Ground, place: &str) -> (LayerLock, Staging) {
    let lock = ground.store.lock_layer(&base().diff_id).unwrap().unwrap();
    let staging = ground.store.stage().unwrap();
    staging.progress().unwrap();
    lock.tell(&staging, place);
    (lock, staging)
}

#[test]
fn a_layer_that_another_gets_nowhere_with_is_made_beside_it() {
    let ground = Ground::new();
    for place in ["", "a.io", "stranger.io"] {
        let slow = at_work_on_base(&ground, place);
        let fetch = |_| ground.fetch("one").map(|image| image.layers().len());
        let fetched: Vec<_> = (0..2).map(fetch).collect();
        assert!(fetched.iter().all(|layers| *layers.as_ref().unwrap() == 2));
        // The other comes too late, which is no matter.
        drop(slow);
        assert!(tree(&ground.store.path().join("tmp")).is_empty());
        ground.store.remove(&ground.reference("one")).unwrap();
        ground.collect();
    }
}

#[test]
fn a_layer_that_a_third_made_is_not_waited_for() {
    let ground = Ground::new();
    let slow = at_work_on_base(&ground, "stranger.io");
    // As if all bytes had come: the fetch would wait for the end of that.
    slow.1.progress().unwrap().all_came();
    let third = || {
        let to = ground.store.layer_folder(&base().diff_id);
        fs::create_dir_all(to.join("fs")).unwrap();
    };
    fetch_while_busy(&ground, named("a.io/one"), third).unwrap();
    let made = count(&ground.store.layer_folder(&base().diff_id));
    assert_eq!(made, 1, "it is the one that was there");
}

#[test]
fn a_fetch_that_waits_for_another_can_be_interrupted() {
    let ground = Ground::new();
    let lock = ground.store.lock_layer(&base().diff_id).unwrap().unwrap();
    let options = named("a.io/one");
    let interrupt = options.interrupt.clone();
    let error = fetch_while_busy(&ground, options, || interrupt.set()).unwrap_err();
    assert!(matches!(error, StoreError::Interrupted), "{error}");
    assert!(
        ground
            .store
            .resolve(&ground.reference("one"))
            .unwrap()
            .is_none()
    );
    drop(lock);
    assert!(tree(&ground.store.path().join("tmp")).is_empty());
}

#[test]
fn what_is_staged_can_be_abandoned() {
    let ground = Ground::new();
    // Both layers are another's, so that nothing is at work while the test looks.
    let _locks = [base(), application("one")]
        .map(|layer| ground.store.lock_layer(&layer.diff_id).unwrap().unwrap());
    let options = named("a.io/one");
    let interrupt = options.interrupt.clone();
    let tmp = ground.store.path().join("tmp");
    let staged = || {
        let names = super::super::find::names_in(&tmp).unwrap();
        names.iter().filter(|n| n.starts_with("stage-")).count()
    };
    let result = fetch_while_busy(&ground, options, || {
        assert_eq!(staged(), 1);
        interrupt.set();
        interrupt.abandon();
        assert_eq!(staged(), 0);
    });
    assert!(matches!(result, Err(StoreError::Interrupted)), "{result:?}");
}

#[test]
fn images_with_the_same_layers_in_another_order() {
    let mut ground = Ground::new();
    let layers: Vec<_> = ["a", "b", "c", "d"].map(application).into();
    let mut reversed = layers.clone();
    reversed.reverse();
    ground.layout.image("up", &layers);
    ground.layout.image("down", &reversed);
    let barrier = Barrier::new(6);
    thread::scope(|scope| {
        for tag in ["up", "down", "up", "down", "up", "down"] {
            let (ground, barrier) = (&ground, &barrier);
            scope.spawn(move || {
                barrier.wait();
                assert_eq!(ground.fetch(tag).unwrap().layers().len(), 4);
            });
        }
    });
    assert!(tree(&ground.store.path().join("tmp")).is_empty());
}
