//! Programs that can't be executed: which one, at which path, and why.

use harness::{Host, ImageBuilder, Layer};

const PATH: &str = "PATH=/opt/a:/opt/b:/bin:/opt/c";

#[test]
fn a_program_that_cannot_be_executed_is_named_where_it_is() {
    let host = Host::new();
    host.accept_unsigned();
    let programs = Layer::new()
        .file("opt/a/text", "words\n", 0o644)
        .folder("opt/b/text", 0o755)
        .file("opt/a/script", "#!/no/such/shell\n", 0o755)
        .file("opt/a/foreign", "neither\n", 0o755);
    let image = ImageBuilder::busybox().layer(programs);
    image.build().write_layout(&host.base().join("image"), "x");
    let rows: [(&str, i32, &[&str]); 6] = [
        (
            "text",
            126,
            &["`text`", "`/opt/a/text`: ", "`/opt/b/text` is a directory"],
        ),
        ("/opt/b/text", 126, &["`/opt/b/text` is a directory"]),
        (
            "script",
            127,
            &["`script`", "`/opt/a/script`", "interpreter"],
        ),
        ("foreign", 126, &["`/opt/a/foreign`", "#!"]),
        (
            "nosuch",
            127,
            &["`nosuch`", "/opt/a/nosuch, ", "/bin/nosuch", "PATH"],
        ),
        ("/no/such", 127, &["`/no/such`", "no such file"]),
    ];
    for (program, code, words) in rows {
        host.fairing(["run", "--rm", "--env", PATH, "oci:image:x"])
            .args(["--exec", program])
            .run()
            .expect_error(code, words);
    }
    // What can't be executed hides nothing further on.
    host.fairing(["run", "--rm", "--env", "PATH=/opt/b:/bin", "oci:image:x"])
        .args(["--exec", "echo", "--", "found"])
        .run()
        .ok()
        .expect_stdout("found");
}
