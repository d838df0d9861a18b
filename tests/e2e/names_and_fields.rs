//! One rule for all names: 121 where there is nothing of that name, 120 where there is something. And one for all templates:
//! what they name is checked whether there is something to list or not.

use std::time::Duration;

use harness::{Host, wait_until};

use crate::app::{add, sandbox};
use crate::stocked::{IDLE, IMAGE, busybox, detached};

#[test]
fn what_is_not_there_and_what_is_have_one_exit_code_each() {
    let host = busybox();
    let pod = sandbox(&host, &["--name", "box"]);
    add(&host, "box", "web", &[], IDLE);
    host.fairing(["volume", "create", "data"]).run().ok();
    for command in [
        &["status", "nosuch"][..],
        &["stop", "nosuch"],
        &["rm", "nosuch"],
        &["logs", "nosuch"],
        &["inspect", "nosuch"],
        &["app", "status", "box", "nosuch"],
        &["app", "start", "box", "nosuch"],
        &["app", "stop", "box", "nosuch"],
        &["app", "rm", "box", "nosuch"],
        &["enter", "box", "--app", "nosuch"],
        &["volume", "inspect", "nosuch"],
        &["volume", "rm", "nosuch"],
        &["volume", "export", "nosuch"],
        &["network", "inspect", "nosuch"],
        &["network", "rm", "nosuch"],
        &["run", "--rm", "--net=nosuch", IMAGE],
    ] {
        let output = host.fairing(command.iter().copied()).run();
        output.expect_error(121, &["nosuch"]);
    }
    for (command, parts) in [
        (&["run", "--name", "box", IMAGE][..], &["box"][..]),
        (
            &["app", "add", "box", IMAGE, "--app-name", "web"],
            &["pod box", "`web` already"],
        ),
        (&["volume", "create", "data"], &["data already"]),
        (&["network", "create", "default"], &["default already"]),
    ] {
        let output = host.fairing(command.iter().copied()).run();
        output.expect_error(120, parts);
    }
    host.fairing(["stop", &pod]).run().ok();
    host.fairing(["rm", &pod]).run().ok();
}

/// What each list says to a template that names what no list has.
fn said_of_a_wrong_template(host: &Host) -> Vec<String> {
    let lists = [
        &["list"][..],
        &["ps"],
        &["images"],
        &["image", "list"],
        &["image", "signatures", IMAGE],
        &["image", "history", IMAGE],
        &["app", "list", "box"],
        &["volume", "list"],
        &["network", "list"],
        &["trust", "list"],
        &["system", "df"],
    ];
    let said = lists.iter().map(|list| {
        for format in ["{{.Foo}}", "table {{.Foo}}"] {
            let command = host.fairing(list.iter().copied());
            let output = command.args(["--format", format]).run();
            output.expect_error(2, &["there is no field Foo; there are "]);
        }
        let command = host.fairing(list.iter().copied());
        let output = command.args(["--format", "{{.Foo}}"]).run();
        output.stderr
    });
    said.collect()
}

#[test]
fn a_template_is_checked_whether_there_is_something_to_list_or_not() {
    let host = busybox();
    sandbox(&host, &["--name", "box"]);
    // No apps, no volumes, no signatures.
    let before = said_of_a_wrong_template(&host);
    add(&host, "box", "web", &[], IDLE);
    host.fairing(["volume", "create", "data"]).run().ok();
    let pod = detached(&host, &[], IDLE);
    assert_eq!(said_of_a_wrong_template(&host), before);
    for pod in ["box", &pod] {
        host.fairing(["stop", pod]).run().ok();
        host.fairing(["rm", pod]).run().ok();
    }
    // Neither pods.
    assert_eq!(
        host.fairing(["list", "--format", "{{.Foo}}"]).run().stderr,
        before[0]
    );
    // What a rule doesn't have is a field all the same.
    let keys = ["trust", "list", "--format", "{{.prefix}}: {{.keys}}"];
    host.fairing(keys).run().ok().expect_stdout("<no value>");
}

#[test]
fn of_several_that_replace_one_pod_each_gets_its_turn() {
    let host = busybox();
    let replace = || {
        host.fairing(["run", "--detach", "--net=none", "--replace"])
            .args(["--name", "web", IMAGE, "--", "/bin/sh", "-c", IDLE])
    };
    replace().run().ok();
    let running: Vec<_> = (0..6).map(|_| replace().spawn()).collect();
    let mut started: Vec<String> = Vec::new();
    for one in running {
        started.push(one.wait().ok().text().to_owned());
    }
    // The last one is there, and it runs.
    let left = host.fairing(["list", "--full", "-q"]).run().ok();
    let left = left.text();
    assert!(started.iter().any(|uuid| uuid == left), "{left}");
    host.fairing(["ps", "--format", "{{.Name}}"])
        .run()
        .ok()
        .expect_stdout("web");
    host.fairing(["stop", "web"]).run().ok();
    host.fairing(["rm", "web"]).run().ok();
}

#[test]
fn those_that_are_replaced_in_the_foreground_end_as_if_they_were_stopped() {
    let host = busybox();
    let replace = || {
        host.fairing(["run", "--rm", "--net=none", "--replace", "--name", "web"])
            .args([IMAGE, "--", "/bin/sh", "-c", &format!("echo up; {IDLE}")])
            .spawn()
    };
    let running = [replace(), replace(), replace()];
    wait_until("one is left, and up", Duration::from_secs(60), || {
        let left: Vec<_> = running.iter().filter(|one| one.is_running()).collect();
        (left.len() == 1 && left[0].stdout().contains("up")).then_some(())
    });
    host.fairing(["stop", "web"]).run().ok();
    for one in running {
        one.wait().expect_code(143);
    }
}
