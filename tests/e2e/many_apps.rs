//! Pods of hundreds of apps.

use std::time::Duration;

use crate::stocked::{IMAGE, busybox};

/// How many apps.
const APPS: usize = 400;
/// The one that can't start: more messages about those before it than a socket holds are on their way by then.
const WRONG: usize = 390;
/// How long a start that fails may take on a machine that has much to do.
const LIMIT: Duration = Duration::from_secs(180);

#[test]
fn a_start_that_fails_after_hundreds_of_apps_ends_with_the_reason() {
    let host = busybox();
    let mut text = String::from(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: many}\nspec:\n  terminationGracePeriodSeconds: 1\n  containers:\n",
    );
    for number in 0..APPS {
        let command = match number {
            WRONG => "[/nonexistent]",
            _ => "[sleep, \"1000\"]",
        };
        text.push_str(&format!(
            "  - {{name: c{number}, image: {IMAGE}, command: {command}}}\n"
        ));
    }
    let file = host.write("many.yaml", text);
    for command in [&["play", "--detach"][..], &["play"]] {
        host.fairing(command)
            .args(["--network", "none"])
            .arg(&file)
            .limit(LIMIT)
            .run()
            .expect_error(127, &["app c390", "/nonexistent"]);
        assert_eq!(host.pod_folders(), []);
    }
}
