//! What becomes of each key.

use super::*;

/// What becomes of a key.
struct Case {
    section: &'static str,
    key: &'static str,
    value: &'static str,
    /// What stands in the unit for it, or a part of the reason why it is refused.
    wanted: Result<&'static str, &'static str>,
}

/// Of each case: the assignment, and in the line below what becomes of it.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut section = "";
    let mut lines = include_str!("cases.txt").lines();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
            continue;
        }
        let (key, value) = line.split_once('=').unwrap();
        let wanted = lines.next().unwrap();
        let wanted = match wanted.strip_prefix("  ! ") {
            Some(reason) => Err(reason),
            None => Ok(wanted.trim().trim_start_matches("(nothing)")),
        };
        cases.push(Case {
            section,
            key,
            value,
            wanted,
        });
    }
    cases
}

/// What each kind of file needs.
const NEEDED: &[(&str, &str, &str)] = &[
    ("Container", "a.container", "[Container]\nImage=a\n"),
    ("Pod", "a.pod", "[Pod]\n"),
    ("Volume", "a.volume", "[Volume]\n"),
    ("Network", "a.network", "[Network]\n"),
    ("Image", "a.image", "[Image]\nImage=a\n"),
    ("Kube", "a.kube", "[Kube]\nYaml=/x.yaml\n"),
    (
        "Quadlet",
        "a.container",
        "[Container]\nImage=a\n[Quadlet]\n",
    ),
];

#[test]
fn each_key_becomes_what_the_tables_say() {
    for case in cases() {
        let Case {
            section,
            key,
            value,
            wanted,
        } = case;
        let (_, name, text) = NEEDED.iter().find(|(known, ..)| *known == section).unwrap();
        let text = format!("{text}{key}={value}\n");
        let member = ("m.container", "[Container]\nImage=m\nPod=a.pod\n");
        let files = match *name {
            "a.pod" => vec![(*name, text.as_str()), member],
            _ => vec![(*name, text.as_str())],
        };
        let generated = all(&files);
        let told = told(&generated);
        match wanted {
            Err(reason) => {
                assert!(told.contains(reason), "{section} {key}={value}: {told}");
                assert!(told.contains(&format!("{key}=: ")), "{key}: {told}");
                assert!(generated.units.is_empty());
            }
            Ok(wanted) => {
                assert!(
                    !told.contains("error") && generated.units.len() == 1,
                    "{section} {key}={value}: {told}"
                );
                let unit = &generated.units[0];
                let lines: Vec<_> = unit
                    .text
                    .lines()
                    .take_while(|line| !line.starts_with("[X-"))
                    .collect();
                let text = lines.join("\n");
                assert!(text.contains(wanted), "{section} {key}={value}: {text}");
                for line in lines.iter().filter(|line| line.starts_with("Exec")) {
                    words(line.split_once('=').unwrap().1).unwrap();
                }
            }
        }
    }
}

#[test]
fn each_key_has_a_case_and_what_is_refused_is_refused() {
    let cases = cases();
    for section in SECTIONS {
        for key in section.keys {
            let is_of = |case: &&Case| case.section == section.name && case.key == key.name;
            let first = cases.iter().find(is_of);
            let first =
                first.unwrap_or_else(|| panic!("[{}] {} has no case", section.name, key.name));
            if key.meaning.is_refused() {
                assert!(first.wanted.is_err(), "{} is refused", key.name);
            }
        }
    }
}

#[test]
fn keys_that_would_keep_a_pod_from_starting_are_refused() {
    for (line, part) in [
        ("User=web", "pods need root"),
        ("DynamicUser=yes", "pods need root"),
        ("ExecStart=/bin/x", "made of the file"),
        ("ExecReload=/bin/x", "ReloadCmd="),
        ("Type=simple", "there is notify"),
        ("KillMode=process", "there is mixed and control-group"),
    ] {
        let text = format!("{PLAIN}[Service]\n{line}\n");
        let told = told(&all(&[("a.container", &text)]));
        assert!(told.contains(part), "{line}: {told}");
    }
    let text =
        format!("{PLAIN}[Service]\nType=oneshot\nKillMode=control-group\nExecStartPre=/bin/x\n");
    assert!(
        unit(&[("a.container", &text)], "a.service")
            .text
            .contains("ExecStartPre=/bin/x")
    );
}

#[test]
fn contradictions_are_refused() {
    for (text, part) in [
        ("IP=10.0.0.1\nIP6=fd00::1", "one of IP= and IP6="),
        ("IP=10.0.0.1\nNetwork=host", "no address to choose"),
        (
            "IP=10.0.0.1\nNetwork=a\nNetwork=b",
            "Network=NAME:ip=ADDRESS",
        ),
        ("ReloadCmd=x\nReloadSignal=HUP", "exclude each other"),
    ] {
        let told = told(&all(&[("a.container", &format!("{PLAIN}{text}"))]));
        assert!(told.contains(part), "{text}: {told}");
    }
    let two = "[Network]\nSubnet=10.0.0.0/8\nSubnet=10.1.0.0/16";
    assert!(told(&all(&[("a.network", two)])).contains("one subnet of IPv4"));
}

#[test]
fn a_dollar_that_systemd_would_take_is_warned_of() {
    for (value, warns) in [
        ("A=x$y", true),
        ("A=${B}", true),
        ("A=x$$y", false),
        ("A=5$", false),
    ] {
        let text = format!("{PLAIN}Environment={value}");
        let generated = all(&[("a.container", &text)]);
        assert_eq!(told(&generated).contains("written `$$`"), warns, "{value}");
        assert_eq!(generated.units.len(), 1);
    }
}

#[test]
fn a_pod_that_comes_back_by_itself_is_not_removed_by_itself() {
    let text = format!("{PLAIN}HealthCmd=x\nHealthOnFailure=restart");
    let unit = unit(&[("a.container", &text)], "a.service");
    assert!(!start(&unit).contains("--rm"), "{}", start(&unit));
}

#[test]
fn links_need_names_of_units() {
    for (line, part) in [
        ("WantedBy=a/b.target", "no name of a unit"),
        ("WantedBy=x@%i.target", "specifiers"),
        ("Alias=x.socket", "another name"),
        ("Also=x.service", "warning: Also=: it has no effect"),
        ("Colour=red", "there are Alias"),
    ] {
        let told = told(&all(&[(
            "a.container",
            &format!("{PLAIN}[Install]\n{line}"),
        )]));
        assert!(told.contains(part), "{line}: {told}");
    }
    let template = format!("{PLAIN}[Install]\nWantedBy=m.target");
    let generated = all(&[("a@.container", &template)]);
    assert!(told(&generated).contains("DefaultInstance= says which"));
    assert!(generated.units[0].links.is_empty());
}
