//! `fairing run-prepared`: starts a pod that was prepared, after judging its images once more.

use clap::Args;
use engine::pods::prepared::{Resumption, resume};
use pod::manifest::Streams;

use crate::command::subcommand::Subcommand;
use crate::context::Context;
use crate::start::{handover, service};
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
        let asked = Resumption {
            streams: match self.detach {
                true => Streams::Log,
                false => Streams::Foreground,
            },
            remove_on_exit: self.rm,
            manager: service::manager(),
        };
        let prepared = resume(&context.engine, &entry, asked, &sockets, &context.console)?;
        let _pin = prepared.pin;
        handover::hand_over(
            prepared.pod,
            &prepared.stage1,
            context,
            sockets,
            self.detach,
        )
    }
}
