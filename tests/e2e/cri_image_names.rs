//! Images that have several names, over the CRI: which of them the policy judges, and what a refusal tells of that.

use cri_shim::api::{ContainerConfig, ImageSpec, Mount};
use harness::{Artifact, Host, ImageBuilder};
use tonic::{Code, Status};

use crate::cri_containers::{Ground, idle, script};
use crate::cri_image::{pull, status};
use crate::stocked::import;

/// Names of one image, in the order in which they are tried.
const OTHER: &str = "test.example/a/app:1";
const TRUSTED: &str = "test.example/b/app:1";

fn app(word: &str) -> Artifact {
    ImageBuilder::busybox().env("WORD", word).build()
}

/// A ground with an image of two names; gives its id too.
fn two_names() -> (Ground, String) {
    let ground = Ground::new();
    let image = app("two");
    for name in [OTHER, TRUSTED] {
        import(&ground.host, &image, name);
    }
    let id = id_of(&ground, OTHER);
    (ground, id)
}

fn id_of(ground: &Ground, name: &str) -> String {
    status(&ground.cri, name).unwrap().id
}

/// A rule that lets the images of a prefix run.
fn accept(prefix: &str) -> String {
    format!("[[rule]]\nprefix = \"{prefix}\"\ntype = \"accept-unsigned\"\n")
}

fn reject(prefix: &str) -> String {
    accept(prefix).replace("accept-unsigned", "reject")
}

/// These rules and no others.
fn rules(host: &Host, rules: &[String]) {
    host.write_policy("tests.toml", &rules.concat());
}

fn asked(image: &str, by: &str) -> ImageSpec {
    ImageSpec {
        image: image.to_owned(),
        user_specified_image: by.to_owned(),
        ..ImageSpec::default()
    }
}

/// What is asked of a container of an image that a user has called so.
fn of(name: &str, image: &str, by: &str) -> ContainerConfig {
    ContainerConfig {
        image: Some(asked(image, by)),
        ..idle(name)
    }
}

/// What is asked of a container that mounts an image.
fn mounting(name: &str, image: &str, by: &str) -> ContainerConfig {
    ContainerConfig {
        mounts: vec![Mount {
            container_path: "/image".to_owned(),
            readonly: true,
            image: Some(asked(image, by)),
            image_sub_path: "bin".to_owned(),
            ..Mount::default()
        }],
        ..idle(name)
    }
}

#[track_caller]
fn refused(result: Result<String, Status>, parts: &[&str]) -> String {
    let error = result.unwrap_err();
    for part in parts {
        assert!(error.message().contains(part), "{part}: {error}");
    }
    error.message().to_owned()
}

#[test]
fn an_image_that_is_asked_for_by_its_id_runs_by_any_name_that_may() {
    let (ground, id) = two_names();
    let hex = id.strip_prefix("sha256:").unwrap();
    let own = accept("test.example/busybox");
    rules(&ground.host, &[own.clone(), accept("test.example/b")]);
    for (at, (image, by)) in [
        (&*id, ""),
        (hex, ""),
        (&hex[..16], ""),
        (&id, TRUSTED),
        // No rule speaks of the name that the user has given, and the image has another one.
        (&id, OTHER),
        (TRUSTED, ""),
    ]
    .into_iter()
    .enumerate()
    {
        let made = ground.create(&of(&format!("c{at}"), image, by));
        ground.try_start(&made).unwrap();
        let told = ground.status(&made);
        assert_eq!(told.image.unwrap().image, TRUSTED, "{image} {by}");
        assert_eq!(told.image_id, id);
        let made = ground.create(&mounting(&format!("m{at}"), image, by));
        ground.try_start(&made).unwrap();
        assert!(ground.sh(&made, "ls /image").contains("sh"));
    }
    // By its name it is judged by that name.
    for config in [of("no", OTHER, ""), mounting("no", OTHER, "")] {
        let told = refused(ground.try_create(&config), &[OTHER, "no trust rule covers"]);
        assert!(!told.contains(TRUSTED), "{told}");
    }
    // What rejects the user's own word for it gives way to no other name.
    rules(
        &ground.host,
        &[own, accept("test.example/b"), reject("test.example/a")],
    );
    for config in [of("no", &id, OTHER), mounting("no", &id, OTHER)] {
        refused(ground.try_create(&config), &[OTHER, "is rejected by rule"]);
    }
    ground.create(&of("last", &id, ""));
}

#[test]
fn a_refusal_names_all_names_that_were_tried_and_no_other_image_helps() {
    let (ground, id) = two_names();
    let elsewhere = "test.example/trusted:1";
    import(&ground.host, &app("another"), elsewhere);
    let own = accept("test.example/busybox");
    let rejecting = reject("test.example/b");
    rules(
        &ground.host,
        &[own, accept("test.example/trusted"), rejecting],
    );
    for config in [
        of("no", &id, ""),
        mounting("no", &id, ""),
        // A name that is not the image's.
        of("no", &id, elsewhere),
        mounting("no", &id, elsewhere),
        of("no", &id, "test.example/nowhere:1"),
    ] {
        let other = format!("nor may it run by {TRUSTED} (rule \"test.example/b\" of ");
        refused(
            ground.try_create(&config),
            &[OTHER, "no trust rule covers test.example/a/app", &other],
        );
    }
    // The command tells the same, by either form of the id.
    let hex = id.strip_prefix("sha256:").unwrap();
    for word in [&*id, hex, &hex[..12]] {
        let told = ground.host.fairing(["trust", "explain", word]).run().ok();
        let told = told.text();
        let also = format!("also named: {TRUSTED}: refused: ");
        for part in [
            &*format!("image:      {OTHER}\n"),
            &also,
            "verdict:    refused",
        ] {
            assert!(told.contains(part), "{part}\n{told}");
        }
    }
    rules(&ground.host, &[accept("test.example/b")]);
    let told = ground.host.fairing(["trust", "explain", &id]).run().ok();
    let told = told.text();
    for part in [
        &*format!("image:      {TRUSTED}\n"),
        "verdict:    allowed: ",
        &format!("also named: {OTHER}: refused: "),
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    // So do pods of the node.
    let digest = app("two").digest();
    let run = ["run", "--rm", &digest, "--", "/bin/true"];
    ground.host.fairing(run).run().ok();
}

#[test]
fn what_is_in_the_store_is_judged_when_it_is_pulled() {
    let (ground, id) = two_names();
    let local = "localhost/app:1";
    import(&ground.host, &app("local"), local);
    let local_id = id_of(&ground, local);
    let hex = id.strip_prefix("sha256:").unwrap();
    let own = accept("test.example/busybox");
    rules(&ground.host, std::slice::from_ref(&own));
    for (name, part) in [
        (local, "no trust rule covers localhost/app"),
        (&local_id, "no trust rule covers localhost/app"),
        (&id, "nor may it run by"),
        (hex, "nor may it run by"),
    ] {
        let refusal = refused(pull(&ground.cri, name, None), &[part, "@sha256:"]);
        let word = "SignatureValidationFailed: image ";
        assert!(refusal.starts_with(word), "{refusal}");
    }
    rules(
        &ground.host,
        &[own, accept("localhost"), accept("test.example/b")],
    );
    for (name, id) in [
        (local, &local_id),
        (&local_id, &local_id),
        (&id, &id),
        (hex, &id),
    ] {
        assert_eq!(pull(&ground.cri, name, None).unwrap(), *id, "{name}");
    }
    let error = pull(&ground.cri, "localhost/none:1", None).unwrap_err();
    assert_eq!(error.code(), Code::NotFound, "{error}");
}

#[test]
fn a_tag_that_moves_changes_nothing_of_what_was_made() {
    let (ground, id) = two_names();
    let own = accept("test.example/busybox");
    let pinned = format!(
        "[[rule]]\nprefix = \"test.example/b\"\ntype = \"digest\"\ndigests = [\"{}\"]\n",
        app("two").digest()
    );
    rules(&ground.host, &[own.clone(), pinned]);
    let made = ground.create(&of("before", TRUSTED, ""));
    ground.host.accept_unsigned();
    import(&ground.host, &app("moved"), TRUSTED);
    let moved = id_of(&ground, TRUSTED);
    let pinned = std::fs::read_to_string(ground.host.base().join("etc/trust.d/tests.toml"));
    assert!(pinned.unwrap().contains("accept-unsigned"));
    let pinned = format!(
        "[[rule]]\nprefix = \"test.example/b\"\ntype = \"digest\"\ndigests = [\"{}\"]\n",
        app("two").digest()
    );
    rules(&ground.host, &[own, pinned]);
    // What was made is what runs, and what the name stands for now does not.
    ground.try_start(&made).unwrap();
    assert_eq!(ground.sh(&made, "echo $WORD"), "two");
    assert_eq!(ground.status(&made).image_id, id);
    for (image, by) in [(TRUSTED, ""), (&*moved, ""), (&moved, TRUSTED)] {
        refused(
            ground.try_create(&of("after", image, by)),
            &[TRUSTED, "does not list"],
        );
    }
    // The image before has one name left, of which no rule speaks.
    let told = refused(
        ground.try_create(&of("after", &id, TRUSTED)),
        &[OTHER, "no trust rule covers"],
    );
    assert!(!told.contains(TRUSTED), "{told}");
}

#[test]
fn no_way_of_writing_a_name_leads_around_the_policy() {
    let ground = Ground::new();
    let image = app("unsigned");
    let hub = "docker.io/library/app:1";
    import(&ground.host, &image, hub);
    let id = id_of(&ground, hub);
    let hex = id.strip_prefix("sha256:").unwrap();
    let own = accept("test.example/busybox");
    rules(&ground.host, std::slice::from_ref(&own));
    let digest = image.digest();
    let manifest = digest.strip_prefix("sha256:").unwrap();
    let words = [
        hub.to_owned(),
        "app:1".to_owned(),
        "library/app:1".to_owned(),
        "docker.io/app:1".to_owned(),
        "index.docker.io/library/app:1".to_owned(),
        "docker://docker.io/library/app:1".to_owned(),
        format!("docker.io/library/app@{digest}"),
        format!("{hub}@{digest}"),
        format!("docker.io/library/app:other@{digest}"),
        format!("app@{digest}"),
        // Of another repository, which may.
        format!("test.example/busybox@{digest}"),
        format!("test.example/busybox:latest@{digest}"),
        format!("localhost/app@{digest}"),
        id.clone(),
        hex.to_owned(),
        hex[..6].to_owned(),
        format!("sha256:{}", &hex[..8]),
        digest.to_owned(),
        manifest.to_owned(),
        id.to_uppercase(),
        hex.to_uppercase(),
        "DOCKER.IO/library/app:1".to_owned(),
        "docker.io/Library/App:1".to_owned(),
        format!("oci:{}", ground.host.base().join("layouts").display()),
        format!("rootfs:{}", ground.host.base().display()),
    ];
    let busybox = "test.example/busybox:latest";
    for word in &words {
        for by in ["", busybox, hub] {
            for config in [of("no", word, by), mounting("no", word, by)] {
                let error = ground.try_create(&config).unwrap_err();
                let codes = [Code::Unknown, Code::NotFound, Code::InvalidArgument];
                assert!(codes.contains(&error.code()), "{word}: {error}");
            }
        }
    }
    // Annotations are anybody's word.
    let mut config = of("no", &id, "");
    let namespaced = accept("docker.io").replace(
        "type =",
        "kubernetes-namespaces = [\"kube-system\"]\ntype =",
    );
    rules(&ground.host, &[own, namespaced]);
    for key in ["io.kubernetes.pod.namespace", "namespace", "fairing/cri"] {
        config
            .annotations
            .insert(key.to_owned(), "kube-system".to_owned());
        config
            .labels
            .insert(key.to_owned(), "kube-system".to_owned());
    }
    refused(
        ground.try_create(&config),
        &[
            "for Kubernetes namespace default is not trusted",
            "counts in Kubernetes namespace kube-system alone",
        ],
    );
}

#[test]
fn a_refusal_tells_image_rule_namespace_and_remedy_in_one_paragraph() {
    let (ground, id) = two_names();
    let own = accept("test.example/busybox");
    let file = ground.host.base().join("etc/trust.d/tests.toml");
    let file = file.display().to_string();
    let namespaced = |name: &str| {
        format!(
            "[[rule]]\nprefix = \"test.example/a\"\nkubernetes-namespaces = [\"{name}\"]\n\
             type = \"digest\"\ndigests = [\"sha256:{}\"]\n",
            "0".repeat(64)
        )
    };
    let line = own.lines().count() + 1;
    let digest = app("two").digest();
    let named = format!("image {OTHER}@{digest} for Kubernetes namespace default ");
    for (rule, parts) in [
        (
            namespaced("default"),
            vec![
                format!(
                    "is not allowed: rule \"test.example/a\" for Kubernetes namespace default of {file}:{line} does not list"
                ),
                format!("; add its digest to those in {file}:{line}"),
            ],
        ),
        (
            namespaced("prod"),
            vec![
                format!(
                    "no trust rule covers test.example/a/app here: rule \"test.example/a\" of {file}:{line} counts in"
                ),
                format!(
                    "; add \"default\" to kubernetes-namespaces of rule \"test.example/a\" in {file}:{line}"
                ),
            ],
        ),
        (
            reject("test.example/a"),
            vec![
                format!("is rejected by rule \"test.example/a\" of {file}:{line}"),
                format!("is in {file}:{line}: to be changed there"),
            ],
        ),
    ] {
        rules(&ground.host, &[own.clone(), rule]);
        let told = refused(ground.try_create(&of("no", OTHER, "")), &[&named]);
        for part in &parts {
            assert!(told.contains(part), "{part}\n{told}");
        }
        assert!(!told.contains('\n') && told.len() < 2048, "{told}");
        let explained = ground
            .host
            .fairing(["trust", "explain", "--kubernetes-namespace=default", OTHER])
            .run()
            .ok();
        let explained = explained.text();
        assert!(explained.contains(&named), "{explained}");
    }
    // By however many names, it is one paragraph that fits into an answer.
    ground.host.accept_unsigned();
    for number in 0..40 {
        let name = format!("test.example/{}/app:{number}", "x".repeat(100));
        ground
            .host
            .fairing(["image", "tag", OTHER, &name])
            .run()
            .ok();
    }
    rules(&ground.host, &[own]);
    let told = refused(ground.try_create(&of("no", &id, "")), &["and by 33 more"]);
    assert!(told.contains("; fairing trust allow "), "{told}");
    assert!(!told.contains('\n') && told.len() < 4000, "{told}");
}

#[test]
fn what_was_judged_by_one_name_is_judged_by_it_when_it_starts() {
    let (ground, id) = two_names();
    let own = accept("test.example/busybox");
    rules(&ground.host, &[own.clone(), accept("test.example/b")]);
    let mut config = script("one", "echo $WORD");
    config.image = Some(asked(&id, ""));
    let made = ground.create(&config);
    rules(&ground.host, std::slice::from_ref(&own));
    let error = ground.try_start(&made).unwrap_err();
    assert!(error.message().contains(TRUSTED), "{error}");
    // With the other name's rule, one that is made anew runs.
    rules(&ground.host, &[own, accept("test.example/b")]);
    ground.remove(&made).unwrap();
    ground.run(&config);
    ground.wait_logged("one", "two");
}
