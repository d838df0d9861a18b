//! Protections that are given up by name, one at a time.

use std::fs;

use harness::{Authority, CertificateUse, Host, ImageBuilder, Registry};

use crate::imported::busybox_host;

/// What an app says of itself when it is run with these options.
fn told(host: &Host, image: &str, options: &str) -> harness::Output {
    let script = "grep -E '^(CapEff|Seccomp):' /proc/self/status; \
                  head -c 1 /proc/kallsyms | wc -c; \
                  grep -E ' /(proc/sys|sys) ' /proc/self/mountinfo | cut -d' ' -f5,6";
    let mut command = host.fairing(["run", "--rm"]);
    if !options.is_empty() {
        command = command.arg(format!("--insecure-options={options}"));
    }
    command
        .args([image, "--", "/bin/sh", "-c", script])
        .run()
        .ok()
}

#[test]
fn each_option_gives_up_one_thing_and_warns() {
    const GUARDED: &str = "/proc/sys ro";
    let (host, image) = busybox_host();
    let capabilities = |output: &harness::Output| {
        let line = output
            .stdout
            .lines()
            .find(|line| line.starts_with("CapEff"));
        let digits = line.unwrap().rsplit('\t').next().unwrap().to_owned();
        u64::from_str_radix(&digits, 16).unwrap().count_ones()
    };
    let filtered = |output: &harness::Output| output.stdout.contains("Seccomp:\t2");
    let guarded = |output: &harness::Output| {
        output.stdout.contains(GUARDED) && output.stdout.contains("/sys ro")
    };
    let safe = told(&host, &image, "");
    assert!(filtered(&safe) && guarded(&safe), "{safe}");
    assert!(!safe.stderr.contains("--insecure-options"), "{safe}");
    let few = capabilities(&safe);
    for (option, wanted) in [
        ("seccomp", (false, true, true)),
        ("capabilities", (true, false, true)),
        ("paths", (true, true, false)),
        ("image", (true, true, true)),
        ("all", (false, false, false)),
    ] {
        let output = told(&host, &image, option);
        let found = (
            filtered(&output),
            capabilities(&output) == few,
            guarded(&output),
        );
        assert_eq!(found, wanted, "{option}: {output}");
        if option != "image" && option != "all" {
            let warning = format!("--insecure-options={option}: ");
            assert!(output.stderr.contains(&warning), "{output}");
        }
    }
    host.fairing(["--insecure-options=everything", "run", &image])
        .run()
        .expect_code(2);
}

#[test]
fn what_was_given_up_is_recorded_and_shown() {
    let (host, image) = busybox_host();
    let pod = host
        .fairing(["prepare", "--insecure-options=paths,seccomp", &image])
        .args(["--", "/bin/true"])
        .run()
        .ok();
    let pod = pod.text();
    host.fairing(["list"])
        .run()
        .ok()
        .expect_stdout("prepared, insecure");
    host.fairing(["list", "--no-trunc"])
        .run()
        .ok()
        .expect_stdout("INSECURE")
        .expect_stdout("seccomp,paths");
    host.fairing(["status", pod])
        .run()
        .ok()
        .expect_stdout("insecure-options=seccomp,paths");
    // An isolator must not guess what a later release means by a word.
    let manifest = host
        .data_dir()
        .join(format!("pods/prepared/{pod}/pod.json"));
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("\"paths\"", "\"walls\"")).unwrap();
    host.fairing(["run-prepared", pod])
        .run()
        .expect_error(125, &["walls"]);
    fs::write(&manifest, text).unwrap();
    host.fairing(["rm", pod]).run().ok();
}

#[test]
fn a_certificate_of_nobody_is_taken_where_tls_is_given_up() {
    let open = Registry::start();
    ImageBuilder::busybox().build().push(&open, "team/app:1");
    let authority = Authority::new();
    let server = authority.issue("server", CertificateUse::Server);
    let registry = Registry::builder()
        .content_of(&open)
        .tls(&server, None)
        .start();
    let host = Host::new();
    host.accept_unsigned();
    let image = registry.reference("team/app:1");
    let fetch = |options: &str| host.fairing(["fetch", options, &image]).run();
    fetch("--insecure-options=http").expect_error(122, &["certificate"]);
    fetch("--insecure-options=tls")
        .ok()
        .expect_stderr("certificates");
    // Once is not always.
    host.fairing(["fetch", "--pull=always", &image])
        .run()
        .expect_code(122);
}
