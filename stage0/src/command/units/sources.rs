//! The files of units, read and made into units as the generator does it.

use std::path::{Path, PathBuf};

use engine::config::files::Config;
use quadlet::host::{directories, one_file, search};
use quadlet::{Finding, Generated, Settings, Source, Unit, generate};

use crate::context::Context;
use crate::wording::failure::Failure;

/// What is made of the files that are installed.
///
/// # Errors
/// If the configuration is not understood.
pub(in crate::command) fn installed(context: &Context) -> Result<Generated, Failure> {
    made(context, &[])
}

/// What is made of these files and directories, which may name those that are installed. All is told of the former alone.
///
/// # Errors
/// If the configuration is not understood, or there is no such file.
pub(super) fn made(context: &Context, paths: &[PathBuf]) -> Result<Generated, Failure> {
    let of = &context.engine.directories;
    let with_podmans = Config::read(of)?.quadlet_directories();
    let mut sources: Vec<Source> = Vec::new();
    let mut findings: Vec<Finding> = Vec::new();
    let mut asked: Vec<PathBuf> = Vec::new();
    for path in paths {
        let path = std::path::absolute(path).map_err(Failure::io("find", path))?;
        let metadata = path.metadata().map_err(Failure::io("open", &path))?;
        let found = match metadata.is_dir() {
            true => search(&[quadlet::host::Directory {
                path: path.clone(),
                takes_yaml: true,
            }]),
            false => one_file(&path),
        };
        findings.extend(found.findings);
        add(&mut sources, found.sources);
        asked.push(path);
    }
    let all = directories(&of.local_config, &of.run, &of.system_config, with_podmans);
    let found = search(&all);
    if paths.is_empty() {
        findings.extend(found.findings);
    }
    add(&mut sources, found.sources);
    sources.sort_by(|one, other| one.name.cmp(&other.name));
    let mut generated = generate(&sources, &settings(context));
    let is_asked =
        |path: &Path| asked.is_empty() || asked.iter().any(|asked| path.starts_with(asked));
    generated
        .findings
        .retain(|finding| is_asked(&finding.source) || is_asked(&finding.path));
    let of_asked =
        |unit: &Unit| is_asked(&unit.source) || unit.members.iter().any(|path| is_asked(path));
    generated.units.retain(of_asked);
    findings.append(&mut generated.findings);
    generated.findings = findings;
    Ok(generated)
}

/// Adds files whose names are not taken.
fn add(sources: &mut Vec<Source>, more: Vec<Source>) {
    for source in more {
        if !sources.iter().any(|known| known.name == source.name) {
            sources.push(source);
        }
    }
}

fn settings(context: &Context) -> Settings {
    Settings {
        program: std::env::current_exe().unwrap_or_else(|_| "/usr/bin/fairing".into()),
        data: context.engine.directories.data.clone(),
    }
}
