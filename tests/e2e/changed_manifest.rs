//! Pods whose manifests say what no flag does.

use harness::{FairingCommand, Host};
use serde_json::Value;

/// Prepares a pod by `fairing prepare WORDS`, changes its manifest, and gives its UUID.
#[track_caller]
pub(crate) fn prepare(host: &Host, words: &[&str], change: impl FnOnce(&mut Value)) -> String {
    let uuid = host.fairing(["prepare"]).args(words).run().ok();
    let uuid = uuid.text().to_owned();
    let path = host.data_dir().join("pods/prepared").join(&uuid);
    let path = path.join("pod.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut manifest = serde_json::from_str(&text).unwrap();
    change(&mut manifest);
    std::fs::write(&path, manifest.to_string()).unwrap();
    uuid
}

/// `fairing run-prepared` of such a pod.
#[track_caller]
pub(crate) fn run(host: &Host, words: &[&str], change: impl FnOnce(&mut Value)) -> FairingCommand {
    let uuid = prepare(host, words, change);
    host.fairing(["run-prepared", uuid.as_str()])
}

/// The same in the background. The result is its UUID.
#[track_caller]
pub(crate) fn start(host: &Host, words: &[&str], change: impl FnOnce(&mut Value)) -> String {
    let uuid = prepare(host, words, change);
    host.fairing(["run-prepared", "--detach", uuid.as_str()])
        .run()
        .ok();
    uuid
}
