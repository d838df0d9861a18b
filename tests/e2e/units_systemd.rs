//! Files that become services of a real systemd: dropped in, started, stopped.

use std::fs;
use std::path::Path;

use harness::{Host, ImageBuilder, Systemd, dist_dir};
use quadlet::unit_file::{Command, Word};

use crate::stocked::{IDLE, IMAGE, busybox, host_with, status};

/// A systemd with the generator, whose files are those of the host's directories.
fn boot(host: &Host) -> Systemd {
    let systemd = Systemd::boot(host);
    let generator = dist_dir().join("lib/systemd/system-generators/fairing-generator");
    let variables: Vec<String> = [
        ("FAIRING_DIR", host.data_dir()),
        ("FAIRING_RUN_DIR", host.run_dir()),
        ("FAIRING_LOCAL_CONFIG", host.local_config()),
        ("FAIRING_SYSTEM_CONFIG", host.system_config()),
    ]
    .iter()
    .map(|(name, path)| format!("{name}={}", path.display()))
    .collect();
    let script = format!(
        "#!/bin/sh\nexport {}\nexec {} \"$@\"\n",
        variables.join(" "),
        generator.display()
    );
    let path = Path::new("/etc/systemd/system-generators/fairing-generator");
    systemd.write(path, &script);
    systemd.sh("systemctl start systemd-journald.socket systemd-journald.service");
    systemd.sh("chmod 755 /etc/systemd/system-generators/fairing-generator");
    // Whatever kind it is, a service works on the same directories.
    let environment = format!("[Service]\nEnvironment={}\n", variables.join(" "));
    for kind in [
        "container",
        "pod",
        "volume",
        "network",
        "image",
        "yaml",
        "kube",
    ] {
        put(host, &format!("{kind}.d/directories.conf"), &environment);
    }
    systemd
}

fn put(host: &Host, name: &str, text: &str) {
    let path = host.local_config().join("pods.d").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn idle(more: &str) -> String {
    format!("[Container]\nImage={IMAGE}\nNetwork=none\nExec=/bin/sh -c \"{IDLE}\"\n{more}")
}

#[test]
fn a_file_that_is_dropped_in_is_a_service_that_starts_reloads_and_stops() {
    let host = busybox();
    let systemd = boot(&host);
    put(&host, "data.volume", "[Volume]\n");
    let script = "trap 'echo again >> /data/log' HUP; echo first >> /data/log; while :; do usleep 5000; done";
    let text = format!(
        "[Unit]\nDescription=A test of %n\n[Container]\nImage={IMAGE}\nNetwork=none\nVolume=data.volume:/data\nReloadSignal=HUP\n\
         Exec=/bin/sh -c \"{script}\"\nEnvironment=\"WORDS=a  b%%\"\n[Install]\nWantedBy=test.target\n"
    );
    put(&host, "web.container", &text);
    put(&host, "bad.container", "[Container]\nImage=x\nColour=red\n");
    systemd.sh("systemctl daemon-reload");
    systemd.sh("systemctl start web.service");
    assert_eq!(systemd.property("web.service", "ActiveState"), "active");
    assert_eq!(
        systemd.property("web.service", "Description"),
        "A test of web.service"
    );
    assert_eq!(
        systemd.property("data-volume.service", "ActiveState"),
        "active"
    );
    let pod = status(&host, "systemd-web");
    assert_eq!(pod["labels"]["io.fairing.unit"], "web.service");
    let words = host.fairing([
        "enter",
        "systemd-web",
        "--",
        "/bin/sh",
        "-c",
        "printf %s \"$WORDS\"",
    ]);
    assert_eq!(words.run().ok().text(), "a  b%");
    let log = || {
        let cat = host.fairing(["enter", "systemd-web", "--", "/bin/cat", "/data/log"]);
        cat.run().ok().stdout
    };
    systemd.sh("systemctl reload web.service");
    harness::wait_until("the reload", std::time::Duration::from_secs(20), || {
        (log() == "first\nagain\n").then_some(())
    });
    let wanted = systemd.property("test.target", "Wants");
    assert!(wanted.contains("web.service"), "{wanted}");
    let told = systemd.sh("journalctl --no-pager -u bad.service");
    assert!(
        told.contains("bad.container:3: Colour=: [Container] has no such key"),
        "{told}"
    );
    assert!(!systemd.run("systemctl start bad.service").0);
    systemd.sh("systemctl stop web.service");
    assert_eq!(systemd.property("web.service", "ActiveState"), "inactive");
    assert!(host.pod_folders().is_empty());
    // What was mended is a service at the next reload.
    put(&host, "bad.container", &idle(""));
    systemd
        .sh("systemctl daemon-reload && systemctl start bad.service && systemctl stop bad.service");
    fs::remove_file(host.local_config().join("pods.d/bad.container")).unwrap();
    systemd.sh("systemctl daemon-reload");
    assert_eq!(systemd.property("bad.service", "LoadState"), "not-found");
}

#[test]
fn an_image_that_no_rule_lets_run_is_a_service_that_fails() {
    let host = Host::new();
    let systemd = boot(&host);
    put(&host, "web.container", &idle("Pull=never\n"));
    systemd.sh("systemctl daemon-reload");
    assert!(!systemd.run("systemctl start web.service").0);
    assert_eq!(systemd.property("web.service", "ActiveState"), "failed");
    assert!(host.pod_folders().is_empty());
}

#[test]
fn a_pod_of_several_containers_is_one_service_with_their_names() {
    let host = busybox();
    let systemd = boot(&host);
    put(&host, "shop.pod", "[Pod]\nNetwork=none\nPodName=shop\n");
    for (name, more) in [
        ("app", "[Unit]\nAfter=db.container\n"),
        ("db", "PodmanArgs=--sidecar\n"),
    ] {
        let text = idle(&format!("Pod=shop.pod\n{more}")).replace("Network=none\n", "");
        put(&host, &format!("{name}.container"), &text);
    }
    put(
        &host,
        "late.container",
        &idle("[Unit]\nRequires=app.container\nAfter=app.container\n"),
    );
    systemd.sh("systemctl daemon-reload");
    systemd.sh("systemctl start late.service");
    for name in [
        "shop-pod.service",
        "app.service",
        "db.service",
        "late.service",
    ] {
        assert_eq!(systemd.property(name, "ActiveState"), "active", "{name}");
    }
    let apps = status(&host, "shop");
    let names: Vec<_> = apps["apps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|app| app["name"].clone())
        .collect();
    assert_eq!(names, ["db", "app"]);
    systemd.sh("systemctl stop db.service");
    for name in ["shop-pod.service", "app.service", "late.service"] {
        assert_eq!(systemd.property(name, "ActiveState"), "inactive", "{name}");
    }
    assert!(host.pod_folders().is_empty());
}

#[test]
fn instances_of_a_template_are_services() {
    let host = busybox();
    let systemd = boot(&host);
    put(
        &host,
        "w@.container",
        &idle("Environment=NAME=%i\n[Install]\nWantedBy=test.target\nDefaultInstance=one\n"),
    );
    put(
        &host,
        "w@two.container.d/x.conf",
        "[Container]\nEnvironment=MORE=yes\n",
    );
    std::os::unix::fs::symlink(
        "w@.container",
        host.local_config().join("pods.d/w@two.container"),
    )
    .unwrap();
    systemd.sh("systemctl daemon-reload");
    systemd.sh("systemctl start w@one.service w@two.service w@three.service");
    for (name, wanted) in [("one", "one "), ("two", "two yes"), ("three", "three ")] {
        let pod = format!("systemd-w-{name}");
        let print = host.fairing([
            "enter",
            &pod,
            "--",
            "/bin/sh",
            "-c",
            "printf '%s %s' \"$NAME\" \"$MORE\"",
        ]);
        assert_eq!(print.run().ok().stdout, wanted);
    }
    let wanted = systemd.property("test.target", "Wants");
    assert!(
        wanted.contains("w@one.service") && !wanted.contains("w@three.service"),
        "{wanted}"
    );
    systemd.sh("systemctl stop w@one.service w@two.service w@three.service");
    assert!(host.pod_folders().is_empty());
}

#[test]
fn what_is_left_of_a_killed_pod_goes_and_the_service_comes_back() {
    let host = busybox();
    let systemd = boot(&host);
    put(
        &host,
        "web.container",
        &idle("[Service]\nRestart=on-failure\nRestartSec=0\n"),
    );
    systemd.sh("systemctl daemon-reload && systemctl start web.service");
    let before = systemd.property("web.service", "MainPID");
    systemd.sh("systemctl kill --signal=KILL web.service");
    harness::wait_until(
        "another main process",
        std::time::Duration::from_secs(30),
        || {
            let now = systemd.property("web.service", "MainPID");
            let is_other = ![before.as_str(), "0"].contains(&now.as_str());
            (is_other && systemd.property("web.service", "ActiveState") == "active").then_some(())
        },
    );
    assert_eq!(host.pod_folders().len(), 1);
    systemd.sh("systemctl stop web.service");
    assert_eq!(systemd.property("web.service", "ActiveState"), "inactive");
    assert!(host.pod_folders().is_empty());
}

#[test]
fn an_image_in_a_file_is_fetched_before_it_runs() {
    let host = Host::new();
    host.accept_unsigned();
    let systemd = boot(&host);
    let layout = host.base().join("layout");
    ImageBuilder::busybox()
        .build()
        .write_layout(&layout, "latest");
    let source = format!("oci:{}", layout.display());
    put(&host, "base.image", &format!("[Image]\nImage={source}\n"));
    let text = idle("").replace(&format!("Image={IMAGE}"), "Image=base.image");
    put(&host, "web.container", &text);
    systemd.sh("systemctl daemon-reload && systemctl start web.service");
    assert_eq!(
        systemd.property("base-image.service", "ActiveState"),
        "active"
    );
    systemd.sh("systemctl stop web.service");
}

/// Words that a simple generator of numbers makes, of what means something to systemd.
fn odd_words() -> Vec<Vec<String>> {
    const PARTS: [&str; 22] = [
        "a", "B", "0", " ", "\t", "\n", "\\", "\"", "'", ";", "#", "%", "$", "${X}", "$X", "%n",
        "\\x41", "\u{7}", "é", "😀", "-", "=",
    ];
    let mut state: u32 = 7;
    let mut next = |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % below
    };
    let mut lines = Vec::new();
    for _ in 0..60 {
        let words = (0..1 + next(4)).map(|_| {
            (0..next(7))
                .map(|_| PARTS[next(PARTS.len())])
                .collect::<String>()
        });
        lines.push(words.collect());
    }
    lines
}

#[test]
fn systemd_starts_the_words_that_were_meant() {
    let host = Host::new();
    let systemd = Systemd::boot(&host);
    let out = host.base().join("words");
    let mut text = format!(
        "[Service]\nType=oneshot\nStandardOutput=append:{}\n",
        out.display()
    );
    let mut wanted = String::new();
    for line in odd_words() {
        let mut command = Command::new("/usr/bin/printf");
        command.push(Word::literal("%s|"));
        for word in &line {
            command.push(Word::literal(word));
            wanted.push_str(&format!("{word}|"));
        }
        text.push_str(&format!("ExecStart={command}\n"));
    }
    systemd.unit("words.service", &text);
    systemd.sh("systemctl start words.service");
    assert_eq!(fs::read_to_string(out).unwrap(), wanted);
}

#[test]
fn a_kube_is_a_service_whose_output_is_in_the_journal_once() {
    let host = busybox();
    let systemd = boot(&host);
    let yaml = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec:\n  containers:\n  - name: app\n    image: {IMAGE}\n    \
         command: [/bin/sh, -c, 'trap \"exit 0\" TERM; echo said by the app; echo and so >&2; {IDLE}']\n"
    );
    put(&host, "sub/web.yaml", &yaml);
    put(
        &host,
        "web.kube",
        "[Kube]\nYaml=sub/web.yaml\nNetwork=none\nLogDriver=journald\n[Install]\nWantedBy=test.target\n",
    );
    systemd.sh("systemctl daemon-reload && systemctl start web.service");
    assert_eq!(systemd.property("web.service", "ActiveState"), "active");
    assert_eq!(systemd.property("web.service", "StatusText"), "running");
    let pod = status(&host, "web");
    assert_eq!(
        pod["monitor-pid"].to_string(),
        systemd.property("web.service", "MainPID")
    );
    systemd.sh("systemctl stop web.service");
    assert_eq!(systemd.property("web.service", "ActiveState"), "inactive");
    assert_eq!(systemd.property("web.service", "Result"), "success");
    assert!(host.pod_folders().is_empty());
    systemd.sh("journalctl --sync");
    let said = systemd.sh("journalctl --no-pager -o cat FAIRING_APP=app");
    let all = systemd.sh("journalctl --no-pager -o cat");
    for line in ["said by the app", "and so"] {
        let count = |text: &str| text.lines().filter(|one| *one == line).count();
        assert_eq!([count(&said), count(&all)], [1, 1], "{all}");
    }
}

#[test]
fn a_container_that_notifies_is_active_when_it_says_so() {
    let host = host_with(ImageBuilder::probe());
    let systemd = boot(&host);
    let script = "until test -e /tmp/go; do usleep 5000; done; /probe notify READY=1 'STATUS=at work'; \
                  while :; do usleep 5000; done";
    let text = format!(
        "[Container]\nImage={IMAGE}\nNetwork=none\nContainerName=web\nNotify=true\nExec=/bin/sh -c \"{script}\"\n"
    );
    put(&host, "web.container", &text);
    systemd.sh("systemctl daemon-reload && systemctl start --no-block web.service");
    systemd.wait_property(
        "web.service",
        "StatusText",
        "starting: busybox is not ready",
    );
    let state = || systemd.property("web.service", "ActiveState");
    assert_eq!(state(), "activating");
    host.fairing(["enter", "web", "--", "touch", "/tmp/go"])
        .run()
        .ok();
    systemd.wait_property("web.service", "ActiveState", "active");
    systemd.wait_property("web.service", "StatusText", "running: at work");
    systemd.sh("systemctl stop web.service");
    assert_eq!(state(), "inactive");
    assert_eq!(systemd.property("web.service", "Result"), "success");
}
