//! What a removal frees, and what stays.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use super::{Ground, platform};

#[test]
fn a_layer_goes_when_no_name_and_no_pod_needs_it() {
    let ground = Ground::new();
    let one = ground.fetch("one").unwrap();
    ground
        .store
        .add_signature(one.manifest_digest(), b"payload", "c2ln")
        .unwrap();
    let two = ground.fetch("two").unwrap();
    let gc = |in_use: &HashSet<_>| {
        ground
            .store
            .gc(
                ground.store.survey(),
                in_use,
                None,
                ground.store.exclusive().unwrap(),
            )
            .unwrap()
    };
    let nothing = HashSet::new();
    let report = gc(&nothing);
    assert_eq!(
        (report.blobs, report.layers, report.leftovers),
        (0, 0, 0),
        "all is needed"
    );

    // A pod runs the first image: by manifest, everything of it stays, signatures too.
    assert!(
        ground
            .store
            .remove(&ground.reference("one"))
            .unwrap()
            .is_some()
    );
    let by_manifest = HashSet::from([one.manifest_digest().clone()]);
    assert_eq!(gc(&by_manifest).blobs, 0);
    ground
        .store
        .image(one.manifest_digest(), &platform())
        .unwrap();
    assert_eq!(
        ground
            .store
            .signatures(one.manifest_digest())
            .unwrap()
            .simple
            .len(),
        1
    );

    // By diff ID, its layer stays.
    let own = one.layers()[1].clone();
    let report = gc(&HashSet::from([own.diff_id.clone()]));
    assert_eq!((report.layers, report.signatures), (0, 1));
    assert!(own.path.exists());

    // The pod is gone: what is not shared goes.
    let report = gc(&nothing);
    assert_eq!(report.layers, 1);
    assert!(!own.path.exists());
    ground
        .store
        .image(two.manifest_digest(), &platform())
        .unwrap();
    assert!(
        ground
            .store
            .remove(&ground.reference("two"))
            .unwrap()
            .is_some()
    );
    assert!(
        ground
            .store
            .remove(&ground.reference("two"))
            .unwrap()
            .is_none()
    );
    gc(&nothing);
    assert!(ground.contents().is_empty(), "{:?}", ground.contents());
}

#[test]
fn names_that_may_change_within_one_tick_of_the_clock_are_read_again() {
    let ground = Ground::new();
    ground.fetch("one").unwrap();
    let name = ground.store.path().join("refs/name");
    // Until a change and the look at it are so near to each other that the clock can't tell them apart.
    for _ in 0..1000 {
        let begun = Instant::now();
        fs::write(&name, b"").unwrap();
        fs::remove_file(&name).unwrap();
        let is_kept = ground.store.survey().is_kept();
        if begun.elapsed() < Duration::from_secs(1) {
            assert!(!is_kept);
            return;
        }
    }
    panic!("the machine is too slow to tell");
}

#[test]
fn what_has_changed_since_the_survey_counts() {
    let ground = Ground::new();
    ground.fetch("one").unwrap();
    // Until then, what was read is read again anyway. Nothing but time makes a change an old one: no program
    // can set when an inode was changed.
    let begun = Instant::now();
    while !ground.store.survey().is_kept() {
        assert!(begun.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(50));
    }
    let gc = |survey, expire_at| {
        let alone = ground.store.exclusive().unwrap();
        let report = ground.store.gc(survey, &HashSet::new(), expire_at, alone);
        report.unwrap()
    };
    // What has not changed is not read again.
    let mut before = ground.store.survey();
    let name = crate::store::file_name(&ground.reference("one"));
    let path = ground.store.path().join("refs").join(name);
    let record = fs::read(&path).unwrap();
    fs::write(&path, "torn").unwrap();
    assert!(
        before
            .records(&ground.store)
            .unwrap()
            .iter()
            .all(Result::is_ok)
    );
    assert!(ground.store.all_refs().unwrap().iter().all(Result::is_err));
    fs::write(&path, record).unwrap();
    // A use changes no name.
    let before = ground.store.survey();
    let record = ground.store.resolve(&ground.reference("one")).unwrap();
    let in_seconds = |seconds| SystemTime::now() + Duration::from_secs(seconds);
    ground
        .store
        .note_use_at(&record.unwrap(), in_seconds(20_000));
    let report = gc(before, Some(in_seconds(10_000)));
    assert!(report.expired.is_empty());

    let before = ground.store.survey();
    let two = ground.fetch("two").unwrap();
    assert_eq!(gc(before, None).layers, 0);
    ground
        .store
        .image(two.manifest_digest(), &platform())
        .unwrap();
}

#[test]
fn names_expire_by_their_last_use() {
    let ground = Ground::new();
    let one = ground.fetch("one").unwrap();
    let two = ground.fetch("two").unwrap();
    let gc = |in_use: &HashSet<_>, expire_at| {
        let alone = ground.store.exclusive().unwrap();
        let survey = ground.store.survey();
        let report = ground.store.gc(survey, in_use, Some(expire_at), alone);
        report.unwrap()
    };
    let long_ago = SystemTime::now() - Duration::from_secs(3600);
    assert!(gc(&HashSet::new(), long_ago).expired.is_empty());
    // What a pod needs stays, by whatever name.
    let now = SystemTime::now();
    let by_pod = HashSet::from([one.manifest_digest().clone()]);
    let report = gc(&by_pod, now);
    let expired: Vec<_> = report.expired.iter().map(|r| r.manifest.clone()).collect();
    assert_eq!(expired, [two.manifest_digest().clone()]);
    assert_eq!((report.layers, report.damaged.len()), (1, 0));
    assert!(report.freed > 3000);
    gc(&HashSet::new(), now);
    assert!(ground.contents().is_empty(), "{:?}", ground.contents());
}

#[test]
fn a_use_is_noted_once_a_minute() {
    let ground = Ground::new();
    ground.fetch("one").unwrap();
    let reference = ground.reference("one");
    let path = ground
        .store
        .path()
        .join("refs")
        .join(crate::store::file_name(&reference));
    let resolve = || ground.store.resolve(&reference).unwrap().unwrap();
    let changed = || path.metadata().unwrap().modified().unwrap();
    let fetched = changed();
    ground.store.note_use(&resolve());
    assert_eq!(changed(), fetched);
    let record = resolve();
    let later = fetched + Duration::from_secs(100);
    ground.store.note_use_at(&record, later);
    assert!(resolve().used_at >= record.used_at + 99);
    // What is noted late and was earlier changes nothing.
    ground.store.note_use_at(&resolve(), fetched);
    assert!(resolve().used_at >= record.used_at + 99);
    assert_eq!(resolve().fetched_at, record.fetched_at);
}

#[test]
fn sizes_tell_what_a_removal_frees() {
    let ground = Ground::new();
    ground.fetch("one").unwrap();
    let (alone, _) = ground.store.list().unwrap();
    assert_eq!(alone[0].size, alone[0].exclusive);
    assert_eq!(alone[0].layers, 2);
    ground.fetch("two").unwrap();
    let (both, unreadable) = ground.store.list().unwrap();
    assert_eq!(both.len(), 2);
    assert!(unreadable.is_empty());
    assert!(
        both.iter()
            .all(|l| l.exclusive < l.size && l.exclusive > 3000),
        "{both:?}"
    );
    ground.store.remove(&ground.reference("one")).unwrap();
    let before = disk(ground.store.path());
    ground.collect();
    let freed = before - disk(ground.store.path());
    // The fact sheet of the layer is not counted.
    assert!(
        freed >= both[0].exclusive && freed < both[0].exclusive + 100,
        "{freed} {both:?}"
    );
}

/// Bytes of all files below a directory.
fn disk(folder: &Path) -> u64 {
    let sum = |path: std::path::PathBuf| {
        let meta = path.symlink_metadata().unwrap();
        if meta.is_dir() {
            disk(&path)
        } else if meta.is_file() {
            meta.len()
        } else {
            0
        }
    };
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| sum(entry.unwrap().path()))
        .sum()
}

#[test]
fn the_bytes_of_half_done_things_count_however_deep_they_lie() {
    let ground = Ground::new();
    ground.fetch("one").unwrap();
    let left = ground.store.path().join("tmp/left");
    fs::create_dir_all(left.join("a/b")).unwrap();
    fs::write(left.join("file"), [0; 1000]).unwrap();
    fs::write(left.join("a/b/file"), [0; 234]).unwrap();
    // A link weighs nothing, and what it leads to is not counted again.
    std::os::unix::fs::symlink(left.join("file"), left.join("link")).unwrap();
    let alone = ground.store.exclusive().unwrap();
    let survey = ground.store.survey();
    let would = ground
        .store
        .would_collect(survey, &HashSet::new(), None, &alone);
    drop(alone);
    let done = ground.collect();
    for report in [would.unwrap(), done] {
        assert_eq!((report.leftovers, report.freed), (1, 1234));
    }
    assert!(!left.exists());
}
