//! Units of systemd that are made of files: by the generator, and as `fairing units` shows them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use harness::{Host, dist_dir};
use serde_json::json;

const WEB: &str = "[Container]\nImage=test.example/app\nPublishPort=8080:80\nVolume=pages.volume:/srv\n\
                   [Install]\nWantedBy=multi-user.target\n";

fn put(host: &Host, name: &str, text: &str) {
    let path = host.local_config().join("pods.d").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// The generator, which tells standard error what it finds, as it finds neither a journal nor the kernel's log.
fn generator(host: &Host, directories: &[PathBuf]) -> Output {
    let alone = "mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /dev && exec \"$@\"";
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c", alone, "sh"])
        .arg(dist_dir().join("lib/systemd/system-generators/fairing-generator"))
        .args(directories)
        .env("FAIRING_LOCAL_CONFIG", host.local_config())
        .env("FAIRING_SYSTEM_CONFIG", host.system_config())
        .env("FAIRING_RUN_DIR", host.run_dir())
        .env("FAIRING_DIR", host.data_dir());
    command.output().unwrap()
}

/// What the generator makes in the first of its directories, whether it is content, and what it tells.
fn generated(host: &Host) -> (BTreeSet<String>, bool, String) {
    let to = tempfile::tempdir().unwrap();
    let directories = ["normal", "early", "late"].map(|name| to.path().join(name));
    for directory in &directories {
        fs::create_dir(directory).unwrap();
    }
    let output = generator(host, &directories);
    let names = |path: &Path| -> Vec<String> {
        let entries = fs::read_dir(path).unwrap().map(Result::unwrap);
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.file_name().into_string().unwrap();
            match entry.file_type().unwrap().is_dir() {
                true => names.extend(fs::read_dir(entry.path()).unwrap().map(|below| {
                    format!(
                        "{name}/{}",
                        below.unwrap().file_name().into_string().unwrap()
                    )
                })),
                false => names.push(name),
            }
        }
        names
    };
    for other in &directories[1..] {
        assert!(names(other).is_empty());
    }
    let mut found: BTreeSet<String> = names(&directories[0]).into_iter().collect();
    for name in names(&directories[0]) {
        if name.contains('/') {
            let link = fs::read_link(directories[0].join(&name)).unwrap();
            found.remove(&name);
            found.insert(format!("{name} -> {}", link.display()));
        } else {
            // What it has written is what the command shows.
            let text = fs::read_to_string(directories[0].join(&name)).unwrap();
            host.fairing(["units", "show", &name])
                .run()
                .ok()
                .expect_stdout(&text);
        }
    }
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    (found, output.status.success(), told)
}

#[test]
fn the_generator_makes_what_units_shows() {
    let host = Host::new();
    put(&host, "web.container", WEB);
    put(&host, "sub/pages.volume", "[Volume]\n");
    put(&host, "README", "nothing\n");
    host.fairing(["units", "check"])
        .run()
        .ok()
        .expect_no_stderr();
    put(&host, "job.yaml", "kind: Pod\n");
    let (units, is_content, told) = generated(&host);
    assert_eq!((is_content, told.as_str()), (true, ""));
    let wanted = [
        "job.service",
        "multi-user.target.wants/web.service -> ../web.service",
        "pages-volume.service",
        "web.service",
    ];
    assert_eq!(units, wanted.map(str::to_owned).into());
    let list = host
        .fairing(["units", "list", "--format", "{{.Unit}} {{.StartsWith}}"])
        .run()
        .ok();
    assert_eq!(
        list.text(),
        "job.service []\npages-volume.service []\nweb.service [multi-user.target]"
    );
    let show = host.fairing(["units", "show", "web.container"]).run().ok();
    let start = format!(
        "ExecStart={} run --name=systemd-web --replace --rm --label=io.fairing.unit=%n --port=8080:80 test.example/app \
         --volume=systemd-pages:/srv\n",
        dist_dir()
            .join("bin/fairing")
            .canonicalize()
            .unwrap()
            .display()
    );
    assert!(show.text().contains(&start), "{}", show.text());
    host.fairing(["units", "show", "none.service"])
        .run()
        .expect_error(121, &["no file becomes a unit none.service", "units list"]);
}

#[test]
fn a_broken_file_leaves_the_others_alone_and_is_told_of() {
    let host = Host::new();
    put(&host, "web.container", "[Container]\nImage=a.io/b:1\n");
    put(
        &host,
        "bad.container",
        "[Container]\nImage=a.io/b:1\nColour=red\n",
    );
    put(&host, "worse.container", "\u{0}\u{7}[");
    put(
        &host,
        "odd.container",
        "[Container]\nImage=a.io/b:1\nEnvironment=A=x$y\n",
    );
    let (units, is_content, told) = generated(&host);
    assert_eq!(
        units,
        ["odd.service", "web.service"].map(str::to_owned).into()
    );
    assert!(!is_content);
    for part in [
        "<3>fairing-generator: ",
        "bad.container:3: Colour=: [Container] has no such key",
        "worse.container:1: it holds a NUL byte",
        "<4>fairing-generator: ",
        "odd.container:3: warning: Environment=: systemd replaces",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let check = host.fairing(["units", "check"]).run().expect_code(1);
    let without_priorities: String = told
        .lines()
        .map(|line| format!("{}\n", line.split_once("generator: ").unwrap().1))
        .collect();
    assert_eq!(check.text(), without_priorities.trim_end());
    let check = host
        .fairing(["units", "check", "--format", "json"])
        .run()
        .expect_code(1);
    let path = host.local_config().join("pods.d/bad.container");
    assert_eq!(
        check.json()["findings"][0],
        json!({"severity": "error", "file": path, "line": 3, "key": "Colour", "reason": "[Container] has no such key",
               "unit": "bad.service"})
    );
    host.fairing(["units", "show", "bad.service"])
        .run()
        .expect_error(121, &["bad.container:3: Colour=: "]);
    host.fairing(["units", "list"])
        .run()
        .ok()
        .expect_stdout("web.service")
        .expect_stderr("bad.container:3: Colour=");
}

#[test]
fn files_are_checked_before_they_are_installed() {
    let host = Host::new();
    put(&host, "pages.volume", "[Volume]\n");
    put(&host, "bad.container", "[Container]\n");
    let ground = tempfile::tempdir().unwrap();
    let new = ground.path().join("web.container");
    fs::write(&new, WEB).unwrap();
    // It may name what is installed; what else is wrong there is not its fault.
    let check = || host.fairing(["units", "check"]).arg(&new);
    let fine = check().run().ok();
    assert_eq!(fine.text(), "");
    let beside = ground.path().join("web.container.d");
    fs::create_dir(&beside).unwrap();
    fs::write(beside.join("x.conf"), "[Container]\nMemory=much\nLabel==\n").unwrap();
    check()
        .run()
        .expect_code(1)
        .expect_stdout("web.container.d/x.conf:2: Memory=: ")
        .expect_stdout("web.container.d/x.conf:3: Label=: ");
    fs::write(
        beside.join("x.conf"),
        "[Container]\nMemory=1g\nEnvironment=A=%t B=%i\n",
    )
    .unwrap();
    assert_eq!(check().run().ok().text(), "");
    fs::write(
        beside.join("x.conf"),
        "[Container]\nVolume=none.volume:/x\n",
    )
    .unwrap();
    let told = check().run().expect_code(1);
    let wanted = format!(
        "{}:2: Volume=: there is no file none.volume",
        beside.join("x.conf").display()
    );
    assert_eq!(told.text(), wanted);
    host.fairing(["units", "check"])
        .arg(ground.path().join("none.container"))
        .run()
        .expect_error(125, &["none.container"]);
    let odd = ground.path().join("web.txt");
    fs::write(&odd, "").unwrap();
    host.fairing(["units", "check"])
        .arg(&odd)
        .run()
        .expect_code(1)
        .expect_stdout("its name says of no kind of unit");
}

#[test]
fn podmans_directories_count_if_they_are_configured() {
    let host = Host::new();
    let says = |text: &str| host.write(host.local_config().join("config.d/units.toml"), text);
    says("[units]\nquadlet-directories = true\n");
    let check = host
        .fairing(["units", "list", "--format", "json"])
        .run()
        .ok();
    assert!(check.json().is_array());
    says("[units]\nquadlet-directories = 7\n");
    host.fairing(["units", "list"]).run().expect_error(
        125,
        &["units.toml", "units.quadlet-directories: invalid type"],
    );
    put(&host, "web.container", "[Container]\nImage=a.io/b:1\n");
    // For the generator, that is no reason to make no units.
    let to = tempfile::tempdir().unwrap();
    let output = generator(&host, &[to.path().to_owned()]);
    assert!(!output.status.success());
    assert!(to.path().join("web.service").exists());
}

#[test]
fn a_network_that_is_there_can_be_left_as_it_is() {
    let host = Host::new();
    let create = |flags: &[&str]| host.fairing(["network", "create", "lan"]).args(flags).run();
    let first = create(&["--ignore", "--mode=macvlan", "--master=lo"]).ok();
    let text = fs::read_to_string(first.text().trim()).unwrap();
    let again = create(&["--ignore"]).ok();
    assert_eq!(again.text(), first.text());
    assert_eq!(fs::read_to_string(first.text().trim()).unwrap(), text);
    create(&[]).expect_error(120, &["already exists"]);
    let built_in = host
        .fairing(["network", "create", "--ignore", "default"])
        .run();
    built_in.expect_error(120, &["built in"]);
}

#[test]
fn what_is_no_file_is_told_of_and_never_read() {
    let host = Host::new();
    put(&host, "web.container", "[Container]\nImage=a.io/b:1\n");
    let at = |name: &str| host.local_config().join("pods.d").join(name);
    for name in ["zero.container", "zero.yaml"] {
        let made = Command::new("mknod")
            .arg(at(name))
            .args(["c", "1", "5"])
            .status();
        assert!(made.unwrap().success());
    }
    let made = Command::new("mkfifo").arg(at("pipe.kube")).status();
    assert!(made.unwrap().success());
    // What another file names is not waited for either.
    put(&host, "play.kube", "[Kube]\nYaml=pipe.kube\n");
    let (units, _, told) = generated(&host);
    assert_eq!(
        units,
        ["play.service", "web.service"].map(str::to_owned).into()
    );
    let check = host.fairing(["units", "check"]).run().expect_code(1);
    let check = check.text();
    for (name, what) in [
        ("zero.container", "a device"),
        ("zero.yaml", "a device"),
        ("pipe.kube", "a FIFO"),
    ] {
        let wanted = format!("{name}: it can't be read: it is not a regular file but {what}");
        assert!(told.contains(&wanted), "{told}");
        assert!(check.contains(&wanted), "{check}");
    }
    let wanted = "play.kube:2: Yaml=: ";
    assert!(
        check.contains(wanted) && check.contains("pipe.kube is not a regular file"),
        "{check}"
    );
}

#[test]
fn a_mistake_in_what_all_containers_have_is_told_once_and_of_that_file() {
    let host = Host::new();
    for name in ["a", "b", "c"] {
        put(
            &host,
            &format!("{name}.container"),
            "[Container]\nImage=a.io/b:1\n",
        );
    }
    put(
        &host,
        "container.d/all.conf",
        "[Container]\nMemory=lots\nUser=\nPublishPort=x\n",
    );
    let check = host.fairing(["units", "check"]).run().expect_code(1);
    let check = check.text();
    let lines: Vec<&str> = check.lines().collect();
    assert_eq!(lines.len(), 2, "{check}");
    for (line, wanted) in lines
        .iter()
        .zip(["all.conf:4: PublishPort=: ", "all.conf:2: Memory=: "])
    {
        assert!(
            lines.iter().any(|line| line.contains(wanted)),
            "{line}: {check}"
        );
    }
    put(&host, "container.d/all.conf", "[Container]\nColour=red\n");
    let check = host.fairing(["units", "check"]).run().expect_code(1);
    let check = check.text();
    assert_eq!(check.lines().count(), 1, "{check}");
    let listed = host.fairing(["units", "list"]).run().ok();
    assert_eq!(listed.stderr.matches("Colour=").count(), 1, "{listed}");
}
