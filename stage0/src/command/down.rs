//! `fairing down`: ends the pods of files in YAML.

use clap::Args;
use engine::Error;
use engine::error::VolumeError;
use engine::pods::removal::{Removal, remove_seen};
use engine::pods::stop::{Stop, stop};
use engine::volumes::store;
use pod::{PodError, PodName, State};
use pod_yaml::named;

use crate::command::several::for_each;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::kube::files::{PodFile, refused};
use crate::wording::failure::Failure;

/// Arguments of `down`.
#[derive(Debug, Args)]
pub(crate) struct Down {
    /// Files of pods in YAML; - for standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<String>,
    /// Remove the volumes of their claims, too
    #[arg(short, long, alias = "volumes")]
    force: bool,
}

impl Subcommand for Down {
    const NAME: &'static str = "down";
    const ABOUT: &'static str = "Stop and remove the pods of files in YAML";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        down(&PodFile::read_all(&self.files)?, self.force, context)
    }
}

/// Ends and removes the pods of files, the last one first; with `volumes`, also what their claims made. What is gone is no
/// failure.
///
/// # Errors
/// The first that can't be removed, printed already.
pub(crate) fn down(files: &[PodFile], volumes: bool, context: &Context) -> Result<u8, Failure> {
    let sources: Vec<_> = files.iter().map(PodFile::source).collect();
    let named = named(&sources).map_err(refused)?;
    let pods = for_each(named.pods.iter().rev(), |name| end(name, context));
    if !volumes {
        return pods;
    }
    let volumes = for_each(&named.volumes, |name| {
        match store::remove(&context.engine, name, &context.console) {
            Err(Error::Volume(VolumeError::Unknown(_))) => Ok(()),
            removed => {
                removed?;
                output::line(name.as_str())
            }
        }
    });
    pods.and(volumes)
}

fn end(name: &PodName, context: &Context) -> Result<(), Failure> {
    let pods = context.engine.pods();
    let mut entry = match context.pod(name.as_str()) {
        Err(Failure::Engine(Error::Pod(PodError::NoSuchPod(_)))) => return Ok(()),
        found => found?,
    };
    let uuid = entry.uuid;
    if entry.state()? == State::Running {
        stop(&entry, &context.engine.directories, Stop::Gracefully(None))?;
        entry = match pods.by_uuid(uuid)? {
            Some(entry) => entry,
            // It went by itself.
            None => return output::line(name.as_str()),
        };
    }
    match remove_seen(entry, &context.engine, &context.console)? {
        Removal::Done | Removal::GoneAlready => output::line(name.as_str()),
        Removal::InUse => Err(PodError::Locked(uuid).into()),
    }
}
