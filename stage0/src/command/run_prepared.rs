//! `fairing run-prepared`: starts a pod that was prepared, after judging its images once more.

use clap::Args;
use engine::pods::prepared::{Resumption, resume};
use pod::PodEntry;
use pod::activation::ActivationSockets;
use pod::manifest::Streams;

use crate::command::subcommand::Subcommand;
use crate::context::Context;
use crate::start::handover;
use crate::wording::failure::Failure;

/// Arguments of `run-prepared`.
#[derive(Debug, Args)]
pub(crate) struct RunPrepared {
    /// Name or UUID of the pod, or the beginning of its UUID
    #[arg(value_name = "POD")]
    pod: String,
    /// Remove the pod when it has ended
    #[arg(long)]
    rm: bool,
    /// Run in the background and print the pod's UUID once its apps are up
    #[arg(short, long)]
    detach: bool,
}

impl Subcommand for RunPrepared {
    const NAME: &'static str = "run-prepared";
    const ABOUT: &'static str = "Run a pod that was made with prepare";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let sockets = handover::take_sockets()?;
        let entry = context.pod(&self.pod)?;
        start_prepared(context, &entry, self.detach, self.rm, sockets)
    }
}

/// Starts a pod that was prepared: in the background, or in the place of this process.
///
/// # Errors
/// Why it does not start; it stays prepared then.
pub(super) fn start_prepared(
    context: &Context,
    entry: &PodEntry,
    detach: bool,
    remove: bool,
    sockets: ActivationSockets,
) -> Result<u8, Failure> {
    let asked = Resumption {
        streams: match detach {
            true => Streams::Log,
            false => Streams::Foreground,
        },
        remove_on_exit: remove,
    };
    let prepared = resume(&context.engine, entry, asked, &sockets, &context.console)?;
    let _pin = prepared.pin;
    handover::hand_over(prepared.pod, &prepared.stage1, context, sockets, detach)
}
