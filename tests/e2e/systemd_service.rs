//! Pods as services of systemd: a real one, which starts them, stops them and looks at their ends.

use std::fs;
use std::time::Duration;

use harness::{
    Broken, FairingCommand, FaultProxy, Host, ImageBuilder, Registry, Systemd, wait_until,
};

use crate::stocked::{IDLE, IMAGE, busybox, host_with, status};

const UNIT: &str = "web.service";

/// `fairing run --rm --name web`, with these flags of the pod, and one app with these flags.
fn run(host: &Host, pod: &[&str], app: &[&str], script: &str) -> FairingCommand {
    host.fairing(["run", "--rm", "--name", "web"])
        .args(pod)
        .arg(IMAGE)
        .args(app)
        .args(["--", "/bin/sh", "-c", script])
}

/// A unit as the documentation has it, with more lines of its service.
fn unit(command: &FairingCommand, lines: &str) -> String {
    let service = Systemd::service(command);
    format!("[Service]\n{service}Type=notify\nKillMode=mixed\nDelegate=yes\n{lines}")
}

fn start(systemd: &Systemd, command: &FairingCommand, lines: &str) {
    systemd.unit(UNIT, &unit(command, lines));
    systemd.sh("systemctl start web.service");
}

/// Waits until a service has ended; gives its state, and how systemd sees its end.
fn ended(systemd: &Systemd) -> [String; 3] {
    wait_until("the end of the service", Duration::from_secs(30), || {
        let state = systemd.property(UNIT, "ActiveState");
        matches!(state.as_str(), "inactive" | "failed").then_some(())
    });
    ["ActiveState", "Result", "ExecMainStatus"].map(|name| systemd.property(UNIT, name))
}

/// Waits until the pod runs of a service that systemd takes for active at once.
fn wait_started(host: &Host) {
    wait_until("the pod", Duration::from_secs(20), || {
        let status = host.fairing(["status", "web", "--format", "json"]).run();
        (status.code == Some(0) && !status.json()["started"].is_null()).then_some(())
    });
}

/// Waits until the service is active with another main process than this.
fn wait_other(systemd: &Systemd, before: &str) {
    wait_until("another main process", Duration::from_secs(30), || {
        let is_other = ![before, "0"].contains(&main_pid(systemd).as_str());
        (is_other && systemd.property(UNIT, "ActiveState") == "active").then_some(())
    });
}

fn main_pid(systemd: &Systemd) -> String {
    systemd.property(UNIT, "MainPID")
}

#[test]
fn a_service_is_active_when_its_pod_runs_and_inactive_when_it_was_stopped() {
    let host = busybox();
    let systemd = Systemd::boot(&host);
    start(&systemd, &run(&host, &[], &[], IDLE), "");
    assert_eq!(systemd.property(UNIT, "ActiveState"), "active");
    assert_eq!(systemd.property(UNIT, "StatusText"), "running");
    assert!(!status(&host, "web")["started"].is_null());
    systemd.sh("systemctl stop web.service");
    assert_eq!(ended(&systemd), ["inactive", "success", "0"]);
    assert!(host.pod_folders().is_empty());
}

#[test]
fn without_notifications_a_stop_is_no_failure_either() {
    let host = busybox();
    let systemd = Systemd::boot(&host);
    start(&systemd, &run(&host, &[], &[], IDLE), "Type=exec\n");
    wait_started(&host);
    systemd.sh("systemctl stop web.service");
    assert_eq!(ended(&systemd), ["inactive", "success", "0"]);
    // Who stops the pod itself stops the service.
    systemd.sh("systemctl start web.service");
    wait_started(&host);
    host.fairing(["stop", "web"]).run().ok();
    assert_eq!(ended(&systemd), ["inactive", "success", "0"]);
}

#[test]
fn what_a_stop_does_not_explain_is_a_failure_with_the_app_s_code() {
    let host = busybox();
    let systemd = Systemd::boot(&host);
    let crash = "trap 'exit 3' USR1; trap 'exit 4' TERM; while :; do usleep 5000; done";
    start(&systemd, &run(&host, &[], &[], crash), "");
    host.fairing(["kill", "--signal", "USR1", "web"]).run().ok();
    assert_eq!(ended(&systemd), ["failed", "exit-code", "3"]);
    systemd.sh("systemctl start web.service");
    systemd.sh("systemctl stop web.service");
    assert_eq!(ended(&systemd), ["failed", "exit-code", "4"]);
    // Nobody has asked for that end.
    systemd.sh("systemctl start web.service");
    let app = status(&host, "web")["apps"][0]["pid"].to_string();
    systemd.sh(&format!("kill -KILL {app}"));
    assert_eq!(ended(&systemd), ["failed", "exit-code", "137"]);
}

#[test]
fn a_pod_that_can_not_start_fails_with_the_reason_in_the_status() {
    let host = busybox();
    let systemd = Systemd::boot(&host);
    let missing = host.fairing(["run", "--rm", IMAGE, "--exec", "/no/such/program"]);
    systemd.unit(UNIT, &unit(&missing, ""));
    let (started, _) = systemd.run("systemctl start web.service");
    assert!(!started);
    assert_eq!(ended(&systemd), ["failed", "exit-code", "127"]);
    let text = systemd.property(UNIT, "StatusText");
    assert!(text.contains("/no/such/program"), "{text}");
    assert_eq!(systemd.property(UNIT, "StatusErrno"), "2");
    let unknown = host.fairing(["run", "--rm", "--pull=never", "test.example/none"]);
    systemd.unit(UNIT, &unit(&unknown, ""));
    assert!(!systemd.run("systemctl start web.service").0);
    assert_eq!(ended(&systemd), ["failed", "exit-code", "110"]);
    let text = systemd.property(UNIT, "StatusText");
    assert!(text.contains("test.example/none"), "{text}");
}

#[test]
fn a_service_is_active_only_when_its_apps_are_ready() {
    let host = busybox();
    let systemd = Systemd::boot(&host);
    let command = run(
        &host,
        &["--ready-when", "healthy"],
        &[
            "--health-cmd",
            "test -e /tmp/ready",
            "--health-interval",
            "1s",
        ],
        IDLE,
    );
    systemd.unit(UNIT, &unit(&command, ""));
    systemd.sh("systemctl start --no-block web.service");
    systemd.wait_property(UNIT, "StatusText", "starting: busybox is not ready");
    assert_eq!(systemd.property(UNIT, "ActiveState"), "activating");
    host.fairing(["enter", "web", "--", "touch", "/tmp/ready"])
        .run()
        .ok();
    systemd.wait_property(UNIT, "ActiveState", "active");
    assert_eq!(systemd.property(UNIT, "StatusText"), "running");
    host.fairing(["enter", "web", "--", "rm", "/tmp/ready"])
        .run()
        .ok();
    systemd.wait_property(UNIT, "StatusText", "running: busybox is not ready");
    systemd.sh("systemctl stop web.service");
    assert_eq!(ended(&systemd), ["inactive", "success", "0"]);
}

#[test]
fn a_killed_service_comes_back_under_its_name() {
    let host = busybox();
    let systemd = Systemd::boot(&host);
    let lines = "Restart=on-failure\nRestartSec=10ms\n";
    start(&systemd, &run(&host, &[], &[], IDLE), lines);
    for how in ["--signal=KILL", "--signal=KILL --kill-whom=main"] {
        let before = main_pid(&systemd);
        systemd.sh(&format!("systemctl kill {how} web.service"));
        wait_other(&systemd, &before);
    }
    let init = status(&host, "web")["init-pid"].to_string();
    let before = main_pid(&systemd);
    systemd.sh(&format!("kill -KILL {init}"));
    wait_other(&systemd, &before);
    systemd.sh("systemctl stop web.service");
    assert_eq!(ended(&systemd)[0], "inactive");
}

#[test]
fn control_group_kills_all_and_the_stop_is_none_the_worse_for_it() {
    let host = busybox();
    let systemd = Systemd::boot(&host);
    let command = run(&host, &[], &[], IDLE);
    start(&systemd, &command, "KillMode=control-group\n");
    systemd.sh("systemctl stop web.service");
    assert_eq!(ended(&systemd), ["inactive", "success", "0"]);
}

#[test]
fn a_pod_in_the_background_is_the_service_s_main_process() {
    let host = busybox();
    let systemd = Systemd::boot(&host);
    start(&systemd, &run(&host, &["--detach"], &[], IDLE), "");
    let monitor = status(&host, "web")["monitor-pid"].to_string();
    assert_eq!(monitor, main_pid(&systemd));
    assert_eq!(systemd.property(UNIT, "StatusText"), "running");
    systemd.sh("systemctl stop web.service");
    assert_eq!(ended(&systemd), ["inactive", "success", "0"]);
    // systemd hears of its end, as of a child's.
    systemd.sh("systemctl start web.service");
    systemd.sh("kill -KILL $(systemctl show --value -p MainPID web.service)");
    assert_eq!(ended(&systemd), ["failed", "signal", "9"]);
    // A start that is given up leaves nothing.
    let slow = run(
        &host,
        &["--detach", "--ready-when", "healthy"],
        &["--health-cmd", "false"],
        IDLE,
    );
    systemd.unit(UNIT, &unit(&slow, ""));
    systemd.sh("systemctl start --no-block web.service");
    wait_started(&host);
    systemd.sh("systemctl stop web.service");
    assert_eq!(ended(&systemd)[0], "failed");
    assert!(host.pod_folders().is_empty());
}

#[test]
fn a_reload_reaches_the_apps() {
    let host = busybox();
    let systemd = Systemd::boot(&host);
    let script = "trap 'touch /tmp/reloaded' HUP; while :; do usleep 5000; done";
    let health = ["--health-cmd", "true", "--health-interval", "60s"];
    for app in [&[] as &[&str], &health] {
        let reload = "ExecReload=/bin/kill -HUP $MAINPID\n";
        start(&systemd, &run(&host, &[], app, script), reload);
        systemd.sh("systemctl reload web.service");
        wait_until("the reload", Duration::from_secs(20), || {
            let seen = host.fairing(["enter", "web", "--", "test", "-e", "/tmp/reloaded"]);
            (seen.run().code == Some(0)).then_some(())
        });
        systemd.wait_property(UNIT, "ActiveState", "active");
        systemd.sh("systemctl stop web.service");
        assert_eq!(ended(&systemd), ["inactive", "success", "0"]);
    }
}

#[test]
fn a_watchdog_is_fed_while_the_pod_is_alive_and_only_then() {
    let host = busybox();
    let systemd = Systemd::boot(&host);
    start(&systemd, &run(&host, &[], &[], IDLE), "WatchdogSec=1\n");
    let stamp = || systemd.property(UNIT, "WatchdogTimestampMonotonic");
    let first = stamp();
    wait_until("a later sign of life", Duration::from_secs(20), || {
        (stamp() != first).then_some(())
    });
    let init = status(&host, "web")["init-pid"].to_string();
    systemd.sh(&format!("kill -STOP {init}"));
    systemd.wait_property(UNIT, "Result", "watchdog");
}

#[test]
fn a_service_is_active_when_its_apps_say_so() {
    let host = host_with(ImageBuilder::probe());
    let systemd = Systemd::boot(&host);
    let script = "until test -e /tmp/go; do usleep 5000; done; /probe notify READY=1 'STATUS=at work'; \
                  trap '/probe notify RELOADING=1; touch /tmp/hup' HUP; while :; do usleep 5000; done";
    let command = run(&host, &["--ready-when=notified"], &[], script);
    systemd.unit(
        UNIT,
        &unit(
            &command,
            "WatchdogSec=30\nExecReload=/bin/kill -HUP $MAINPID\n",
        ),
    );
    systemd.sh("systemctl start --no-block web.service");
    systemd.wait_property(UNIT, "StatusText", "starting: busybox is not ready");
    let enter = |words: &[&str]| host.fairing(["enter", "web", "--"]).args(words).run().ok();
    enter(&["touch", "/tmp/go"]);
    systemd.wait_property(UNIT, "ActiveState", "active");
    systemd.wait_property(UNIT, "StatusText", "running: at work");
    assert!(enter(&["env"]).stdout.contains("WATCHDOG_USEC=30000000"));
    // The app says when it has done so.
    systemd.sh("systemctl reload --no-block web.service");
    systemd.wait_property(UNIT, "ActiveState", "reloading");
    enter(&["/probe", "notify", "READY=1"]);
    systemd.wait_property(UNIT, "ActiveState", "active");
    enter(&["/probe", "barrier"]);
    systemd.sh("systemctl stop web.service");
    assert_eq!(ended(&systemd), ["inactive", "success", "0"]);
}

#[test]
fn credentials_reach_the_app_s_user_and_nobody_else() {
    let host = busybox();
    let systemd = Systemd::boot(&host);
    let script = "exec 2>&1; ls -lnd $CREDENTIALS_DIRECTORY; ls -ln $CREDENTIALS_DIRECTORY; cat /run/credentials/*; \
                  touch /run/credentials/x; grep ' /run/credentials ' /proc/mounts";
    let path = host.base().join("said");
    let lines = format!(
        "Type=oneshot\nSetCredential=password:secret\nSetCredential=key:private\nStandardOutput=append:{}\n",
        path.display()
    );
    let secrets = ["secret", "private"];
    for users in ["auto", "host"] {
        let command = run(&host, &["--userns", users], &["--user", "app"], script);
        systemd.unit(UNIT, &unit(&command, &lines));
        systemd.run("systemctl start web.service");
        let said = fs::read_to_string(&path).unwrap();
        for part in [
            "dr-x------",
            "-r--------",
            "/run/credentials ramfs ro,",
            "Read-only",
        ] {
            assert!(said.contains(part), "{part}\n{said}");
        }
        for secret in secrets {
            assert!(said.contains(secret), "{said}");
        }
        assert!(!said.contains("/run/credentials/web.service"), "{said}");
        fs::remove_file(&path).unwrap();
    }
    // One of them, of two apps: each gets its own.
    let command = host
        .fairing(["run", "--name", "web", IMAGE, "--credential", "key"])
        .args(["--", "sh", "-c", "cat /run/credentials/*"])
        .args([
            "---",
            IMAGE,
            "--app-name",
            "other",
            "--credential",
            "password",
        ])
        .args(["--", "sh", "-c", "sleep 1; ls /run/credentials"]);
    systemd.unit(UNIT, &unit(&command, &lines));
    systemd.sh("systemctl start web.service");
    let said = fs::read_to_string(&path).unwrap();
    assert!(said.ends_with("privatepassword\n"), "{said}");
    // Nothing of them is kept.
    for secret in secrets {
        let kept = std::process::Command::new("grep")
            .args(["-rl", secret])
            .arg(host.data_dir().join("pods"))
            .output();
        assert_eq!(String::from_utf8(kept.unwrap().stdout).unwrap(), "");
    }
    let missing = run(&host, &["--replace"], &["--credential", "none"], "true");
    systemd.unit(UNIT, &unit(&missing, &lines));
    assert!(!systemd.run("systemctl start web.service").0);
    assert!(
        fs::read_to_string(&path)
            .unwrap()
            .contains("credential none")
    );
}

#[test]
fn a_slow_fetch_is_no_failed_start() {
    let host = Host::new();
    host.accept_unsigned();
    let registry = Registry::start();
    let proxy = FaultProxy::start(&registry);
    ImageBuilder::busybox()
        .build()
        .push(&registry, "team/slow:1");
    // Longer than the service may take to start.
    proxy.breaks("/blobs/", 100, Broken::Slow(Duration::from_secs(8)));
    let reference = proxy.reference("team/slow:1");
    let command = host
        .fairing([
            "--insecure-options=http",
            "run",
            "--rm",
            "--name",
            "web",
            &reference,
        ])
        .args(["--", "/bin/sh", "-c", IDLE]);
    let systemd = Systemd::boot(&host);
    systemd.unit(UNIT, &unit(&command, "TimeoutStartSec=5\n"));
    systemd.sh("systemctl start --no-block web.service");
    wait_until("a status of the fetch", Duration::from_secs(30), || {
        let text = systemd.property(UNIT, "StatusText");
        text.starts_with("fetching").then_some(())
    });
    systemd.wait_property(UNIT, "ActiveState", "active");
    systemd.sh("systemctl stop web.service");
}

#[test]
fn a_pod_is_in_the_slice_of_its_unit() {
    let host = busybox();
    let systemd = Systemd::boot(&host);
    start(&systemd, &run(&host, &[], &[], IDLE), "Slice=test.slice\n");
    let app = status(&host, "web")["apps"][0]["pid"].to_string();
    let cgroups = systemd.sh(&format!("cat /proc/{app}/cgroup"));
    assert!(cgroups.contains("/test.slice/web.service"), "{cgroups}");
    systemd.sh("systemctl stop web.service");
}

#[test]
fn a_pod_is_registered_with_machined_while_it_runs() {
    let host = busybox();
    let calls = host.write("calls", "");
    let script = format!("#!/bin/sh\necho \"$*\" >> {}\n", calls.display());
    let busctl = host.write("busctl", script);
    let systemd = Systemd::boot(&host);
    systemd.sh(&format!(
        "chmod 755 {0}; mount --bind {0} /usr/bin/busctl; mkdir -p /run/share/upper /run/share/work; \
         mount -t overlay -o lowerdir=/usr/share,upperdir=/run/share/upper,workdir=/run/share/work overlay /usr/share; \
         mkdir -p /usr/share/dbus-1/system-services; \
         touch /usr/share/dbus-1/system-services/org.freedesktop.machine1.service",
        busctl.display()
    ));
    start(&systemd, &run(&host, &[], &[], IDLE), "");
    let pod = status(&host, "web");
    let call = wait_until("the registration", Duration::from_secs(20), || {
        let text = fs::read_to_string(&calls).unwrap();
        text.lines()
            .find(|line| line.contains("RegisterMachine"))
            .map(str::to_owned)
    });
    assert!(call.contains(" RegisterMachine sayssus web 16 "), "{call}");
    assert!(
        call.trim_end()
            .ends_with(&format!(" fairing container {}", pod["init-pid"])),
        "{call}"
    );
    systemd.sh("systemctl stop web.service");
    let text = fs::read_to_string(&calls).unwrap();
    assert!(text.contains(" UnregisterMachine s web"), "{text}");
    // Nobody wants that.
    fs::write(&calls, "").unwrap();
    host.write("etc/config.toml", "[services]\nmachined = false\n");
    systemd.sh("systemctl start web.service; systemctl stop web.service");
    assert_eq!(fs::read_to_string(&calls).unwrap(), "");
}
