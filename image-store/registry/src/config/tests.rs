use std::path::PathBuf;

use super::*;
use std::time::Duration;

fn registries(native: &str, containers: &str) -> Registries {
    Registries::parse(native, containers).unwrap()
}

/// The places of a name, for reading.
fn places(registries: &Registries, name: &str) -> Vec<String> {
    let reference = Reference::parse(name).unwrap();
    let places = registries.settings().places(&reference, Purpose::Read);
    places
        .unwrap()
        .iter()
        .map(|place| place.location.to_string())
        .collect()
}

fn candidates(registries: &Registries, text: &str) -> Vec<String> {
    let candidates = registries.candidates(text).unwrap();
    candidates.iter().map(ToString::to_string).collect()
}

const HEX: &str = "6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b";

#[test]
fn without_configuration_names_say_where_images_are() {
    let none = registries("", "");
    assert_eq!(places(&none, "q.io/a/b:1"), ["q.io/a/b"]);
    assert_eq!(places(&none, "busybox"), ["docker.io/library/busybox"]);
    assert_eq!(
        candidates(&none, "busybox"),
        ["docker.io/library/busybox:latest"]
    );
}

#[test]
fn the_longest_prefix_decides_and_the_nearer_file_among_equals() {
    let both = registries(
        "[[registry]]\nprefix = \"q.io/team\"\nlocation = \"near.lan/team\"\n",
        "[[registry]]\nprefix = \"q.io\"\nlocation = \"far.lan/all\"\n\
         [[registry]]\nprefix = \"q.io/team\"\nlocation = \"far.lan/team\"\n\
         [[registry]]\nprefix = \"q.io/team/app:1\"\nlocation = \"one.lan/only\"\n",
    );
    assert_eq!(places(&both, "q.io/other/x"), ["far.lan/all/other/x"]);
    assert_eq!(places(&both, "q.io/team/x"), ["near.lan/team/x"]);
    assert_eq!(places(&both, "q.io/teamx/x"), ["far.lan/all/teamx/x"]);
    assert_eq!(places(&both, "q.io/team/app:1"), ["one.lan/only"]);
    assert_eq!(places(&both, "q.io/team/app:10"), ["near.lan/team/app"]);
    assert_eq!(places(&both, "q.io:5000/team/x"), ["q.io:5000/team/x"]);
}

#[test]
fn wildcards_are_for_subdomains() {
    let some = registries(
        "",
        "[[registry]]\nprefix = \"*.example.com\"\nlocation = \"m.lan/example\"\n\
         [[registry]]\nprefix = \"*.open.io\"\ninsecure = true\n",
    );
    assert_eq!(places(&some, "a.example.com/x"), ["m.lan/example/x"]);
    assert_eq!(places(&some, "a.b.example.com/x"), ["m.lan/example/x"]);
    assert_eq!(places(&some, "example.com/x"), ["example.com/x"]);
    assert_eq!(places(&some, "evilexample.com/x"), ["evilexample.com/x"]);
    let reference = Reference::parse("a.open.io/x").unwrap();
    let place = some.settings().places(&reference, Purpose::Read).unwrap();
    assert_eq!(place[0].location.to_string(), "a.open.io/x");
    assert!(place[0].security.insecure);
}

#[test]
fn mirrors_come_first_for_reading_and_never_for_writing() {
    let some = registries(
        "[[registry]]\nprefix = \"m.lan:5000\"\nplain-http = true\n\
         [[registry]]\nprefix = \"q.io\"\nmirrors = [\"m.lan:5000/hub\", \"n.lan\"]\n",
        "[[registry]]\nlocation = \"c.io\"\n\
         [[registry.mirror]]\nlocation = \"d.lan\"\ninsecure = true\npull-from-mirror = \"digest-only\"\n\
         [[registry.mirror]]\nlocation = \"t.lan\"\npull-from-mirror = \"tag-only\"\n\
         [[registry]]\nlocation = \"o.io\"\nmirror-by-digest-only = true\n\
         [[registry.mirror]]\nlocation = \"d.lan\"\n",
    );
    assert_eq!(
        places(&some, "q.io/a/b"),
        ["m.lan:5000/hub/a/b", "n.lan/a/b", "q.io/a/b"]
    );
    let reference = Reference::parse("q.io/a/b").unwrap();
    let settings = some.settings();
    let reading = settings.places(&reference, Purpose::Read).unwrap();
    assert!(
        reading[0].security.plain,
        "the mirror has a rule of its own"
    );
    assert!(!reading[1].security.plain && !reading[2].security.plain);
    let writing = settings.places(&reference, Purpose::Write).unwrap();
    assert_eq!(writing.len(), 1);
    assert_eq!(writing[0].location.to_string(), "q.io/a/b");

    let by_digest = format!("c.io/a@sha256:{HEX}");
    assert_eq!(places(&some, "c.io/a"), ["t.lan/a", "c.io/a"]);
    assert_eq!(places(&some, &by_digest), ["d.lan/a", "c.io/a"]);
    assert_eq!(places(&some, "o.io/a"), ["o.io/a"]);
}

#[test]
fn what_is_blocked_names_the_file() {
    let some = registries("", "[[registry]]\nprefix = \"bad.io/x\"\nblocked = true\n");
    let reference = Reference::parse("bad.io/x/y").unwrap();
    let error = some
        .settings()
        .places(&reference, Purpose::Read)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("bad.io/x/y:latest") && error.contains("/etc/containers/registries.conf"),
        "{error}"
    );
    assert_eq!(places(&some, "bad.io/z"), ["bad.io/z"]);
}

#[test]
fn short_names_are_aliases_or_searched_for() {
    let some = registries(
        "[short-names]\nbox = \"q.io/team/busybox\"\n",
        "unqualified-search-registries = [\"q.io\", \"docker.io\"]\n\
         short-name-mode = \"permissive\"\n\
         [aliases]\nbox = \"far.io/box\"\n\"team/app\" = \"far.io/app\"\nmasked = \"\"\n",
    );
    assert_eq!(candidates(&some, "box:1"), ["q.io/team/busybox:1"]);
    assert_eq!(
        candidates(&some, &format!("box@sha256:{HEX}")),
        [format!("q.io/team/busybox@sha256:{HEX}")]
    );
    assert_eq!(candidates(&some, "team/app"), ["far.io/app:latest"]);
    assert_eq!(
        candidates(&some, "nginx:1"),
        ["q.io/nginx:1", "docker.io/library/nginx:1"]
    );
    assert_eq!(candidates(&some, "h.io/nginx:1"), ["h.io/nginx:1"]);
    assert!(some.takes_first_found());
    assert!(!registries("", "").takes_first_found());
    let native = registries(
        "unqualified-search = [\"mine.lan/hub\"]\nshort-name-mode = \"enforcing\"",
        "unqualified-search-registries = [\"q.io\"]\nshort-name-mode = \"disabled\"",
    );
    assert_eq!(candidates(&native, "a"), ["mine.lan/hub/a:latest"]);
    assert!(!native.takes_first_found());
    let error = registries("unqualified-search = []", "")
        .candidates("nginx")
        .unwrap_err();
    assert!(error.to_string().contains("docker.io/library/nginx"));
}

#[test]
fn mistakes_are_told() {
    for (native, part) in [
        ("plain_http = []", "plain_http"),
        ("retries = 1000", "retries"),
        ("stall-timeout = 0", "stall-timeout"),
        ("[[registry]]\nlocation = \"q.io\"", "prefix"),
        ("[[registry]]\nprefix = \"*\"", "\"*\""),
        (
            "[[registry]]\nprefix = \"q.io\"\nca_file = \"x\"",
            "ca_file",
        ),
        (
            "[[registry]]\nprefix = \"q.io\"\nmirrors = [\"https://m\"]",
            "https://m",
        ),
        (
            "[[registry]]\nprefix = \"q.io\"\nclient-key = \"x\"",
            "client-cert",
        ),
        ("[short-names]\na = \"q.io\"", "\"a\""),
        ("x", "expected"),
    ] {
        let error = Registries::parse(native, "").unwrap_err();
        assert!(error.contains(part), "{native}: {error}");
    }
    for (containers, part) in [
        (
            "[registries.search]\nregistries = [\"q.io\"]\n[[registry]]\nlocation = \"q.io\"",
            "versions 1 and 2",
        ),
        ("[[registry]]\nblocked = true", "prefix"),
        ("unqualified-search-registries = [\"q.io:x\"]", "port"),
    ] {
        let error = Registries::parse("", containers).unwrap_err();
        assert!(error.contains(part), "{containers}: {error}");
    }
    // Of a file that others own too, more may be known to them.
    registries(
        "",
        "credential-helpers = [\"x\"]\n[[registry]]\nlocation = \"q.io\"\nnew = 1",
    );
}

#[test]
fn version_1_says_the_same_in_lists() {
    let some = registries(
        "",
        "[registries.search]\nregistries = [\"q.io\", \"r.io\"]\n\
         [registries.insecure]\nregistries = [\"in.lan:5000\", \"both.lan\"]\n\
         [registries.block]\nregistries = [\"bad.io\", \"both.lan\"]\n",
    );
    assert_eq!(
        candidates(&some, "nginx:1"),
        ["q.io/nginx:1", "r.io/nginx:1"]
    );
    let security = |name: &str| {
        let reference = Reference::parse(name).unwrap();
        let places = some.settings().places(&reference, Purpose::Read);
        places.map(|places| places[0].security.insecure)
    };
    assert!(security("in.lan:5000/a").unwrap());
    assert!(!security("q.io/a").unwrap());
    for blocked in ["bad.io/a", "both.lan/a"] {
        assert!(security(blocked).is_err(), "{blocked}");
    }
}

#[test]
fn a_location_may_have_a_tag() {
    let some = registries(
        "",
        "[[registry]]\nlocation = \"q.io/team/app:1\"\n\
         [[registry]]\nprefix = \"q.io/team/db:1\"\nlocation = \"r.io:5000/db:1.2\"\n\
         [[registry.mirror]]\nlocation = \"m.lan:5000\"\n\
         [[registry.mirror]]\nlocation = \"n.lan/copy:one\"\n",
    );
    let tagged = |name: &str| -> Vec<String> {
        let reference = Reference::parse(name).unwrap();
        let places = some.settings().places(&reference, Purpose::Read).unwrap();
        let place = |place: Place| format!("{} {:?}", place.location, place.tag);
        places.into_iter().map(place).collect()
    };
    assert_eq!(tagged("q.io/team/app:1"), ["q.io/team/app Some(\"1\")"]);
    assert_eq!(tagged("q.io/team/app:2"), ["q.io/team/app None"]);
    assert_eq!(
        tagged("q.io/team/db:1"),
        [
            "m.lan:5000 None",
            "n.lan/copy Some(\"one\")",
            "r.io:5000/db Some(\"1.2\")"
        ]
    );
}

#[test]
fn files_in_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("registries.conf");
    let folder = dir.path().join("registries.conf.d");
    std::fs::create_dir(&folder).unwrap();
    for name in ["10-a.conf", "90-b.conf", "ignored.txt"] {
        std::fs::write(folder.join(name), "").unwrap();
    }
    let named = Environment::read(|name| {
        (name == "CONTAINERS_REGISTRIES_CONF").then(|| file.clone().into())
    });
    assert_eq!(
        containers_files(&named).unwrap(),
        [
            folder.join("90-b.conf"),
            folder.join("10-a.conf"),
            file.clone()
        ]
    );
    let home = Environment::read(|name| (name == "HOME").then(|| "/nonexistent".into()));
    let usual = containers_files(&home).unwrap();
    assert_eq!(
        usual.first(),
        Some(&PathBuf::from(
            "/nonexistent/.config/containers/registries.conf"
        ))
    );
    assert_eq!(
        usual.last(),
        Some(&PathBuf::from("/etc/containers/registries.conf"))
    );
}

#[test]
fn the_local_file_counts_before_the_vendors() {
    let dir = tempfile::tempdir().unwrap();
    let folders = ConfigFolders {
        local: dir.path().join("etc"),
        system: dir.path().join("usr"),
    };
    for (folder, text) in [
        (
            &folders.local,
            "retries = 7\ncontainers-registries-conf = false\n",
        ),
        (
            &folders.system,
            "retries = 1\nstall-timeout = 9\nplain-http = [\"v.lan\"]\n",
        ),
    ] {
        std::fs::create_dir(folder).unwrap();
        std::fs::write(folder.join("registries.toml"), text).unwrap();
    }
    let loaded = Registries::load(&folders, Environment::default()).unwrap();
    let settings = loaded.settings();
    assert_eq!(settings.transfer.retries(), 7);
    assert_eq!(settings.transfer.stall_timeout(), Duration::from_secs(9));
    // Who can do without an answer waits for no more than that, and less often.
    let brief = settings.transfer.brief();
    assert_eq!((brief.retries(), brief.stall_timeout().as_secs()), (1, 9));
    let usual = Transfer::default().brief();
    assert_eq!(usual.stall_timeout(), Duration::from_secs(10));
    assert_eq!(usual.connect_timeout(), Duration::from_secs(5));
    assert_eq!(settings.plain_http, Some(vec!["v.lan".to_owned()]));
    std::fs::write(folders.local.join("registries.toml"), "retries = \"x\"").unwrap();
    let error = Registries::load(&folders, Environment::default());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("etc/registries.toml"), "{error}");
}
