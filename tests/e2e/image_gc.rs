//! What the images of the store cost, who uses them, and how they go.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use harness::{Host, ImageBuilder, Layer, Output};
use serde_json::Value;

use crate::imported::{busybox_host, import};

const DAY: Duration = Duration::from_secs(86_400);

fn list(host: &Host) -> Vec<Value> {
    let listed = host.fairing(["image", "list", "--format", "json"]).run();
    listed.ok().json().as_array().unwrap().clone()
}

fn names(host: &Host) -> Vec<String> {
    let name = |image: &Value| image["reference"].as_str().unwrap().to_owned();
    list(host).iter().map(name).collect()
}

fn gc(host: &Host, flags: &[&str]) -> Output {
    host.fairing(["image", "gc"]).args(flags).run().ok()
}

/// Sets back when an image was last used.
fn age(host: &Host, image: &str, age: Duration) {
    let record = image.replace('/', "%2F");
    let path = host.data_dir().join("images/refs").join(record);
    // It was fetched at the latest then.
    let then = SystemTime::now() - age;
    let seconds = then
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let mut json: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    json["fetched_at"] = seconds.into();
    fs::write(&path, json.to_string()).unwrap();
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(then).unwrap();
}

/// Bytes of all files below a directory of the store, of several links once.
fn bytes(host: &Host, part: &str) -> u64 {
    let mut files = BTreeMap::new();
    let mut open = vec![host.data_dir().join("images").join(part)];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let metadata = entry.metadata().unwrap();
            if metadata.is_dir() {
                open.push(entry.path());
            } else if metadata.is_file() && entry.file_name() != "layer.json" {
                files.insert(metadata.ino(), metadata.len());
            }
        }
    }
    files.values().sum()
}

#[test]
fn sizes_are_what_a_removal_frees_and_what_is_shared() {
    let (host, one) = busybox_host();
    let own = vec![b'x'; 40_000];
    let artifact = ImageBuilder::busybox()
        .layer(
            Layer::new()
                .file("own", own, 0o644)
                .hardlink("again", "own"),
        )
        .build();
    let two = import(&host, &artifact, "two:1");
    let listed = list(&host);
    let of = |name: &str| listed.iter().find(|i| i["reference"] == name).unwrap();
    let number = |name: &str, field: &str| of(name)[field].as_u64().unwrap();
    for name in [&one, &two] {
        assert_eq!(
            number(name, "size"),
            number(name, "exclusive-size") + number(name, "shared-size")
        );
        // busybox itself, as a tree and as the blob it came in.
        assert!(number(name, "shared-size") > 500_000);
    }
    assert!((40_000..50_000).contains(&number(&two, "exclusive-size")));
    let all = |host: &Host| bytes(host, "blobs") + bytes(host, "layers");
    let before = all(&host);
    let freed = number(&two, "exclusive-size");
    // A second name for it: then the removal of one frees nothing.
    let again = import(&host, &artifact, "again:1");
    for image in list(&host) {
        if image["reference"] != one.as_str() {
            assert_eq!(image["exclusive-size"], 0, "{image:#}");
        }
    }
    host.fairing(["image", "rm", &again]).run().ok();
    assert_eq!(all(&host), before);
    host.fairing(["image", "rm", &two]).run().ok();
    // A hard link is one file on the disk and in the archive.
    let after = all(&host);
    assert_eq!(before - after, freed);
}

#[test]
fn the_list_has_its_columns_and_full_digests_on_demand() {
    let (host, image) = busybox_host();
    for (flags, columns) in [
        (&[][..], "NAME DIGEST CREATED SIZE LAST USED"),
        (
            &["--full"],
            "NAME DIGEST CREATED SIZE LAST USED UNIQUE LAYERS FETCHED",
        ),
    ] {
        let text = host
            .fairing(["image", "list"])
            .args(flags)
            .run()
            .ok()
            .stdout;
        let heading: Vec<&str> = text.lines().next().unwrap().split_whitespace().collect();
        assert_eq!(heading.join(" "), columns);
    }
    let digest = list(&host)[0]["manifest"].as_str().unwrap().to_owned();
    for flag in ["--full", "--no-trunc"] {
        host.fairing(["image", "list", flag, "--no-legend"])
            .run()
            .ok()
            .expect_stdout(&digest)
            .expect_stdout(&image);
    }
}

#[test]
fn an_image_in_use_is_removed_by_force_and_stays_for_its_pods() {
    let (host, image) = busybox_host();
    let run = ["run", "--detach", "--name", "user", &image, "--"];
    host.fairing(run).args(["/bin/sleep", "1000"]).run().ok();
    let prepared = host.fairing(["prepare", &image, "--", "/bin/true"]);
    let prepared = prepared.run().ok().text().to_owned();
    let by_pods = format!("{prepared} (prepared)");
    host.fairing(["image", "rm", &image]).run().expect_error(
        125,
        &["in use by pod", "user (running)", &by_pods, "--force"],
    );
    assert_eq!(names(&host), [image.as_str()]);

    host.fairing(["image", "rm", "--force", &image]).run().ok();
    assert!(names(&host).is_empty());
    host.collect();
    let report = gc(&host, &["--expire=0", "--format=json"]).json();
    assert_eq!(
        (&report["layers"], &report["freed"]),
        (&0.into(), &0.into())
    );
    host.fairing(["enter", "user", "--", "/bin/ls", "/bin/busybox"])
        .run()
        .ok();
    host.fairing(["stop", "--force", "user"]).run().ok();
    host.fairing(["rm", "user"]).run().ok();
    // The other one can still be started.
    host.fairing(["run-prepared", &prepared]).run().ok();

    // It has ended: nobody needs the image any more.
    let would = gc(&host, &["--dry-run"]).stdout;
    assert!(would.contains("would be removed"), "{would}");
    assert!(bytes(&host, "layers") > 0, "a dry run removes nothing");
    let report = gc(&host, &["--format=json"]).json();
    assert_eq!(report["layers"], 1, "{report:#}");
    assert!(report["freed"].as_u64().unwrap() > 500_000, "{report:#}");
    assert_eq!(bytes(&host, "layers") + bytes(&host, "blobs"), 0);
    gc(&host, &[]).expect_stdout("nothing to remove");
}

#[test]
fn images_that_nobody_uses_expire() {
    let (host, used) = busybox_host();
    let image = |name: &str| {
        let built = ImageBuilder::busybox().env("NAME", name).build();
        import(&host, &built, &format!("{name}:1"))
    };
    let (forgotten, running, ended) = (image("forgotten"), image("running"), image("ended"));
    for (name, image) in [("now", &running), ("then", &ended)] {
        let run = ["run", "--detach", "--name", name, image, "--"];
        host.fairing(run).args(["/bin/sleep", "1000"]).run().ok();
    }
    for image in [&used, &forgotten, &running, &ended] {
        age(&host, image, 9 * DAY);
    }
    host.fairing(["run", "--rm", &used, "--", "/bin/true"])
        .run()
        .ok();
    host.fairing(["stop", "--force", "then"]).run().ok();

    let would = gc(&host, &["--expire=7d", "--dry-run", "--format=json"]).json();
    assert_eq!(would["dry-run"], true);
    assert_eq!(names(&host).len(), 4);
    let report = gc(&host, &["--expire", "7d"]).stdout;
    let line = format!("{forgotten} forgotten, last used 9d ago");
    assert!(report.contains(&line), "{report}");
    let mut left = names(&host);
    left.sort();
    let mut expected = vec![used.clone(), running.clone(), ended];
    expected.sort();
    assert_eq!(left, expected);

    // Everything that no pod needs.
    gc(&host, &["--expire", "0"]);
    assert_eq!(names(&host), [running.as_str()]);
    host.fairing(["stop", "--force", "now"]).run().ok();
    gc(&host, &["--expire", "0"]);
    assert!(names(&host).is_empty());
    assert_eq!(bytes(&host, "layers") + bytes(&host, "blobs"), 0);
}

#[test]
fn a_start_notes_the_use_once_in_a_while() {
    let (host, image) = busybox_host();
    let record = host.data_dir().join("images/refs");
    let record = record.join(image.replace('/', "%2F"));
    let used = || fs::metadata(&record).unwrap().modified().unwrap();
    let start = || {
        let run = ["run", "--rm", &image, "--", "/bin/true"];
        host.fairing(run).run().ok();
    };
    let fetched = used();
    start();
    assert_eq!(used(), fetched, "it was fetched just now");
    age(&host, &image, 2 * DAY);
    let before = used();
    start();
    assert!(used() > before + DAY);
}

#[test]
fn several_names_and_several_images_are_removed() {
    let host = Host::new();
    host.accept_unsigned();
    let artifact = ImageBuilder::busybox().build();
    let one = import(&host, &artifact, "one:1");
    let two = import(&host, &artifact, "two:1");
    let other = ImageBuilder::busybox().env("OTHER", "1").build();
    let three = import(&host, &other, "three:1");
    let digits = &artifact.digest()[7..19];
    host.fairing(["image", "rm", digits])
        .run()
        .expect_error(125, &["several names", &one, &two, "--force"]);
    // One that is not there keeps none of the others.
    let removed = host
        .fairing(["image", "rm", &one, "example.com/none:1", &three])
        .run()
        .expect_error(110, &["example.com/none:1"]);
    assert_eq!(removed.stdout, format!("{one}\n{three}\n"));
    assert_eq!(names(&host), [two.as_str()]);
    import(&host, &artifact, "one:1");
    let removed = host.fairing(["image", "rm", "--force", digits]).run().ok();
    assert_eq!(removed.stdout, format!("{one}\n{two}\n"));
    assert!(names(&host).is_empty());
    assert_eq!(bytes(&host, "layers") + bytes(&host, "blobs"), 0);
}
