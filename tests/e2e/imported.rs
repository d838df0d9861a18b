//! Images that come into a host's store without a registry.

use harness::{Artifact, Host, ImageBuilder, Layer};

/// Brings an image into the store under `example.com/NAME`, and gives that reference.
#[track_caller]
pub(crate) fn import(host: &Host, image: &Artifact, name: &str) -> String {
    let folder = host
        .base()
        .join("layouts")
        .join(name.replace([':', '/'], "-"));
    image.write_layout(&folder, "latest");
    let reference = format!("example.com/{name}");
    host.fairing(["--insecure-options=image", "image", "import"])
        .arg(format!("oci:{}:latest", folder.display()))
        .args(["--name", &reference])
        .run()
        .ok();
    reference
}

/// A host where every image may run.
pub(crate) fn accepting_host() -> Host {
    let host = Host::new();
    host.accept_unsigned();
    host
}

/// An image that tells its mark.
pub(crate) fn marked(mark: &str) -> ImageBuilder {
    ImageBuilder::busybox()
        .layer(Layer::new().file("mark", mark, 0o644))
        .cmd(["/bin/cat", "/mark"])
}

/// A host where every image may run, and busybox in its store.
#[track_caller]
pub(crate) fn busybox_host() -> (Host, String) {
    let host = accepting_host();
    let image = import(&host, &ImageBuilder::busybox().build(), "busybox:1");
    (host, image)
}
