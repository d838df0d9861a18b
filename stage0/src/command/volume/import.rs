//! `fairing volume import`.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use clap::Args;
use engine::Error;
use engine::volumes::store;
use image_store::StoreError;
use pod::named_volumes::NamedVolumeName;

use crate::command::subcommand::Subcommand;
use crate::console::interrupt::until_signal;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;
use crate::wording::typed;

/// Arguments of `volume import`.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Name of the volume; one that is there must be new
    #[arg(value_name = "VOLUME")]
    name: NamedVolumeName,
    /// Tar file to read, compressed or not [default, and -: standard input]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Subcommand for Import {
    const NAME: &'static str = "import";
    const ABOUT: &'static str = "Make a volume of a tar file, and print its name";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let file = self.file.filter(|path| path != Path::new("-"));
        let (archive, what) = match file {
            Some(path) => {
                let opened = File::open(&path).map_err(Failure::io("open", &path))?;
                (opened, path)
            }
            None if io::stdin().is_terminal() => {
                return Err(Failure::Usage(
                    "a tar file is not read from a terminal: name a file".to_owned(),
                ));
            }
            None => {
                let what = PathBuf::from(typed::STANDARD_INPUT);
                let stdin = io::stdin().as_fd().try_clone_to_owned();
                let stdin = stdin.map_err(Failure::io("read", &what))?;
                (File::from(stdin), what)
            }
        };
        until_signal(|interrupt| {
            let engine = &context.engine;
            store::import(engine, &self.name, archive, &what, interrupt).map_err(explained)
        })?;
        output::line(self.name.as_str())?;
        Ok(0)
    }
}

/// With what makes such a file, where something else was named.
fn explained(error: Error) -> Failure {
    let is_none = matches!(error, Error::Store(StoreError::BrokenSource { .. }));
    let failure = Failure::from(error);
    match is_none {
        true => failure.helped("`tar -c` and `fairing volume export` make one".to_owned()),
        false => failure,
    }
}
