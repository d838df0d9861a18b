//! What names mean: mirrors, other locations, blocked places, short names.

use harness::{Host, ImageBuilder, Key, Registry};

fn mirror() -> Registry {
    let registry = Registry::start();
    ImageBuilder::busybox()
        .build()
        .push(&registry, "copy/team/app:1");
    registry
}

const NAME: &str = "registry.invalid/team/app:1";

fn configure_mirror(host: &Host, mirror: &Registry) {
    host.write(
        "etc/registries.toml",
        format!(
            "[[registry]]\nprefix = \"registry.invalid\"\nmirrors = [\"{}/copy\"]\n",
            mirror.address()
        ),
    );
}

fn accept(host: &Host, prefix: &str) {
    let rule = format!("[[rule]]\nprefix = \"{prefix}\"\ntype = \"accept-unsigned\"\n");
    host.write_policy("tests.toml", &rule);
}

#[test]
fn policy_sees_the_name_that_was_asked_for_and_never_the_mirrors() {
    let mirror = mirror();
    let host = Host::new();
    configure_mirror(&host, &mirror);
    // A rule for the mirror says nothing of what it mirrors.
    accept(&host, &mirror.address().to_string());
    host.fairing(["run", "--rm", NAME, "--exec", "/bin/true"])
        .run()
        .expect_error(115, &["registry.invalid/team/app"]);
    accept(&host, "registry.invalid/team");
    host.fairing(["run", "--rm", NAME, "--exec", "/bin/true"])
        .run()
        .ok();
    let listed = host
        .fairing(["image", "list", "--format=json"])
        .run()
        .ok()
        .json();
    let text = listed.to_string();
    assert!(text.contains(NAME) && !text.contains("/copy/"), "{text}");
    // And the mirror under its own name is judged by its own name.
    host.fairing(["fetch", &mirror.reference("copy/team/app:1")])
        .run()
        .expect_code(115);
}

#[test]
fn a_signature_for_the_mirrors_name_is_none_for_the_image() {
    let mirror = mirror();
    let host = Host::new();
    let key = Key::generate(&host, "team");
    key.sign(&host, &mirror.reference("copy/team/app:1"));
    configure_mirror(&host, &mirror);
    key.trust(&host, "registry.invalid");
    host.fairing(["fetch", NAME]).run().expect_code(116);
}

#[test]
fn registries_conf_is_read_in_place() {
    let registry = mirror();
    let host = Host::new();
    host.accept_unsigned();
    let at = registry.address();
    let conf = |text: String| host.write("containers/registries.conf", text);
    conf(format!(
        "[[registry]]\nprefix = \"*.invalid\"\nlocation = \"{at}/copy\"\n\
         [[registry]]\nlocation = \"mirrored.example\"\n\
         [[registry.mirror]]\nlocation = \"{at}/copy\"\ninsecure = true\n\
         [[registry]]\nlocation = \"blocked.example\"\nblocked = true\n"
    ));
    host.fairing(["fetch", NAME, "mirrored.example/team/app:1"])
        .run()
        .ok();
    host.fairing(["fetch", "blocked.example/team/app"])
        .run()
        .expect_error(122, &["blocked.example", "registries.conf"]);
    // Drop-ins count before the file.
    let drop_in = "[[registry]]\nprefix = \"*.invalid\"\nblocked = true\n";
    host.write("containers/registries.conf.d/50-tests.conf", drop_in);
    host.fairing(["fetch", NAME])
        .run()
        .expect_error(122, &["50-tests.conf"]);
    conf("[[registry".to_owned());
    host.fairing(["fetch", NAME])
        .run()
        .expect_error(125, &["registries.conf"]);
    // What fairing does without them.
    host.write(
        "etc/registries.toml",
        "containers-registries-conf = false\nretries = 0\n",
    );
    host.fairing(["fetch", &registry.reference("copy/team/app:1")])
        .run()
        .ok();
    // An image of the store that is called by its name needs nothing of all this.
    host.write("etc/registries.toml", "no TOML");
    host.fairing(["run", "--rm", NAME, "--exec", "/bin/true"])
        .run()
        .ok();
}

#[test]
fn short_names_are_what_the_configuration_says() {
    let (one, two) = (Registry::start(), Registry::start());
    let host = Host::new();
    host.accept_unsigned();
    let image = |mark: &'static str| {
        let layer = harness::Layer::new().file("mark", mark, 0o644);
        let command = ["/bin/cat", "/mark"];
        ImageBuilder::busybox().layer(layer).cmd(command).build()
    };
    image("one").push(&one, "hub/tool:latest");
    image("two").push(&two, "tool:latest");
    image("alias").push(&two, "team/renamed:5");
    let run = |name: &str| host.fairing(["run", "--rm", name]).run();
    let settings = |text: &str| {
        let search = format!(
            "unqualified-search = [\"{}/hub\", \"{}\"]",
            one.address(),
            two.address()
        );
        let alias = format!("[short-names]\nother = \"{}/team/renamed\"", two.address());
        host.write(
            "etc/registries.toml",
            format!("{text}\n{search}\n{alias}\n"),
        );
    };
    settings("");
    let whole = two.reference("team/renamed:5");
    let ran = run("other:5").ok();
    assert_eq!(ran.stdout, "alias");
    let said = format!("other:5 is {whole}: asking {}\n", two.address());
    assert!(ran.stderr.contains(&said), "{ran}");
    // What is in the store is asked for nowhere.
    let again = run("other:5").ok();
    assert!(!again.stderr.contains("asking"), "{again}");
    run("tool").expect_error(
        125,
        &[
            "short name tool",
            &one.reference("hub/tool:latest"),
            &two.reference("tool:latest"),
            "alias",
        ],
    );
    // Once one of them is in the store, that is the one.
    host.fairing(["fetch", &two.reference("tool")]).run().ok();
    assert_eq!(run("tool").ok().stdout, "two");
    host.fairing(["fetch", &one.reference("hub/tool")])
        .run()
        .ok();
    run("tool").expect_error(125, &["short name tool"]);
    settings("short-name-mode = \"permissive\"");
    assert_eq!(run("tool").ok().stdout, "one");
    host.fairing([
        "image",
        "rm",
        &one.reference("hub/tool"),
        &two.reference("tool"),
    ])
    .run()
    .ok();
    // The first registry that knows it.
    image("only").push(&two, "only:latest");
    assert_eq!(run("only").ok().stdout, "only");
    run("nowhere").expect_error(110, &["nowhere"]);
}
