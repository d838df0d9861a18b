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
        ("rm _", Kind::Pod(Which::Idle), ""),
        ("rm web _", Kind::Pod(Which::Idle), ""),
        ("enter _", Kind::Pod(Which::Running), ""),
        ("enter --app _", Kind::App, ""),
        ("app stop box _", Kind::App, ""),
        ("run _", Kind::Image, ""),
        ("run --rm -d --name web _", Kind::Image, ""),
        ("run -it _", Kind::Image, ""),
        ("run a --- _", Kind::Image, ""),
        ("app add box _", Kind::Image, ""),
        ("image rm a _", Kind::Image, ""),
        ("run --net _", Kind::Net, ""),
        ("run --net=la", Kind::Net, "--net="),
        ("run --network=a,b", Kind::Net, "--network=a,"),
        ("run --net a,b,_", Kind::Net, "a,b,"),
        ("network rm _", Kind::Network, ""),
        ("volume rm a _", Kind::Volume, ""),
        ("units show _", Kind::Unit, ""),
        ("--dir /x rm _", Kind::Pod(Which::Idle), ""),
        ("rm -f _", Kind::Pod(Which::Any), ""),
        ("exec _", Kind::Pod(Which::Running), ""),
        ("stop _", Kind::Pod(Which::Running), ""),
        ("kill -s HUP _", Kind::Pod(Which::Running), ""),
        ("app start _", Kind::Pod(Which::Running), ""),
        ("start _", Kind::Pod(Which::Startable), ""),
        ("restart _", Kind::Pod(Which::Staying), ""),
        ("run-prepared _", Kind::Pod(Which::Prepared), ""),
        ("logs _", Kind::Pod(Which::Any), ""),
        ("ps --filter network=_", Kind::Network, "network="),
        ("ps --filter=volume=_", Kind::Volume, "--filter=volume="),
        ("volume ls --filter name=_", Kind::Volume, "name="),
        ("images -f reference=_", Kind::Image, "reference="),
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
        ("cp _", Kind::PodOrPath, ""),
        ("cp web:/x w", Kind::PodOrPath, ""),
        ("commit w", Kind::Pod(Which::Any), ""),
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
    assert_eq!(texts("run --userns _"), ["auto", "host"]);
    assert_eq!(texts("run --lifetime _"), ["with-apps", "until-stopped"]);
    assert_eq!(texts("ps --format _"), ["text", "json", "table"]);
    assert_eq!(texts("status --format _"), ["text", "json"]);
    assert_eq!(texts("inspect -f _"), ["json"]);
    assert_eq!(texts("save --format _"), ["docker-archive", "oci-archive"]);
    assert_eq!(
        texts("run --mount type=_"),
        ["bind", "volume", "image", "tmpfs"].map(|kind| format!("type={kind}"))
    );
    assert_eq!(
        texts("volume ls --filter dangling=_"),
        ["dangling=true", "dangling=false"]
    );
    assert_eq!(texts("images --filter _"), ["reference=", "digest="]);
    assert_eq!(
        texts("volume prune --filter _"),
        ["name=", "label=", "dangling="]
    );
    assert!(texts("ps --filter _").contains(&"status=".to_owned()));
    assert!(texts("list --filter=_").contains(&"--filter=ancestor=".to_owned()));
    assert!(texts("ps --filter status=_").contains(&"status=running".to_owned()));
    assert!(texts("kill -s _").contains(&"HUP".to_owned()));
    assert!(texts("kill --signal SIG").contains(&"SIGTERM".to_owned()));
    assert_eq!(texts("run --name _"), [] as [&str; 0]);
}

#[test]
fn the_rest_is_the_shells() {
    for line in [
        "run --env-file _",
        "run --cidfile _",
        "run -v /et",
        "cp ./x",
        "cp -a web:/x /tm",
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

#[test]
fn behind_an_image_there_are_flags_of_its_app_alone() {
    for line in [
        "run a -",
        "run --rm a --memory 64m -",
        "prepare a -",
        "create a -",
        "run a --- b -",
        "run a --- -",
        "app add box a -",
    ] {
        let offered = texts(line);
        assert!(offered.contains(&"--memory".to_owned()), "{line}");
        for of_pod in ["--name", "--rm", "--net", "--detach", "--dir", "--debug"] {
            assert!(!offered.contains(&of_pod.to_owned()), "{line}: {of_pod}");
        }
    }
    assert!(texts("app add box a -").contains(&"--start".to_owned()));
    assert!(!texts("run a -").contains(&"--start".to_owned()));
    assert!(texts("run --rm -").contains(&"--net".to_owned()));
    assert!(matches!(of("run a --net=_"), Wanted::Files));
}

#[test]
fn other_names_of_commands_are_offered_once_they_are_begun() {
    for (typed, name) in [("unp", "unpause"), ("pul", "pull"), ("exe", "exec")] {
        assert!(texts(typed).iter().any(|text| text == name), "{typed}");
    }
    assert!(texts("_").iter().all(|text| text != "exec"));
    assert!(texts("app _").iter().any(|text| text == "start"));
}
