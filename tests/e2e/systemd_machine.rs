//! The packages, and services, on a machine whose service manager is Debian's systemd, with cgroups of version 2 alone and a
//! current kernel. Checks are functions of shell scripts; a boot costs more than a check, so a machine makes many.

use std::fs;
use std::path::Path;
use std::process::Command;

use harness::{Host, ImageBuilder, Key, Layer, ServiceMachine};

const FUNCTIONS: &str = concat!(
    include_str!("systemd_machine/functions.sh"),
    include_str!("machine_checks/functions.sh"),
);
const APP: &str = "registry.example.com/team/app:1.0";

#[test]
fn the_packages_are_installed_used_and_removed() {
    let media = media();
    let newer = media.path().join("newer");
    fs::create_dir(&newer).unwrap();
    let version = "9.0.0";
    fs::write(newer.join("version"), version).unwrap();
    make(
        "dist/debian/build",
        &newer,
        &[("FAIRING_DEB_VERSION", version)],
    );
    let mut machine = ServiceMachine::boot(media.path());
    let mut failed = Vec::new();
    let script = include_str!("systemd_machine/package.sh");
    for check in [
        "installation",
        "signed_image_without_a_network",
        "mounts_of_pods_are_not_seen_outside",
        "units_that_clear",
        "units_that_clear_after_a_kill",
        "upgrade_while_a_pod_runs",
        "removal",
        "purge",
        "reinstallation",
        "system_extension",
    ] {
        run(&mut machine, script, check, &mut failed);
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn services_written_from_the_documentation_run_come_back_and_survive_a_reboot() {
    let media = media();
    let units = media.path().join("units");
    fs::create_dir(&units).unwrap();
    fs::write(
        units.join("web.service"),
        documented("/etc/systemd/system/web.service"),
    )
    .unwrap();
    let mut machine = ServiceMachine::boot(media.path());
    let mut failed = Vec::new();
    let script = include_str!("systemd_machine/services.sh");
    for check in [
        "preparation",
        "start",
        "killed_app",
        "killed_pod_init",
        "killed_monitor",
        "killed_by_systemd",
        "stop_and_start",
        "registration_with_machined",
        "output_in_the_journal",
        "credentials",
        "timer_of_updates",
        "limits_of_the_unit",
    ] {
        run(&mut machine, script, check, &mut failed);
    }
    machine.reboot();
    run(&mut machine, script, "up_after_a_reboot", &mut failed);
    machine.reset();
    for check in ["up_after_a_loss_of_power", "end"] {
        run(&mut machine, script, check, &mut failed);
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn sandboxes_of_a_kubelet_are_scopes_that_outlive_their_shim() {
    let media = media();
    let client = media.path().join("cri-client");
    fs::copy(env!("CARGO_BIN_EXE_cri-client"), client).unwrap();
    let mut machine = ServiceMachine::boot(media.path());
    let mut failed = Vec::new();
    let script = include_str!("systemd_machine/cri.sh");
    for check in [
        "preparation",
        "scope_in_the_slice_of_the_kubelet",
        "container_below_the_scope",
        "descriptors_of_containers",
        "limits_that_change",
        "figures",
        "out_of_memory",
        "out_of_memory_of_a_child",
        "privileged_container",
        "restart_of_the_shim",
        "kill_of_the_shim",
        "sandbox_without_a_parent",
        "kubelet_with_the_driver_cgroupfs",
        "driver_that_is_configured",
        "removal",
    ] {
        run(&mut machine, script, check, &mut failed);
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Makes one check of a script. What it did and said is kept if it fails, with what the journal has of it.
fn run(machine: &mut ServiceMachine, script: &str, check: &str, failed: &mut Vec<String>) {
    let output = machine.run(&format!("{FUNCTIONS}{script}\nset -x; check_{check}"));
    if output.code != Some(0) {
        let journal =
            machine.run("journalctl --boot --no-pager | grep -v ' kernel: ' | tail -n 25");
        let (said, journal) = (output.stdout, journal.stdout);
        failed.push(format!(
            "--- check {check} failed\n{said}\n--- journal\n{journal}"
        ));
    }
}

/// What machines find at `/media/test`: the packages, and an image with a signature and its key.
fn media() -> tempfile::TempDir {
    let media = tempfile::tempdir().unwrap();
    let packages = media.path().join("packages");
    make("dist/debian/build", &packages, &[]);
    make("dist/sysext/build", &packages, &[]);
    let host = Host::new();
    let plain = host.base().join("plain");
    ImageBuilder::busybox()
        .layer(Layer::new().file("www/index.html", "hello from the pod\n", 0o644))
        .cmd(["/bin/httpd", "-f", "-p", "80", "-h", "/www"])
        .build()
        .write_layout(&plain, "app");
    let source = format!("oci:{}:app", plain.display());
    host.fairing([
        "--insecure-options=image",
        "image",
        "import",
        &source,
        "--name",
        APP,
    ])
    .run()
    .ok();
    let key = Key::generate(&host, "team");
    key.sign(&host, APP);
    fs::copy(key.public(), media.path().join("team.pub")).unwrap();
    let target = format!("oci:{}", media.path().join("images").display());
    host.fairing(["image", "export", APP, &target]).run().ok();
    media
}

/// Runs a script that makes a package of what was built.
fn make(script: &str, folder: &Path, environment: &[(&str, &str)]) {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let output = Command::new(top.join(script))
        .arg(folder)
        .env("FAIRING_DIST", harness::dist_dir())
        .env("DPKG_DEB_COMPRESSOR_LEVEL", "3")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script} failed\n{errors}");
}

/// A unit of docs/services.md: the first one with this path as its first line.
fn documented(path: &str) -> &'static str {
    let page = include_str!("../../docs/services.md");
    let unit = page.split("```ini\n").skip(1).find_map(|block| {
        let text = block.split("```").next()?;
        text.starts_with(&format!("# {path}\n")).then_some(text)
    });
    unit.expect("the page has that unit")
}
