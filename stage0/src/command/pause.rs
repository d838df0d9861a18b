//! `fairing pause` and `fairing resume`: stop the processes of pods for a while, and let them go on.

use clap::Args;
use engine::pods::pause::{pause, resume};
use pod::{AppName, State};

use crate::arguments::selector::Pods;
use crate::command::several::{Named, for_each_pod};
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `pause`.
#[derive(Debug, Args)]
pub(crate) struct Pause {
    #[command(flatten)]
    whom: Whom,
}

/// Arguments of `resume`.
#[derive(Debug, Args)]
pub(crate) struct Resume {
    #[command(flatten)]
    whom: Whom,
}

/// Which pods, and what of them.
#[derive(Debug, Args)]
struct Whom {
    #[command(flatten)]
    pods: Pods,
    /// One app of the pod [default: each that runs]
    #[arg(long, value_name = "NAME")]
    app: Option<AppName>,
}

impl Subcommand for Pause {
    const NAME: &'static str = "pause";
    const ABOUT: &'static str = "Freeze the processes of running pods";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let Whom { pods, app } = self.whom;
        let directories = &context.engine.directories;
        for_each_pod(pods, context, is_running, |Named { typed, entry }| {
            pause(&entry, directories, app.as_ref())?;
            output::line(&typed)
        })
    }
}

impl Subcommand for Resume {
    const NAME: &'static str = "resume";
    const ABOUT: &'static str = "Let the processes of paused pods go on";
    const ALIASES: &'static [&'static str] = &["unpause"];

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let Whom { pods, app } = self.whom;
        let directories = &context.engine.directories;
        for_each_pod(pods, context, is_running, |Named { typed, entry }| {
            resume(&entry, directories, app.as_ref())?;
            output::line(&typed)
        })
    }
}

fn is_running(state: State) -> bool {
    state == State::Running
}
