//! `fairing kill`: sends a signal to the apps of pods.

use clap::Args;
use engine::pods::signal::send;
use engine::signal_names;
use pod::signal::SignalNumber;
use pod::{AppName, State};

use crate::arguments::selector::Pods;
use crate::command::several::{Named, for_each_pod};
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `kill`.
#[derive(Debug, Args)]
pub(crate) struct Kill {
    #[command(flatten)]
    pods: Pods,
    /// Signal, by name or number
    #[arg(short, long, value_name = "SIGNAL", value_parser = signal, default_value = "KILL")]
    signal: SignalNumber,
    /// The app to send it to [default: each app of the pod]
    #[arg(long, value_name = "NAME")]
    app: Option<AppName>,
}

fn signal(text: &str) -> Result<SignalNumber, String> {
    signal_names::parse(text)
        .and_then(|number| SignalNumber::try_from(number).ok())
        .ok_or_else(|| "no signal has this name or number".to_owned())
}

impl Subcommand for Kill {
    const NAME: &'static str = "kill";
    const ABOUT: &'static str = "Send a signal to the apps of running pods: SIGKILL, or another";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let is_running = |state| state == State::Running;
        for_each_pod(self.pods, context, is_running, |Named { typed, entry }| {
            send(
                &entry,
                &context.engine.directories,
                self.app.as_ref(),
                self.signal,
            )?;
            output::line(&typed)
        })
    }
}
