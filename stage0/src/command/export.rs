//! `fairing export`: the root filesystem of a pod's app as a tar file.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, IsTerminal};
use std::path::{Path, PathBuf};

use clap::Args;
use engine::Error;
use engine::error::AppError;
use image_store::tree::{self, IdRange, Owners, Tree, Written};
use pod::manifest::{IdMapping, PodManifest, UserNamespace, app_dir};
use pod::{AppName, PodEntry};

use super::save::{is_stream, named};
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;
use crate::wording::warning;

/// Arguments of `export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Name or UUID of the pod, or the beginning of its UUID
    #[arg(value_name = "POD")]
    pod: String,
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
        let entry = context.pod(&self.pod)?;
        let manifest = PodManifest::load(&entry.path)?;
        let app = app_of(&manifest, self.app.as_ref(), &self.pod)?;
        // No pin: while the pod is there, so are its layers, and who reads this may take their time.
        let trees = trees(context, &entry, &manifest, &app);
        write_trees(&trees, self.output.or(self.file))
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
pub(super) fn app_of(
    manifest: &PodManifest,
    asked: Option<&AppName>,
    pod: &str,
) -> Result<AppName, Failure> {
    let names: Vec<&AppName> = manifest.apps.iter().map(|app| &app.name).collect();
    match (asked, names.as_slice()) {
        (Some(name), names) if names.contains(&name) => Ok(name.clone()),
        (Some(name), _) => Err(Error::from(AppError::unknown(manifest, name)).into()),
        (None, [only]) => Ok((*only).clone()),
        (None, []) => Err(Failure::Other(format!("pod {pod} has no apps"))),
        (None, names) => {
            let names: Vec<_> = names.iter().map(|name| name.as_str()).collect();
            Err(Failure::Usage(format!(
                "pod {pod} has several apps; name one with --app: {}",
                names.join(", ")
            )))
        }
    }
}

/// What the app changed, above the layers of its image.
pub(super) fn trees(
    context: &Context,
    entry: &PodEntry,
    manifest: &PodManifest,
    app: &AppName,
) -> Vec<Tree> {
    let store = context.engine.store();
    let image = manifest.app(app).map(|app| &app.image);
    let layers = image
        .into_iter()
        .flat_map(|image| image.layers.iter().rev());
    let changes = Tree {
        path: app_dir(&entry.path, app).join("upper"),
        owners: manifest.user_namespace.as_ref().map(owners),
    };
    std::iter::once(changes)
        .chain(layers.map(|layer| store.layer_tree(layer).into()))
        .collect()
}

/// The IDs with which a pod's files are written.
fn owners(ids: &UserNamespace) -> Owners {
    let ranges = |mappings: &[IdMapping]| {
        let range = |mapping: &IdMapping| IdRange {
            inside: mapping.container_id,
            outside: mapping.host_id,
            count: mapping.size.get(),
        };
        mappings.iter().map(range).collect()
    };
    Owners {
        users: ranges(&ids.uid_mappings),
        groups: ranges(&ids.gid_mappings),
    }
}

fn tell(written: &Written) {
    for line in warning::of_tree(written, Path::new("")) {
        output::warn(&line);
    }
}
