//! Mounts and their options are read from what they say, and nothing else is one.

use super::*;

/// Every option, by the word that OCI's runtime specification and mount(8) have for it.
const OPTIONS: [(&str, MountOption); 19] = [
    ("ro", MountOption::Ro),
    ("rro", MountOption::Rro),
    ("rw", MountOption::Rw),
    ("nosuid", MountOption::Nosuid),
    ("suid", MountOption::Suid),
    ("nodev", MountOption::Nodev),
    ("dev", MountOption::Dev),
    ("noexec", MountOption::Noexec),
    ("exec", MountOption::Exec),
    ("noatime", MountOption::Noatime),
    ("relatime", MountOption::Relatime),
    ("nosymfollow", MountOption::Nosymfollow),
    ("idmap", MountOption::Idmap),
    ("noidmap", MountOption::Noidmap),
    ("bind", MountOption::Bind),
    ("rbind", MountOption::Rbind),
    ("rprivate", MountOption::Rprivate),
    ("rslave", MountOption::Rslave),
    ("rshared", MountOption::Rshared),
    ("copy", MountOption::Copy),
    ("nocopy", MountOption::Nocopy),
];

fn tmpfs(destination: &str, options: &Value) -> Value {
    json!({ "destination": destination, "source": { "type": "tmpfs" }, "options": options })
}

proptest! {
    #[test]
    fn a_mount_is_read_from_what_it_says(
        destination in "(/[a-z0-9._-]{1,8}){1,3}",
        chosen in proptest::collection::vec(proptest::sample::select(&OPTIONS[..]), 0..6),
        size in any::<Option<u64>>(),
        mode in any::<Option<u32>>(),
        uid in any::<Option<u32>>(),
        gid in any::<Option<u32>>(),
    ) {
        let words: Vec<&str> = chosen.iter().map(|(word, _)| *word).collect();
        let mut text = tmpfs(&destination, &json!(words));
        text["source"]["size"] = json!(size);
        text["source"]["mode"] = json!(mode);
        text["source"]["uid"] = json!(uid);
        text["source"]["gid"] = json!(gid);
        let mount: Mount = serde_json::from_value(text).unwrap();
        prop_assert_eq!(mount.destination.as_str(), destination);
        // In their order, and as often as they stand: of two that contradict each other, the last counts.
        let options: Vec<MountOption> = chosen.iter().map(|(_, option)| *option).collect();
        prop_assert_eq!(&mount.options, &options);
        prop_assert_eq!(&mount.source, &MountSource::Tmpfs { size, mode, uid, gid });
        let written = serde_json::to_string(&mount).unwrap();
        prop_assert_eq!(serde_json::from_str::<Mount>(&written).unwrap(), mount);
    }

    #[test]
    fn no_other_word_is_an_option(
        word in prop_oneof![".{0,12}", "(no|r)?(ro|rw|suid|dev|exec|atime|bind|private|shared)[ ,=0]?"],
    ) {
        let known = OPTIONS.iter().find(|(known, _)| *known == word);
        match serde_json::from_value::<Mount>(tmpfs("/srv", &json!([word]))) {
            Ok(mount) => prop_assert_eq!(mount.options, [known.unwrap().1]),
            Err(error) => {
                prop_assert_eq!(known, None);
                prop_assert!(error.to_string().contains("unknown variant"), "{}", error);
            }
        }
    }
}

#[test]
fn a_mount_has_one_place_one_source_and_a_list_of_options() {
    for (change, reason) in [
        (json!({ "destination": "srv" }), "not an absolute path"),
        (json!({ "destination": "" }), "not an absolute path"),
        (json!({ "options": "ro,nosuid" }), "expected a sequence"),
        (json!({ "options": ["ro,nosuid"] }), "unknown variant"),
        (json!({ "options": ["RO"] }), "unknown variant"),
        (json!({ "options": [0] }), "invalid type"),
        (json!({ "source": "/srv" }), "invalid type"),
        (json!({ "source": { "type": "bind" } }), "unknown variant"),
        (json!({ "source": { "type": "volume" } }), "missing field"),
        (json!({ "source": { "type": "tmpfs", "size": -1 } }), "-1"),
        (
            json!({ "source": { "type": "tmpfs", "name": "data" } }),
            "unknown field",
        ),
    ] {
        let mut text = tmpfs("/srv", &json!(["ro"]));
        let members = text.as_object_mut().unwrap();
        members.extend(change.as_object().unwrap().clone());
        let error = serde_json::from_value::<Mount>(text).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(reason), "{change}: {error}");
    }
}
