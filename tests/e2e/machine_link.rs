//! Pod init as pid 1 of a virtual machine, over a serial port: the same programs that run pods on a host.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use cni_glue::interface::InterfaceConfig;
use cni_glue::status::PodRoute;
use harness::{Machine, dist_dir};
use nix::poll::{PollFd, PollTimeout, poll};
use pod::exit::Outcome;
use pod::manifest::{AppFailure, Lifetime, Limit, Memory, Resources};
use serde_json::json;
use stage1::link::framed::ToMachine;
use stage1::link::{HandedOver, InitLink, MachineApp, MachineImage};
use stage1::protocol::{
    AppSpec, FileText, FromInit, Names, ProcessStreams, Protections, Setup, ToInit,
};

/// What pod init finds when it is executed: modules are loaded, and its port is there. The port's name has the number of its
/// device among all of virtio.
const INIT: &str = "/bin/busybox mount -t devtmpfs devtmpfs /dev
exec /pod-init machine /dev/vport*p1
";

/// The hardware address of the machine's interface.
const MAC: &str = "02:00:00:00:00:07";

/// A filesystem with busybox, as a disk has it.
fn disk(directory: &Path) -> PathBuf {
    let tree = directory.join("tree");
    fs::create_dir_all(tree.join("bin")).unwrap();
    fs::copy("/bin/busybox", tree.join("bin/busybox")).unwrap();
    fs::write(tree.join("motd"), "from the disk\n").unwrap();
    let image = directory.join("image.erofs");
    let made = Command::new("mkfs.erofs").arg(&image).arg(&tree).output();
    let made = made.expect("mkfs.erofs is not installed: run tests/prepare-machine");
    assert!(made.status.success(), "{made:?}");
    image
}

#[test]
fn apps_run_in_a_machine_and_all_that_is_told_of_them_arrives() {
    let mut told = None;
    let directory = tempfile::tempdir().unwrap();
    let output = Machine::with_init(INIT)
        .disk(&disk(directory.path()))
        .interface(MAC)
        .module("virtio_blk")
        .module("virtio_net")
        .module("erofs")
        .copy(
            &dist_dir().join("lib/fairing/stage1/nspawn/pod-init"),
            "/pod-init",
        )
        .copy("/bin/busybox".as_ref(), "/image/bin/busybox")
        .module("virtio_pci")
        .module("virtio_console")
        .module("overlay")
        .run_with_port(Duration::from_secs(240), |port| told = Some(talk(port)));
    let (texts, outcomes) = told.expect("the machine was talked to");
    assert!(
        !texts.is_empty(),
        "it did not finish: {outcomes:?}\n{output}"
    );
    assert_eq!(texts["talker"], "hello from guest\n77\n", "{output}");
    let network = &texts["network"];
    for part in ["10.0.2.15/24", "default via 10.0.2.2 dev net0"] {
        assert!(network.contains(part), "{network}\n{output}");
    }
    // It runs twice, and finds what it has written the first time.
    let disk = "from the disk\nfrom the disk\nagain\n";
    assert_eq!(texts["disk"], disk, "{output}");
    let expected = [
        ("disk".to_owned(), Outcome::Exited { code: 0 }),
        (
            "hungry".to_owned(),
            Outcome::Signaled {
                signal: 9,
                oom_killed: true,
            },
        ),
        ("network".to_owned(), Outcome::Exited { code: 0 }),
        ("talker".to_owned(), Outcome::Exited { code: 0 }),
    ];
    assert_eq!(outcomes, BTreeMap::from(expected), "{output}");
    assert_eq!(output.code, Some(0), "the machine is off\n{output}");
}

/// What the monitor would say. Gives the output of the apps, and how each ended.
fn talk(port: UnixStream) -> (BTreeMap<String, String>, BTreeMap<String, Outcome>) {
    let mut link = ToMachine::new(port.into(), Duration::from_secs(600)).unwrap();
    let setup = Setup {
        hostname: "guest".into(),
        lifetime: Lifetime::UntilStopped,
        on_app_failure: AppFailure::Continue,
        grace_period_ms: 10_000,
        terminals: 16,
        memory_files: 1000,
        user_namespace: None,
        owns_network: true,
        new_privileges: false,
        shm_size: None,
        host_namespaces: Default::default(),
        sysctl: Default::default(),
        mount_label: None,
        resources: None,
    };
    let say = |link: &mut ToMachine, message| link.send(&message, HandedOver::Nothing).unwrap();
    say(&mut link, ToInit::Setup(Box::new(setup)));
    let none = Resources::default;
    let image = || MachineImage::Directory {
        path: "/image".into(),
    };
    let mut outputs = BTreeMap::new();
    let talk = "echo hello from $(hostname); cat /sys/fs/cgroup/pids.max";
    outputs.insert(
        "talker",
        vec![app(&mut link, "talker", talk, image(), none())],
    );
    let show = "ip -4 addr show net0; ip route";
    outputs.insert(
        "network",
        vec![app(&mut link, "network", show, image(), none())],
    );
    let memory = Memory {
        limit: Some(Limit::At(16 << 20)),
        ..Memory::default()
    };
    let limited = Resources {
        memory,
        ..Resources::default()
    };
    let hungry = "sleep 2; exec tail /dev/zero";
    let _nothing = app(&mut link, "hungry", hungry, image(), limited);
    let names = Names {
        hosts: FileText::default(),
        resolv_conf: FileText::default(),
    };
    let interface = InterfaceConfig {
        mac: MAC.parse().unwrap(),
        name: "net0".to_owned(),
        mtu: None,
        addresses: vec!["10.0.2.15/24".parse().unwrap()],
        routes: vec![PodRoute {
            destination: "0.0.0.0/0".parse().unwrap(),
            gateway: Some("10.0.2.2".parse().unwrap()),
        }],
    };
    let network = HandedOver::MachineNetwork(vec![interface]);
    link.send(&ToInit::Start(names), network).unwrap();

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
        for notification in link.advance(&ready).unwrap() {
            match notification.message {
                FromInit::AppExited { app, outcome, .. } => {
                    let is_disk = app.as_str() == "disk";
                    let again = is_disk && outputs["disk"].len() == 1;
                    match again {
                        true => outputs.entry("disk").or_default().push(disk_app(&mut link)),
                        false => drop(outcomes.insert(app.to_string(), outcome)),
                    }
                    if outcomes.len() == 4 {
                        say(&mut link, ToInit::Stop { grace_ms: 10_000 });
                    }
                }
                FromInit::Finished { .. } => finished = true,
                // It joins a pod that runs, whose init is in a root of its own.
                FromInit::Started => {
                    outputs.insert("disk", vec![disk_app(&mut link)]);
                }
                FromInit::AppStarted { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }
    // What the machine has written tells more than a panic here.
    if !finished {
        return (BTreeMap::new(), outcomes);
    }
    let text = |files: Vec<File>| files.into_iter().map(|f| io::read_to_string(f).unwrap());
    let texts = outputs
        .into_iter()
        .map(|(app, files)| (app.to_owned(), text(files).collect()));
    (texts.collect(), outcomes)
}

/// An app whose files are on a device.
fn disk_app(link: &mut ToMachine) -> File {
    let image = MachineImage::Device {
        path: "/dev/vda".into(),
        filesystem: "erofs".to_owned(),
        verity: None,
    };
    let script = "cat /motd; [ ! -e /kept ] || cat /kept; echo again > /kept";
    app(link, "disk", script, image, Resources::default())
}

/// An app of busybox that runs a script. Gives its output.
fn app(
    link: &mut ToMachine,
    name: &str,
    script: &str,
    image: MachineImage,
    resources: Resources,
) -> File {
    let (stdout, output) = link.open_output().unwrap();
    let (stderr, _) = link.open_output().unwrap();
    let args = ["/bin/busybox", "sh", "-c", script];
    let execution = json!({"args": args, "cwd": "/", "user": {}});
    let spec = AppSpec {
        name: name.parse().unwrap(),
        execution: serde_json::from_value(execution).unwrap(),
        stop_signal: serde_json::from_value(json!(15)).unwrap(),
        security: None,
        own_processes: false,
        processes_of: None,
        streams: ProcessStreams::Pipes {
            stdin: None,
            stdout,
            stderr,
        },
        protections: Protections::without(&Default::default()),
        mounts: Vec::new(),
        credentials: None,
        sockets: Vec::new(),
        selinux_label: None,
        mount_label: None,
    };
    let own = MachineApp {
        image,
        mounts: Vec::new(),
        resources,
        usual_pids: Limit::At(77),
        manages_cgroups: false,
    };
    let message = ToInit::App(Box::new(spec));
    link.send(&message, HandedOver::MachineApp(Box::new(own)))
        .unwrap();
    output.into()
}
