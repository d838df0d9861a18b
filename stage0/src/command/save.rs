//! `fairing save`: images as one file, or to standard output.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use engine::images::choice::record;
use image_store::{Interrupt, save_docker_archive, save_oci_archive};

use super::image::copy::warn;
use crate::command::subcommand::Subcommand;
use crate::console::interrupt::until_signal;
use crate::console::output;
use crate::console::progress::Progress;
use crate::context::Context;
use crate::wording::failure::Failure;
use crate::wording::typed;

/// Arguments of `save`.
#[derive(Debug, Args)]
pub(crate) struct Save {
    /// Reference, or the beginning of a digest
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<String>,
    /// File to write, whether it is there or not [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// What to write; signatures are kept in oci-archive alone
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        default_value = "docker-archive"
    )]
    format: Kind,
    // Progress is shown on terminals alone.
    #[arg(short, long, hide = true)]
    quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// What `docker load` reads
    DockerArchive,
    /// The OCI image layout as a tar file
    OciArchive,
}

/// A file that goes when this does.
struct Passing(PathBuf);

impl Drop for Passing {
    fn drop(&mut self) {
        // It was renamed, or never made; else nothing more can be done about it.
        let _ = fs::remove_file(&self.0);
    }
}

impl Subcommand for Save {
    const NAME: &'static str = "save";
    const ABOUT: &'static str = "Write images of the store to a file or to standard output";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        until_signal(|interrupt| self.save(context, interrupt))?;
        Ok(0)
    }
}

impl Save {
    fn save(&self, context: &Context, interrupt: &Interrupt) -> Result<(), Failure> {
        match &named(self.output.clone()) {
            Some(path) if !is_stream(path) => {
                let shown = path.display().to_string();
                if let Some(folder) = path
                    .parent()
                    .filter(|folder| !folder.as_os_str().is_empty())
                {
                    fs::metadata(folder).map_err(Failure::io("create", path))?;
                }
                let passing = Passing(passing_name(path));
                interrupt.staged(&passing.0);
                // What writes it has a name of its own until all is there.
                typed::stands_for(&passing_name(&passing.0).with_extension("partial"), &shown);
                typed::stands_for(&passing.0, &shown);
                self.write(context, &passing.0)?;
                fs::rename(&passing.0, path).map_err(Failure::io("write", path))?;
            }
            None if io::stdout().is_terminal() => {
                return Err(Failure::Usage(
                    "an image is not written to a terminal: name a file with --output".to_owned(),
                ));
            }
            stream => {
                // If this is killed, the next collection takes it away.
                let staging = context.engine.store().stage()?;
                interrupt.staged(staging.path());
                let made = staging.path().join("image");
                typed::stands_for(&made, "the image to be written");
                self.write(context, &made)?;
                let mut file = File::open(&made).map_err(Failure::io("open", &made))?;
                match stream {
                    Some(path) => pour(&mut file, path)?,
                    None => pour_out(&mut file)?,
                }
            }
        }
        Ok(())
    }

    fn write(&self, context: &Context, to: &Path) -> Result<(), Failure> {
        let store = context.engine.store();
        let _pin = store.pin()?;
        let mut images = Vec::with_capacity(self.images.len());
        let mut names = Vec::with_capacity(self.images.len());
        for image in &self.images {
            let record = record(&context.engine, image)?;
            names.push(record.reference.to_string());
            images.push(store.outgoing(&record)?);
        }
        let mut progress = Progress::new(names.join(", "));
        let mut on_event = |event| progress.event(event);
        let copied = match self.format {
            Kind::DockerArchive => save_docker_archive(&images, to, &mut on_event),
            Kind::OciArchive => save_oci_archive(&images, to, &mut on_event),
        }?;
        drop(progress);
        for copied in copied {
            warn(&copied.notes);
        }
        Ok(())
    }
}

/// The file that was named, where `-` names none: the stream is meant then, as without a name.
pub(super) fn named(file: Option<PathBuf>) -> Option<PathBuf> {
    file.filter(|path| path.as_os_str() != "-")
}

/// Whether a path is what bytes go through, such as a device, a pipe or a link (`/dev/stdout`): nothing takes its place.
pub(super) fn is_stream(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

fn pour(from: &mut File, path: &Path) -> Result<(), Failure> {
    let mut to = File::options()
        .write(true)
        .truncate(true)
        .open(path)
        .map_err(Failure::io("open", path))?;
    let copied = io::copy(from, &mut to).map(|_| ());
    copied.map_err(Failure::io("write", path))
}

fn pour_out(from: &mut File) -> Result<(), Failure> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let length = from
            .read(&mut buffer)
            .map_err(|error| Failure::Other(format!("cannot read the image: {error}")))?;
        if length == 0 {
            return Ok(());
        }
        output::bytes(buffer.get(..length).unwrap_or_default())?;
    }
}

/// A name beside a file that nothing else has.
fn passing_name(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.saved", std::process::id()))
}
