//! What an app makes of its own files, for whoever looks into it or begins something there.

use std::fs;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use harness::{Host, ImageBuilder, dist_dir};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, linkat, mkdirat, mknodat, openat};

use crate::app::{add, app, pod_file, sandbox};
use crate::stocked::{IDLE, IMAGE, busybox, detached, host_with, status, wait_log};

/// How long an answer may take of something that does not wait for the app.
const PROMPT: Duration = Duration::from_secs(20);

fn enter(host: &Host, pod: &str, words: &[&str]) -> harness::Output {
    let enter = host.fairing(["enter", pod, "--"]).args(words);
    enter.limit(PROMPT).run()
}

#[test]
fn what_an_app_has_put_in_place_of_a_program_is_told_and_not_waited_for() {
    let host = busybox();
    let pod = detached(&host, &[], IDLE);
    for (script, code) in [
        ("mkfifo /cmd", 126),
        ("mkdir /cmd", 126),
        ("ln -s cmd /cmd", 126),
        ("ln -s nowhere /cmd", 127),
        ("ln -s /dev/zero /cmd", 126),
        ("ln -s /proc/1/exe /cmd", 126),
        ("echo '#!/cmd' > /cmd", 126),
        ("mkfifo -m 755 /fifo; echo '#!/fifo' > /cmd", 126),
        (": > /cmd", 126),
        ("printf '\\177ELF' > /cmd", 126),
        ("head -c 300 /dev/zero > /cmd", 126),
        ("truncate -s 1000000000 /cmd", 126),
    ] {
        let made = format!("rm -rf /cmd; {script}; chmod 755 /cmd; :");
        enter(&host, &pod, &["/bin/busybox", "sh", "-c", &made]).ok();
        let output = enter(&host, &pod, &["/cmd"]).expect_code(code);
        assert!(output.stderr.contains("`/cmd`"), "{script}: {output}");
        assert_eq!(output.stderr.lines().count(), 1, "{script}: {output}");
    }
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn an_app_that_has_taken_its_files_away_is_entered_and_ended_like_any_other() {
    let host = busybox();
    for script in [
        "rm -f /dev/ptmx /dev/null /dev/tty; ln -s /dev/zero /dev/ptmx; mkfifo /dev/tty /dev/null",
        "chmod 000 /",
        "rm -rf /etc /root /home",
    ] {
        let pod = detached(&host, &[], &format!("{script}; echo done; {IDLE}"));
        wait_log(&host, &pod, "done");
        let words = ["/bin/busybox", "echo", "hello"];
        assert_eq!(
            enter(&host, &pod, &words).ok().stdout,
            "hello\n",
            "{script}"
        );
        let terminal = host.fairing(["enter", "-t", &pod, "--"]).args(words);
        let output = terminal.spawn_on_terminal(24, 80).wait().ok();
        assert!(output.stdout.contains("hello"), "{script}: {output}");
        host.fairing(["stop", "--force", &pod])
            .limit(PROMPT)
            .run()
            .ok();
    }
    let pod = detached(&host, &[], "busybox rm -rf /* 2>&-; while :; do :; done");
    harness::wait_until("there is no program", PROMPT, || {
        (enter(&host, &pod, &["/bin/sh"]).code == Some(127)).then_some(())
    });
    host.fairing(["stop", "--force", &pod])
        .limit(PROMPT)
        .run()
        .ok();
}

#[test]
fn account_files_that_an_app_has_replaced_are_read_with_care_when_it_starts_again() {
    let host = busybox();
    let pod = sandbox(&host, &[]);
    add(&host, &pod, "app", &["--user", "app"], IDLE);
    app(&host, &["start", &pod, "app"]);
    let etc = pod_file(&host, &pod, "apps/app/upper/etc");
    let passwd = etc.join("passwd");
    let line = |uid: &str| format!("app:x:{uid}:7::/:/bin/sh\n");
    let start = |why: &str| {
        app(&host, &["stop", "--force", &pod, "app"]);
        let output = host
            .fairing(["app", "start", &pod, "app"])
            .limit(PROMPT)
            .run();
        assert!(output.code != Some(0), "{why}: {output}");
        assert!(output.stderr.contains(why), "{why}: {output}");
        fs::remove_file(&passwd)
            .or_else(|_| fs::remove_dir(&passwd))
            .unwrap();
    };
    fs::create_dir_all(&etc).unwrap();
    for uid in ["4294967295", "4294967296", "-1", "0x0", ""] {
        fs::write(&passwd, line(uid)).unwrap();
        start("is not in the image's /etc/passwd");
    }
    for (target, why) in [
        ("/dev/zero", "is not in the image's /etc/passwd"),
        (
            "/proc/1/root/etc/passwd",
            "is not in the image's /etc/passwd",
        ),
        ("passwd", "symbolic links"),
    ] {
        symlink(target, &passwd).unwrap();
        start(why);
    }
    Command::new("mkfifo").arg(&passwd).status().unwrap();
    start("not a regular file");
    fs::create_dir(&passwd).unwrap();
    start("not a regular file");
    fs::File::create(&passwd)
        .unwrap()
        .set_len(10 << 30)
        .unwrap();
    start("larger than");
    assert_eq!(status(&host, &pod)["state"], "running");
    // More groups than a process can have.
    fs::write(&passwd, line("7")).unwrap();
    let groups: String = (0..70_000)
        .map(|id| format!("g{id}:x:{id}:app\n"))
        .collect();
    fs::write(etc.join("group"), groups).unwrap();
    let output = host
        .fairing(["app", "start", &pod, "app"])
        .limit(PROMPT)
        .run();
    assert_eq!(status(&host, &pod)["state"], "running", "{output}");
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn what_an_app_does_while_its_files_are_exported_leads_to_no_file_of_the_host() {
    let host = busybox();
    let script = "mkfifo /fifo; ln -s /etc/shadow /link; ln -s ../../../../etc /up; echo done; \
        while :; do mkdir /g; echo inside > /g/passwd; rm -r /g; ln -s /etc /g; rm /g; done";
    let pod = detached(&host, &[], script);
    wait_log(&host, &pod, "done");
    for number in 0..5 {
        let file = host.base().join(format!("{number}.tar"));
        let export = host.fairing(["export", &pod, "--output"]).arg(&file);
        export.limit(PROMPT).run().ok();
        let mut archive = tar::Archive::new(fs::File::open(&file).unwrap());
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().into_owned();
            if path.starts_with("g/passwd") {
                let mut text = String::new();
                std::io::Read::read_to_string(&mut entry, &mut text).unwrap();
                assert!(["inside\n", ""].contains(&text.as_str()), "{text}");
            }
            let deeper = path.components().count() > 1;
            assert!(!(deeper && (path.starts_with("up") || path.starts_with("link"))));
        }
    }
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn holes_of_an_apps_files_cost_an_export_nothing_and_come_back() {
    const SIZE: u64 = 100 << 30;
    let host = busybox();
    // What is cut off or filled while it is exported, too.
    let script = "cd /data; truncate -s 100G empty; truncate -s 100G disk; \
        echo middle | dd of=disk bs=1M seek=50000 conv=notrunc 2> /dev/null; cp -p /bin/busybox plain; \
        truncate -s 1024G /large; echo done; \
        while :; do truncate -s 0 /changing; truncate -s 1024G /changing; echo x >> /changing; done";
    let pod = detached(&host, &["-v", "holes:/data"], script);
    wait_log(&host, &pod, "done");
    let archive = host.base().join("root.tar");
    for _ in 0..5 {
        let export = host.fairing(["export", &pod, "--output"]).arg(&archive);
        export.limit(PROMPT).run().ok();
        assert!(fs::metadata(&archive).unwrap().len() < 64 << 20);
    }
    let tar = |words: &[&str]| {
        let mut tar = Command::new("tar");
        let output = tar.args(words).arg("-f").arg(&archive).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let listed = tar(&["-tv"]);
    let large = listed.lines().find(|line| line.ends_with(" large"));
    assert!(large.unwrap().contains(" 1099511627776 "), "{listed}");

    let export = ["volume", "export", "holes", "--output"];
    host.fairing(export).arg(&archive).limit(PROMPT).run().ok();
    assert!(fs::metadata(&archive).unwrap().len() < 8 << 20);
    let import = host.fairing(["volume", "import", "again"]).arg(&archive);
    import.limit(PROMPT).run().ok();
    let by_tar = host.base().join("by-tar");
    fs::create_dir(&by_tar).unwrap();
    tar(&["-xS", "-C", by_tar.to_str().unwrap()]);
    let volume = |name: &str| host.data_dir().join("volumes").join(name).join("data");
    let program = fs::read(volume("holes").join("plain")).unwrap();
    for copy in [volume("again"), by_tar] {
        for name in ["empty", "disk"] {
            let file = fs::metadata(copy.join(name)).unwrap();
            assert_eq!(file.len(), SIZE, "{name}");
            assert!(file.blocks() < 1000, "{name}: {}", file.blocks());
        }
        let disk = fs::File::open(copy.join("disk")).unwrap();
        let mut text = [0; 7];
        disk.read_exact_at(&mut text, 50_000 << 20).unwrap();
        assert_eq!(&text, b"middle\n");
        assert!(fs::read(copy.join("plain")).unwrap() == program);
    }
    host.fairing(["stop", "--force", &pod]).run().ok();
}

/// Makes so many directories in one another, each with a long name; the innermost one.
fn nest(top: &Path, depth: usize) -> OwnedFd {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let mut here = rustix::fs::open(top, flags, Mode::empty()).unwrap();
    let name = "d".repeat(250);
    for _ in 0..depth {
        mkdirat(&here, name.as_str(), Mode::RWXU).unwrap();
        here = openat(&here, name.as_str(), flags, Mode::empty()).unwrap();
    }
    here
}

#[test]
fn what_an_app_takes_is_counted_however_deep_it_lies() {
    const SIZE: usize = 8 << 20;
    let host = busybox();
    let pod = detached(&host, &[], IDLE);
    let upper = pod_file(&host, &pod, "apps/busybox/upper");
    host.fairing(["stop", "--force", &pod]).run().ok();
    let deep = nest(&upper, 300);
    let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
    let mut file = fs::File::from(openat(&deep, "file", flags, Mode::RUSR).unwrap());
    file.write_all(&vec![1; SIZE]).unwrap();
    symlink("/", upper.join("link")).unwrap();
    let taken = host.fairing(["system", "df", "--format", "json"]);
    let rows = taken.limit(PROMPT).run().ok().json();
    let rows = rows.as_array().unwrap();
    let pods = rows.iter().find(|row| row["type"] == "pods").unwrap();
    let size = pods["size"].as_u64().unwrap();
    assert!(
        (SIZE as u64..2 * SIZE as u64 + (4 << 20)).contains(&size),
        "{size}"
    );
}

#[test]
fn a_file_on_which_an_app_holds_a_lease_is_told_and_not_waited_for() {
    let host = host_with(ImageBuilder::probe());
    let run = host.fairing(["run", "--detach", "-v", "kept:/data", IMAGE, "--"]);
    let run = run.args(["/probe", "play", "lease"]).run().ok();
    let pod = run.text().to_owned();
    wait_log(&host, &pod, "leased");
    let export = |words: &[&str]| {
        let export = host.fairing(words).arg("--output=out.tar");
        export.limit(PROMPT).run()
    };
    export(&["volume", "export", "kept"]).expect_error(125, &["/leased", "holds a lease"]);
    export(&["export", &pod]).ok();
    host.fairing(["stop", "--force", &pod]).run().ok();
    export(&["volume", "export", "kept"]).ok();
}

#[test]
fn many_names_far_below_the_root_cost_an_export_little_memory() {
    // Their paths alone would be more than this command may have.
    const MEMORY: &str = "65536";
    const FILES: u32 = 30_000;
    let host = busybox();
    let pod = detached(&host, &[], IDLE);
    let upper = pod_file(&host, &pod, "apps/busybox/upper");
    host.fairing(["stop", "--force", &pod]).run().ok();
    let deep = nest(&upper, 15);
    let empty = AtFlags::empty();
    for number in 0..FILES {
        let (first, second) = (format!("a{number}"), format!("b{number}"));
        mknodat(&deep, &first, FileType::RegularFile, Mode::RUSR, 0).unwrap();
        linkat(&deep, &first, &deep, &second, empty).unwrap();
    }
    let limited = format!("ulimit -d {MEMORY} && exec \"$@\"");
    let export = host.fairing(["export", &pod]);
    let export = export.through("/bin/sh", ["-c", &limited, "sh"]);
    let archive = fs::File::create(host.base().join("deep.tar")).unwrap();
    export.stdout_file(archive).limit(PROMPT * 6).run().ok();
    let listed = Command::new("tar")
        .arg("-tvf")
        .arg(host.base().join("deep.tar"))
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let links = listed.lines().filter(|line| line.contains(" link to "));
    assert_eq!(links.count(), FILES as usize);
}

#[test]
fn pod_inits_program_can_not_be_written_to_by_what_runs_it() {
    let host = busybox();
    let program = dist_dir().join("lib/fairing/stage1/nspawn/pod-init");
    let before = fs::read(&program).unwrap();
    // Whoever opens it while it runs as a command of the app may write once that has ended. With users of their own, apps
    // can't open it at all.
    let script = "cd /proc; while :; do for p in [0-9]*; do case $(readlink $p/exe) in \
        */busybox|'') ;; *) (exec 9< $p/exe && echo opened && usleep 100000 && echo x > /proc/self/fd/9; \
        echo x >> $p/exe) 2>&1;; esac; done; done";
    let pod = detached(&host, &["--userns=host"], script);
    harness::wait_until("the program is opened", PROMPT * 3, || {
        enter(&host, &pod, &["/proc/self/exe"]);
        let logs = host.fairing(["logs", &pod]).run().ok();
        (logs.stdout.contains("opened") && logs.stdout.contains("Read-only")).then_some(())
    });
    assert!(fs::read(&program).unwrap() == before);
    host.fairing(["stop", "--force", &pod]).run().ok();
}
