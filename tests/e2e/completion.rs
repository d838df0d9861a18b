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
    // Those that run are not there to be removed, unless that is forced, nor to be started.
    assert_eq!(offered(&host, &["rm", "w"]), [] as [&str; 0]);
    assert_eq!(offered(&host, &["rm", "--force", "w"]), ["web"]);
    host.fairing(["prepare", "--name", "later", IMAGE, "true"])
        .run()
        .ok();
    assert_eq!(offered(&host, &["start", ""]), ["later"]);
    assert_eq!(offered(&host, &["rm", ""]), ["later"]);
    assert_eq!(offered(&host, &["kill", "-s", "HUP", "w"]), ["web"]);
    assert_eq!(offered(&host, &["kill", "l"]), [] as [&str; 0]);
    assert_eq!(offered(&host, &["kill", "-s", "US"]), ["USR1", "USR2"]);
    assert_eq!(offered(&host, &["run", IMAGE, "--entry"]), ["--entrypoint"]);
    assert_eq!(offered(&host, &["run", IMAGE, "--na"]), [] as [&str; 0]);
    assert_eq!(offered(&host, &["run", "--userns=h"]), ["--userns=host"]);
    assert_eq!(offered(&host, &["run", "--pid", "pr"]), ["private"]);
    assert_eq!(
        offered(&host, &["run", "--cap-add=KILL,NET_AD"]),
        ["--cap-add=KILL,NET_ADMIN"]
    );
    assert_eq!(
        offered(&host, &["ps", "--filter", "status=r"]),
        ["status=running"]
    );
    assert_eq!(offered(&host, &["run", "--net", "n"]), ["none"]);
    assert_eq!(offered(&host, &["run", "--rm", "test.ex"]), [IMAGE]);
    assert_eq!(offered(&host, &["enter", "web", "--app", ""]), ["busybox"]);
    assert_eq!(offered(&host, &["cp", "we"]), ["web:"]);
    assert_eq!(offered(&host, &["cp", "web:/x", "we"]), ["web:"]);
    assert_eq!(offered(&host, &["cp", "web:/e"]), [] as [&str; 0]);
    assert_eq!(offered(&host, &["commit", "we"]), ["web"]);
    assert_eq!(
        offered(&host, &["run", "--net=def"]),
        ["--net=default", "--net=default-restricted"]
    );
    assert_eq!(offered(&host, &["run", "--cidf"]), ["--cidfile"]);
    assert_eq!(offered(&host, &["run", "--stop-t"]), [] as [&str; 0]);
    assert_eq!(offered(&host, &["run", "--repl"]), ["--replace"]);
    host.fairing(["tag", IMAGE, "docker.io/library/nginx:1"])
        .run()
        .ok();
    host.fairing(["tag", IMAGE, "app:1"]).run().ok();
    assert_eq!(offered(&host, &["run", "ng"]), ["nginx:1"]);
    assert_eq!(offered(&host, &["images", "ng"]), ["nginx:1"]);
    assert_eq!(offered(&host, &["inspect", "we"]), ["web"]);
    assert_eq!(offered(&host, &["inspect", "test.ex"]), [IMAGE]);
    assert_eq!(offered(&host, &["trust", "rm", ""]), ["*"]);
    host.fairing(["volume", "create", "data"]).run().ok();
    assert_eq!(offered(&host, &["run", "-v", "da"]), ["data"]);
    assert_eq!(offered(&host, &["run", "--volume=da"]), ["--volume=data"]);
    assert_eq!(offered(&host, &["run", "ap"]), ["app:1"]);
    let begun = format!("type=bind,source={}/et", host.base().display());
    let source = format!("type=bind,source={}/etc/", host.base().display());
    assert_eq!(offered(&host, &["run", "--mount", &begun]), [source]);
    // Files are the shell's.
    host.fairing(["complete", "zsh", "--", "run", "--env-file", ""])
        .run()
        .expect_code(1);
    host.fairing(["rm", "later"]).run().ok();
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

/// A fresh directory of programs that holds fairing, as if it were installed.
fn installed(host: &Host) -> std::path::PathBuf {
    let folder = host.base().join("bin");
    std::fs::create_dir(&folder).unwrap();
    std::os::unix::fs::symlink(harness::fairing_binary(), folder.join("fairing")).unwrap();
    folder
}

/// What a shell writes that reads this script, with fairing in its path.
fn shell(host: &Host, program: &str, flags: &[&str], script: &str) -> String {
    let bin = installed(host);
    let path = std::env::var("PATH").unwrap();
    let file = host.write("script", script);
    let output = Command::new(program)
        .args(flags)
        .arg(file)
        .env("PATH", format!("{}:{path}", bin.display()))
        .env("HOME", host.base())
        .env("FAIRING_DIR", host.data_dir())
        .env("FAIRING_RUN_DIR", host.run_dir())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[cfg_attr(not(fish), ignore = "fish is not installed")]
fn fish_completes_commands_pods_and_files() {
    let host = busybox();
    let pod = detached(&host, &["--name", "web"], IDLE);
    let script = host.fairing(["completion", "fish"]).run().ok().stdout;
    let ask = "complete -C 'fairing enter we'; echo; complete -C 'fairing netw'; echo; \
               complete -C 'fairing load --input /etc/pass'";
    let said = shell(&host, "fish", &["--no-config"], &format!("{script}\n{ask}"));
    let parts: Vec<&str> = said.split("\n\n").collect();
    let word = |text: &str| text.split('\t').next().unwrap().trim().to_owned();
    assert_eq!(word(parts[0]), "web", "{said}");
    assert_eq!(word(parts[1]), "network", "{said}");
    assert!(parts[2].contains("/etc/passwd"), "{said}");
    host.fairing(["stop", "--force", &pod]).run().ok();
}

/// A shell at a terminal of its own, in which a person types, presses the key for completion, and another one that shows the
/// line.
const TYPED_IN_ZSH: &str = r#"
zmodload zsh/zpty
typed() {
    zpty z zsh -f -i
    zpty -w z "PS1=; unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -u -D; . $HOME/fairing.zsh"
    zpty -w z 'shown() { zle -I; print -r -- "<$BUFFER>"; BUFFER=; }; zle -N shown; bindkey "^X" shown; print read""y'
    zpty -r -m z said '*ready*'
    zpty -w -n z "$1"$'\t\x18'
    zpty -r -m z said '*<*>*'
    print -r -- "${said##*<}"
    zpty -d z
}
typed 'fairing enter we'
typed 'fairing netw'
typed 'fairing load --input /etc/passw'
"#;

#[test]
#[cfg_attr(not(zsh), ignore = "zsh is not installed")]
fn zsh_completes_commands_pods_and_files() {
    let host = busybox();
    let pod = detached(&host, &["--name", "web"], IDLE);
    let script = host.fairing(["completion", "zsh"]).run().ok().stdout;
    host.write("fairing.zsh", script);
    let said = shell(&host, "zsh", &["-f"], TYPED_IN_ZSH);
    for line in [
        "fairing enter web >",
        "fairing network >",
        "fairing load --input /etc/passwd>",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    host.fairing(["stop", "--force", &pod]).run().ok();
}
