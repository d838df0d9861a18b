//! `fairing doctor`: what this machine offers.

use harness::Host;
use serde_json::Value;

fn found<'a>(checks: &'a [Value], subject: &str) -> &'a Value {
    checks
        .iter()
        .find(|check| check["subject"] == subject)
        .unwrap_or_else(|| panic!("nothing of {subject}"))
}

#[test]
fn this_machine_runs_pods_and_what_it_lacks_makes_the_exit_code() {
    let host = Host::new();
    let output = host.fairing(["doctor", "--format", "json"]).run();
    let checks: Vec<Value> = serde_json::from_str(&output.stdout).unwrap();
    let is = |severity: &str| checks.iter().any(|check| check["severity"] == severity);
    assert!(!is("error"), "{output}");
    let expected = match is("warning") {
        true => 108,
        false => 0,
    };
    assert_eq!(output.code, Some(expected), "{output}");
    for subject in [
        "version",
        "clone3",
        "user namespaces",
        "overlayfs",
        "seccomp",
        "isolator",
    ] {
        assert_eq!(found(&checks, subject)["severity"], "fine", "{subject}");
    }
    for check in &checks {
        assert_eq!(
            check["meaning"].is_null(),
            check["severity"] == "fine",
            "{check}"
        );
    }
}

#[test]
fn what_keeps_pods_from_running_is_told_with_a_code_of_its_own() {
    let host = Host::new();
    let path = host.local_config().join("config.toml");
    host.write(&path, "[apps]\nmax-pids = 0\n");
    let output = host.fairing(["check", "--quiet"]).run().expect_code(109);
    let line = output
        .stdout
        .lines()
        .find(|line| line.contains("config.toml"));
    let line = line.unwrap_or_else(|| panic!("{output}"));
    assert!(line.starts_with("error "), "{line}");
    assert!(!output.stdout.contains("STATE"), "{output}");
    // One file that can't be read is one error, however much hangs on it.
    let errors = output.stdout.matches("apps.max-pids").count();
    assert_eq!(errors, 1, "{output}");
    assert!(
        line.contains("line 2: apps.max-pids")
            && line.ends_with("nothing starts before it is mended")
    );
    assert!(
        output.stdout.lines().all(|line| !line.starts_with("fine")),
        "{output}"
    );
}

#[test]
fn a_machine_without_rules_is_told_so_and_one_with_rules_is_not() {
    let host = Host::new();
    let shown = || {
        let template = "{{.Subject}}: {{.Found}}";
        let output = host
            .fairing(["doctor", "--quiet", "--format", template])
            .run();
        output
            .stdout
            .lines()
            .any(|line| line == "rules of trust: none")
    };
    assert!(shown());
    host.accept_unsigned();
    assert!(!shown());
}

#[test]
fn it_is_for_everybody_and_says_that_only_root_runs_pods() {
    let host = Host::new();
    let asked = host
        .fairing(["doctor", "--quiet"])
        .as_user(1000, 1000)
        .run();
    let line = asked.stdout.lines().find(|line| line.contains(" root "));
    assert!(
        line.is_some_and(|line| line.contains("only root can run pods")),
        "{asked}"
    );
}

#[test]
fn what_kubelets_would_find_is_looked_at_once_the_node_is_set_up_for_them() {
    let host = Host::new();
    let look = || {
        let output = host.fairing(["doctor", "--format", "json"]).run();
        let checks: Vec<Value> = serde_json::from_str(&output.stdout).unwrap();
        let of_kubelets = checks
            .into_iter()
            .filter(|check| check["area"] == "kubelets");
        of_kubelets.collect::<Vec<Value>>()
    };
    assert_eq!(look().len(), 1);
    host.write(
        "etc/config.toml",
        "[cri]\nnetwork = \"none-such\"\nstream-certificate = \"/none/c.pem\"\n\
         stream-key = \"/none/k.pem\"\n[cri.runtime-handlers]\nvm = \"none-such\"\n",
    );
    let checks = look();
    for (subject, severity) in [
        ("network", "warning"),
        ("runtime handler \"vm\"", "warning"),
        ("streams", "warning"),
        ("cgroup driver", "fine"),
        ("socket", "note"),
    ] {
        assert_eq!(found(&checks, subject)["severity"], severity, "{subject}");
    }
    let why = found(&checks, "streams")["found"].as_str().unwrap();
    assert!(why.contains("/none/c.pem"), "{why}");
}
