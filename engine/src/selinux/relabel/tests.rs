//! They need root, who may give files any label where SELinux isn't enabled.

use super::*;
use rustix::fs::{RenameFlags, lgetxattr, renameat_with, symlink};
use std::sync::atomic::{AtomicBool, Ordering};

const LABEL: &str = "system_u:object_r:container_file_t:s0:c1,c2";

fn label_of(path: &Path) -> Option<String> {
    let mut label = [0; 256];
    let length = lgetxattr(path, ATTRIBUTE, &mut label).ok()?;
    Some(String::from_utf8(label[..length].to_vec()).unwrap())
}

fn label() -> Context {
    LABEL.parse().unwrap()
}

#[test]
fn a_directory_is_labelled_with_all_in_it_and_nothing_that_links_lead_to() {
    let ground = tempfile::tempdir().unwrap();
    let at = |name: &str| ground.path().join(name);
    fs::create_dir_all(at("volume/a/b")).unwrap();
    fs::create_dir(at("outside")).unwrap();
    for name in ["volume/a/b/file", "outside/file"] {
        fs::write(at(name), "").unwrap();
    }
    nix::unistd::mkfifo(&at("volume/fifo"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    symlink("../outside", at("volume/link")).unwrap();
    symlink("../outside/file", at("volume/file-link")).unwrap();
    relabel(&at("volume"), &label()).unwrap();
    for name in [
        "volume",
        "volume/a",
        "volume/a/b",
        "volume/a/b/file",
        "volume/fifo",
        "volume/link",
    ] {
        assert_eq!(label_of(&at(name)).as_deref(), Some(LABEL), "{name}");
    }
    for name in ["outside", "outside/file", ""] {
        assert_eq!(label_of(&at(name)), None, "{name}");
    }
    let single = at("outside/file");
    relabel(&single, &label()).unwrap();
    assert_eq!(label_of(&single).as_deref(), Some(LABEL));
    assert_eq!(label_of(&at("outside")), None);
}

#[test]
fn what_has_the_label_is_not_touched() {
    use std::os::unix::fs::MetadataExt;
    let ground = tempfile::tempdir().unwrap();
    let changed = || {
        let found = fs::metadata(ground.path()).unwrap();
        (found.ctime(), found.ctime_nsec())
    };
    relabel(ground.path(), &label()).unwrap();
    let before = changed();
    relabel(ground.path(), &label()).unwrap();
    assert_eq!(changed(), before);
}

#[test]
fn a_directory_that_is_swapped_for_a_link_all_the_time_leads_nowhere() {
    let ground = tempfile::tempdir().unwrap();
    let at = |name: &str| ground.path().join(name);
    fs::create_dir_all(at("volume/a")).unwrap();
    fs::create_dir(at("outside")).unwrap();
    fs::write(at("outside/file"), "").unwrap();
    symlink("../outside", at("volume/b")).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let (a, b) = (at("volume/a"), at("volume/b"));
                renameat_with(CWD, &a, CWD, &b, RenameFlags::EXCHANGE).unwrap();
            }
        });
        for number in 0..2000 {
            let level: Context = format!("u:r:t:s0:c{}", number % 2).parse().unwrap();
            relabel(&at("volume"), &level).unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    });
    for name in ["outside", "outside/file"] {
        assert_eq!(label_of(&at(name)), None, "{name}");
    }
}

#[test]
fn what_the_system_needs_is_refused_by_whatever_name() {
    let ground = tempfile::tempdir().unwrap();
    let link = ground.path().join("link");
    symlink("/usr", &link).unwrap();
    for path in [
        "/",
        "/etc",
        "/usr/.",
        "/etc/../usr",
        "/bin",
        link.to_str().unwrap(),
    ] {
        let refused = relabel(Path::new(path), &label()).unwrap_err().to_string();
        assert!(refused.contains("the system needs"), "{path}: {refused}");
    }
}

#[test]
fn the_store_is_not_labelled_whichever_way_it_is_reached() {
    let ground = tempfile::tempdir().unwrap();
    let at = |name: &str| ground.path().join(name);
    fs::create_dir_all(at("fairing/images")).unwrap();
    fs::create_dir(at("fairing-other")).unwrap();
    symlink("fairing/images", at("link")).unwrap();
    let labelled = |name: &str| {
        let mount = serde_json::json!({
            "destination": "/data",
            "source": { "type": "host", "path": at(name) },
            "relabel": "private",
        });
        let mount: Mount = serde_json::from_value(mount).unwrap();
        relabel_mounts(&[mount], Some(&label()), &at("fairing")).map_err(|error| error.to_string())
    };
    for name in ["", "fairing", "fairing/images", "link"] {
        let refused = labelled(name).unwrap_err();
        assert!(refused.contains("the system needs"), "{name}: {refused}");
        assert_eq!(label_of(&at(name)), None, "{name}");
    }
    labelled("fairing-other").unwrap();
    assert_eq!(label_of(&at("fairing-other")).as_deref(), Some(LABEL));
}

#[test]
fn what_is_too_deep_ends_with_a_word_of_it() {
    let ground = tempfile::tempdir().unwrap();
    let mut at = openat(CWD, ground.path(), ITSELF, Mode::empty()).unwrap();
    for _ in 0..DEPTH_MAX + 2 {
        rustix::fs::mkdirat(&at, "d", Mode::from_raw_mode(0o755)).unwrap();
        at = openat(&at, "d", ITSELF, Mode::empty()).unwrap();
    }
    let refused = relabel(ground.path(), &label()).unwrap_err().to_string();
    assert!(refused.contains("400"), "{refused}");
}
