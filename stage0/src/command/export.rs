//! `fairing export`: the root filesystem of a pod's app as a tar file.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, IsTerminal};
use std::path::{Path, PathBuf};

use clap::Args;
use engine::Error;
use engine::error::AppError;
use engine::pods::files::{still_there, trees};
use image_store::tree::{self, Tree, Written};
use pod::AppName;
use pod::manifest::{App, PodManifest};

use super::save::{is_stream, named};
use crate::arguments::pod_app::{PodApp, pod_app};
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;
use crate::wording::warning;

/// Arguments of `export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Name or UUID of the pod, or the beginning of its UUID, and the app, if it has several
    #[arg(value_name = "POD[/APP]", value_parser = pod_app)]
    pod: PodApp,
    /// File to write, whether it is there or not [default: standard output]
    #[arg(value_name = "FILE", conflicts_with = "output")]
    file: Option<PathBuf>,
    /// The same
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The app, if the pod has several
    #[arg(long, value_name = "NAME")]
    app: Option<AppName>,
}

impl Subcommand for Export {
    const NAME: &'static str = "export";
    const ABOUT: &'static str =
        "Write the root filesystem of an app of a pod, with its changes, as a tar file";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let entry = context.pod(&self.pod.pod)?;
        let manifest = PodManifest::load(&entry.path)?;
        let app = app_of(
            &manifest,
            self.pod.app_or(self.app.as_ref())?,
            &self.pod.pod,
        )?;
        // No pin: while the pod is there, so are its layers, and who reads this may take their time.
        let trees = trees(&context.engine, &entry, &manifest, app);
        let code = write_trees(&trees, self.output.or(self.file))?;
        still_there(&entry)?;
        Ok(code)
    }
}

/// Writes what these trees, topmost first, show together as a tar file: to standard output, if no file is named.
///
/// # Errors
/// If something can't be read or written.
pub(super) fn write_trees(trees: &[Tree], file: Option<PathBuf>) -> Result<u8, Failure> {
    let Some(path) = named(file) else {
        if io::stdout().is_terminal() {
            return Err(Failure::Usage(
                "a tar file is not written to a terminal: name a file with --output".to_owned(),
            ));
        }
        let stdout = BufWriter::new(output::Stdout);
        let name = Path::new("standard output");
        tell(&tree::pack(trees, stdout, name)?);
        return Ok(0);
    };
    if is_stream(&path) {
        let file = OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(&path)
            .map_err(Failure::io("open", &path))?;
        tell(&tree::pack(trees, BufWriter::new(file), &path)?);
        return Ok(0);
    }
    tell(&tree::pack_file(trees, &path)?);
    Ok(0)
}

/// The app of a pod that is meant: the one that is named, or the only one. `pod` is what was typed.
///
/// # Errors
/// If there is none, or several could be meant.
pub(super) fn app_of<'a>(
    manifest: &'a PodManifest,
    asked: Option<&AppName>,
    pod: &str,
) -> Result<&'a App, Failure> {
    match (asked, &*manifest.apps) {
        (Some(name), _) => manifest
            .app(name)
            .ok_or_else(|| Error::from(AppError::unknown(manifest, name)).into()),
        (None, [only]) => Ok(only),
        (None, []) => Err(Failure::Other(format!("pod {pod} has no apps"))),
        (None, apps) => {
            let names: Vec<_> = apps.iter().map(|app| app.name.as_str()).collect();
            Err(Failure::Usage(format!(
                "pod {pod} has several apps; name one with --app: {}",
                names.join(", ")
            )))
        }
    }
}

fn tell(written: &Written) {
    for line in warning::of_tree(written, Path::new("")) {
        output::warn(&line);
    }
}
