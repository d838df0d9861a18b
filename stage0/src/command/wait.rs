//! `fairing wait`: waits for the end of pods.

use clap::{Args, Command};
use engine::pods::wait::wait;
use pod::{AppName, State};

use crate::arguments::selector::{Pods, without_letters};
use crate::command::several::{Named, for_each_pod};
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `wait`.
#[derive(Debug, Args)]
pub(crate) struct Wait {
    #[command(flatten)]
    pods: Pods,
    /// Wait for the end of this app [default: the pod's end]
    #[arg(long, value_name = "NAME")]
    app: Option<AppName>,
}

impl Subcommand for Wait {
    const NAME: &'static str = "wait";
    const ABOUT: &'static str = "Wait until pods have ended, and print their exit codes";

    // That letter stands for --interval elsewhere.
    fn adjusted(command: Command) -> Command {
        without_letters(command, &["ignore"])
    }

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let is_running = |state| state == State::Running;
        for_each_pod(
            self.pods,
            context,
            is_running,
            |Named { typed, entry }| match wait(
                &entry,
                &context.engine.directories,
                self.app.as_ref(),
            )? {
                Some(code) => output::line(&code.to_string()),
                None => Err(Failure::Other(format!(
                    "pod {typed} was killed: nobody knows its exit code"
                ))),
            },
        )
    }
}
