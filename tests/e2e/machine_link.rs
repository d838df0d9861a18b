//! Pod init as pid 1 of a virtual machine, over a serial port: the same programs that run pods on a host.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use harness::{Machine, dist_dir};
use nix::poll::{PollFd, PollTimeout, poll};
use pod::exit::Outcome;
use pod::manifest::{AppFailure, Lifetime, Limit, Memory, Resources};
use serde_json::json;
use stage1::link::framed::ToMachine;
use stage1::link::{HandedOver, InitLink, MachineApp, MachineImage};
use stage1::protocol::{AppSpec, FromInit, Names, ProcessStreams, Protections, Setup, ToInit};

/// What pod init finds when it is executed: modules are loaded, and its port is there.
const INIT: &str = "/bin/busybox mount -t devtmpfs devtmpfs /dev
exec /pod-init machine /dev/vport0p1
";

#[test]
fn apps_run_in_a_machine_and_all_that_is_told_of_them_arrives() {
    let mut told = None;
    let output = Machine::with_init(INIT)
        .copy(
            &dist_dir().join("lib/fairing/stage1/nspawn/pod-init"),
            "/pod-init",
        )
        .copy("/bin/busybox".as_ref(), "/image/bin/busybox")
        .module("virtio_pci")
        .module("virtio_console")
        .module("overlay")
        .run_with_port(Duration::from_secs(240), |port| told = Some(talk(port)));
    let (text, outcomes) = told.expect("the machine was talked to");
    assert_eq!(text, "hello from guest\n", "{output}");
    let expected = [
        (
            "hungry".to_owned(),
            Outcome::Signaled {
                signal: 9,
                oom_killed: true,
            },
        ),
        ("talker".to_owned(), Outcome::Exited { code: 0 }),
    ];
    assert_eq!(outcomes, BTreeMap::from(expected), "{output}");
    assert_eq!(output.code, Some(0), "the machine is off\n{output}");
}

/// What the monitor would say. Gives the output of one app, and how each ended.
fn talk(port: UnixStream) -> (String, BTreeMap<String, Outcome>) {
    let mut link = ToMachine::new(port.into()).unwrap();
    let setup = Setup {
        hostname: "guest".into(),
        lifetime: Lifetime::WithApps,
        on_app_failure: AppFailure::Continue,
        grace_period_ms: 10_000,
    };
    let say = |link: &mut ToMachine, message| link.send(&message, HandedOver::Nothing).unwrap();
    say(&mut link, ToInit::Setup(setup));
    let none = Resources::default();
    let talk = ["sh", "-c", "echo hello from $(hostname)"];
    let mut output = app(&mut link, "talker", &talk, none);
    let memory = Memory {
        limit: Some(Limit::At(16 << 20)),
        ..Memory::default()
    };
    let limited = Resources {
        memory,
        ..Resources::default()
    };
    let hungry = ["sh", "-c", "sleep 2; exec tail /dev/zero"];
    let _nothing = app(&mut link, "hungry", &hungry, limited);
    let names = Names {
        hosts: String::new(),
        resolv_conf: String::new(),
    };
    say(&mut link, ToInit::Start(names));

    let mut outcomes = BTreeMap::new();
    let mut finished = false;
    let deadline = Instant::now() + Duration::from_secs(200);
    // Until the other side is gone, as the machine is off then.
    while !link.interests().is_empty() {
        assert!(Instant::now() < deadline, "heard by now: {outcomes:?}");
        let interests = link.interests().into_iter();
        let mut fds: Vec<_> = interests
            .map(|(fd, flags)| PollFd::new(fd, flags))
            .collect();
        poll(&mut fds, PollTimeout::from(1000_u16)).unwrap();
        let ready: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap()).collect();
        for heard in link.advance(&ready).unwrap() {
            match heard.message {
                FromInit::AppExited { app, outcome } => {
                    outcomes.insert(app.to_string(), outcome);
                }
                FromInit::Finished { .. } => finished = true,
                FromInit::AppStarted { .. } | FromInit::Started => {}
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(finished, "heard: {outcomes:?}");
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    (text, outcomes)
}

/// An app of busybox. Gives its output.
fn app(link: &mut ToMachine, name: &str, args: &[&str], resources: Resources) -> File {
    let (stdout, output) = link.open_output().unwrap();
    let (stderr, _) = link.open_output().unwrap();
    let args: Vec<&str> = ["/bin/busybox"].iter().chain(args).copied().collect();
    let execution = json!({"args": args, "cwd": "/", "user": {}});
    let spec = AppSpec {
        name: name.parse().unwrap(),
        execution: serde_json::from_value(execution).unwrap(),
        stop_signal: serde_json::from_value(json!(15)).unwrap(),
        streams: ProcessStreams::Pipes {
            stdin: None,
            stdout,
            stderr,
        },
        protections: Protections::without(&Default::default()),
        sockets: Vec::new(),
    };
    let image = MachineImage::Directory {
        path: "/image".into(),
    };
    let own = MachineApp { image, resources };
    let message = ToInit::App(Box::new(spec));
    link.send(&message, HandedOver::MachineApp(Box::new(own)))
        .unwrap();
    output.into()
}
