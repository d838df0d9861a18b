//! `fairing load`: an image from a file or from standard input.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use engine::config::files::Config;
use engine::images::fetch::fetch;
use engine::images::registries::fetch_options;
use engine::policy::verifier::{Verifier, warn_if_unsigned};
use image_store::{ImageSource, LayerLimit, StoreError, contents};

use super::save::named;
use super::several::for_each;
use crate::command::subcommand::Subcommand;
use crate::console::interrupt::until_signal;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;
use crate::wording::typed;

/// Bytes of a block of a tar file.
const BLOCK: u64 = 512;

/// Arguments of `load`.
#[derive(Debug, Args)]
pub(crate) struct Load {
    /// File to read [default: standard input]
    #[arg(value_name = "FILE", conflicts_with = "input")]
    file: Option<PathBuf>,
    /// The same
    #[arg(short, long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Print no names, only warnings and failures
    #[arg(short, long)]
    quiet: bool,
}

impl Subcommand for Load {
    const NAME: &'static str = "load";
    const ABOUT: &'static str =
        "Bring the images of a file that save wrote into the store, and print their names";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        if let Some(path) = &named(self.input.clone().or(self.file)) {
            return load(context, path, self.quiet);
        }
        if io::stdin().is_terminal() {
            return Err(Failure::Usage(
                "an image is not read from a terminal: name a file".to_owned(),
            ));
        }
        // If this is killed, the next collection takes away what came.
        let staging = context.engine.store().stage()?;
        let received = staging.path().join("image");
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&received)
            .map_err(Failure::io("create", &received))?;
        typed::stands_for(&received, typed::STANDARD_INPUT);
        until_signal(|interrupt| {
            interrupt.staged(staging.path());
            receive(&mut file, &received, context)
        })?;
        load(context, &received, self.quiet)
    }
}

/// Writes standard input to `file`: what begins as an archive, and no more of it than a layer may have.
fn receive(file: &mut File, path: &Path, context: &Context) -> Result<(), Failure> {
    let failed = |error| Failure::io("write", path)(error);
    let limits = Config::read(&context.engine.directories)?.limits();
    let mut stdin = io::stdin().lock();
    let mut head = Vec::new();
    stdin
        .by_ref()
        .take(BLOCK)
        .read_to_end(&mut head)
        .map_err(failed)?;
    // With nothing but zeros an archive ends, and a device may give them for ever.
    if head.len() as u64 == BLOCK && head.iter().all(|byte| *byte == 0) {
        let path = path.to_owned();
        let is_root = false;
        return Err(StoreError::NoImage { path, is_root }.into());
    }
    let rest = limits.layer.saturating_add(1).saturating_sub(BLOCK);
    let mut input = head.as_slice().chain(stdin.take(rest));
    let length = io::copy(&mut input, file).map_err(failed)?;
    if length > limits.layer {
        let what = path.display().to_string();
        let exceeded = limits.exceeded(LayerLimit::CompressedSize, what);
        return Err(StoreError::from(exceeded).into());
    }
    Ok(())
}

fn load(context: &Context, path: &Path, is_quiet: bool) -> Result<u8, Failure> {
    let path = std::path::absolute(path).map_err(Failure::io("resolve", path))?;
    let source = ImageSource::parse(&path.to_string_lossy())?;
    let options = fetch_options(&context.engine)?;
    let found = contents(&context.engine.store(), &source, &options)?;
    let verifier = Verifier::new(&context.engine, &context.console)?;
    let one = |source: &ImageSource| {
        let fetched = fetch(&context.engine, &verifier, source, None);
        let fetched = fetched.map_err(Failure::of_import)?;
        warn_if_unsigned(&fetched.proof, &context.console);
        match is_quiet {
            true => Ok(()),
            false => output::line(&fetched.reference.to_string()),
        }
    };
    if found.names.len() + found.unnamed < 2 {
        one(&source)?;
        return Ok(0);
    }
    if found.unnamed > 0 {
        output::warn(&format!(
            "{} images of it have no name: they are left out",
            found.unnamed
        ));
    }
    for_each(found.names, |name| one(&source.named(name)))
}
