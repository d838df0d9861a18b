//! What the journal is told of calls that came to nothing.

use std::net::TcpListener;

use cri_shim::api::security_profile::ProfileType;
use cri_shim::api::{PodSandboxConfig, SecurityProfile};
use harness::{Cri, ImageBuilder};
use pod::manifest::{KUBERNETES_MASKED_PATHS, KUBERNETES_READONLY_PATHS};

use crate::cri_containers::{Ground, idle, security};
use crate::cri_image::pull;
use crate::cri_sandbox::{self, host};

/// The lines that tell of a call.
fn lines(cri: &Cri, call: &str) -> Vec<String> {
    let begin = format!("fairing-cri: {call} of ");
    let journal = cri.journal();
    let lines = journal.lines().filter_map(|line| line.strip_prefix(&begin));
    lines.map(str::to_owned).collect()
}

#[test]
fn what_is_refused_each_second_is_told_once_by_the_names_of_kubernetes() {
    let host = host();
    let cri = Cri::start(&host);
    let mut config = cri_sandbox::config("web");
    config.hostname = "no host name".to_owned();
    for _ in 0..5 {
        cri_sandbox::run(&cri, &config).unwrap_err();
    }
    let told = lines(&cri, "RunPodSandbox");
    assert_eq!(told.len(), 1, "{told:?}");
    let expected = "sandbox default/web: InvalidArgument: config.hostname: ";
    assert!(told[0].starts_with(expected), "{told:?}");
    // Another one is another one.
    config.metadata.as_mut().unwrap().name = "other".to_owned();
    cri_sandbox::run(&cri, &config).unwrap_err();
    assert_eq!(lines(&cri, "RunPodSandbox").len(), 2);
}

#[test]
fn names_write_no_lines_of_their_own_and_no_long_ones() {
    let host = host();
    let cri = Cri::start(&host);
    let refused = |name: String| {
        let mut config: PodSandboxConfig = cri_sandbox::config("web");
        config.metadata.as_mut().unwrap().name = name;
        config.hostname = "no host name".to_owned();
        cri_sandbox::run(&cri, &config).unwrap_err();
    };
    refused("a\nfairing-cri: RunPodSandbox of b\u{1b}[2J".to_owned());
    let told = lines(&cri, "RunPodSandbox");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("sandbox default/a fairing-cri: "),
        "{told:?}"
    );
    refused("x".repeat(100_000));
    let journal = cri.journal();
    assert!(journal.lines().all(|line| line.len() <= 4200));
    assert!(!journal.contains('\u{1b}'));
}

#[test]
fn failed_pulls_and_refusals_by_the_policy_are_told_and_what_only_looks_is_not() {
    let ground = Ground::new();
    // Nobody listens there any more.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let image = format!("{}/team/app:1", gone.local_addr().unwrap());
    drop(gone);
    pull(&ground.cri, &image, None).unwrap_err();
    let told = lines(&ground.cri, "PullImage");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with(&format!("image {image}: ")), "{told:?}");

    let started = ground.create(&idle("started"));
    let policy = "[[rule]]\nprefix = \"test.example\"\ntype = \"reject\"\n";
    ground.host.write_policy("tests.toml", policy);
    ground.try_create(&idle("made")).unwrap_err();
    ground.try_start(&started).unwrap_err();
    let pod = format!("default/box ({})", ground.sandbox);
    for (call, subject) in [
        ("CreateContainer", format!("container made in {pod}: ")),
        (
            "StartContainer",
            format!("container started ({started}) in default/box: "),
        ),
    ] {
        let told = lines(&ground.cri, call);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with(&subject), "{told:?}");
        assert!(told[0].contains("is rejected by rule"), "{told:?}");
    }

    ground.try_status(&"0".repeat(64)).unwrap_err();
    cri_sandbox::status(&ground.cri, &"0".repeat(32)).unwrap_err();
    let journal = ground.cri.journal();
    assert!(!journal.contains("NotFound"), "{journal}");
}

#[test]
fn a_filter_is_missed_only_where_its_absence_was_asked_for() {
    let ground = Ground::of(ImageBuilder::busybox(), |_| ());
    const WORD: &str = "seccomp=unconfined";
    ground.run(&idle("silent"));
    assert!(!ground.cri.journal().contains(WORD));
    let status = ground.host.fairing(["list", "--format", "json"]).run().ok();
    assert!(!status.stdout.contains(WORD), "{}", status.stdout);
    let mut config = idle("asking");
    security(&mut config).seccomp = Some(SecurityProfile {
        profile_type: ProfileType::Unconfined as i32,
        localhost_ref: String::new(),
    });
    ground.run(&config);
    assert!(ground.cri.journal().contains(WORD));
}

#[test]
fn nobody_is_warned_of_what_kubernetes_gives_every_container() {
    let ground = Ground::of(ImageBuilder::busybox(), |_| ());
    let own = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
    let mut config = idle("usual");
    let asked = security(&mut config);
    asked.masked_paths = own(&KUBERNETES_MASKED_PATHS);
    asked.readonly_paths = own(&KUBERNETES_READONLY_PATHS);
    ground.run(&config);
    let journal = ground.cri.journal();
    assert!(!journal.contains("more than usual"), "{journal}");
    let listed = || ground.host.fairing(["list"]).run().ok().stdout;
    assert!(!listed().contains("insecure"), "{}", listed());

    let mut config = idle("kernel");
    let asked = security(&mut config);
    asked.masked_paths = own(&KUBERNETES_MASKED_PATHS[2..]);
    asked.readonly_paths = own(&KUBERNETES_READONLY_PATHS);
    ground.run(&config);
    let journal = ground.cri.journal();
    let told = "may do more than usual: unmask=/proc/acpi, unmask=/proc/kcore\n";
    assert!(journal.contains(told), "{journal}");
    assert!(listed().contains("insecure"), "{}", listed());
}
