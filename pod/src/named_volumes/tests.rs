use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

fn volumes() -> (tempfile::TempDir, NamedVolumes) {
    let directory = tempfile::tempdir().unwrap();
    let volumes = NamedVolumes::new(directory.path());
    (directory, volumes)
}

fn name(text: &str) -> NamedVolumeName {
    text.parse().unwrap()
}

fn made(volumes: &NamedVolumes, text: &str) -> NamedVolume {
    let new = NewVolume::called(name(text));
    let pin = volumes.pin().unwrap();
    volumes.create(new, &pin).unwrap().unwrap()
}

/// Fills a volume with one file of this content.
fn one_file(text: &'static str) -> impl FnOnce(&Path) -> Result<bool, PodError> {
    move |path| {
        fs::create_dir(path).unwrap();
        fs::write(path.join("file"), text).unwrap();
        Ok(true)
    }
}

/// Mounts a volume for the first time, as a pod does.
fn first_use(
    volumes: &NamedVolumes,
    volume: &NamedVolume,
    fill: impl FnOnce(&Path) -> Result<bool, PodError>,
) -> Result<Option<FirstUse>, PodError> {
    loop {
        let pin = volumes.pin()?;
        match volume.claim(&pin)? {
            Claim::First(first) => return first.fill(fill).map(Some),
            Claim::UsedBefore => return Ok(None),
            Claim::Busy => {
                drop(pin);
                assert!(volume.wait_until_filled()?);
            }
        }
    }
}

/// What is below `volumes/`, but for the names of volumes.
fn passing(volumes: &NamedVolumes) -> Vec<String> {
    let mut entries = volumes.entries().unwrap();
    entries.retain(|name| name.starts_with('.'));
    entries
}

#[test]
fn of_those_who_make_a_volume_of_one_name_one_succeeds() {
    let (_directory, volumes) = volumes();
    let successes = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let pin = volumes.pin().unwrap();
                let made = volumes.create(NewVolume::called(name("data")), &pin);
                successes.fetch_add(usize::from(made.unwrap().is_some()), Ordering::Relaxed);
            });
        }
    });
    assert_eq!(successes.load(Ordering::Relaxed), 1);
    assert_eq!(volumes.names().unwrap(), [name("data")]);
    assert_eq!(passing(&volumes), Vec::<String>::new());
    let there = volumes.get(&name("data")).unwrap().unwrap();
    assert_eq!(there.record.name, name("data"));
    let mode = there.data().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o755);
    assert_eq!(volumes.get(&name("other")).unwrap(), None);
}

#[test]
fn a_new_volume_has_the_owner_and_the_mode_that_are_asked_for() {
    let (_directory, volumes) = volumes();
    let (uid, gid, mode) = (Some(70), Some(71), Some(0o2770));
    let new = NewVolume {
        ownership: Ownership { uid, gid, mode },
        ..NewVolume::called(name("data"))
    };
    let pin = volumes.pin().unwrap();
    let volume = volumes.create(new, &pin).unwrap().unwrap();
    let looks = || {
        let metadata = volume.data().metadata().unwrap();
        (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777)
    };
    assert_eq!(looks(), (70, 71, 0o2770));
    // Whatever fills it.
    first_use(&volumes, &volume, one_file("text")).unwrap();
    assert_eq!(looks(), (70, 71, 0o2770));
}

#[test]
fn the_first_who_mounts_a_volume_fills_it_and_nobody_else() {
    let (_directory, volumes) = volumes();
    let volume = made(&volumes, "data");
    let fills = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let filled = first_use(&volumes, &volume, one_file("text")).unwrap();
                let is_filled = filled == Some(FirstUse::Filled);
                fills.fetch_add(usize::from(is_filled), Ordering::Relaxed);
                // Whoever it was, it is there now.
                assert_eq!(fs::read(volume.data().join("file")).unwrap(), b"text");
            });
        }
    });
    assert_eq!(fills.load(Ordering::Relaxed), 1);
    // What an app removes doesn't come back.
    fs::remove_file(volume.data().join("file")).unwrap();
    let again = first_use(&volumes, &volume, one_file("again")).unwrap();
    assert_eq!(again, None);
    assert_eq!(fs::read_dir(volume.data()).unwrap().count(), 0);
}

#[test]
fn a_volume_that_could_not_be_filled_is_filled_by_the_next() {
    let (_directory, volumes) = volumes();
    let volume = made(&volumes, "data");
    let failed = first_use(&volumes, &volume, |path| {
        fs::create_dir(path).unwrap();
        fs::write(path.join("half"), "").unwrap();
        Err(PodError::Ended)
    });
    assert!(matches!(failed, Err(PodError::Ended)));
    assert!(!volume.path.join(DATA_NEW).exists());
    // As one who is killed leaves it.
    fs::create_dir_all(volume.path.join(DATA_NEW).join("half")).unwrap();
    let filled = first_use(&volumes, &volume, one_file("text")).unwrap();
    assert_eq!(filled, Some(FirstUse::Filled));
    assert!(!volume.data().join("half").exists());
}

#[test]
fn what_was_put_into_an_unused_volume_stays() {
    let (_directory, volumes) = volumes();
    let volume = made(&volumes, "data");
    fs::write(volume.data().join("own"), "").unwrap();
    let used = first_use(&volumes, &volume, one_file("text")).unwrap();
    assert_eq!(used, Some(FirstUse::HadFiles));
    assert!(volume.data().join("own").exists() && !volume.data().join("file").exists());
}

#[test]
fn a_volume_that_is_made_with_content_is_whole_or_not_there() {
    let (_directory, volumes) = volumes();
    let pin = volumes.pin().unwrap();
    let with = |fails: bool| {
        let fill = |path: &Path| match fails {
            true => Err(PodError::Ended),
            false => {
                fs::write(path.join("file"), "").unwrap();
                Ok(())
            }
        };
        let begun = volumes.begin(NewVolume::called(name("data")), &pin)?;
        let Some(begun) = begun else { return Ok(None) };
        begun.fill(fill)?.publish(&pin)
    };
    with(true).unwrap_err();
    assert_eq!(volumes.entries().unwrap(), Vec::<String>::new());
    let volume = with(false).unwrap().unwrap();
    let used = first_use(&volumes, &volume, one_file("text")).unwrap();
    assert_eq!(used, None);
    assert!(with(false).unwrap().is_none());
    assert_eq!(passing(&volumes), Vec::<String>::new());
}

#[test]
fn what_killed_ones_left_goes_and_volumes_stay() {
    let (directory, volumes) = volumes();
    assert!(volumes.alone(|| ()).unwrap().is_none());
    assert!(!directory.path().join(VOLUMES).exists());
    let volume = made(&volumes, "data");
    fs::create_dir_all(volume.path.join(DATA_NEW).join("half")).unwrap();
    for number in 0..3 {
        let half = volumes.root.join(format!("{PASSING}{number}"));
        fs::create_dir_all(half.join(DATA)).unwrap();
    }
    let alone = volumes
        .alone(|| panic!("nobody is in the way"))
        .unwrap()
        .unwrap();
    let left = volumes.left(&alone).unwrap();
    drop(alone);
    assert_eq!(left.len(), 4);
    left.into_iter().for_each(|left| left.remove().unwrap());
    assert_eq!(volumes.entries().unwrap(), ["data"]);
    assert!(volume.data().exists() && !volume.path.join(DATA_NEW).exists());
}

#[test]
fn a_volume_is_removed_while_nobody_looks_for_one() {
    let (_directory, volumes) = volumes();
    made(&volumes, "data");
    let pin = volumes.pin().unwrap();
    let error = volumes.alone_now().unwrap_err();
    assert!(
        matches!(&error, PodError::Io { source, .. } if source.kind() == io::ErrorKind::WouldBlock)
    );
    drop(pin);
    let alone = volumes.alone_now().unwrap().unwrap();
    let discard = || volumes.discard(&name("data"), &alone).unwrap();
    let Discarding::Done(discarded) = discard() else {
        panic!("it is there");
    };
    assert!(matches!(discard(), Discarding::Missing));
    drop(alone);
    // The name is free before the files are gone.
    made(&volumes, "data");
    discarded.remove().unwrap();
    assert_eq!(volumes.entries().unwrap(), ["data"]);
}

#[test]
fn what_takes_its_time_keeps_one_volume_and_holds_up_no_other() {
    let (_directory, volumes) = volumes();
    let volume = made(&volumes, "read");
    made(&volumes, "filled");
    let pin = volumes.pin().unwrap();
    let read = volume.hold(&pin).unwrap();
    let filled = volumes.get(&name("filled")).unwrap().unwrap();
    let claim = filled.claim(&pin).unwrap();
    let filling = filled.hold_alone(&pin).unwrap();
    assert!(filling.is_some() && filled.hold_alone(&pin).unwrap().is_none());
    assert!(!filled.wait_until_filled().unwrap());
    fs::create_dir(filled.path.join(DATA_NEW)).unwrap();
    assert!(matches!(filled.claim(&pin).unwrap(), Claim::Busy));
    let begun = volumes.begin(NewVolume::called(name("new")), &pin).unwrap();
    drop(pin);
    let discard = |text| {
        let alone = volumes.alone_now().unwrap().unwrap();
        volumes.discard(&name(text), &alone).unwrap()
    };
    made(&volumes, "other");
    for held in ["read", "filled"] {
        assert!(matches!(discard(held), Discarding::Held), "{held}");
    }
    let Discarding::Done(other) = discard("other") else {
        panic!("nobody holds it");
    };
    other.remove().unwrap();
    let alone = volumes.alone_now().unwrap().unwrap();
    assert!(volumes.left(&alone).unwrap().is_empty());
    drop(alone);
    drop((read, claim, filling));
    assert!(matches!(discard("read"), Discarding::Done(_)));
    let pin = volumes.pin().unwrap();
    assert!(begun.unwrap().publish(&pin).unwrap().is_some());
    assert_eq!(volumes.names().unwrap(), [name("filled"), name("new")]);
}
