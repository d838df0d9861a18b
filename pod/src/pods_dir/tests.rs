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
fn what_is_no_link_in_the_place_of_a_name_is_an_error_and_stays() {
    let (dir, pods) = pods();
    let name: PodName = "web".parse().unwrap();
    let pod = pods.create(PodUuid::random()).unwrap();
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
    assert!(is_there("live") && is_there("notes") && !is_there("stale"));
}
