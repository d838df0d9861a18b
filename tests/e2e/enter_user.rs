//! `fairing enter --user`: a command as another user of the app's files, within what confines the app.

use harness::{Host, ImageBuilder, Output};

use crate::stocked::{IDLE, IMAGE, busybox, detached, host_with, wait_log};

fn enter(host: &Host, pod: &str, flags: &[&str], script: &str) -> Output {
    let enter = host.fairing(["enter"]).args(flags);
    enter.args([pod, "--", "/bin/sh", "-c", script]).run()
}

const WHO: &str = "echo $(id -u) $(id -g) $(id -G) $HOME";

#[test]
fn a_command_is_of_the_user_that_is_asked_for() {
    let host = host_with(ImageBuilder::busybox().user("app"));
    let pod = detached(&host, &[], IDLE);
    let who = |flags: &[&str]| enter(&host, &pod, flags, WHO).ok().text().to_owned();
    let own = who(&[]);
    assert!(own.starts_with("1000 1000 1000 50 "), "{own}");
    let home = own.rsplit(' ').next().unwrap();
    assert_eq!(who(&["--user", "app"]), own);
    assert!(who(&["-u", "root"]).starts_with("0 0 0"));
    assert_eq!(who(&["-u", "0:50"]), who(&["-u", "root", "--group", "50"]));
    assert!(who(&["-u", "0:50"]).starts_with("0 50 50 "));
    assert_eq!(who(&["-u", "4242"]), "4242 0 0 /");
    assert_eq!(who(&["-u", "4242:4243"]), "4242 4243 4243 /");
    assert_eq!(who(&["--group", "50"]), format!("1000 50 50 {home}"));
    assert_eq!(who(&["-u", "4242", "-e", "HOME=/var"]), "4242 0 0 /var");
    for (flags, parts) in [
        (["-u", "ghost"], ["user", "`ghost`"]),
        (["-u", "0:ghosts"], ["group", "`ghosts`"]),
        (["--group", "ghosts"], ["group", "`ghosts`"]),
    ] {
        enter(&host, &pod, &flags, "true").expect_error(119, &parts);
    }
    for flags in [
        ["-u", ""],
        ["-u", ":0"],
        ["--group", ""],
        ["-u", "4294967295"],
    ] {
        let output = enter(&host, &pod, &flags, "true");
        output.expect_error(2, &["must not be empty"][..usize::from(flags[1].len() < 3)]);
    }
    enter(&host, &pod, &["--privileged"], "true").expect_error(2, &["--cap-add", "fairing run"]);
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn a_terminal_is_that_users_too() {
    let host = busybox();
    let pod = detached(&host, &[], IDLE);
    let mut terminal = host
        .fairing(["enter", "-it", "-u", "app", &pod, "--", "/bin/sh", "-c"])
        .arg("stat -c 'owned by %u' $(tty); echo again > $(tty); read line")
        .spawn_on_terminal(24, 80);
    terminal.wait_screen("owned by 1000");
    terminal.wait_screen("again");
    terminal.type_keys("\r");
    terminal.wait().ok();
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn root_in_a_command_is_no_more_than_root_in_the_app() {
    let host = busybox();
    let state = "grep -E '^(Cap|NoNewPrivs|Seccomp)' /proc/self/status; cat /proc/self/uid_map; \
         ulimit -n; readlink /proc/self/ns/user";
    let as_root = detached(&host, &[], &format!("{state}; echo end; {IDLE}"));
    let as_app = host
        .fairing(["run", "--detach", IMAGE, "--user", "app"])
        .args(["--", "/bin/sh", "-c", IDLE])
        .run()
        .ok();
    let as_app = as_app.text();
    wait_log(&host, &as_root, "end\n");
    let facts = |text: &str| {
        let lines = text.lines().filter(|line| !line.contains("user:["));
        let kept = lines.filter(|line| !line.trim_start().starts_with('0'));
        kept.map(str::to_owned).collect::<Vec<_>>()
    };
    let of_app = host.fairing(["logs", &as_root]).run().ok().stdout;
    let of_app = of_app.strip_suffix("end\n").unwrap();
    let entered = enter(&host, as_app, &["-u", "root"], state).ok().stdout;
    assert_eq!(facts(&entered), facts(of_app));
    assert!(entered.contains("NoNewPrivs:\t1\n") && entered.contains("Seccomp:\t2\n"));
    for pod in [as_root.as_str(), as_app] {
        host.fairing(["stop", "--force", pod]).run().ok();
    }
}

#[test]
fn account_files_that_an_app_has_made_hostile_make_nobody_more_than_the_app_may_be() {
    let host = busybox();
    let pod = detached(&host, &[], IDLE);
    let run = |script: &str| enter(&host, &pod, &["-u", "0:0"], script).ok();
    let named = |name: &str| enter(&host, &pod, &["-u", name], WHO);
    // Somebody whom the pod's user namespace does not have.
    run("echo 'far:x:4000000000:4000000000::/:' >> /etc/passwd; \
         echo 'huge:x:99999999999:0::/:' >> /etc/passwd; \
         printf 'nul\\0:x:0:0::/:\\n' >> /etc/passwd; \
         echo 'home:x:7:7::/h\\033[2J:' >> /etc/passwd");
    named("far").expect_error(125, &["user 4000000000"]);
    named("4000000001").expect_error(125, &["user 4000000001"]);
    named("huge").expect_error(119, &["`huge`"]);
    named("nul").expect_error(119, &["`nul`"]);
    // What would keep the reader for ever, or lead out.
    for make in [
        "mkfifo /etc/passwd",
        "ln -s /dev/zero /etc/passwd",
        "ln -s /proc/1/root/etc/passwd /etc/passwd",
        "mkdir /etc/passwd",
        "ln -s passwd /etc/passwd",
        "dd if=/dev/zero of=/etc/passwd bs=1M seek=5 count=1 2>/dev/null",
    ] {
        run(&format!("rm -rf /etc/passwd; {make}"));
        let told = named("app").expect_error(125, &["/etc/passwd"]);
        assert!(!told.stderr.contains("\u{1b}"), "{make}");
        // By numbers nobody has to read it.
        let numbers = enter(
            &host,
            &pod,
            &["-u", "7:8"],
            "grep -E '^(Uid|Gid)' /proc/self/status",
        );
        let expected = "Uid:\t7\t7\t7\t7\nGid:\t8\t8\t8\t8\n";
        assert_eq!(numbers.ok().stdout, expected, "{make}");
    }
    run("rm -rf /etc/passwd; ln -s ../../../../../etc/group /etc/passwd");
    named("app").expect_error(119, &["`app`"]);
    run("rm -rf /etc/passwd");
    named("app").expect_error(119, &["`app`"]);
    host.fairing(["stop", "--force", &pod]).run().ok();
}
