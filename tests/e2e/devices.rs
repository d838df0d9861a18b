//! Devices of the host in an app: which there are, and what it may do with them.

use std::fs;
use std::path::Path;

use harness::{FairingCommand, Host};

use crate::stocked::{IMAGE, busybox, detached, wait_log};

/// Runs a script in an app with these flags. `/dev/autofs` is a device that no app has, and that opening does nothing with.
fn run(host: &Host, flags: &[&str], script: &str) -> FairingCommand {
    host.fairing(["run", "--rm"])
        .args(flags)
        .args([IMAGE, "--", "/bin/sh", "-c", script])
}

#[test]
fn an_app_gets_the_devices_that_are_named_and_may_do_what_is_said() {
    let host = busybox();
    let look = "ls -l /dev/tun /dev/full2 | tr -s ' ' | cut -d ' ' -f 5,6,10; \
        head -c 1 /dev/full2 | wc -c; echo x > /dev/full2; echo wrote $?";
    let flags = [
        "--device=/dev/zero:/dev/tun",
        "--device=/dev/zero:/dev/full2:r",
    ];
    for users in [&[][..], &["--userns=host"]] {
        let output = run(&host, &[&flags[..], users].concat(), look).run().ok();
        // By one of the rules it may be written: each app has it as `/dev/zero`.
        let expected = "1, 5 /dev/full2\n1, 5 /dev/tun\n1\nwrote 0\n";
        assert_eq!(output.stdout, expected);
    }
}

#[test]
fn an_access_that_was_not_given_is_refused_by_the_kernel_even_to_root() {
    let host = busybox();
    let script = "(exec 3> /dev/log2) 2>/dev/null; echo wrote $?; \
        (exec 3< /dev/log2) 2>/dev/null; echo read $?";
    for (letters, expected) in [
        ("rw", "wrote 0\nread 0\n"),
        ("r", "wrote 1\nread 0\n"),
        ("w", "wrote 0\nread 1\n"),
    ] {
        let flag = format!("--device=/dev/autofs:/dev/log2:{letters}");
        let output = run(&host, &["--userns=host", &flag], script).run().ok();
        assert_eq!(output.stdout, expected, "{letters}");
    }
}

#[test]
fn what_no_rule_names_stays_shut_and_rules_open_it() {
    let host = busybox();
    // What a volume with `dev` brings is the host's node, whatever an app gets of its own.
    let script = "(exec 3< /host/autofs) 2>/dev/null; echo read $?";
    let volume = "--volume=/dev:/host:dev,ro";
    let read = |flags: &[&str]| {
        let all = [&["--userns=host", volume], flags].concat();
        run(&host, &all, script).run().ok().stdout.clone()
    };
    assert_eq!(read(&["--device=/dev/null"]), "read 1\n");
    let number = "c 10:* r";
    let rule = format!("--device-cgroup-rule={number}");
    assert_eq!(read(&[&rule]), "read 0\n");
}

#[test]
fn a_command_that_enters_is_under_the_same_rules() {
    let host = busybox();
    let script = "echo up; exec sleep 1000";
    let flags = ["--userns=host", "--device=/dev/autofs:r", "--name=box"];
    let uuid = detached(&host, &flags, script);
    wait_log(&host, &uuid, "up");
    let enter = |words: &str| {
        let enter = host.fairing(["enter", "box", "--", "/bin/sh", "-c", words]);
        enter.run().code
    };
    assert_eq!(enter("exec 3< /dev/autofs"), Some(0));
    assert_ne!(enter("exec 3> /dev/autofs"), Some(0));
    host.fairing(["stop", "--force", "box"]).run().ok();
    assert!(host.cgroups().is_empty());
}

#[test]
fn who_may_make_nodes_makes_none_that_opens() {
    let host = busybox();
    let script = "mknod /dev/made c 10 235 && (exec 3< /dev/made) 2>/dev/null; echo opened $?; \
        mknod /dev/null2 c 1 3 && echo x > /dev/null2 && echo written";
    let flags = ["--userns=host", "--cap-add=MKNOD"];
    let output = run(&host, &flags, script).run().ok();
    assert_eq!(output.stdout, "opened 1\nwritten\n");
}

#[test]
fn directories_bring_what_is_in_them() {
    let host = busybox();
    let output = run(
        &host,
        &["--device=/dev/cpu:/dev/processors"],
        "find /dev/processors -type c",
    )
    .run()
    .ok();
    for line in output.stdout.lines() {
        let below = line.strip_prefix("/dev/processors").unwrap();
        assert!(Path::new(&format!("/dev/cpu{below}")).exists(), "{line}");
    }
    assert!(!output.stdout.is_empty());
}

#[test]
fn what_is_no_device_is_refused_by_name() {
    let host = busybox();
    for (flag, words) in [
        ("--device=/dev/nothing", "/dev/nothing: No such file"),
        ("--device=/etc/passwd:/dev/x", "is not a device"),
        ("--device=/dev/null:/null", "below /dev"),
        ("--device=/dev/null:/dev/../null", "below /dev"),
        ("--device=/dev/null:/dev/pts/x", "below /dev"),
        ("--device=/dev/null:rwx", "not an access"),
        ("--device=null", "vendor.com/class=name"),
        ("--device=no.such/thing=x", "is described in none of"),
    ] {
        let output = run(&host, &[flag], "true").run();
        assert_ne!(output.code, Some(0), "{flag}");
        assert!(output.stderr.contains(words), "{flag}: {}", output.stderr);
    }
    assert_eq!(host.fairing(["list", "--quiet"]).run().ok().stdout, "");
}

/// A host with this description of devices.
fn described(text: &str) -> Host {
    let host = busybox();
    let folder = host.base().join("cdi");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("acme.json"), text).unwrap();
    let config = format!("[cdi]\nspec-dirs = [{:?}]\n", folder.display().to_string());
    fs::write(host.local_config().join("config.toml"), config).unwrap();
    host
}

const ACME: &str = r#"{
    "cdiVersion": "1.0.0",
    "kind": "acme.com/card",
    "containerEdits": {"env": ["ACME=all"]},
    "devices": [
        {"name": "one", "containerEdits": {
            "env": ["CARD=1"],
            "deviceNodes": [{"path": "/dev/acme/one", "hostPath": "/dev/zero", "permissions": "r"}],
            "mounts": [{"hostPath": "/etc/hostname", "containerPath": "/acme", "options": ["ro"]}]
        }},
        {"name": "hooked", "containerEdits": {
            "hooks": [{"hookName": "createContainer", "path": "/bin/true"}]
        }}
    ]
}"#;

#[test]
fn a_vendor_describes_what_a_device_needs() {
    let host = described(ACME);
    let script = "echo $ACME $CARD; test -c /dev/acme/one && cat /acme";
    let output = run(&host, &["--device=acme.com/card=one"], script)
        .run()
        .ok();
    let name = fs::read_to_string("/etc/hostname").unwrap();
    assert_eq!(output.stdout, format!("all 1\n{name}"));
    for (device, words) in [
        (
            "acme.com/card=hooked",
            "which are not run (createContainer /bin/true)",
        ),
        ("acme.com/card=two", "; there are acme.com/card="),
    ] {
        let flag = format!("--device={device}");
        let output = run(&host, &[&flag], "true").run();
        assert_ne!(output.code, Some(0), "{device}");
        assert!(output.stderr.contains(words), "{device}: {}", output.stderr);
    }
}

#[test]
fn a_description_makes_no_second_line_of_a_warning() {
    let path = r"/dev/x\nfairing: all is well\u001b[2J";
    let host = described(&ACME.replace("/dev/acme/one", path));
    let output = run(&host, &["--device=acme.com/card=one"], "true")
        .run()
        .ok();
    assert!(
        output.stderr.contains("/dev/x fairing: all is well [2J"),
        "{output}"
    );
    assert!(!output.stderr.contains(['\x1b']), "{output}");
}

const ACME_IN_YAML: &str = "---
cdiVersion: 0.6.0
kind: acme.com/card
devices:
- name: \"one\"
  containerEdits:
    deviceNodes:
    - path: /dev/acme/one
      hostPath: /dev/zero
      fileMode: 438
      permissions: r
    env: [CARD=1]
    additionalGids: [4242]
";

#[test]
fn a_description_may_be_yaml_and_bring_groups() {
    let host = described("");
    fs::remove_file(host.base().join("cdi/acme.json")).unwrap();
    fs::write(host.base().join("cdi/acme.yaml"), ACME_IN_YAML).unwrap();
    let script = "echo $CARD; test -c /dev/acme/one && id -G";
    let output = run(&host, &["--device=acme.com/card=one"], script)
        .run()
        .ok();
    assert_eq!(output.stdout, "1\n0 4242\n");
    // What this specification doesn't know is no description.
    let other = host.base().join("cdi/acme.yml");
    fs::rename(host.base().join("cdi/acme.yaml"), other).unwrap();
    let output = run(&host, &["--device=acme.com/card=one"], "true").run();
    assert!(output.stderr.contains("described in none"), "{output}");
}

#[test]
fn a_description_that_others_could_have_written_or_that_is_broken_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let host = described("{nonsense");
    let flags = ["--device=acme.com/card=one"];
    let output = run(&host, &flags, "true").run();
    assert_ne!(output.code, Some(0));
    assert!(output.stderr.contains("acme.json"), "{}", output.stderr);
    let path = host.base().join("cdi/acme.json");
    fs::write(&path, ACME).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    let output = run(&host, &flags, "true").run();
    assert_ne!(output.code, Some(0));
    assert!(output.stderr.contains("acme.json"), "{}", output.stderr);
    let yaml = path.with_extension("yaml");
    fs::rename(&path, &yaml).unwrap();
    let output = run(&host, &flags, "true").run();
    assert_ne!(output.code, Some(0));
    assert!(output.stderr.contains("acme.yaml"), "{}", output.stderr);
    fs::remove_file(&yaml).unwrap();
    fs::write(&yaml, "kind: &a acme.com/card\ndevices: *a\n").unwrap();
    let output = run(&host, &flags, "true").run();
    assert_ne!(output.code, Some(0));
    let parts = ["acme.yaml", "\"acme.com/card\", expected a sequence"];
    for part in parts {
        assert!(output.stderr.contains(part), "{}", output.stderr);
    }
    let doctor = host.fairing(["doctor", "--quiet"]).run().expect_code(108);
    assert!(doctor.stdout.contains(parts[1]), "{doctor}");
}

#[test]
fn a_broken_description_stands_in_no_other_ones_way_and_is_told_of_with_what_is_not_found() {
    let host = described(ACME);
    let folder = host.base().join("cdi");
    fs::write(folder.join("broken.yaml"), "kind: [acme.com\n").unwrap();
    fs::write(folder.join("half.json"), "{").unwrap();
    std::os::unix::fs::symlink("/etc/hostname", folder.join("link.json")).unwrap();
    let fifo = std::process::Command::new("mkfifo")
        .arg(folder.join("pipe.json"))
        .status();
    assert!(fifo.unwrap().success());
    run(&host, &["--device=acme.com/card=one"], "true")
        .run()
        .ok();
    let unknown = run(&host, &["--device=other.com/card=one"], "true").run();
    assert_ne!(unknown.code, Some(0));
    for part in [
        "other.com/card=one",
        "broken.yaml",
        "half.json",
        "link.json",
    ] {
        assert!(unknown.stderr.contains(part), "{part}: {unknown}");
    }
}

#[test]
fn a_device_that_one_file_describes_twice_is_refused_and_the_others_are_not() {
    let device = |name| format!(r#"{{"name": "{name}", "containerEdits": {{"env": ["A=b"]}}}}"#);
    let devices = [device("one"), device("two"), device("one")].join(", ");
    let host = described(&format!(
        r#"{{"cdiVersion": "1.0.0", "kind": "acme.com/card", "devices": [{devices}]}}"#
    ));
    run(&host, &["--device=acme.com/card=two"], "true")
        .run()
        .ok();
    let twice = run(&host, &["--device=acme.com/card=one"], "true").run();
    assert_ne!(twice.code, Some(0));
    assert!(twice.stderr.contains("is described twice by"), "{twice}");
    assert!(twice.stderr.contains("acme.json"), "{twice}");
}
