//! Many commands at once on one store.

use std::sync::Barrier;

use harness::{Host, ImageBuilder, Layer, Output, Registry};

use crate::stocked::{IMAGE, busybox, status};

/// Runs all commands at the same time, each in a thread of its own.
fn at_once(host: &Host, commands: &[Vec<&str>]) -> Vec<Output> {
    let barrier = Barrier::new(commands.len());
    std::thread::scope(|scope| {
        let threads: Vec<_> = commands
            .iter()
            .map(|words| {
                let command = host.fairing(words);
                let barrier = &barrier;
                scope.spawn(move || {
                    barrier.wait();
                    command.run()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("a command that ends"))
            .collect()
    })
}

#[test]
fn twenty_commands_at_once_end_correctly_each_time() {
    let registry = Registry::start();
    let image = ImageBuilder::busybox()
        .build()
        .push(&registry, "team/busybox:1");
    let host = Host::new();
    host.accept_unsigned();

    let fetch = vec!["fetch", &image];
    let run = vec!["run", "--rm", &image, "--", "/bin/echo", "it runs"];
    let run_and_stay = vec!["run", &image, "--", "/bin/echo", "it runs"];
    let list = vec!["list", "--format", "json"];
    let images = vec!["image", "list", "--format", "json"];
    let gc = vec!["gc", "--grace-period=0s"];
    let remove = vec!["image", "rm", &image];
    let kinds = [&fetch, &run, &gc, &remove, &run_and_stay, &list, &images];
    for round in 0..6 {
        // Another order each time.
        let commands: Vec<_> = (0..20)
            .map(|number| kinds[(number * (round + 1) + round) % kinds.len()].clone())
            .collect();
        for output in at_once(&host, &commands) {
            let words: Vec<&str> = output.command.split(' ').collect();
            match words[1] {
                "fetch" | "gc" => drop(output.ok()),
                "run" => drop(output.ok().expect_stdout("it runs\n")),
                "list" => assert!(output.ok().json().is_array()),
                _ if words[2] == "list" => assert!(output.ok().json().is_array()),
                // It was there, or was not, or a pod had it at that moment.
                _ => match output.code {
                    Some(0) => {}
                    Some(110) => drop(output.expect_error(110, &["team/busybox:1"])),
                    _ => drop(output.expect_error(125, &["team/busybox:1", "in use by pod"])),
                },
            }
        }
        // The store is whole: what it says that it has, runs, and without a registry.
        host.fairing(&fetch).run().ok();
        host.fairing(["run", "--rm", "--pull=never", &image, "--", "/bin/true"])
            .run()
            .ok();
        host.expect_clean();
    }
    // Without the image, all that it needed is gone.
    host.fairing(&remove).run().ok();
    host.collect();
    for folder in ["blobs/sha256", "layers", "refs", "tmp"] {
        let folder = host.data_dir().join("images").join(folder);
        let left = std::fs::read_dir(&folder).map_or(0, |entries| entries.count());
        assert_eq!(left, 0, "{}", folder.display());
    }
}

#[test]
fn the_same_image_fetched_at_once_is_stored_once() {
    let registry = Registry::start();
    let image = ImageBuilder::busybox().build().push(&registry, "busybox:1");
    let host = Host::new();
    host.accept_unsigned();
    let commands = vec![vec!["fetch", image.as_str()]; 20];
    let outputs = at_once(&host, &commands);
    let digests: Vec<String> = outputs
        .into_iter()
        .map(|output| output.ok().stdout)
        .collect();
    assert!(
        digests.iter().all(|digest| *digest == digests[0]),
        "{digests:?}"
    );
    let layers = std::fs::read_dir(host.data_dir().join("images/layers"))
        .unwrap()
        .count();
    assert_eq!(layers, 1);
    host.expect_clean();
    let listed = host
        .fairing(["image", "list", "--format", "json"])
        .run()
        .ok()
        .json();
    assert_eq!(listed.as_array().unwrap().len(), 1);
}

#[test]
fn twenty_pods_at_once_start_and_end() {
    let registry = Registry::start();
    let image = ImageBuilder::busybox().build().push(&registry, "busybox:1");
    let host = Host::new();
    host.accept_unsigned();
    host.fairing(["fetch", &image]).run().ok();
    let one = vec![
        "run",
        "--rm",
        image.as_str(),
        "--",
        "/bin/sh",
        "-c",
        "exit 7",
    ];
    let started = std::time::Instant::now();
    for output in at_once(&host, &vec![one; 20]) {
        output.expect_code(7);
    }
    assert!(
        started.elapsed() < std::time::Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );
    assert!(host.pod_folders().is_empty(), "--rm removes each");
}

#[test]
fn several_rm_stop_and_gc_of_the_same_pod_agree() {
    let registry = Registry::start();
    let image = ImageBuilder::busybox().build().push(&registry, "busybox:1");
    let host = Host::new();
    host.accept_unsigned();
    host.fairing(["fetch", &image]).run().ok();
    for _ in 0..4 {
        host.fairing([
            "run",
            "--detach",
            "--name",
            "shared",
            &image,
            "--",
            "/bin/sleep",
            "1000",
        ])
        .run()
        .ok();
        let stop = vec!["stop", "--force", "shared"];
        let remove = vec!["rm", "--force", "shared"];
        let gc = vec!["gc", "--grace-period=0s"];
        let list = vec!["list"];
        let commands: Vec<_> = [&stop, &remove, &gc, &list]
            .into_iter()
            .cycle()
            .take(20)
            .cloned()
            .collect();
        for output in at_once(&host, &commands) {
            let words: Vec<&str> = output.command.split(' ').collect();
            match (words[1], output.code) {
                (_, Some(0)) => {}
                // Another one was faster.
                ("stop" | "rm", Some(121)) => drop(output.expect_error(121, &["shared"])),
                ("rm", _) => drop(output.expect_error(125, &["in use"])),
                _ => panic!("{output}"),
            }
        }
        host.fairing(["gc", "--grace-period=0s"]).run().ok();
        assert!(host.pod_folders().is_empty());
        assert!(host.leftovers().names.is_empty());
    }
}

/// The kernel gives up resolving `..` inside of a root when somebody mounts or renames meanwhile,
/// and wants to be asked again.
#[test]
fn links_with_dots_are_resolved_while_other_pods_mount() {
    let (host, _) = crate::imported::busybox_host();
    let files = Layer::new()
        .file("data/passwd", "app:x:1234:1234::/:/bin/sh\n", 0o644)
        .file("data/group", "app:x:1234:\n", 0o644)
        .file("data/resolv.conf", "the image's\n", 0o644)
        .symlink("etc/passwd", "../bin/../data/../data/passwd")
        .symlink("etc/group", "../bin/../data/../data/group")
        .symlink("etc/resolv.conf", "../bin/../data/../data/resolv.conf");
    let image = ImageBuilder::busybox().layer(files).build();
    let image = crate::imported::import(&host, &image, "links:1");
    let show = "id -u; cat /etc/resolv.conf";
    let one = vec![
        "run", "--rm", &image, "--user", "app", "--", "/bin/sh", "-c", show,
    ];
    for _ in 0..10 {
        for output in at_once(&host, &vec![one.clone(); 20]) {
            // The pod's own resolv.conf is empty without a network.
            assert_eq!(output.ok().stdout, "1234\n");
        }
    }
}

#[test]
fn two_hundred_pods_with_users_and_volumes_of_their_own_run_at_once_and_leave_nothing() {
    const PODS: usize = 200;
    const TOGETHER: usize = 20;
    let host = busybox();
    let words: Vec<[String; 4]> = (0..PODS)
        .map(|number| {
            [
                format!("--name=pod-{number}"),
                format!("--volume=one-{number}:/one"),
                format!("--volume=two-{number}:/two"),
                format!("echo {number} > /one/n; echo {number} > /two/n; exec sleep 1000"),
            ]
        })
        .collect();
    let starts: Vec<Vec<&str>> = words
        .iter()
        .map(|[name, one, two, script]| {
            let start = ["run", "--detach", "--net=none", "--userns=auto"];
            let all = start
                .into_iter()
                .chain([name, one, two].map(String::as_str));
            all.chain([IMAGE, "--", "/bin/sh", "-c", script]).collect()
        })
        .collect();
    for some in starts.chunks(TOGETHER) {
        at_once(&host, some).into_iter().for_each(|output| {
            output.ok();
        });
    }
    let list = host.fairing(["list", "--format=json"]).run().ok().json();
    let pods = list.as_array().unwrap();
    assert_eq!(pods.len(), PODS);
    assert!(pods.iter().all(|pod| pod["state"] == "running"), "{list}");
    // No two have an ID in common.
    let first = |pod: &serde_json::Value| {
        let uuid = pod["uuid"].as_str().unwrap();
        status(&host, uuid)["user-namespace"]["uid-mappings"][0]["host-id"].clone()
    };
    let users: std::collections::BTreeSet<String> =
        pods.iter().map(|pod| first(pod).to_string()).collect();
    assert_eq!(users.len(), PODS);
    for number in [0, 77, PODS - 1] {
        let pod = format!("pod-{number}");
        host.fairing(["exec", &pod, "--", "cat", "/one/n", "/two/n"])
            .run()
            .ok()
            .expect_stdout(&format!("{number}\n{number}\n"));
    }
    host.fairing(["rm", "--force", "--all"]).run().ok();
    let volumes = host.fairing(["volume", "list", "--quiet"]).run().ok();
    assert_eq!(volumes.stdout.lines().count(), 2 * PODS);
}
