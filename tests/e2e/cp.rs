//! `fairing cp`: files out of apps and into them.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use harness::{Host, ImageBuilder, Output};

use crate::stocked::{IDLE, IMAGE, busybox, detached, host_with, status};

fn cp(host: &Host, from: &str, to: &str) -> Output {
    host.fairing(["cp", from, to]).run()
}

fn sh(host: &Host, pod: &str, script: &str) -> String {
    let enter = host.fairing(["enter", pod, "--", "/bin/sh", "-c", script]);
    enter.run().ok().stdout
}

/// A path below the host's base directory, as text.
fn at(host: &Host, path: &str) -> String {
    host.base().join(path).display().to_string()
}

#[test]
fn a_file_goes_in_and_out_as_cp_has_it() {
    let host = busybox();
    let pod = detached(&host, &["--name", "web"], IDLE);
    let read = |path: &str| fs::read_to_string(host.base().join(path)).unwrap();
    host.write("here/note", "from here");
    // A new name, a directory, another file, a path from the root.
    cp(&host, &at(&host, "here/note"), "web:/tmp/new")
        .ok()
        .expect_no_stderr();
    cp(&host, &at(&host, "here/note"), "web:/tmp").ok();
    cp(&host, &at(&host, "here/note"), "web:/tmp/").ok();
    cp(&host, &at(&host, "here/note"), &format!("{pod}:var/")).ok();
    assert_eq!(
        sh(
            &host,
            &pod,
            "cat /tmp/new /tmp/note /var/note; stat -c '%u %g' /tmp/new"
        ),
        "from herefrom herefrom here0 0\n"
    );
    sh(
        &host,
        &pod,
        "echo -n from there > /tmp/new; chmod 640 /tmp/new",
    );
    cp(&host, "web:/tmp/new", &at(&host, "here/copy"))
        .ok()
        .expect_no_stderr();
    cp(&host, "web:/tmp/new", &at(&host, "here")).ok();
    cp(&host, "web:/tmp/new", &at(&host, "here/note")).ok();
    for path in ["here/copy", "here/new", "here/note"] {
        assert_eq!(read(path), "from there");
        let stat = fs::metadata(host.base().join(path)).unwrap();
        assert_eq!((stat.mode() & 0o7777, stat.uid()), (0o640, 0));
    }
    for (from, to, part) in [
        (
            "web:/nothing",
            at(&host, "x"),
            "in pod web: cannot find /nothing: No such file",
        ),
        (
            "web:/tmp/new",
            at(&host, "no/such"),
            "on the host: cannot open",
        ),
        ("web:/tmp/new", at(&host, "no/"), "no/ is no directory"),
        (
            "web:/etc",
            at(&host, "here/copy"),
            "cannot copy a directory onto",
        ),
        ("web:/tmp/new/.", at(&host, "x"), "/tmp/new"),
        (
            "web:/tmp/new",
            "/dev/null".to_owned(),
            "neither a file nor a directory",
        ),
    ] {
        cp(&host, from, &to).expect_error(125, &[part]);
    }
    let note = at(&host, "here/note");
    cp(&host, &note, "web:/no/such").expect_error(125, &["/no: No such file"]);
    cp(&host, &note, "web:/tmp/no/").expect_error(125, &["/tmp/no/ is no directory"]);
    cp(&host, &at(&host, "here"), "web:/tmp/new").expect_error(125, &["onto /tmp/new"]);
    cp(&host, &at(&host, "none"), "web:/tmp/")
        .expect_error(125, &["on the host: cannot find", "none: No such file"]);
    cp(&host, &note, "web:/proc/1/root/").expect_error(125, &["/proc/1/root"]);
    assert!(
        Path::new("/dev/null")
            .metadata()
            .unwrap()
            .permissions()
            .mode()
            & 0o222
            == 0o222
    );
    for (from, to) in [("a", "b"), ("-", "-"), ("web:", "b")] {
        cp(&host, from, to).expect_error(2, &[]);
    }
    host.fairing(["stop", "--force", "web"]).run().ok();
}

#[test]
fn a_directory_goes_in_and_out_with_all_that_is_in_it() {
    let host = busybox();
    let pod = detached(&host, &[], IDLE);
    host.write("d/a/file", "one");
    host.write("d/top", "two");
    let d = host.base().join("d");
    symlink("a/file", d.join("link")).unwrap();
    symlink("/nowhere", d.join("dangling")).unwrap();
    fs::set_permissions(d.join("a"), PermissionsExt::from_mode(0o700)).unwrap();
    fs::create_dir(d.join("empty")).unwrap();
    let long = format!("{}/{}", "l".repeat(120), "m".repeat(120));
    host.write(format!("d/{long}"), "deep");
    let list =
        "cd $0; find . | sort; cat a/file top link; readlink link; readlink dangling; stat -c %a a";
    let listed = |pod_path: &str| {
        let enter = host.fairing(["enter", &pod, "--", "/bin/sh", "-c", list, pod_path]);
        enter.run().ok().stdout
    };
    let of = |path: &str| format!("{pod}:{path}");
    // It is made; it goes into what is there; its content does.
    cp(&host, &at(&host, "d"), &of("/tmp/new"))
        .ok()
        .expect_no_stderr();
    let expected = listed("/tmp/new");
    assert!(
        expected.ends_with("onetwoonea/file\n/nowhere\n700\n"),
        "{expected}"
    );
    assert!(expected.contains(&format!("./{long}\n")), "{expected}");
    cp(&host, &at(&host, "d"), &of("/var")).ok();
    assert_eq!(listed("/var/d"), expected);
    sh(
        &host,
        &pod,
        "mkdir /tmp/there; echo old > /tmp/there/top; echo kept > /tmp/there/kept",
    );
    cp(&host, &at(&host, "d/."), &of("/tmp/there")).ok();
    assert_eq!(
        sh(&host, &pod, "cat /tmp/there/top /tmp/there/kept"),
        "twokept\n"
    );
    // And back.
    for (from, to, made) in [
        ("/tmp/new", "back", "back"),
        ("/tmp/new", "back", "back/new"),
        ("/tmp/new/.", "content", "content"),
    ] {
        cp(&host, &of(from), &at(&host, to)).ok().expect_no_stderr();
        let made = host.base().join(made);
        assert_eq!(fs::read_to_string(made.join("a/file")).unwrap(), "one");
        assert_eq!(fs::read_to_string(made.join(&long)).unwrap(), "deep");
        assert_eq!(
            fs::read_link(made.join("dangling")).unwrap(),
            Path::new("/nowhere")
        );
        assert!(made.join("empty").is_dir());
        let mode = fs::metadata(made.join("a")).unwrap().mode();
        assert_eq!(mode & 0o7777, 0o700);
    }
    // A link itself, or what it leads to.
    cp(&host, &of("/tmp/new/link"), &at(&host, "alink")).ok();
    assert_eq!(
        fs::read_link(host.base().join("alink")).unwrap(),
        Path::new("a/file")
    );
    host.fairing(["cp", "-L", &of("/tmp/new/link"), &at(&host, "afile")])
        .run()
        .ok();
    assert_eq!(
        fs::read_to_string(host.base().join("afile")).unwrap(),
        "one"
    );
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn a_tar_file_goes_through_pipes() {
    let host = busybox();
    let pod = detached(&host, &[], IDLE);
    sh(
        &host,
        &pod,
        "mkdir /tmp/d; echo text > /tmp/d/f; ln /tmp/d/f /tmp/d/g",
    );
    let archive = host.base().join("d.tar");
    let out = fs::File::create(&archive).unwrap();
    host.fairing(["cp", &format!("{pod}:/tmp/d"), "-"])
        .stdout_file(out)
        .run()
        .ok();
    let listed = std::process::Command::new("tar")
        .arg("-tf")
        .arg(&archive)
        .output()
        .unwrap();
    let names = String::from_utf8(listed.stdout).unwrap();
    let mut names: Vec<&str> = names.lines().collect();
    names.sort_unstable();
    assert_eq!(names, ["d/", "d/f", "d/g"]);
    let tar = std::process::Command::new("tar")
        .args(["--owner=7", "--group=8", "-cf"])
        .arg(host.base().join("own.tar"))
        .arg("-C")
        .arg(host.write("in/file", "hers").parent().unwrap())
        .arg("file")
        .status();
    assert!(tar.unwrap().success());
    for name in ["d.tar", "own.tar"] {
        host.fairing(["cp", "-", &format!("{pod}:/var")])
            .stdin(fs::read(host.base().join(name)).unwrap())
            .run()
            .ok();
    }
    let seen = sh(
        &host,
        &pod,
        "cat /var/d/f /var/d/g; stat -c '%u %g' /var/file",
    );
    assert_eq!(seen, "text\ntext\n7 8\n");
    for (bytes, part) in [
        (&b"no tar file at all"[..], "ends within a header"),
        (b"", "nothing comes from standard input"),
    ] {
        host.fairing(["cp", "-", &format!("{pod}:/var")])
            .stdin(bytes)
            .run()
            .expect_error(125, &[part]);
    }
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn owners_are_kept_if_that_is_asked_for_and_are_the_pods() {
    let host = host_with(ImageBuilder::busybox().user("app"));
    let pod = detached(&host, &[], IDLE);
    sh(&host, &pod, "echo mine > /tmp/mine");
    let of = |path: &str| format!("{pod}:{path}");
    host.fairing(["cp", "-a", &of("/tmp/mine"), &at(&host, "kept")])
        .run()
        .ok();
    cp(&host, &of("/tmp/mine"), &at(&host, "plain")).ok();
    let owner = |path: &str| fs::metadata(host.base().join(path)).unwrap().uid();
    assert_eq!((owner("kept"), owner("plain")), (1000, 0));
    host.fairing(["cp", "-a", &at(&host, "kept"), &of("/tmp/back")])
        .run()
        .ok();
    cp(&host, &at(&host, "kept"), &of("/tmp/roots")).ok();
    let owners = sh(&host, &pod, "stat -c %u /tmp/back /tmp/roots");
    assert_eq!(owners, "1000\n0\n");
    // On the disk it is the pod's user, not the machine's.
    let upper = host
        .data_dir()
        .join(format!("pods/run/{pod}/apps/busybox/upper/tmp/roots"));
    assert_ne!(fs::metadata(upper).unwrap().uid(), 0);
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn an_app_of_several_is_named_and_an_image_needs_no_program() {
    let host = busybox();
    let output = host
        .fairing(["run", "-d", "--name", "two", IMAGE, "--app-name", "a", "--"])
        .args(["/bin/sh", "-c", IDLE, "---", IMAGE, "--app-name", "b"])
        .args([
            "--",
            "/bin/sh",
            "-c",
            &format!("rm -r /bin; {}", "while :; do :; done"),
        ])
        .run();
    output.ok();
    host.write("x", "to b");
    let x = at(&host, "x");
    cp(&host, &x, "two:/tmp").expect_error(2, &["--app", "a, b"]);
    cp(&host, &x, "two/b:/tmp").ok();
    host.fairing(["cp", "--app", "b", "two:/tmp/x", &at(&host, "y")])
        .run()
        .ok();
    assert_eq!(fs::read_to_string(host.base().join("y")).unwrap(), "to b");
    cp(&host, "two/a:/tmp/x", &at(&host, "z")).expect_error(125, &["/tmp/x"]);
    cp(&host, &x, "two/c:/tmp").expect_error(121, &["`c`"]);
    host.fairing(["cp", "--app", "a", "two/b:/tmp/x", &at(&host, "z")])
        .run()
        .expect_error(2, &["two apps"]);
    assert_eq!(status(&host, "two")["state"], "running");
    host.fairing(["stop", "--force", "two"]).run().ok();
}

#[test]
fn what_the_kernel_says_is_copied_by_name_and_left_out_of_a_directory() {
    let host = busybox();
    detached(&host, &["--name", "web"], IDLE);
    cp(&host, "web:/proc/version", &at(&host, "version")).ok();
    let version = fs::read_to_string(host.base().join("version")).unwrap();
    assert!(version.starts_with("Linux version"), "{version}");
    let all = cp(&host, "web:/", &at(&host, "all")).ok();
    all.expect_stderr("proc has files of the kernel's: left out")
        .expect_stderr("sys has files of the kernel's: left out");
    assert!(host.base().join("all/bin/busybox").exists());
    assert_eq!(
        fs::read_dir(host.base().join("all/proc")).unwrap().count(),
        0
    );
}

#[test]
fn standard_output_is_no_file_to_be_replaced() {
    let host = busybox();
    detached(&host, &["--name", "web"], IDLE);
    let refused = cp(&host, "web:/etc/passwd", "/dev/stdout");
    refused
        .expect_code(2)
        .expect_stderr("`-` writes a tar file");
}

#[test]
fn why_a_large_file_does_not_go_in_is_told() {
    let host = busybox();
    detached(&host, &["--name", "web"], IDLE);
    host.write("big", vec![b'x'; 3 << 20]);
    let refused = cp(&host, &at(&host, "big"), "web:/nothing/there");
    refused
        .expect_code(125)
        .expect_stderr("/nothing: No such file");
}

#[test]
fn files_go_out_of_pods_that_do_not_run_and_into_them() {
    let host = busybox();
    let script = "echo changed > /etc/note; echo v > /data/in; mkdir -p /srv/d; mkfifo /srv/d/pipe; \
         ln -s /etc/note /srv/d/link; ln -s /proc/1/root/etc /srv/out; ln -s /nowhere/x /srv/dangling";
    let flags = ["--name", "web", "-v", "kept:/data", "--tmpfs", "/mem"];
    detached(&host, &flags, script);
    host.fairing(["wait", "web"]).run().ok();
    let read = |path: &str| fs::read_to_string(host.base().join(path)).unwrap();
    cp(&host, "web:/etc/note", &at(&host, "note"))
        .ok()
        .expect_no_stderr();
    cp(&host, "web:/srv/d", &at(&host, "d")).ok();
    cp(&host, "web:/data/in", &at(&host, "in")).ok();
    assert_eq!(
        (read("note"), read("in")),
        ("changed\n".into(), "v\n".into())
    );
    let link = fs::read_link(host.base().join("d/link")).unwrap();
    assert_eq!(link, Path::new("/etc/note"));
    host.fairing(["cp", "-L", "web:/srv/d/link", &at(&host, "followed")])
        .run()
        .ok();
    assert_eq!(read("followed"), "changed\n");
    // What is copied into it is among its changes, and in the volume.
    host.write("new", "from here");
    for (to, seen) in [("/srv/d", "/srv/d/new"), ("/data", "/data/new")] {
        cp(&host, &at(&host, "new"), &format!("web:{to}")).ok();
        cp(&host, &format!("web:{seen}"), &at(&host, "back")).ok();
        assert_eq!(read("back"), "from here");
    }
    let diff = host.fairing(["diff", "web"]).run().ok();
    diff.expect_stdout("A /srv/d/new\n");
    let volume = host.data_dir().join("volumes/kept/data/new");
    assert_eq!(fs::read_to_string(volume).unwrap(), "from here");
    let upper = host.data_dir().join(format!(
        "pods/run/{}/apps/busybox/upper/srv/d/new",
        status(&host, "web")["uuid"].as_str().unwrap()
    ));
    assert_ne!(fs::metadata(upper).unwrap().uid(), 0);
    // Nothing leads out of it.
    for (from, part) in [
        (
            "web:/srv/out/passwd",
            "in pod web: cannot find /srv/out/passwd",
        ),
        ("web:/../../../etc/shadow", "in pod web: cannot find"),
    ] {
        cp(&host, from, &at(&host, "x")).expect_error(125, &[part]);
    }
    cp(&host, &at(&host, "new"), "web:/srv/out/x").expect_error(125, &["in pod web"]);
    // One that was prepared takes them along.
    host.fairing(["prepare", "--name", "later", IMAGE, "--"])
        .args(["/bin/cat", "/srv/new", "/srv/note"])
        .run()
        .ok();
    cp(&host, &at(&host, "new"), "later:/srv/").expect_error(125, &["/srv/ is no directory"]);
    cp(&host, "web:/srv", "later:/srv").ok();
    cp(&host, &at(&host, "new"), "later:/srv/new").ok();
    cp(&host, "web:/etc/note", "later:/srv").ok();
    let run = host.fairing(["run-prepared", "later"]).run().ok();
    assert_eq!(run.stdout, "from herechanged\n");
}

#[test]
fn what_docker_and_scp_users_type_is_taken() {
    let host = busybox();
    detached(&host, &["--name", "web"], IDLE);
    host.write("d/file", "x");
    let d = at(&host, "d");
    for flags in ["-r", "-R", "-a", "-p", "-rp", "-aq"] {
        host.fairing(["cp", flags, &d, "web:/tmp/"]).run().ok();
        host.fairing(["cp", flags, "web:/tmp/d", &at(&host, "back")])
            .run()
            .ok();
    }
    cp(&host, "web:/tmp/d/file", "web:/var").ok();
    assert_eq!(sh(&host, "web", "cat /var/file"), "x");
    let closed = host.fairing(["cp", "-", "web:/tmp"]).stdin(b"").run();
    closed.expect_error(125, &["nothing comes from standard input"]);
    host.fairing(["stop", "--force", "web"]).run().ok();
}
