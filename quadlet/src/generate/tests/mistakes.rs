//! What is wrong with files, and what becomes of the others.

use super::*;

#[test]
fn a_file_that_is_not_understood_leaves_the_others_alone() {
    let generated = all(&[
        (
            "a.container",
            "[Container]\nImage=a\nColour=red\n[Service]\nType=forking\n[Socket]\nListenStream=80",
        ),
        ("b.container", "Image=a"),
        ("c.container", "\u{0}"),
        ("d.container", "[Container]\nExec=x"),
        ("e.container", PLAIN),
        ("f.build", ""),
        ("g.artifact", ""),
        ("h.container", "[Pod]\nPodName=x"),
        ("e.kube", "[Kube]\nYaml=/x.yaml"),
        ("i j.container", PLAIN),
        (
            "l.container",
            "[Container]\nImage=a b\nimage=c\nPodmanArgs=--privileged=true foo\nExec=date +%F",
        ),
        (
            "k.container",
            "[Unit]\nAfter=none.container\n[Container]\nImage=a\nVolume=none.volume:/x\nServiceName=a/b",
        ),
    ]);
    let wanted = [
        "a.container:3: Colour=: [Container] has no such key",
        "a.container:5: Type=: there is no `forking` for this file: there is notify and notify-reload and oneshot",
        "a.container:7: ListenStream=: the section [Socket] means nothing here",
        "b.container:1: it stands before the first [Section]",
        "c.container:1: it holds a NUL byte",
        "d.container: [Container] has no Image=",
        "f.build: images are not built here",
        "g.artifact: artifacts are not there yet",
        "h.container:2: PodName=: the section [Pod] means nothing here",
        "e.kube: e.service is already made of /etc/fairing/pods.d/e.container",
        "i j.container: `i j.service` is no name of a unit",
        "k.container:2: After=: there is no file none.container",
        "k.container:5: Volume=: there is no file none.volume",
        "k.container:6: ServiceName=: `a/b` is no name of a unit",
        "l.container:2: Image=: it is one image",
        "l.container:3: image=: [Container] has no such key, perhaps Image is meant",
        "l.container:4: PodmanArgs=: `foo` is no flag",
        "l.container:5: Exec=: systemd has no specifier `%F`",
    ];
    let told = told(&generated);
    for part in wanted {
        assert!(told.contains(part), "{part} is not in\n{told}");
    }
    let names: Vec<_> = generated
        .units
        .iter()
        .map(|unit| unit.name.as_str())
        .collect();
    assert_eq!(names, ["e.service"]);
    assert!(
        generated
            .findings
            .iter()
            .all(|finding| finding.severity == Severity::Error)
    );
}

#[test]
fn two_files_cannot_mean_one_pod() {
    let generated = all(&[("a_b.container", PLAIN), ("a-b.container", PLAIN)]);
    assert!(
        told(&generated).contains("a pod systemd-a-b is already made of"),
        "{}",
        told(&generated)
    );
    let generated = all(&[
        ("a.container", "[Container]\nImage=a\nPod=p.pod"),
        ("p.pod", "[Pod]"),
        ("a.kube", "[Kube]\nYaml=/x"),
    ]);
    assert!(
        told(&generated).contains("a.service is already made of"),
        "{}",
        told(&generated)
    );
}

#[test]
fn what_is_too_much_is_refused() {
    let many = "[Container]\nImage=a\n".to_owned() + &"Label=x\n".repeat(ENTRIES_MAX);
    let huge = "[Container]\nImage=a\n#".to_owned() + &"x".repeat(FILE_MAX);
    let long = "[Container]\nImage=a\nExec=".to_owned() + &"'\"' ".repeat(250_000);
    for (text, part) in [
        (many, "more than 10000 assignments"),
        (huge, "larger than 1 MiB"),
        (long, "longer than 1 MiB"),
    ] {
        let generated = all(&[("a.container", &text), ("b.container", PLAIN)]);
        assert!(
            told(&generated).contains(part),
            "{part}: {}",
            told(&generated)
        );
        assert_eq!(generated.units.len(), 1);
    }
    let apps: Vec<_> = (0..=APPS_MAX)
        .map(|number| format!("a{number}.container"))
        .collect();
    let mut files: Vec<_> = apps
        .iter()
        .map(|name| (name.as_str(), "[Container]\nImage=a\nPod=p.pod"))
        .collect();
    files.push(("p.pod", "[Pod]"));
    assert!(told(&all(&files)).contains("more than 64 containers"));
}

#[test]
fn what_needs_a_file_that_is_refused_is_refused_with_the_reason() {
    let lan = "[Network]\nDriver=ipvlan\n";
    for (name, text, others, wanted) in [
        (
            "shop.pod",
            "[Pod]\nNetwork=lan.network\n",
            vec![
                ("app.container", "[Container]\nImage=a\nPod=shop.pod\n"),
                (
                    "late.container",
                    "[Unit]\nRequires=app.container\n[Container]\nImage=a\n",
                ),
            ],
            vec![
                "shop.pod:2: Network=: lan.network is refused: there are bridge, ptp and macvlan",
                "late.container:2: Requires=: app.container is refused: lan.network is refused: there are bridge",
            ],
        ),
        (
            "web.container",
            "[Unit]\nAfter=lan.network\n[Container]\nImage=a\nNetwork=lan.network\n",
            vec![],
            vec!["web.container:5: Network=: lan.network is refused: "],
        ),
        (
            "play.kube",
            "[Kube]\nYaml=/x.yaml\nNetwork=lan.network\n",
            vec![
                ("broken.volume", "VolumeName=x"),
                (
                    "b.container",
                    "[Container]\nImage=b\nVolume=broken.volume:/d",
                ),
            ],
            vec![
                "play.kube:3: Network=: lan.network is refused: ",
                "b.container:3: Volume=: broken.volume is not understood",
            ],
        ),
    ] {
        let mut files = vec![
            ("lan.network", lan),
            ("other.container", PLAIN),
            (name, text),
        ];
        files.extend(others);
        let generated = all(&files);
        let told = told(&generated);
        for part in wanted {
            assert!(told.contains(part), "{part} is not in\n{told}");
        }
        let names: Vec<_> = generated
            .units
            .iter()
            .map(|unit| unit.name.as_str())
            .collect();
        assert_eq!(names, ["other.service"], "{told}");
    }
    // To come after what is not there harms nobody.
    let files = [
        ("lan.network", lan),
        (
            "web.container",
            "[Unit]\nAfter=lan.network\n[Container]\nImage=a\n",
        ),
    ];
    assert_eq!(all(&files).units.len(), 1);
}

#[test]
fn each_word_of_a_command_line_knows_the_line_that_it_comes_from() {
    let mut web = source(
        "web.container",
        "[Container]\nImage=a\nEnvironment=A=1 B=2\nPublishPort=80\nReadOnly=yes\nRetry=3\nExec=x\n",
    );
    web.drop_ins.push(DropIn {
        path: "/etc/fairing/pods.d/container.d/all.conf".into(),
        text: b"[Container]\nMemory=1x\n".to_vec(),
    });
    let generated = generate(&[web], &settings());
    assert_eq!(told(&generated), "");
    let words = generated.units[0].argv.iter().filter_map(|word| {
        let origin = word.origin.as_ref()?;
        let file = origin.place.path.file_name()?.to_str()?;
        Some(format!(
            "{file}:{} {} {}",
            origin.place.line,
            origin.key,
            word.text.as_ref()?
        ))
    });
    assert_eq!(
        words.collect::<Vec<_>>(),
        [
            "web.container:6 Retry --retry=3",
            "web.container:4 PublishPort --port=80",
            "web.container:2 Image a",
            "all.conf:2 Memory --memory=1x",
            "web.container:5 ReadOnly --read-only",
            "web.container:3 Environment --env=A=1",
            "web.container:3 Environment --env=B=2",
            "web.container:7 Exec x",
        ]
    );
}
