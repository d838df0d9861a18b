//! Apps that use up the disk: how pods end is known all the same, and what is in the way can be removed.

use std::time::Duration;

use harness::{Host, ImageBuilder, wait_until};

use crate::app::{add, app, sandbox, state};
use crate::stocked::{IDLE, IMAGE, detached, import, status, wait_log};

/// How long is waited on a machine that has much to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// Uses up all room and all names.
const FILL: &str = "dd if=/dev/zero of=/fill bs=64k 2> /dev/null; dd if=/dev/zero of=/fill2 bs=1 2> /dev/null; \
    n=0; while touch /name.$n; do n=$((n + 1)); done 2> /dev/null; \
    n=0; while mkdir /dir.$n; do n=$((n + 1)); done 2> /dev/null";

/// A host whose data directory has little room, and few names.
fn small() -> Host {
    let host = Host::builder().data_size("24M,nr_inodes=3000").build();
    host.accept_unsigned();
    import(&host, &ImageBuilder::busybox().build(), IMAGE);
    host
}

/// Waits until nothing more can be written.
fn wait_full(host: &Host) {
    wait_until("a full disk", PATIENCE, || {
        let probe = host.data_dir().join("probe");
        let made = std::fs::write(&probe, "x").is_ok();
        let _ = std::fs::remove_file(&probe);
        (!made).then_some(())
    });
}

#[test]
fn how_pods_end_is_written_down_though_one_of_them_has_filled_the_disk() {
    let host = small();
    let innocent = detached(&host, &[], &format!("trap 'exit 7' TERM; echo up; {IDLE}"));
    wait_log(&host, &innocent, "up");
    let filling = detached(&host, &[], &format!("trap 'exit 9' TERM; {FILL}; {IDLE}"));
    wait_full(&host);
    let codes = [(&innocent, 7), (&filling, 9)];
    for (pod, code) in codes {
        host.fairing(["stop", pod]).run().ok();
        let record = status(&host, pod);
        assert_eq!(record["state"], "exited", "{record}");
        assert_eq!(record["exit-code"], code, "{record}");
        assert_eq!(record["apps"][0]["exit-code"], code, "{record}");
    }
    // Not even a directory for what is on its way out.
    let fillers = (0..).map(|n| host.data_dir().join(format!("filler.{n}")));
    let made: Vec<_> = fillers
        .take_while(|path| std::fs::File::create(path).is_ok())
        .collect();
    for (pod, _) in codes {
        host.fairing(["rm", pod]).run().ok();
    }
    assert_eq!(host.pod_folders(), []);
    made.iter()
        .for_each(|path| std::fs::remove_file(path).unwrap());
}

#[test]
fn an_app_that_has_filled_the_disk_can_be_removed_and_is_remembered_until_then() {
    let host = small();
    let pod = sandbox(&host, &[]);
    for (name, script) in [("quiet", IDLE), ("filling", &format!("{FILL}; exit 9"))] {
        add(&host, &pod, name, &[], script);
        app(&host, &["start", &pod, name]);
    }
    wait_until("its end", PATIENCE, || {
        (state(&host, &pod, "filling") == "exited").then_some(())
    });
    wait_full(&host);
    app(&host, &["stop", &pod, "quiet"]);
    host.fairing(["app", "start", &pod, "quiet"])
        .run()
        .expect_error(117, &["quiet"]);
    app(&host, &["rm", &pod, "filling"]);
    assert_eq!(state(&host, &pod, "filling"), "");
    assert_eq!(state(&host, &pod, "quiet"), "exited");
    // There is room again.
    app(&host, &["start", &pod, "quiet"]);
    add(&host, &pod, "next", &[], IDLE);
    app(&host, &["start", &pod, "next"]);
    host.fairing(["stop", &pod]).run().ok();
}

#[test]
fn why_an_app_can_not_start_again_on_a_full_disk_is_told() {
    let host = small();
    let script = format!("echo up; {IDLE}");
    let web = host
        .fairing(["run", "--name=web", "--restart=always", IMAGE])
        .args(["--", "/bin/sh", "-c", &script])
        .spawn();
    web.wait_stdout("up");
    let filling = detached(&host, &[], &format!("{FILL}; {IDLE}"));
    wait_full(&host);
    let app = || status(&host, "web")["apps"][0].clone();
    // The room for one end was taken at the start.
    host.fairing(["kill", "--signal=KILL", "web"]).run().ok();
    let known = wait_until("an end that is known", PATIENCE, || {
        Some(app()).filter(|app| app["state"] == "backing-off")
    });
    assert_eq!(known["exit-code"], 117, "{known}");
    let complaint = known["complaint"].as_str().unwrap();
    assert!(complaint.contains("No space left on device"), "{known}");
    let listed = host.fairing(["list", "--format={{.Pod}} {{.ExitCode}}"]);
    assert!(listed.run().ok().text().contains("web 117"));
    web.wait_stderr("No space left on device");
    host.fairing(["rm", "--force", &filling]).run().ok();
    host.fairing(["stop", "web"]).run().ok();
    web.wait();
    host.fairing(["rm", "web"]).run().ok();
}
