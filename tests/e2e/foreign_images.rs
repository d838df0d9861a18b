//! Images as other builders and old tools leave them, which every peer runs.

use harness::{Host, ImageBuilder, Layer};

/// Runs `command` in an image that was brought along as an OCI layout.
fn run(image: ImageBuilder, command: &[&str]) -> harness::Output {
    let host = Host::new();
    host.accept_unsigned();
    image.build().write_layout(&host.base().join("layout"), "x");
    host.fairing(["run", "--rm", "oci:layout:x"])
        .args(command)
        .run()
}

#[test]
fn an_empty_entry_point_is_none() {
    let image = ImageBuilder::busybox()
        .entrypoint([""])
        .cmd(["/bin/echo", "by Cmd"]);
    run(image, &[]).ok().expect_stdout("by Cmd");
}

#[test]
fn of_equal_layers_the_topmost_counts() {
    let one = || Layer::new().file("which", "one", 0o644);
    let image = ImageBuilder::busybox()
        .layer(one())
        .layer(Layer::new().file("which", "two", 0o644))
        .layer(one());
    run(image, &["--", "/bin/cat", "/which"])
        .ok()
        .expect_stdout("one");
}

#[test]
fn as_many_layers_as_are_taken_can_be_stacked() {
    let many = |count: u32| {
        (1..count).fold(ImageBuilder::busybox(), |image, number| {
            let name = format!("layer-{number}");
            image.layer(Layer::new().file(&name, "x", 0o644))
        })
    };
    run(many(499), &["--", "/bin/cat", "/layer-1", "/layer-498"])
        .ok()
        .expect_stdout("xx");
    // One more is refused before anything of it is unpacked.
    run(many(500), &["--", "/bin/true"]).expect_error(112, &["number of layers (500)"]);
}

#[test]
fn members_below_a_link_are_where_the_pod_finds_them() {
    let layer = Layer::new()
        .folder("opt/real", 0o755)
        .symlink("opt/link", "real")
        .file("opt/link/x", "hello", 0o644)
        .symlink("var/run", "/run")
        .file("var/run/pid", "7", 0o644);
    let image = ImageBuilder::busybox().layer(layer);
    let command = "cat /opt/real/x /var/run/pid /run/pid; readlink /opt/link";
    run(image, &["--", "/bin/sh", "-c", command])
        .ok()
        .expect_stdout("hello77real");
}

#[test]
fn a_device_of_an_upper_directory_hides_what_is_below() {
    let lower = Layer::new()
        .folder("d", 0o755)
        .file("d/gone", "x", 0o644)
        .file("d/kept", "y", 0o644)
        .file("d/linked", "z", 0o644);
    let upper = Layer::new()
        .character_device("d/gone", 0, 0)
        .hardlink("d/linked", "d/gone");
    let image = ImageBuilder::busybox().layer(lower).layer(upper);
    run(image, &["--", "/bin/ls", "/d"])
        .ok()
        .expect_stdout("kept");
}
