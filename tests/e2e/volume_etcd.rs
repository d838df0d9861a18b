//! etcd: three pods with a volume each keep what was written though one of them is lost, and take it back.

use std::time::Duration;

use harness::{Running, Signal, debian_image, wait_until};

use crate::network_lab::Lab;
use crate::stocked::IMAGE as BUSYBOX;

const IMAGE: &str = "debian.example.com/etcd:1";
/// On a machine that has much to do.
const PATIENCE: Duration = Duration::from_secs(120);
const MEMBERS: [u8; 3] = [11, 12, 13];

struct Cluster {
    lab: Lab,
}

impl Cluster {
    fn new() -> Self {
        let lab = Lab::new();
        let host = &lab.host;
        let image = debian_image("etcd");
        let import = ["image", "import", &image, "--name", IMAGE];
        host.fairing(import).run().ok();
        let network = ["network", "create", "cluster", "--subnet=10.98.0.0/24"];
        host.fairing(network).run().ok();
        Self { lab }
    }

    /// Starts the pod of a member, with its volume.
    fn start(&self, member: u8) -> Running {
        let peers = MEMBERS.map(|member| format!("m{member}=http://10.98.0.{member}:2380"));
        let clients = format!("http://10.98.0.{member}:2379");
        let this = format!("http://10.98.0.{member}:2380");
        let settings = [
            ("NAME", format!("m{member}")),
            ("INITIAL_CLUSTER", peers.join(",")),
            ("INITIAL_ADVERTISE_PEER_URLS", this.clone()),
            ("LISTEN_PEER_URLS", this),
            ("ADVERTISE_CLIENT_URLS", clients.clone()),
            ("LISTEN_CLIENT_URLS", clients),
        ];
        let run = self
            .lab
            .host
            .fairing(["run", "--rm", "--replace", "--name"]);
        let run = run.arg(format!("m{member}"));
        let run = run.arg(format!("--net=cluster:IP=10.98.0.{member}"));
        let run = run.arg(IMAGE);
        let run = run.arg(format!("--volume=member{member}:/var/lib/etcd"));
        let settings = settings.map(|(name, value)| format!("--env=ETCD_{name}={value}"));
        run.args(settings).limit(PATIENCE * 2).spawn()
    }

    /// What a member answers to a command of etcdctl, once it can.
    fn answer(&self, member: u8, words: &[&str]) -> String {
        let endpoint = format!("--endpoints=http://10.98.0.{member}:2379");
        let asked = format!("an answer of m{member} to {words:?}");
        wait_until(&asked, PATIENCE, || {
            let pod = format!("m{member}");
            let enter = self.lab.host.fairing(["enter", &pod, "--", "etcdctl"]);
            let output = enter.arg(&endpoint).args(words).run();
            (output.code == Some(0)).then(|| output.text().to_owned())
        })
    }
}

#[test]
fn three_pods_keep_what_was_written_though_one_is_lost_and_take_it_back() {
    let cluster = Cluster::new();
    let [mut first, second, third] = MEMBERS.map(|member| Some(cluster.start(member)));
    assert_eq!(cluster.answer(MEMBERS[0], &["put", "before", "1"]), "OK");

    // Its monitor, and with it all of the pod.
    let lost = third.unwrap();
    lost.signal(Signal::KILL);
    lost.wait();
    assert_eq!(cluster.answer(MEMBERS[1], &["put", "meanwhile", "2"]), "OK");

    let returned = cluster.start(MEMBERS[2]);
    for (key, value) in [("before", "1"), ("meanwhile", "2")] {
        // What it has itself, without asking the others.
        let own = ["get", "--consistency=s", "--print-value-only", key];
        wait_until(key, PATIENCE, || {
            (cluster.answer(MEMBERS[2], &own) == value).then_some(())
        });
    }
    // With another one gone, nothing can be written without it.
    let gone = first.take().unwrap();
    gone.signal(Signal::KILL);
    gone.wait();
    assert_eq!(cluster.answer(MEMBERS[2], &["put", "after", "3"]), "OK");

    let pods = ["m12", "m13"];
    cluster.lab.stop(&pods);
    second.unwrap().wait();
    returned.wait();
    // The data are in the volumes, as the user of the image owns them.
    let output = cluster.lab.host.fairing(["run", "--rm", "--net=none"]);
    let output = output.args([
        "-v",
        "member12:/data",
        BUSYBOX,
        "--",
        "/bin/ls",
        "/data/data",
    ]);
    assert_eq!(output.run().ok().text(), "member");
}
