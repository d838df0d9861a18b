//! A store of thousands of names: a start doesn't notice, and a list reads each thing once. The bench
//! measures it with ten thousand.

use std::fs;

use harness::{Host, ImageBuilder, LargeStore};

use crate::imported::import;

const NAMES: usize = 2_000;
const IMAGES: usize = 400;
/// 20 shared layers, and two of each image.
const LAYERS: usize = 20 + 2 * IMAGES;

/// How many files a command opens.
fn opened(host: &Host, arguments: &[&str]) -> usize {
    let trace = host.base().join("trace");
    let strace = [
        "-f",
        "--seccomp-bpf",
        "-qq",
        "-e",
        "trace=open,openat,openat2",
        "-o",
    ];
    let strace = strace.map(String::from).into_iter();
    host.fairing(arguments)
        .through("strace", strace.chain([trace.display().to_string()]))
        .run()
        .ok();
    let trace = fs::read_to_string(trace).unwrap();
    // One that a second process interrupts is told in two lines, of which the second may have a failure in brackets.
    let begun = |line: &&str| line.contains('(') && !line.contains(" resumed>");
    trace.lines().filter(begun).count()
}

#[test]
fn a_large_store_costs_a_start_nothing_and_a_list_one_look_each() {
    // In memory: bringing so many files to a disk is waiting.
    let host = Host::builder().data_size("256m").build();
    host.accept_unsigned();
    let image = import(&host, &ImageBuilder::busybox().build(), "busybox:1");
    let images = host.data_dir().join("images");
    let start = ["run", "--rm", "--pull=never", &image, "--", "/bin/true"];
    // The first start makes what all share.
    host.fairing(start).run().ok();
    let small = opened(&host, &start);
    LargeStore::fill(&host.data_dir(), NAMES, IMAGES);
    assert_eq!(opened(&host, &start), small);

    let listed = host.fairing(["image", "list", "--no-legend"]).run().ok();
    assert_eq!(listed.stdout.lines().count(), NAMES + 1);
    assert!(!listed.stdout.contains("damaged"));
    // Each name; index, manifest and configuration of each image; the facts of each layer.
    let needed = NAMES + 3 * IMAGES + LAYERS;
    let opened = opened(&host, &["image", "list"]);
    assert!(opened < needed + 200, "{opened} for {needed}");

    // Everything has a name.
    let layers = || fs::read_dir(images.join("layers")).unwrap().count();
    host.fairing(["image", "gc"]).run().ok();
    assert_eq!(layers(), LAYERS + 1);
    // One image of five names: the last one frees two layers.
    for version in 0..5 {
        assert_eq!(layers(), LAYERS + 1, "before version {version}");
        let name = format!("registry.example.com/team/app7:v{version}");
        host.fairing(["image", "rm", &name]).run().ok();
    }
    assert_eq!(layers(), LAYERS - 1);
}
