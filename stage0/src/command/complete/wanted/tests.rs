use super::*;

/// What may come in the place of the last word of a line; an empty one is written `_`.
fn of(line: &str) -> Wanted {
    let mut definition = crate::command::definition();
    definition.build();
    let words: Vec<String> = line
        .split_whitespace()
        .map(|word| word.replace('_', ""))
        .collect();
    wanted(&definition, &words)
}

fn texts(line: &str) -> Vec<String> {
    match of(line) {
        Wanted::These(candidates) => candidates.into_iter().map(|c| c.text).collect(),
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn things_that_have_names_are_wanted_where_the_help_says_so() {
    for (line, wanted, text) in [
        ("rm _", Kind::Pod, ""),
        ("rm web _", Kind::Pod, ""),
        ("enter _", Kind::Pod, ""),
        ("enter --app _", Kind::App, ""),
        ("app stop box _", Kind::App, ""),
        ("run _", Kind::Image, ""),
        ("run --rm -d --name web _", Kind::Image, ""),
        ("run -it _", Kind::Image, ""),
        ("run a --- _", Kind::Image, ""),
        ("app add box _", Kind::Image, ""),
        ("image rm a _", Kind::Image, ""),
        ("run --net _", Kind::Network, ""),
        ("run --net=la", Kind::Network, "--net="),
        ("run --network=a,b", Kind::Network, "--network=a,"),
        ("run --net a,b,_", Kind::Network, "a,b,"),
        ("network rm _", Kind::Network, ""),
        ("volume rm a _", Kind::Volume, ""),
        ("--dir /x rm _", Kind::Pod, ""),
        ("trust rm --prefix _", Kind::Prefix, ""),
        (
            "run --mount type=bind,source=/e",
            Kind::Path,
            "type=bind,source=",
        ),
        ("images _", Kind::Image, ""),
        ("image ls _", Kind::Image, ""),
        ("inspect _", Kind::PodOrImage, ""),
        ("inspect web _", Kind::PodOrImage, ""),
        ("trust rm _", Kind::PrefixOrKey, ""),
        ("trust rm a.io/team _", Kind::PrefixOrKey, ""),
        ("run -v _", Kind::VolumeOrPath, ""),
        ("run -v da", Kind::VolumeOrPath, ""),
        ("run --volume=da", Kind::VolumeOrPath, "--volume="),
        ("run --mount=src=", Kind::Path, "--mount=src="),
        ("run --volume=/e", Kind::Path, "--volume="),
        ("run --env-file=/e", Kind::Path, "--env-file="),
    ] {
        match of(line) {
            Wanted::Values { kind, before } => {
                assert_eq!((kind, before.as_str()), (wanted, text), "{line}");
            }
            other => panic!("{line}: {other:?}"),
        }
    }
}

#[test]
fn commands_flags_and_words_of_lists_are_known() {
    assert!(texts("_").contains(&"run-prepared".to_owned()));
    assert!(!texts("_").contains(&"complete".to_owned()));
    assert!(texts("trust _").contains(&"keygen".to_owned()));
    assert!(texts("run --uu").contains(&"--uuid-file-save".to_owned()));
    assert!(texts("run --env A a -").contains(&"--memory".to_owned()));
    assert_eq!(
        texts("run --pull _"),
        ["missing", "always", "newer", "never"]
    );
    assert_eq!(
        texts("run --pull=_"),
        [
            "--pull=missing",
            "--pull=always",
            "--pull=newer",
            "--pull=never"
        ]
    );
    assert_eq!(texts("completion _"), ["bash", "zsh", "fish"]);
    assert_eq!(texts("run --name _"), [] as [&str; 0]);
}

#[test]
fn the_rest_is_the_shells() {
    for line in [
        "run --env-file _",
        "run --cidfile _",
        "run -v /et",
        "run --volume ./et",
        "run a sh _",
        "run a -- _",
        "enter web -- _",
        "image import _",
        "completion bash _",
    ] {
        assert!(matches!(of(line), Wanted::Files), "{line}");
    }
}
