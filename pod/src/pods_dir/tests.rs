use super::*;

fn pods() -> (tempfile::TempDir, PodsDir) {
    let dir = tempfile::tempdir().unwrap();
    let pods = PodsDir::new(dir.path());
    (dir, pods)
}

#[test]
fn a_pod_goes_through_its_phases() {
    let (_dir, pods) = pods();
    let uuid = PodUuid::random();
    let mut pod = pods.create(uuid).unwrap();
    let state = |pods: &PodsDir| pods.by_uuid(uuid).unwrap().map(|e| e.state().unwrap());
    assert_eq!(state(&pods), Some(State::Preparing));
    pod.move_to(Phase::Run).unwrap();
    assert_eq!(state(&pods), Some(State::Running));
    drop(pod);
    assert_eq!(state(&pods), Some(State::Exited));
    let mut pod = pods.lock(&pods.by_uuid(uuid).unwrap().unwrap()).unwrap();
    pod.remove().unwrap();
    // Whoever sees a part of it sees garbage.
    assert_eq!(pod.phase(), Phase::Garbage);
    assert_eq!(state(&pods), None);
}

#[test]
fn an_interrupted_preparation_is_found_and_a_live_one_left_alone() {
    let (_dir, pods) = pods();
    let live = pods.create(PodUuid::random()).unwrap();
    let dead = pods.create(PodUuid::random()).unwrap().uuid();
    let aborted = pods.lock_aborted().unwrap();
    assert_eq!(
        aborted.iter().map(LockedPod::uuid).collect::<Vec<_>>(),
        [dead]
    );
    drop(live);
}

#[test]
fn a_pod_that_moved_on_is_not_locked_by_its_old_path() {
    let (_dir, pods) = pods();
    let mut pod = pods.create(PodUuid::random()).unwrap();
    let seen = pods.by_uuid(pod.uuid()).unwrap().unwrap();
    assert!(matches!(pods.lock(&seen), Err(PodError::Locked(_))));
    pod.move_to(Phase::Run).unwrap();
    drop(pod);
    assert!(matches!(pods.lock(&seen), Err(PodError::NoSuchPod(_))));
}

#[test]
fn prefixes_must_be_unique_and_garbage_is_not_found() {
    let (_dir, pods) = pods();
    let mut a = pods
        .create("aaaa0000-0000-4000-8000-000000000001".parse().unwrap())
        .unwrap();
    let b = pods
        .create("aaaa0000-0000-4000-8000-000000000002".parse().unwrap())
        .unwrap();
    assert!(matches!(pods.find("aaaa"), Err(PodError::Ambiguous { .. })));
    assert_eq!(pods.find(&b.uuid().to_string()).unwrap().uuid, b.uuid());
    a.move_to(Phase::Garbage).unwrap();
    assert_eq!(pods.find("aaaa").unwrap().uuid, b.uuid());
    assert!(matches!(pods.find(""), Err(PodError::NoSuchPod(_))));
    assert!(matches!(pods.find("../../x"), Err(PodError::NoSuchPod(_))));
}

#[test]
fn a_name_has_one_holder_and_is_free_when_the_holder_is_gone() {
    let (_dir, pods) = pods();
    let name: PodName = "web".parse().unwrap();
    let first = pods.create(PodUuid::random()).unwrap();
    first.claim_name(&name).unwrap();
    assert_eq!(pods.find("web").unwrap().uuid, first.uuid());
    let second = pods.create(PodUuid::random()).unwrap();
    assert!(matches!(
        second.claim_name(&name),
        Err(PodError::NameInUse { .. })
    ));
    drop(first); // killed while preparing
    second.claim_name(&name).unwrap();
    assert_eq!(pods.find("web").unwrap().uuid, second.uuid());
}

#[test]
fn pods_are_listed_in_their_phase_and_strangers_are_not() {
    let (dir, pods) = pods();
    assert!(pods.list().unwrap().is_empty() && pods.lock_aborted().unwrap().is_empty());
    let uuid = |last: u8| format!("aaaa0000-0000-4000-8000-00000000000{last}");
    let create = |last: u8, phase: Phase| {
        let mut pod = pods.create(uuid(last).parse().unwrap()).unwrap();
        pod.move_to(phase).unwrap();
        pod
    };
    let _live = [
        create(3, Phase::Run),
        create(1, Phase::Prepared),
        create(2, Phase::Garbage),
    ];
    for stranger in ["lost+found", "AAAA0000-0000-4000-8000-000000000009"] {
        fs::create_dir(dir.path().join("pods/run").join(stranger)).unwrap();
    }
    let shown = |entries: Vec<PodEntry>| -> Vec<_> {
        let one = |entry: PodEntry| (entry.uuid.to_string(), entry.phase);
        entries.into_iter().map(one).collect()
    };
    let (first, second, third) = (
        (uuid(1), Phase::Prepared),
        (uuid(2), Phase::Garbage),
        (uuid(3), Phase::Run),
    );
    assert_eq!(shown(pods.list().unwrap()), [first, second, third.clone()]);
    assert_eq!(shown(pods.in_phase(Phase::Run).unwrap()), [third]);
    // Garbage is nobody's any more, so no candidate.
    let error = pods.find("aaaa").unwrap_err().to_string();
    assert!(
        error.contains(&uuid(1)) && error.contains(&uuid(3)),
        "{error}"
    );
    assert!(!error.contains(&uuid(2)), "{error}");
    let error = pods.find(&uuid(2)).unwrap_err();
    assert!(matches!(error, PodError::NoSuchPod(_)), "{error}");
}

#[test]
fn an_isolator_takes_its_pod_over_where_it_stands() {
    let (dir, pods) = pods();
    let mut pod = pods.create(PodUuid::random()).unwrap();
    pod.move_to(Phase::Run).unwrap();
    let path = pod.path().to_owned();
    let lock = || PodLock::acquire(dir.path()).unwrap().unwrap();
    let taken = LockedPod::adopt(&path, lock()).unwrap();
    assert_eq!((taken.uuid(), taken.phase()), (pod.uuid(), Phase::Run));
    assert_eq!(taken.path(), path);
    drop(taken);
    for strange in ["/", "/pods/run/web", &format!("/pods/else/{}", pod.uuid())] {
        let error = LockedPod::adopt(strange.as_ref(), lock()).unwrap_err();
        assert!(matches!(error, PodError::Id(_)), "{strange}: {error}");
    }
}

#[test]
fn a_name_is_given_up_with_its_pod_alone() {
    let (dir, pods) = pods();
    let name: PodName = "web".parse().unwrap();
    let link = dir.path().join("pods/names/web");
    let manifest = |pod: &LockedPod| {
        let manifest = PodManifest {
            name: Some(name.clone()),
            ..PodManifest::of_every_field()
        };
        let path = pod.path().join(crate::manifest::MANIFEST_FILE);
        crate::record::create(&path, &manifest).unwrap();
    };
    let mut first = pods.create(PodUuid::random()).unwrap();
    manifest(&first);
    first.claim_name(&name).unwrap();
    first.move_to(Phase::Garbage).unwrap();
    let mut second = pods.create(PodUuid::random()).unwrap();
    manifest(&second);
    second.claim_name(&name).unwrap();
    // It is another's by now.
    first.remove().unwrap();
    assert_eq!(pods.find("web").unwrap().uuid, second.uuid());
    second.remove().unwrap();
    let gone = link.symlink_metadata().unwrap_err();
    assert_eq!(gone.kind(), std::io::ErrorKind::NotFound, "{gone}");
    assert!(matches!(pods.find("web"), Err(PodError::NoSuchPod(_))));
}

#[test]
fn what_is_no_link_in_the_place_of_a_name_is_an_error_until_it_is_collected() {
    let (dir, pods) = pods();
    let name: PodName = "web".parse().unwrap();
    let mut pod = pods.create(PodUuid::random()).unwrap();
    pod.claim_name(&"other".parse().unwrap()).unwrap();
    let link = dir.path().join("pods/names/web");
    fs::write(&link, "a stranger's").unwrap();
    for error in [
        pod.claim_name(&name).unwrap_err(),
        pods.find("web").unwrap_err(),
    ] {
        assert!(error.to_string().contains("names/web"), "{error}");
    }
    assert_eq!(fs::read(&link).unwrap(), b"a stranger's");
    // It keeps no other name, and no pod that is called so.
    assert_eq!(pods.names().unwrap().len(), 1);
    let manifest = PodManifest {
        name: Some(name.clone()),
        ..PodManifest::of_every_field()
    };
    let path = pod.path().join(crate::manifest::MANIFEST_FILE);
    crate::record::create(&path, &manifest).unwrap();
    pod.remove().unwrap();
    pods.release_stale_names().unwrap();
    let next = pods.create(PodUuid::random()).unwrap();
    next.claim_name(&name).unwrap();
    assert_eq!(pods.find("web").unwrap().uuid, next.uuid());
}

#[test]
fn a_watch_finds_a_pod_that_has_become_garbage_since_it_was_seen() {
    let (_dir, pods) = pods();
    let mut pod = pods.create(PodUuid::random()).unwrap();
    pod.move_to(Phase::Run).unwrap();
    let seen = pods.by_uuid(pod.uuid()).unwrap().unwrap();
    assert!(seen.watch().unwrap().is_some());
    pod.move_to(Phase::Garbage).unwrap();
    let watch = seen.watch().unwrap().unwrap();
    pod.remove().unwrap();
    drop(pod);
    watch.wait().unwrap();
    assert!(seen.watch().unwrap().is_none());
}

#[test]
fn a_pod_that_moves_on_while_it_is_looked_at_stays_alive() {
    let (_dir, pods) = pods();
    let mut pod = pods.create(PodUuid::random()).unwrap();
    let seen = pods.by_uuid(pod.uuid()).unwrap().unwrap();
    assert_eq!(seen.phase, Phase::Prepare);
    pod.move_to(Phase::Prepared).unwrap();
    assert!(pods.is_still_live(&seen).unwrap());
    assert_eq!(seen.state().unwrap(), State::Prepared);
    pod.move_to(Phase::Run).unwrap();
    assert!(pods.is_still_live(&seen).unwrap());
    assert_eq!(seen.state().unwrap(), State::Running);
    drop(pod);
    assert_eq!(seen.state().unwrap(), State::Exited);
}

#[test]
fn an_interrupted_preparation_is_not_alive() {
    let (_dir, pods) = pods();
    let uuid = pods.create(PodUuid::random()).unwrap().uuid();
    let seen = pods.by_uuid(uuid).unwrap().unwrap();
    assert!(!pods.is_still_live(&seen).unwrap());
    assert_eq!(seen.state().unwrap(), State::AbortedPrepare);
}

#[test]
fn names_of_pods_that_are_gone_are_free() {
    let (dir, pods) = pods();
    let link = |name: &str| dir.path().join("pods/names").join(name);
    let is_there = |name: &str| link(name).symlink_metadata().is_ok();
    pods.release_stale_names().unwrap();
    let mut damaged = pods.create(PodUuid::random()).unwrap();
    damaged.claim_name(&"damaged".parse().unwrap()).unwrap();
    std::fs::write(damaged.path().join("pod.json"), "{").unwrap();
    let live = pods.create(PodUuid::random()).unwrap();
    live.claim_name(&"live".parse().unwrap()).unwrap();
    // Left by a release that did not look for it.
    std::os::unix::fs::symlink(PodUuid::random().to_string(), link("stale")).unwrap();
    std::fs::write(link("notes"), "not ours").unwrap();
    damaged.remove().unwrap();
    assert!(!is_there("damaged") && is_there("live") && is_there("stale"));
    pods.release_stale_names().unwrap();
    assert!(is_there("live") && !is_there("notes") && !is_there("stale"));
}

#[test]
fn a_lock_is_that_of_the_directory_that_it_was_taken_in() {
    let (dir, _) = pods();
    let (here, there) = (dir.path().join("here"), dir.path().join("there"));
    fs::create_dir(&here).unwrap();
    let lock = PodLock::acquire(&here).unwrap().unwrap();
    assert!(is_lock_of(&lock, &here).unwrap());
    fs::rename(&here, &there).unwrap();
    assert!(!is_lock_of(&lock, &here).unwrap());
    fs::create_dir(&here).unwrap();
    let _another = PodLock::acquire(&here).unwrap().unwrap();
    assert!(!is_lock_of(&lock, &here).unwrap() && is_lock_of(&lock, &there).unwrap());
}

#[test]
fn a_pod_without_room_to_go_among_the_garbage_is_removed_where_it_is() {
    let failed = |kind: io::ErrorKind| Err(PodError::io("rename", "/pod")(kind.into()));
    unless_full(Ok(())).unwrap();
    unless_full(failed(io::ErrorKind::StorageFull)).unwrap();
    unless_full(failed(io::ErrorKind::QuotaExceeded)).unwrap();
    let error = unless_full(failed(io::ErrorKind::PermissionDenied)).unwrap_err();
    assert!(error.to_string().contains("/pod"), "{error}");

    let (_dir, pods) = pods();
    let mut pod = pods.create(PodUuid::random()).unwrap();
    pod.discard().unwrap();
    pod.discard().unwrap();
    assert_eq!(pod.phase(), Phase::Garbage);
    assert!(pod.path().ends_with(format!("garbage/{}", pod.uuid())));
}

#[test]
fn a_phase_that_can_not_be_read_is_not_an_empty_one() {
    let (dir, pods) = pods();
    fs::create_dir_all(dir.path().join("pods")).unwrap();
    // It leads to itself.
    let prepare = dir.path().join("pods/prepare");
    std::os::unix::fs::symlink("prepare", &prepare).unwrap();
    for error in [
        pods.list().unwrap_err(),
        pods.in_phase(Phase::Prepare).unwrap_err(),
        pods.lock_aborted().unwrap_err(),
        pods.create(PodUuid::random()).unwrap_err(),
    ] {
        assert!(error.to_string().contains("pods/prepare"), "{error}");
    }
    let of_it = PodEntry {
        uuid: PodUuid::random(),
        phase: Phase::Prepare,
        path: prepare.join("pod"),
    };
    let error = pods.lock(&of_it).unwrap_err();
    assert!(matches!(error, PodError::Io { .. }), "{error}");
}

#[test]
fn pods_are_for_root_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (dir, pods) = pods();
    let mut pod = pods.create(PodUuid::random()).unwrap();
    pod.claim_name(&"web".parse().unwrap()).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(pod.path()), 0o700);
    assert_eq!(mode(&pod.path().join(LOCK_FILE)), 0o600);
    pod.move_to(Phase::Run).unwrap();
    for made in ["pods", "pods/prepare", "pods/run", "pods/names"] {
        assert_eq!(mode(&dir.path().join(made)), 0o700, "{made}");
    }
}

#[test]
fn a_name_tells_its_pod_and_a_stranger_s_tells_none() {
    let (dir, pods) = pods();
    assert!(pods.names().unwrap().is_empty());
    let pod = pods.create(PodUuid::random()).unwrap();
    let name: PodName = "web".parse().unwrap();
    pod.claim_name(&name).unwrap();
    let link = |target: &str, name: &str| {
        std::os::unix::fs::symlink(target, dir.path().join("pods/names").join(name)).unwrap();
    };
    link(&pod.uuid().to_string(), "Not-A-Name");
    link("nowhere", "lost");
    assert_eq!(pods.names().unwrap(), [(name, pod.uuid())]);
    assert!(matches!(pods.find("lost"), Err(PodError::NoSuchPod(_))));
    let error = pods.find("Not-A-Name").unwrap_err();
    assert!(matches!(error, PodError::NoSuchPod(_)), "{error}");
    // What leads nowhere is nobody's.
    pod.claim_name(&"lost".parse().unwrap()).unwrap();
    assert_eq!(pods.find("lost").unwrap().uuid, pod.uuid());
}

#[test]
fn names_that_can_not_be_read_are_an_error() {
    let (dir, pods) = pods();
    fs::create_dir_all(dir.path().join("pods")).unwrap();
    let names = dir.path().join("pods/names");
    std::os::unix::fs::symlink("names", &names).unwrap();
    let pod = pods.create(PodUuid::random()).unwrap();
    for error in [
        pods.names().map(drop).unwrap_err(),
        pods.find("web").map(drop).unwrap_err(),
        pod.claim_name(&"web".parse().unwrap()).unwrap_err(),
    ] {
        assert!(error.to_string().contains("pods/names"), "{error}");
    }
    // Where there are none, none is stale.
    fs::remove_file(&names).unwrap();
    pods.release_stale_names().unwrap();
    assert!(!names.exists());
}

#[test]
fn what_is_in_use_can_be_found_by_all_of_its_uuid_only_while_it_is_not_garbage() {
    let (_dir, pods) = pods();
    let mut pod = pods.create(PodUuid::random()).unwrap();
    let uuid = pod.uuid();
    for phase in [Phase::Prepare, Phase::Prepared, Phase::Run] {
        if phase != pod.phase() {
            pod.move_to(phase).unwrap();
        }
        let found = pods.find(&uuid.to_string()).unwrap();
        assert_eq!((found.phase, found.path.as_path()), (phase, pod.path()));
        assert_eq!(pods.find(&uuid.short()).unwrap(), found);
    }
    let unknown = pods.find("no-such-name").unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "no pod has the name `no-such-name` or a UUID that begins with it"
    );
}
