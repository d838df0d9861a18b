//! Hosts whose store has an image already, so that a test needs no registry to run something.

use std::time::Duration;

use harness::{Artifact, FairingCommand, Host, ImageBuilder, wait_until};
use serde_json::Value;

/// The name under which [`busybox`] and [`host_with`] put their image into the store.
pub(crate) const IMAGE: &str = "test.example/busybox:latest";

/// A host that lets every image run, with busybox in its store.
pub(crate) fn busybox() -> Host {
    host_with(ImageBuilder::busybox())
}

/// The same with another image.
pub(crate) fn host_with(image: ImageBuilder) -> Host {
    let host = Host::new();
    host.accept_unsigned();
    import(&host, &image.build(), IMAGE);
    host
}

/// Puts an image into a host's store.
#[track_caller]
pub(crate) fn import(host: &Host, image: &Artifact, name: &str) {
    let hex = image.digest().replace(':', "-");
    let layout = host.base().join(format!("layouts/{hex}"));
    image.write_layout(&layout, "latest");
    host.fairing(["image", "import", "--name", name])
        .arg(format!("oci:{}", layout.display()))
        .run()
        .ok();
}

/// `fairing run --rm IMAGE -- /bin/sh -c SCRIPT`.
pub(crate) fn shell(host: &Host, script: &str) -> FairingCommand {
    host.fairing(["run", "--rm", IMAGE, "--", "/bin/sh", "-c", script])
}

/// Starts a pod of one app in the background, with these flags of the pod, and gives its UUID.
#[track_caller]
pub(crate) fn detached(host: &Host, pod_flags: &[&str], script: &str) -> String {
    host.fairing(["run", "--detach"])
        .args(pod_flags)
        .args([IMAGE, "--", "/bin/sh", "-c", script])
        .run()
        .ok()
        .text()
        .to_owned()
}

/// `fairing status --format json POD`.
#[track_caller]
pub(crate) fn status(host: &Host, pod: &str) -> Value {
    host.fairing(["status", "--format", "json", pod])
        .run()
        .ok()
        .json()
}

/// Waits until the log of a detached pod holds this text.
#[track_caller]
pub(crate) fn wait_log(host: &Host, pod: &str, part: &str) {
    wait_until(
        &format!("{part:?} in the log"),
        Duration::from_secs(20),
        || {
            let output = host.fairing(["logs", pod]).run().ok();
            (output.stdout.contains(part) || output.stderr.contains(part)).then_some(())
        },
    );
}

/// Does nothing until a signal comes. Short naps, since a shell runs its traps between commands.
pub(crate) const IDLE: &str = "while :; do usleep 5000; done";
