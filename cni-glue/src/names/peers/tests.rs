use super::*;

const BASE: &str = "127.0.0.1\tlocalhost\n10.0.0.2\tweb\n";

fn peer(ip: &str, name: &str) -> (IpAddr, String) {
    (ip.parse().unwrap(), name.into())
}

fn came(peers: &[(&str, &str)]) -> PeerChanges {
    PeerChanges {
        came: peers.iter().map(|(ip, name)| peer(ip, name)).collect(),
        ..PeerChanges::default()
    }
}

fn gone(peers: &[(&str, &str)]) -> PeerChanges {
    PeerChanges {
        gone: came(peers).came,
        ..PeerChanges::default()
    }
}

/// The file afterwards.
fn apply(file: &[u8], changes: &PeerChanges) -> Vec<u8> {
    let mut file = file.to_vec();
    for edit in edits(&file.clone(), changes) {
        let mut put = |offset: u64, bytes: &[u8]| {
            let offset = usize::try_from(offset).unwrap();
            file[offset..offset + bytes.len()].copy_from_slice(bytes);
        };
        match edit {
            Edit::Blank { offset, length } => put(offset, " ".repeat(length).as_bytes()),
            Edit::Fill { offset, line } => put(offset, line.as_bytes()),
            Edit::Append(text) => file.extend_from_slice(text.as_bytes()),
        }
    }
    file
}

fn text(file: &[u8], changes: &PeerChanges) -> String {
    String::from_utf8(apply(file, changes)).unwrap()
}

/// What a resolver makes of a file.
fn entries(file: &str) -> Vec<String> {
    let lines = file.lines().map(|line| line.split('#').next().unwrap());
    let lines = lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| !line.is_empty()).collect()
}

#[test]
fn pods_come_and_go_and_their_lines_are_used_again() {
    let with_two = text(
        BASE.as_bytes(),
        &came(&[("10.0.0.3", "api"), ("fd00::3", "api")]),
    );
    assert_eq!(
        entries(&with_two)[2..],
        ["10.0.0.3 api", "fd00::3 api"],
        "{with_two}"
    );
    let with_one = text(with_two.as_bytes(), &gone(&[("10.0.0.3", "api")]));
    assert_eq!(entries(&with_one)[2..], ["fd00::3 api"]);
    assert_eq!(with_one.len(), with_two.len());
    let again = text(with_one.as_bytes(), &came(&[("10.0.0.9", "db")]));
    assert_eq!(entries(&again)[2..], ["10.0.0.9 db", "fd00::3 api"]);
    assert_eq!(again.len(), with_two.len());
    // What is there already is not written again.
    assert_eq!(
        edits(again.as_bytes(), &came(&[("10.0.0.9", "db")])),
        Vec::new()
    );
    // Who wants a line of another length finds room in one that is long enough, or at the end.
    let long = "a-name-that-is-much-longer-than-any-before";
    let longer = text(with_one.as_bytes(), &came(&[("10.0.0.4", long)]));
    assert_eq!(
        entries(&longer)[3..],
        [format!("10.0.0.4 {long}")],
        "{longer}"
    );
}

#[test]
fn the_whole_list_replaces_what_is_there() {
    let old = text(
        BASE.as_bytes(),
        &came(&[("10.0.0.3", "api"), ("10.0.0.4", "db")]),
    );
    let whole = PeerChanges {
        whole: true,
        ..came(&[("10.0.0.4", "db"), ("10.0.0.5", "cache")])
    };
    let new = text(old.as_bytes(), &whole);
    let mut lines = entries(&new);
    lines.sort();
    assert_eq!(
        lines,
        [
            "10.0.0.2 web",
            "10.0.0.4 db",
            "10.0.0.5 cache",
            "127.0.0.1 localhost"
        ]
    );
    assert_eq!(edits(new.as_bytes(), &whole), Vec::new());
}

#[test]
fn no_pod_takes_a_name_that_another_line_has() {
    let file = "127.0.0.1\tlocalhost\n10.0.0.2 web Web.Example # api\n192.0.2.1\tdb";
    let wanted = came(&[
        ("10.0.0.3", "LOCALHOST"),
        ("10.0.0.3", "web"),
        ("10.0.0.3", "web.example"),
        ("10.0.0.3", "db"),
        ("10.0.0.3", "api"),
    ]);
    let new = text(file.as_bytes(), &wanted);
    assert_eq!(entries(&new)[3..], ["10.0.0.3 api"], "{new}");
    // An app that gives such a name to somebody itself has its way.
    let own = format!("{new}10.7.7.7 api\n");
    let new = text(own.as_bytes(), &came(&[("10.0.0.4", "other")]));
    assert!(!entries(&new).contains(&"10.0.0.3 api".into()), "{new}");
    assert!(entries(&new).contains(&"10.7.7.7 api".into()), "{new}");
}

#[test]
fn what_an_app_wrote_stays_as_it_is() {
    let peers = text(BASE.as_bytes(), &came(&[("10.0.0.3", "api")]));
    for own in [
        "1.2.3.4 mine\n",
        "# fairing\n# pod\n# pod\n",
        "10.0.0.3\tapi\n# pod",
        "no end of line",
        "\0\u{fffd}\n\n\n \n",
    ] {
        let file = format!("{own}\n{peers}{own}");
        let new = text(
            file.as_bytes(),
            &PeerChanges {
                gone: vec![peer("10.0.0.3", "api")],
                ..came(&[("10.0.0.123", "another"), ("10.0.0.4", "x")])
            },
        );
        assert!(new.starts_with(own), "{new:?}");
        assert_eq!(new.matches(own.trim_end()).count(), 2, "{new:?}");
        assert!(new.contains("\n10.0.0.123\tanother\t# pod"), "{new:?}");
        assert!(!new.contains("10.0.0.3\tapi\t# pod"), "{new:?}");
    }
    let bytes = b"\xff\xfe 10.0.0.3\tx\t# pod\n\x80";
    let new = apply(bytes, &came(&[("10.0.0.4", "x")]));
    assert!(new.starts_with(bytes));
    // A file that the app emptied gets what is new, and all of it when all is told.
    assert_eq!(
        entries(&text(b"", &came(&[("10.0.0.4", "x")]))),
        ["10.0.0.4 x"]
    );
}

#[test]
fn a_line_that_goes_and_one_that_comes_are_not_one_in_one_step() {
    let file = text(BASE.as_bytes(), &came(&[("10.0.0.3", "api")]));
    let swap = PeerChanges {
        gone: vec![peer("10.0.0.3", "api")],
        ..came(&[("10.0.0.4", "api")])
    };
    let steps = edits(file.as_bytes(), &swap);
    assert!(
        matches!(steps[..], [Edit::Blank { .. }, Edit::Append(_)]),
        "{steps:?}"
    );
}

#[test]
fn names_that_are_none_get_no_line() {
    let file = text(
        BASE.as_bytes(),
        &came(&[
            ("10.0.0.3", "x\n1.1.1.1 web"),
            ("10.0.0.3", ""),
            ("10.0.0.3", "a b"),
        ]),
    );
    assert_eq!(file, BASE);
}
