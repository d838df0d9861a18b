//! Values of flags and names as people write them who come from other tools: understood, or refused with what there is.

use std::fs;

use harness::{Artifact, Host, ImageBuilder, Layer, Registry};

use crate::stocked::{IMAGE, busybox, detached, import, shell, status};

/// Runs a command that makes no sense, and gives what is said.
#[track_caller]
fn refused(host: &Host, words: &[&str]) -> String {
    let output = host.fairing(words.iter().copied()).run();
    output.expect_code(2).stderr
}

#[test]
fn sizes_have_fractions_and_0_is_what_it_is_elsewhere() {
    let host = busybox();
    let limits = ["--memory=0.5g", "--cpu-shares=0", "--grace-period", "-1"];
    let flags: Vec<&str> = ["--name", "web"].into_iter().chain(limits).collect();
    detached(&host, &flags, "exec sleep 1000");
    let app = &status(&host, "web")["apps"][0];
    assert_eq!(app["memory-limit"], 512 << 20);
    host.fairing(["stop", "--force", "web"]).run().ok();
    // As without a size, which is no limit but the kernel's.
    let size = "/bin/busybox df -P /t | /bin/busybox tail -n 1 | /bin/busybox awk '{print $2}'";
    let of = |flag: &str| {
        let run = host.fairing(["run", "--rm", flag, IMAGE, "--", "/bin/sh", "-c", size]);
        run.run().ok().text().to_owned()
    };
    let plain = of("--tmpfs=/t");
    for flag in [
        "--tmpfs=/t:size=0",
        "--mount=type=tmpfs,target=/t,tmpfs-size=0",
    ] {
        assert_eq!(of(flag), plain, "{flag}");
    }
    assert_eq!(of("--tmpfs=/t:size=0.5m"), "512");
    for (words, part) in [
        (&["run", "--memory=0.5x", IMAGE][..], "unknown unit \"x\""),
        (
            &["run", "--cpu-shares=1", IMAGE],
            "from 2 to 262144, or 0 for the usual weight",
        ),
        (
            &["run", "--grace-period=long", IMAGE],
            "write a number of seconds",
        ),
    ] {
        let said = refused(&host, words);
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn a_name_that_no_image_can_have_is_a_mistake_of_the_command_line_everywhere() {
    let host = busybox();
    for words in [
        &["run", "UPPER"][..],
        &["prepare", "UPPER"],
        &["run", "a:b:c"],
        &["run", "app@sha256:12"],
        &["run", IMAGE, "---", "UPPER"],
        &["fetch", "UPPER"],
        &["pull", "UPPER"],
        &["push", "UPPER"],
        &["tag", IMAGE, "UPPER"],
        &["rmi", "UPPER"],
        &["image", "inspect", "UPPER"],
        &["image", "verify", "UPPER"],
        &["image", "cat-manifest", "UPPER"],
        &["image", "copy", "UPPER", "oci:/tmp/none"],
        &["history", "UPPER"],
        &["save", "-o", "/tmp/none", "UPPER"],
        &["image", "extract", "UPPER", "/tmp/none"],
        &["trust", "allow", "UPPER"],
        &["trust", "explain", "UPPER"],
        &["image", "import", "--name", "UPPER", "rootfs:/tmp"],
        &["run", "--mount=type=image,source=UPPER,target=/x", IMAGE],
    ] {
        let said = refused(&host, words);
        assert!(
            said.starts_with("fairing: ") && said.lines().count() == 1,
            "{words:?}: {said}"
        );
        assert!(
            said.contains("lower") || said.contains("name must be") || said.contains("a:b:c"),
            "{words:?}: {said}"
        );
    }
}

#[test]
fn an_archive_of_several_images_says_which_there_are_and_how_one_is_named() {
    let host = busybox();
    let layer = Layer::new().file("only-here", "x", 0o644);
    let other = ImageBuilder::busybox().layer(layer).build();
    import(&host, &other, "other.example/app:2");
    for format in ["docker-archive", "oci-archive"] {
        let file = host.base().join(format);
        host.fairing(["save", "--format", format, "-o"])
            .arg(&file)
            .args([IMAGE, "other.example/app:2"])
            .run()
            .ok();
        let source = format!("{format}:{}", file.display());
        let said = refused(&host, &["image", "import", &source]);
        assert!(
            said.contains(IMAGE) && said.contains("other.example/app:2"),
            "{said}"
        );
        // What is between the backquotes is what to type.
        let named = said.split('`').nth(1).unwrap();
        host.fairing(["image", "import", named]).run().ok();
    }
}

#[test]
fn files_may_be_named_without_a_flag_as_for_export() {
    let host = busybox();
    let file = host.base().join("image.tar");
    host.fairing(["save", IMAGE, "-o"]).arg(&file).run().ok();
    host.fairing(["rmi", IMAGE]).run().ok();
    let loaded = host.fairing(["load"]).arg(&file).run().ok();
    assert_eq!(loaded.text(), IMAGE);
    host.fairing(["volume", "create", "--driver", "local", "data"])
        .run()
        .ok();
    let tar = host.base().join("data.tar");
    host.fairing(["volume", "export", "data"])
        .arg(&tar)
        .run()
        .ok();
    assert!(fs::metadata(&tar).unwrap().len() > 0);
    let said = refused(&host, &["volume", "create", "--driver", "nfs", "other"]);
    assert!(said.contains("there is no other"), "{said}");
    let text = host.write("notes.txt", "hello");
    host.fairing(["volume", "import", "new"])
        .arg(&text)
        .run()
        .expect_error(112, &["notes.txt: it is not a tar file", "`tar -c`"]);
    let volumes = host.fairing(["volume", "list", "-q"]).run().ok();
    assert_eq!(volumes.text(), "data");
}

#[test]
fn newer_is_content_with_the_store_where_the_registry_is_out_of_reach() {
    let host = Host::new();
    host.accept_unsigned();
    let registry = Registry::start();
    let image = |file: &str| -> Artifact {
        let layer = Layer::new().file("release", file, 0o644);
        ImageBuilder::busybox().layer(layer).build()
    };
    let name = registry.reference("team/app:1");
    image("one").push(&registry, "team/app:1");
    let run = || host.fairing(["run", "--rm", "--pull=newer", &name, "cat", "/release"]);
    run().run().ok().expect_stdout("one");
    image("two").push(&registry, "team/app:1");
    run().run().ok().expect_stdout("two");
    let fetch = || host.fairing(["fetch", "--pull=newer", &name]);
    let digest = fetch().run().ok().text().to_owned();
    registry.stop();
    let output = run().run().ok();
    output
        .expect_stdout("two")
        .expect_stderr("of the store is used");
    assert_eq!(fetch().run().ok().text(), digest);
    host.fairing(["run", "--pull=always", &name])
        .run()
        .expect_code(122);
    host.fairing(["rmi", &name]).run().ok();
    run().run().expect_code(122);
}

#[test]
fn a_setting_of_the_wrong_kind_is_named() {
    let host = busybox();
    for (file, text, parts) in [
        (
            "config.toml",
            "[layers]\nmax-size = true\n",
            &["config.toml, line 2: layers.max-size: "][..],
        ),
        (
            "config.toml",
            "[user-namespaces]\nids = \"131072-262143\"\nuser = \"fairing\"\n",
            &["config.toml, line 1: user-namespaces: `ids` and `user` both say"],
        ),
        (
            "registries.toml",
            "retries = \"many\"\n",
            &["registries.toml: line 1: retries: invalid type"],
        ),
        (
            "trust.d/x.toml",
            "[[rule]]\nprefix = 7\n",
            &["trust.d/x.toml: line 2: prefix: invalid type"],
        ),
        (
            "net.d/x.conflist",
            r#"{"name": "x", "cniVersion": 7, "type": "bridge"}"#,
            &["net.d/x.conflist: cniVersion: invalid type"],
        ),
    ] {
        let path = host.write(host.local_config().join(file), text);
        let command = match file {
            "registries.toml" => vec!["fetch", "127.0.0.1:1/app"],
            "net.d/x.conflist" => vec!["network", "list"],
            _ => vec!["run", "--userns=auto", "--rm", IMAGE, "true"],
        };
        let mut said = String::new();
        let output = host.fairing(command).run();
        said.push_str(&output.stderr);
        for part in parts {
            assert!(said.contains(part), "{file}: {said}");
        }
        fs::remove_file(path).unwrap();
    }
    shell(&host, "true").run().ok();
}
