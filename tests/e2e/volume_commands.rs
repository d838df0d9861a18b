//! `fairing volume …`: volumes made, listed, shown, removed, written to tar files and made of them.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use harness::{Host, Layer, Signal, wait_until};

use crate::stocked::{IDLE, IMAGE, busybox, detached};

const PATIENCE: Duration = Duration::from_secs(30);

fn volume(host: &Host, arguments: &[&str]) -> String {
    let command = host.fairing(["volume"]).args(arguments);
    command.run().ok().stdout
}

fn data(host: &Host, name: &str) -> PathBuf {
    let path = volume(host, &["inspect", "--format", "{{.Mountpoint}}", name]);
    PathBuf::from(path.trim())
}

#[test]
fn volumes_are_made_listed_and_shown() {
    let host = busybox();
    assert_eq!(volume(&host, &["ls", "-q"]), "");
    let name = volume(&host, &["create"]);
    volume(&host, &["rm", name.trim()]);
    let created = volume(
        &host,
        &[
            "create",
            "data",
            "-l",
            "for=shop",
            "--label=kept",
            "--uid=70",
            "--mode=0750",
        ],
    );
    assert_eq!(created, "data\n");
    let metadata = data(&host, "data").metadata().unwrap();
    assert_eq!((metadata.uid(), metadata.mode() & 0o7777), (70, 0o750));
    host.fairing(["volume", "create", "data"])
        .run()
        .expect_error(120, &["there is a volume called data already", "--ignore"]);
    assert_eq!(volume(&host, &["create", "--ignore", "data"]), "data\n");
    for bad in ["../x", "-x", "", ".hidden", "a b", "a/b"] {
        host.fairing(["volume", "create", "--", bad])
            .run()
            .expect_code(2);
    }
    volume(&host, &["create", &"long".repeat(50)]);
    let pod = detached(&host, &["--net=none", "--name=web", "-v", "data:/d"], IDLE);
    let table = volume(&host, &["list"]);
    let mut lines = table.lines();
    assert!(lines.next().unwrap().starts_with("NAME "), "{table}");
    assert!(lines.next().unwrap().starts_with("data "), "{table}");
    assert!(table.contains(" web\n"), "{table}");
    assert!(
        table.lines().all(|line| line.chars().count() <= 80),
        "{table}"
    );
    let filtered = |filter: &str| volume(&host, &["ls", "-q", "--filter", filter]);
    assert_eq!(filtered("label=for=shop"), "data\n");
    assert_eq!(filtered("label=for=other"), "");
    assert_eq!(filtered("name=at"), "data\n");
    assert_eq!(filtered("dangling=false"), "data\n");
    assert!(filtered("dangling=true").starts_with("long"));
    host.fairing(["volume", "ls", "--filter", "colour=red"])
        .run()
        .expect_error(2, &["colour", "dangling"]);
    let shown = volume(
        &host,
        &[
            "ls",
            "--format",
            "{{.Name}} {{.Driver}}",
            "--filter=name=data",
        ],
    );
    assert_eq!(shown, "data local\n");
    let inspected: serde_json::Value =
        serde_json::from_str(&volume(&host, &["inspect", "data"])).unwrap();
    assert_eq!(inspected[0]["name"], "data");
    assert_eq!(inspected[0]["labels"]["for"], "shop");
    assert_eq!(inspected[0]["pods"][0]["name"], "web");
    assert_eq!(inspected[0]["pods"][0]["state"], "running");
    let usage = host
        .fairing(["system", "df", "--format", "json"])
        .run()
        .ok()
        .json();
    let row = usage
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["type"] == "volumes");
    assert_eq!(
        (&row.unwrap()["total"], &row.unwrap()["active"]),
        (&2.into(), &1.into())
    );
    let offered = host
        .fairing(["complete", "fish", "--", "volume", "rm", "da"])
        .run()
        .ok();
    assert!(offered.stdout.starts_with("data"), "{offered}");
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn what_no_pod_uses_is_pruned_once_it_is_confirmed() {
    let host = busybox();
    for name in ["a", "b", "kept"] {
        volume(&host, &["create", name, "-l", &format!("is={name}")]);
    }
    let pod = host
        .fairing(["prepare", "--net=none", IMAGE, "-v", "kept:/d"])
        .run()
        .ok();
    host.fairing(["volume", "prune"])
        .run()
        .expect_error(125, &["no terminal to ask on", "--force"]);
    assert_eq!(
        volume(&host, &["prune", "-f", "--filter", "label=is=b"]),
        "b\n"
    );
    assert_eq!(volume(&host, &["prune", "--force"]), "a\n");
    assert_eq!(volume(&host, &["prune", "--force"]), "");
    assert_eq!(volume(&host, &["ls", "-q"]), "kept\n");
    // Collecting what is left leaves them alone.
    host.fairing(["rm", pod.text()]).run().ok();
    host.collect();
    assert_eq!(volume(&host, &["ls", "-q"]), "kept\n");
}

#[test]
fn a_volume_is_written_to_a_tar_file_and_made_of_one() {
    let host = busybox();
    volume(&host, &["create", "data"]);
    let path = data(&host, "data");
    fs::write(path.join("file"), "text").unwrap();
    fs::write(path.join(".wh.file"), "a file like others").unwrap();
    std::os::unix::fs::symlink("file", path.join("link")).unwrap();
    std::os::unix::fs::chown(path.join("file"), Some(70), Some(71)).unwrap();
    std::os::unix::fs::chown(&path, Some(72), None).unwrap();
    let archive = host.base().join("data.tar");
    let shown = archive.to_str().unwrap();
    volume(&host, &["export", "data", "-o", shown]);
    assert_eq!(volume(&host, &["import", "other", shown]), "other\n");
    // By a pipe too, and into one that is there and new.
    let piped = host.fairing(["volume", "export", "data"]);
    piped
        .stdout_file(File::create(host.base().join("piped")).unwrap())
        .run()
        .ok();
    let bytes = fs::read(host.base().join("piped")).unwrap();
    volume(&host, &["create", "third"]);
    host.fairing(["volume", "import", "third"])
        .stdin(bytes)
        .run()
        .ok();
    for name in ["other", "third"] {
        let copy = data(&host, name);
        assert_eq!(fs::read_to_string(copy.join("link")).unwrap(), "text");
        assert_eq!(
            fs::read(copy.join(".wh.file")).unwrap(),
            b"a file like others"
        );
        let owners = [copy.join("file"), copy].map(|path| path.metadata().unwrap().uid());
        assert_eq!(owners, [70, 72], "{name}");
    }
    // Nothing is mixed into what somebody uses.
    host.fairing(["volume", "import", "data", shown])
        .run()
        .expect_error(125, &["volume data is not new"]);
    host.fairing([
        "run",
        "--rm",
        "--net=none",
        IMAGE,
        "-v",
        "fresh:/d",
        "--",
        "/bin/true",
    ])
    .run()
    .ok();
    host.fairing(["volume", "import", "fresh", shown])
        .run()
        .expect_error(125, &["volume fresh is not new"]);
    host.fairing(["volume", "import", "none", "/none.tar"])
        .run()
        .expect_error(125, &["/none.tar"]);
}

#[test]
fn nothing_of_a_hostile_tar_file_gets_out_of_the_volume_and_none_is_left_of_it() {
    let host = busybox();
    let outside = host.base().join("outside");
    fs::create_dir(&outside).unwrap();
    let target = outside.to_str().unwrap();
    for (number, layer) in [
        Layer::new()
            .symlink("out", target)
            .file("out/x", "x", 0o644),
        Layer::new().file("../../../x", "x", 0o644),
        Layer::new().hardlink("passwd", "/etc/passwd"),
        Layer::new()
            .symlink("a", target)
            .symlink("b", "a")
            .folder("b/c/", 0o755),
    ]
    .into_iter()
    .enumerate()
    {
        let archive = host.write("hostile.tar", layer.tar());
        let name = format!("v{number}");
        let output = host
            .fairing(["volume", "import", &name])
            .arg(&archive)
            .run();
        // What is refused leaves no volume; a link that is kept is one of the volume's own.
        if output.code != Some(0) {
            assert!(
                !host.data_dir().join("volumes").join(&name).exists(),
                "{output}"
            );
        }
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "{number}");
    }
    let torn = Layer::new().file("file", vec![7; 100_000], 0o644).tar();
    let archive = host.write("torn.tar", &torn[..50_000]);
    host.fairing(["volume", "import", "torn"])
        .arg(&archive)
        .run()
        .expect_error(112, &["torn.tar"]);
    // Nor of one that ends between two members, or before the first.
    let whole = Layer::new().file("one", "1", 0o644).file("two", "2", 0o644);
    for length in [0, 1024] {
        let archive = host.write("torn.tar", &whole.tar()[..length]);
        host.fairing(["volume", "import", "torn"])
            .arg(&archive)
            .run()
            .expect_error(112, &["torn.tar", "it is incomplete"]);
    }
    assert!(!volume(&host, &["ls", "-q"]).contains("torn"));
    host.expect_clean();
}

#[test]
fn an_archive_without_an_end_is_refused_and_none_is_left_of_it() {
    let host = busybox();
    host.fairing(["volume", "import", "zeros", "/dev/zero"])
        .run()
        .expect_error(112, &["/dev/zero", "zeros follow the end of the archive"]);
    // A pipe is no better.
    host.fairing(["volume", "import", "zeros"])
        .through("/bin/sh", ["-c", "exec \"$@\" </dev/zero", "sh"])
        .run()
        .expect_error(112, &["standard input", "zeros follow"]);
    volume(&host, &["create", "new"]);
    host.fairing(["volume", "import", "new", "/dev/zero"])
        .run()
        .expect_error(112, &["/dev/zero"]);
    // It is bound as a layer of an image is.
    host.write("etc/config.toml", "[layers]\nmax-file-size = \"10k\"\n");
    let archive = Layer::new().file("file", vec![7; 20_000], 0o644).tar();
    let archive = host.write("large.tar", archive);
    host.fairing(["volume", "import", "large"])
        .arg(&archive)
        .run()
        .expect_error(112, &["size of the file exceeds the limit"]);
    assert_eq!(volume(&host, &["ls", "-q"]), "new\n");
    let data = data(&host, "new");
    assert_eq!(fs::read_dir(data).unwrap().count(), 0);
    host.expect_clean();
}

#[test]
fn whoever_is_about_a_volume_waits_for_no_stranger_s_pipe() {
    let host = busybox();
    for name in ["read", "filled", "other", "one-more"] {
        volume(&host, &["create", name]);
    }
    fs::write(data(&host, "read").join("file"), vec![7; 1 << 20]).unwrap();
    let pipe = host.base().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let mut reader = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&pipe)
        .unwrap();
    let export = host.fairing(["volume", "export", "read", "-o"]);
    let export = export.arg(&pipe).spawn();
    reader.read_exact(&mut [0]).unwrap();
    let import = |name| {
        let import = host.fairing(["volume", "import", name]);
        import.stdin_open().spawn()
    };
    let mut fills = import("filled");
    let begun = || data(&host, "filled").with_file_name("data.new").exists();
    wait_until("it is being filled", PATIENCE, || begun().then_some(()));
    let mut makes = import("new");
    let passing = || {
        let mut entries = fs::read_dir(host.data_dir().join("volumes")).unwrap();
        entries.any(|entry| {
            entry
                .unwrap()
                .file_name()
                .as_bytes()
                .starts_with(b".passing-")
        })
    };
    wait_until("it is being made", PATIENCE, || passing().then_some(()));

    assert_eq!(volume(&host, &["rm", "other"]), "other\n");
    assert_eq!(volume(&host, &["prune", "--force"]), "one-more\n");
    host.fairing(["gc"]).run().ok();
    for held in ["read", "filled"] {
        let held = format!("volume {held} is being imported or exported by another command");
        let name = held.split(' ').nth(1).unwrap();
        let rm = host.fairing(["volume", "rm", name]).run();
        rm.expect_error(125, &[&held, "try again"]);
    }
    let again = host.fairing(["volume", "import", "filled"]).stdin("").run();
    again.expect_error(125, &["volume filled is being imported"]);
    // Nor does a pod that would mount it.
    let run = [
        "run",
        "--rm",
        "--net=none",
        "-v",
        "filled:/mnt",
        IMAGE,
        "/bin/true",
    ];
    let run = host.fairing(run).run();
    run.expect_error(125, &["volume filled is being imported"]);

    let archive = Layer::new().file("file", "1", 0o644).tar();
    for running in [&mut fills, &mut makes] {
        running.write(&archive);
        running.close_stdin();
    }
    fills.wait().ok();
    makes.wait().ok();
    for name in ["filled", "new"] {
        assert!(data(&host, name).join("file").exists(), "{name}");
    }
    export.signal(Signal::TERM);
    export.wait();
    for name in ["read", "filled", "new"] {
        assert_eq!(volume(&host, &["rm", name]), format!("{name}\n"));
    }
    host.expect_clean();
}

#[test]
fn a_record_that_is_damaged_is_told_of_and_its_volume_can_be_removed() {
    let host = busybox();
    for name in ["good", "bad"] {
        volume(&host, &["create", name]);
    }
    host.write(
        host.data_dir().join("volumes/bad/volume.json"),
        "{\"version\":1,",
    );
    let output = host.fairing(["volume", "ls", "-q"]).run().ok();
    assert_eq!(output.stdout, "good\n");
    output.expect_stderr("volume.json is damaged");
    host.fairing([
        "run",
        "--rm",
        "--net=none",
        IMAGE,
        "-v",
        "bad:/d",
        "--",
        "/bin/true",
    ])
    .run()
    .expect_error(125, &["volume.json is damaged"]);
    volume(&host, &["rm", "bad"]);
    // Nobody waits for a pipe in its place, and a file in the place of a volume can be removed, too.
    volume(&host, &["create", "piped"]);
    let volumes = host.data_dir().join("volumes");
    let record = volumes.join("piped/volume.json");
    fs::remove_file(&record).unwrap();
    let made = Command::new("mkfifo").arg(&record).status();
    assert!(made.unwrap().success());
    host.write(volumes.join("file"), "");
    assert_eq!(
        host.fairing(["volume", "ls", "-q"]).run().ok().stdout,
        "good\n"
    );
    host.fairing(["gc"]).run().ok();
    for name in ["piped", "file"] {
        volume(&host, &["rm", name]);
    }
    host.fairing(["gc"]).run().ok();
    host.expect_clean();
}

#[test]
fn killed_commands_leave_whole_volumes_or_what_is_collected() {
    let host = busybox();
    let files = (0..200).fold(Layer::new(), |layer, number| {
        layer.file(&format!("f{number}"), [7; 10_000], 0o644)
    });
    let archive = host.write("files.tar", files.tar());
    let archive = archive.to_str().unwrap();
    // How long each takes when nobody kills it.
    let lines = [
        vec!["volume", "create", "made"],
        vec!["volume", "import", "imported", archive],
        vec!["volume", "rm", "imported"],
        vec!["volume", "prune", "--force"],
    ];
    let mut took = Vec::new();
    for line in &lines {
        let begun = Instant::now();
        host.fairing(line).run().ok();
        took.push(begun.elapsed());
    }
    for round in 0..80_u32 {
        let number = usize::try_from(round).unwrap() % lines.len();
        let running = host.fairing(&lines[number]).spawn();
        // A moment in the life of the command, not an event.
        std::thread::sleep(took[number] * (round / 4) / 20);
        running.signal(Signal::KILL);
        drop(running.wait());
        if round % 8 == 7 {
            host.collect();
            assert_eq!(host.leftovers().half_made_volumes, [] as [String; 0]);
        }
    }
    // What has a name is whole.
    for name in volume(&host, &["ls", "-q"]).lines() {
        let files = fs::read_dir(data(&host, name)).unwrap().count();
        assert_eq!(files, if name == "made" { 0 } else { 200 }, "{name}");
    }
    volume(&host, &["prune", "--force"]);
    host.collect();
    host.expect_clean();
}
