//! `run IMAGE COMMAND`: what follows an image and is no flag of an app is the command.

use harness::Host;

use crate::stocked::{IDLE, IMAGE, busybox};

/// What a command line after `run --rm` writes.
fn said(host: &Host, words: &[&str]) -> String {
    let output = host.fairing(["run", "--rm"]).args(words).run().ok();
    output.stdout
}

#[test]
fn what_follows_the_image_is_its_command() {
    let host = busybox();
    for (words, text) in [
        (&[IMAGE, "echo", "hello"][..], "hello\n"),
        (&[IMAGE, "echo", "-n", "--rm", "-e", "A=1"], "--rm -e A=1"),
        (
            &[IMAGE, "sh", "-c", "echo $0 $1", "--name", "--"],
            "--name --\n",
        ),
        (&[IMAGE, "--", "echo", "hello"], "hello\n"),
        (&["--", IMAGE, "echo", "hello"], "hello\n"),
        (
            &[IMAGE, "-e", "A=1", "sh", "-c", "echo $A$B", "-e", "B=2"],
            "1\n",
        ),
        (
            &["-e", "A=1", IMAGE, "-eB=2", "sh", "-c", "echo $A$B"],
            "12\n",
        ),
        (&[IMAGE, "--exec", "echo", "-x", "y"], "-x y\n"),
        (&[IMAGE, "--exec", "echo", "--port", "80"], "--port 80\n"),
        (&[IMAGE, "--exec", "echo", "--help"], "--help\n"),
    ] {
        assert_eq!(said(&host, words), text, "{words:?}");
    }
}

#[test]
fn each_app_of_a_pod_may_have_a_command() {
    let host = busybox();
    let first = [IMAGE, "sh", "-c", "echo first"];
    let second = ["---", IMAGE, "--app-name", "b", "sh", "-c", "echo second"];
    let text = said(&host, &[&first[..], &second].concat());
    assert!(text.contains("first") && text.contains("second"), "{text}");
}

#[test]
fn an_app_that_joins_may_have_a_command() {
    let host = busybox();
    let box_of = ["app", "sandbox", "--detach", "--name", "box"];
    host.fairing(box_of).run().ok();
    let add = ["app", "add", "--start", "box", IMAGE, "--app-name", "web"];
    host.fairing(add).args(["sh", "-c", IDLE]).run().ok();
    let listed = host.fairing(["app", "list", "box"]).run().ok();
    assert!(listed.stdout.contains("running"), "{listed}");
    host.fairing(["stop", "--force", "box"]).run().ok();
}

#[test]
fn a_flag_that_would_get_lost_in_the_command_is_refused() {
    let host = busybox();
    for (words, text) in [
        (&[IMAGE, "--net=none"][..], "goes before the first image"),
        (&[IMAGE, "--memroy", "64m"], "did you mean `--memory`?"),
        (&[IMAGE, "--cap-add", "all"], "not there yet"),
        (&["-v", "a:/b", IMAGE], "named volumes are not there yet"),
        // The image has no entry point: nothing else could run.
        (
            &[IMAGE, "--name", "web"],
            "flags of the pod go before the first image",
        ),
        (&[IMAGE, "-d"], "flags of the pod go before the first image"),
    ] {
        let run = host.fairing(["run"]).args(words).run();
        run.expect_error(2, &[text]);
    }
    assert_eq!(host.pod_folders(), []);
}
