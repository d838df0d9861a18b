//! What a virtual machine boots and reads is what was checked: it is on record, and a change is found.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use harness::{Host, ImageBuilder, Layer};
use sha2::{Digest, Sha256};

use crate::kvm::{run, shell};
use crate::stocked::{IMAGE, host_with, status, wait_log};

/// What stands in a file of the image, again and again.
const CONTENT: &[u8; 16] = b"of the image\n...";

/// The only entry of a directory.
fn only(folder: &Path) -> PathBuf {
    let mut entries = fs::read_dir(folder).unwrap();
    let only = entries.next().unwrap().unwrap().path();
    assert!(entries.next().is_none());
    only
}

fn digest(path: &Path) -> String {
    let digest = Sha256::digest(fs::read(path).unwrap());
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}

/// A host with an image whose file `/data` is large, and with a rule that wants this integrity.
fn host(integrity: &str) -> Host {
    let layer = Layer::new().file("data", CONTENT.repeat(256 << 10), 0o644);
    let host = host_with(ImageBuilder::busybox().layer(layer));
    let rule = format!(
        "[[rule]]\nprefix = \"*\"\nintegrity = \"{integrity}\"\ntype = \"accept-unsigned\"\n"
    );
    host.write_policy("tests.toml", &rule);
    host
}

#[test]
fn an_image_that_is_changed_below_a_running_machine_can_not_be_read_there() {
    let host = host("full");
    let script = "echo up; until [ -e /go ]; do sleep 0.1; done; cat /data > /dev/null && echo read || echo not read; \
                  sleep 1000";
    let flags = ["--rm", "--detach", "--name=box"];
    shell(&host, &flags, script).run().ok();
    wait_log(&host, "box", "up");
    let image = only(&host.data_dir().join("images/filesystems")).join("image");
    let view = status(&host, "box");
    assert_eq!(view["machine"]["checks-disks"], true, "{view}");
    assert_eq!(view["apps"][0]["filesystem"]["digest"], digest(&image));
    // In the middle of the large file.
    let content = fs::read(&image).unwrap();
    let lines = content.chunks(16).enumerate();
    let data: Vec<_> = lines.filter(|(_, chunk)| *chunk == CONTENT).collect();
    let middle = (data[data.len() / 2].0 * 16) as u64;
    let file = OpenOptions::new().write(true).open(&image).unwrap();
    file.write_all_at(b"of somebody else", middle).unwrap();
    host.fairing(["enter", "box", "--", "/bin/touch", "/go"])
        .run()
        .ok();
    wait_log(&host, "box", "not read");
    host.fairing(["rm", "--force", "box"]).run().ok();
}

#[test]
fn what_a_machine_boots_is_on_record_and_made_again_if_it_was_changed() {
    let host = host("seal");
    let boot = |name: &str| only(&host.data_dir().join("kvm")).join(name);
    shell(&host, &["--detach", "--rm", "--name=box"], "sleep 1000")
        .run()
        .ok();
    let machine = status(&host, "box")["machine"].clone();
    let kernel = digest(&boot("vmlinux"));
    assert_eq!(machine["kernel"], kernel, "{machine}");
    assert_eq!(machine["initramfs"], digest(&boot("initramfs")));
    // It costs time, so it is for rules that want every byte to be checked.
    assert_eq!(machine["checks-disks"], false);
    let shown = host.fairing(["status", "box"]).run().ok();
    for line in [
        format!("machine-kernel={kernel} ").as_str(),
        "machine-start=boot\n",
        "machine-checks-images=no: no rule says integrity",
    ] {
        assert!(shown.stdout.contains(line), "{shown}");
    }
    host.fairing(["rm", "--force", "box"]).run().ok();
    let file = OpenOptions::new()
        .write(true)
        .open(boot("vmlinux"))
        .unwrap();
    file.write_all_at(b"something else", 1 << 20).unwrap();
    run(&host, &["--rm"])
        .args([IMAGE, "--", "/bin/true"])
        .run()
        .ok();
    assert_eq!(digest(&boot("vmlinux")), kernel);
}
