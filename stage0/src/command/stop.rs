//! `fairing stop`: ends pods.

use clap::Args;
use engine::pods::stop::{Stop, end_remains, stop};
use pod::State;

use crate::arguments::grace::Grace;
use crate::arguments::selector::Pods;
use crate::command::several::{Named, for_each_pod};
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `stop`.
#[derive(Debug, Args)]
pub(crate) struct StopPods {
    #[command(flatten)]
    pods: Pods,
    /// Kill the apps at once
    #[arg(short, long, conflicts_with = "grace_period")]
    force: bool,
    #[command(flatten)]
    grace: Grace,
}

impl Subcommand for StopPods {
    const NAME: &'static str = "stop";
    const ABOUT: &'static str =
        "Stop pods: send the stop signal, and SIGKILL after the grace period";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let how = match self.force {
            true => Stop::AtOnce,
            false => Stop::Gracefully(self.grace.grace_period),
        };
        // Where monitor and pod init were killed, apps of a pod without namespaces may run on.
        let is_for = |state| matches!(state, State::Running | State::Exited);
        let all = self.pods.all;
        for_each_pod(self.pods, context, is_for, |Named { typed, entry }| {
            match entry.state()? {
                State::Running => {}
                State::Exited => {
                    if end_remains(&entry, &context.engine, &context.console)? {
                        output::error(&format!(
                            "pod {typed} had lost its monitor; what was left of it has ended\n"
                        ));
                        return output::line(&typed);
                    }
                    if !all {
                        output::error(&format!("pod {typed} has already stopped\n"));
                    }
                    return Ok(());
                }
                state => {
                    return Err(Failure::Other(format!(
                        "pod {typed} is not running: it {}",
                        state.in_words()
                    )));
                }
            }
            stop(&entry, &context.engine.directories, how)?;
            output::line(&typed)
        })
    }
}
