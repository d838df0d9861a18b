//! What systemd calls at boot and at each `daemon-reload` (systemd.generator(7)): makes units of Quadlet files and Pod YAML.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use quadlet::host::{directories, quadlet_directories, search, tell, write};
use quadlet::{Settings, Severity, generate};

/// Where the program is, from where this one is: `PREFIX/lib/systemd/system-generators`.
const PROGRAM: &str = "../../../bin/fairing";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    // A path that is not whole would lead to wherever this program was started.
    let are_whole = arguments.iter().all(|path| Path::new(path).is_absolute());
    let (Some(normal), 1 | 3, true) = (arguments.first(), arguments.len(), are_whole) else {
        // Whoever typed it sees it.
        let _ = writeln!(
            std::io::stderr(),
            "fairing-generator: systemd calls it, with three directories, each by its whole path; `fairing units check` says what it finds"
        );
        return ExitCode::from(2);
    };
    let directory = |variable: &str, usual: &str| -> PathBuf {
        let set = std::env::var_os(variable).filter(|value| Path::new(value).is_absolute());
        set.map_or_else(|| usual.into(), Into::into)
    };
    let local = directory("FAIRING_LOCAL_CONFIG", "/etc/fairing");
    let system = directory("FAIRING_SYSTEM_CONFIG", "/usr/lib/fairing");
    let run = directory("FAIRING_RUN_DIR", "/run/fairing");
    let settings = Settings {
        program: program(),
        data: directory("FAIRING_DIR", "/var/lib/fairing"),
    };
    let (with_podmans, mut findings) = quadlet_directories(&local, &system);
    let mut found = search(&directories(&local, &run, &system, with_podmans));
    findings.append(&mut found.findings);
    let mut generated = generate(&found.sources, &settings);
    findings.append(&mut generated.findings);
    findings.extend(write(&generated.units, Path::new(normal)));
    tell(&findings);
    let is_error = |severity| severity == Severity::Error;
    match findings.iter().any(|finding| is_error(finding.severity)) {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}

/// The program `fairing` of the same installation.
fn program() -> PathBuf {
    let own = std::env::current_exe().ok();
    let beside = own
        .as_deref()
        .and_then(Path::parent)
        .map(|directory| directory.join(PROGRAM));
    let plain = beside.and_then(|path| path.canonicalize().ok());
    plain.unwrap_or_else(|| "/usr/bin/fairing".into())
}
