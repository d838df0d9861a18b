//! What an app leaves for its pod's removal.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::app::pod_file;
use crate::stocked::{IDLE, busybox, detached};

/// How many names a directory gets: as many as the audit made in `make soak`, and a tenth of them in other runs.
fn names() -> u32 {
    match std::env::var_os("FAIRING_SOAK_SECONDS") {
        Some(_) => 1_000_000,
        None => 100_000,
    }
}

fn fill(directory: &Path) {
    fs::create_dir(directory).unwrap();
    for number in 0..names() {
        File::create(directory.join(format!("a-file-of-an-app-{number}"))).unwrap();
    }
}

#[test]
fn a_directory_of_very_many_names_is_removed_about_as_fast_as_by_rm() {
    let host = busybox();
    let pod = detached(&host, &[], IDLE);
    let upper = pod_file(&host, &pod, "apps/busybox/upper");
    host.fairing(["stop", "--force", &pod]).run().ok();
    // On the same file system, as the other half of the comparison.
    let other = host.data_dir().join("others");
    fill(&other);
    fill(&upper.join("many"));
    let begun = Instant::now();
    let status = Command::new("rm").arg("-r").arg(&other).status();
    let by_rm = begun.elapsed();
    assert!(status.unwrap().success());
    let begun = Instant::now();
    let remove = host.fairing(["rm", &pod]);
    remove.limit(Duration::from_secs(300)).run().ok();
    let by_fairing = begun.elapsed();
    println!("{} names: {by_fairing:?}, rm -r {by_rm:?}", names());
    // Whatever else the machine does meanwhile; the audit saw more than three times as long.
    assert!(
        by_fairing < 2 * by_rm + Duration::from_millis(500),
        "{by_fairing:?}, rm -r {by_rm:?}"
    );
}
