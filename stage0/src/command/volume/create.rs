//! `fairing volume create`.

use clap::Args;
use engine::error::VolumeError;
use engine::volumes::store;
use pod::PodUuid;
use pod::named_volumes::{NamedVolumeName, NewVolume, Ownership};

use crate::arguments::label::label;
use crate::arguments::mounts::{id, mode};
use crate::arguments::quantity::memory;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `volume create`.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Name of the volume [default: one that no other has]
    #[arg(value_name = "NAME")]
    name: Option<NamedVolumeName>,
    /// Label, to find it by
    #[arg(short, long, value_name = "KEY[=VALUE]", value_parser = label)]
    label: Vec<(String, String)>,
    /// User whose its root directory is
    #[arg(long, value_name = "NUMBER", value_parser = |text: &str| id("uid", text), allow_negative_numbers = true)]
    uid: Option<u32>,
    /// Group whose its root directory is
    #[arg(long, value_name = "NUMBER", value_parser = |text: &str| id("gid", text), allow_negative_numbers = true)]
    gid: Option<u32>,
    /// Permission bits of its root directory, in octal
    #[arg(long, value_name = "MODE", value_parser = mode, allow_negative_numbers = true)]
    mode: Option<u32>,
    /// The most that it holds, such as 1g, where its filesystem has project quotas
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    size: Option<u64>,
    /// The same as docker and podman have it: size=1g
    #[arg(short, long = "opt", value_name = "KEY=VALUE", value_parser = option, conflicts_with = "size")]
    options: Vec<u64>,
    // There is no other.
    #[arg(short, long, value_name = "DRIVER", value_parser = driver, hide = true)]
    driver: Option<String>,
    /// Be content with one of that name
    #[arg(long)]
    ignore: bool,
}

/// An option of a driver: of all that there are, the one that has a meaning here.
fn option(text: &str) -> Result<u64, String> {
    // podman has it among the options of mount(8).
    let text = text.strip_prefix("o=").unwrap_or(text);
    match text.split_once('=') {
        Some(("size", value)) => memory(value),
        _ => Err(
            "there is size alone: volumes are directories of this host; `fairing run --volume ./DIRECTORY:/PLACE IMAGE` mounts any other"
                .to_owned(),
        ),
    }
}

/// Takes the driver that volumes have elsewhere if nothing is said.
fn driver(text: &str) -> Result<String, String> {
    match text {
        "local" => Ok(text.to_owned()),
        _ => Err(
            "volumes are directories of this host, which other tools call the driver `local`: there is no other"
                .to_owned(),
        ),
    }
}

impl Subcommand for Create {
    const NAME: &'static str = "create";
    const ABOUT: &'static str = "Make an empty volume, and print its name";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let name = match self.name {
            Some(name) => name,
            None => PodUuid::random()
                .to_string()
                .parse()
                .map_err(|error| Failure::Other(format!("{error}")))?,
        };
        let new = NewVolume {
            name: name.clone(),
            labels: self.label.into_iter().collect(),
            ownership: Ownership {
                uid: self.uid,
                gid: self.gid,
                mode: self.mode,
            },
            size: self.size.or(self.options.last().copied()),
        };
        match store::create(&context.engine, new) {
            Err(engine::Error::Volume(VolumeError::Exists(_))) if self.ignore => {}
            other => drop(other?),
        }
        output::line(name.as_str())?;
        Ok(0)
    }
}
