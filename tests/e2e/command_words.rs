//! `run IMAGE COMMAND`: what follows an image and is no flag of an app is the command.

use harness::{Host, ImageBuilder};

use crate::stocked::{IDLE, IMAGE, busybox, host_with};

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
        (&[IMAGE, "--volumes-from", "web"], "not there yet"),
        (
            &["-v", ".a:/b", IMAGE],
            "begins with neither a letter nor a digit",
        ),
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

#[test]
fn a_flag_that_may_have_been_meant_for_the_other_side_is_named_when_the_app_fails_at_once() {
    let host = host_with(ImageBuilder::busybox().entrypoint(["/bin/sh", "-c", "exit $0"]));
    let failed = |words: &[&str], code: i32| {
        let run = host.fairing(["run", "--rm"]).args(words);
        run.run().expect_code(code).stderr
    };
    // What an app takes, and what goes to its program.
    let said = failed(&[IMAGE, "-i", "2"], 2);
    assert!(
        said.contains("-i after the image was taken as a flag"),
        "{said}"
    );
    assert!(said.contains("goes after `--`"), "{said}");
    let said = failed(&[IMAGE, "--exec=/bin/grep", "-d", "x"], 2);
    assert!(
        said.contains("-d after the image was handed to its program"),
        "{said}"
    );
    let said = failed(&[IMAGE, "--exec=/nowhere", "-p", "80:80"], 127);
    assert!(said.contains("-p after the image"), "{said}");
    // Nothing is said of what went well, of other failures, and where nothing is doubtful.
    for (words, code) in [
        (&[IMAGE, "-i", "0"][..], 0),
        (&[IMAGE, "-i", "7"], 7),
        (&[IMAGE, "2"], 2),
        (&["-i", IMAGE, "2"], 2),
    ] {
        let said = failed(words, code);
        assert!(!said.contains("after the image"), "{words:?}: {said}");
    }
}
