//! A host of its own network, and a computer outside of it.

use std::fs::Permissions;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use harness::{Computer, Host, HostBuilder, ImageBuilder, eventually};
use serde_json::Value;

use crate::stocked::{IMAGE, import};

/// The host's address towards the outside.
pub(crate) const HOST: &str = "192.0.2.1";
/// As [`HOST`].
pub(crate) const HOST_V6: &str = "2001:db8::1";
/// The address of the computer outside, which knows no way to any pod.
pub(crate) const OUTSIDE: &str = "192.0.2.2";
/// As [`OUTSIDE`].
pub(crate) const OUTSIDE_V6: &str = "2001:db8::2";

/// How long is waited on a machine that has much to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the tests run on. The host goes first, as long as its network is there.
pub(crate) struct Lab {
    pub(crate) host: Host,
    pub(crate) machine: Computer,
    pub(crate) outside: Computer,
    /// What only this host's commands see.
    files: Option<tempfile::TempDir>,
}

impl Lab {
    /// A host with busybox in its store.
    pub(crate) fn new() -> Self {
        Self::with_image(ImageBuilder::busybox())
    }

    pub(crate) fn with_image(image: ImageBuilder) -> Self {
        Self::built(image, Host::builder())
    }

    /// As [`Self::with_image`], with so much room for data.
    pub(crate) fn with_data_size(image: ImageBuilder, size: &str) -> Self {
        Self::built(image, Host::builder().data_size(size))
    }

    /// A host with a file of its own as `/etc/resolv.conf` and, if given, where systemd-resolved keeps the servers
    /// that it asks.
    pub(crate) fn with_resolv_conf(resolv_conf: &str, upstream: Option<&str>) -> Self {
        let files = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = files.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let own = write("resolv.conf", resolv_conf);
        let resolved = match upstream {
            Some(text) => format!(
                "mkdir -p /run/systemd/resolve; cp {} /run/systemd/resolve/resolv.conf",
                write("upstream", text)
            ),
            None => String::new(),
        };
        // The file may be a link into `/run`.
        let fairing = write(
            "fairing",
            &format!(
                "#!/bin/sh\nexec unshare --mount --propagation private /bin/sh -ec '
                 mount -t tmpfs fairing-test /run
                 file=$(readlink -m /etc/resolv.conf); mkdir -p \"${{file%/*}}\"; [ -e \"$file\" ] || : > \"$file\"
                 mount --bind {own} \"$file\"
                 {resolved}
                 exec {} \"$@\"' fairing \"$@\"\n",
                harness::fairing_binary().display()
            ),
        );
        std::fs::set_permissions(&fairing, Permissions::from_mode(0o755)).unwrap();
        let mut lab = Self::built(ImageBuilder::busybox(), Host::builder().binary(fairing));
        lab.files = Some(files);
        lab
    }

    fn built(image: ImageBuilder, host: HostBuilder) -> Self {
        let (machine, outside) = (Computer::new(), Computer::new());
        let v4 = |ip: &str| format!("{ip}/24");
        let v6 = |ip: &str| format!("{ip}/64");
        machine.link(
            "uplink",
            &[&v4(HOST), &v6(HOST_V6)],
            (&outside, "eth0", &[&v4(OUTSIDE), &v6(OUTSIDE_V6)]),
        );
        machine.sh(&format!(
            "ip route add default via {OUTSIDE}; ip -6 route add default via {OUTSIDE_V6}"
        ));
        let host = host.on(&machine).build();
        host.accept_unsigned();
        import(&host, &image.build(), IMAGE);
        Self {
            host,
            machine,
            outside,
            files: None,
        }
    }

    /// What is of networks: the host's links, addresses, routes and rules, and what is kept in files.
    pub(crate) fn traces(&self) -> String {
        let kernel = "ip -o link | sed 's/@.*//; s/^[0-9]*: //' | cut -d: -f1 | sort; (ip route; ip -6 route) | grep -v fe80 | sed 's/ linkdown//'
             nft list ruleset | sed 's/packets [0-9]* bytes [0-9]*//'; iptables-save | grep -v '^[#:*]' | grep -v COMMIT || :";
        let files = format!(
            "cd {}; find . -path './cni/*' ! -type d ! -name '*.lock' ! -path './cni/locks/*' | sort",
            self.host.run_dir().display()
        );
        format!("{}{}", self.machine.sh(kernel), self.machine.sh(&files))
    }

    /// As [`Self::traces`], once they are as they were: links go with a pod's namespace, in the kernel's own time.
    #[track_caller]
    pub(crate) fn expect_traces(&self, before: &str) {
        let mut now = String::new();
        eventually(PATIENCE, || {
            now = self.traces();
            (now == before).then_some(())
        });
        assert_eq!(now, before);
    }

    /// Starts a pod in the background that serves its name by HTTP on port 80. Its UUID.
    #[track_caller]
    pub(crate) fn server(&self, name: &str, flags: &[&str]) -> String {
        let script = "mkdir /www; hostname > /www/index.html; exec httpd -f -p 80 -h /www";
        let run = self.host.fairing(["run", "--detach", "--name", name]);
        let run = run.args(flags).args([IMAGE, "--", "/bin/sh", "-c", script]);
        run.run().ok().text().to_owned()
    }

    /// What a script writes that runs in a pod.
    #[track_caller]
    pub(crate) fn pod(&self, flags: &[&str], script: &str) -> String {
        let run = self.host.fairing(["run", "--rm"]).args(flags);
        let run = run.args([IMAGE, "--", "/bin/sh", "-c", script]);
        run.run().ok().stdout
    }

    /// A script's output, in a pod of one app that runs.
    #[track_caller]
    pub(crate) fn within(&self, pod: &str, script: &str) -> String {
        self.within_app(pod, &[], script)
    }

    /// A script's output, in an app that runs.
    #[track_caller]
    pub(crate) fn within_app(&self, pod: &str, app: &[&str], script: &str) -> String {
        let enter = self.host.fairing(["enter"]).args(app).args([pod, "--"]);
        enter.args(["/bin/sh", "-c", script]).run().ok().stdout
    }

    /// What a boot takes away, and a loss of power: processes, cgroups, namespaces, what the kernel has of networks, and
    /// what lay in the run directory. What is on the disk stays.
    pub(crate) fn reboot(&self) {
        self.host.kill_all();
        for cgroup in self.host.cgroups() {
            let gone = eventually(PATIENCE, || remove_tree(&cgroup).then_some(()));
            assert!(gone.is_some(), "{} is not empty", cgroup.display());
        }
        let run = self.host.run_dir();
        // Namespaces that plugins were told of are mounted there.
        let _ = std::process::Command::new("sh")
            .args([
                "-c",
                "for m in $(cut -d' ' -f5 /proc/self/mountinfo | grep \"^$0/\"); do umount -l $m; done",
            ])
            .arg(&run)
            .status();
        std::fs::remove_dir_all(&run).unwrap();
        std::fs::create_dir(&run).unwrap();
        self.machine.sh(
            "nft flush ruleset; for link in $(ip -o link | sed 's/^[0-9]*: //; s/[@:].*//'); do
             case $link in lo|uplink) ;; *) ip link del $link 2> /dev/null || :;; esac; done",
        );
    }

    /// Stops pods.
    #[track_caller]
    pub(crate) fn stop(&self, pods: &[&str]) {
        self.host.fairing(["stop"]).args(pods).run().ok();
    }

    /// `fairing list --format json`, of the pod with that name.
    #[track_caller]
    pub(crate) fn listed(&self, name: &str) -> Value {
        let pods = self.host.fairing(["list", "--format=json"]).run().ok();
        let pods = pods.json();
        let mut pods = pods.as_array().unwrap().iter();
        pods.find(|pod| pod["name"] == name).unwrap().clone()
    }

    /// The address of a pod that runs, of that family.
    #[track_caller]
    pub(crate) fn address(&self, name: &str, ipv4: bool) -> String {
        let listed = self.listed(name);
        let addresses = listed["networks"][0]["addresses"].as_array().unwrap();
        let mut addresses = addresses
            .iter()
            .map(|address| address["address"].as_str().unwrap())
            .filter(|address| address.contains(':') != ipv4);
        addresses.next().unwrap().split('/').next().unwrap().into()
    }
}

fn remove_tree(cgroup: &Path) -> bool {
    for below in std::fs::read_dir(cgroup).into_iter().flatten().flatten() {
        if below.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_tree(&below.path());
        }
    }
    std::fs::remove_dir(cgroup).is_ok() || !cgroup.exists()
}

/// What a web server answers, once it does.
#[track_caller]
pub(crate) fn fetch(from: &Computer, address: &str) -> String {
    let answer = eventually(PATIENCE, || {
        let mut stream = from.connect(address).ok()?;
        let request = b"GET /index.html HTTP/1.0\r\n\r\n";
        stream.write_all(request).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        Some(body.trim().to_owned())
    });
    answer.unwrap_or_else(|| panic!("nothing answers at {address}"))
}

/// Greets one guest, and says where they came from.
pub(crate) fn greet(listener: TcpListener) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let (mut stream, from) = listener.accept().unwrap();
        stream.write_all(b"welcome\n").unwrap();
        from.ip().to_string()
    })
}
