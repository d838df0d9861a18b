//! Completion of command lines: what shells ask for at a key, and what they get.

use std::process::Command;

use harness::Host;

use crate::stocked::{IDLE, IMAGE, busybox, detached};

/// What `fairing complete` offers for words of which the last is being typed.
fn offered(host: &Host, words: &[&str]) -> Vec<String> {
    let complete = host.fairing(["complete", "fish", "--"]).args(words);
    let output = complete.run().ok();
    let lines = output.stdout.lines();
    lines
        .map(|line| line.split('\t').next().unwrap().to_owned())
        .collect()
}

#[test]
fn what_there_is_is_offered() {
    let host = busybox();
    let pod = detached(&host, &["--name", "web"], IDLE);
    let other = detached(&host, &[], IDLE);
    let mut pods = offered(&host, &["stop", ""]);
    pods.sort();
    let mut expected = vec!["web".to_owned(), other[..8].to_owned()];
    expected.sort();
    assert_eq!(pods, expected);
    assert_eq!(offered(&host, &["rm", "w"]), ["web"]);
    assert_eq!(offered(&host, &["run", "--rm", "test.ex"]), [IMAGE]);
    assert_eq!(offered(&host, &["enter", "web", "--app", ""]), ["busybox"]);
    assert_eq!(
        offered(&host, &["run", "--net=def"]),
        ["--net=default", "--net=default-restricted"]
    );
    assert_eq!(offered(&host, &["run", "--cidf"]), [] as [&str; 0]);
    assert_eq!(offered(&host, &["run", "--repl"]), ["--replace"]);
    // Files are the shell's.
    host.fairing(["complete", "zsh", "--", "run", "--env-file", ""])
        .run()
        .expect_code(1);
    host.fairing(["stop", "--force", &pod, &other]).run().ok();
}

#[test]
fn the_script_for_bash_completes_names_with_colons() {
    let host = busybox();
    let script = host.fairing(["completion", "bash"]).run().ok().stdout;
    let file = host.write("fairing.bash", script);
    let program = harness::fairing_binary();
    // As bash calls it: colons end a word for it, but not for the program.
    let ask = format!(
        ". {}; COMP_LINE='fairing run --rm test.example/busybox:l' COMP_POINT=39 COMP_CWORD=5 \
         COMP_WORDS=({} run --rm test.example/busybox : l); compopt() {{ :; }}; _fairing; \
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        file.display(),
        program.display(),
    );
    let mut bash = Command::new("bash");
    let bash = bash.args(["-c", &ask]).env("FAIRING_DIR", host.data_dir());
    let output = bash
        .env("FAIRING_RUN_DIR", host.run_dir())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        text,
        "latest\n",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
