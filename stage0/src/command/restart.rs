//! `fairing restart`: ends apps of pods that stay, and starts them again.

use clap::Args;
use engine::pods::apps::OpenPod;
use pod::manifest::{Lifetime, PodManifest};
use pod::{AppName, State};

use super::several::{Named, for_each_pod};
use super::start::not_again;
use crate::arguments::grace::Grace;
use crate::arguments::selector::Pods;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `restart`.
#[derive(Debug, Args)]
pub(crate) struct Restart {
    #[command(flatten)]
    pods: Pods,
    /// The app to start again [default: each app of the pod]
    #[arg(long, value_name = "NAME")]
    app: Option<AppName>,
    #[command(flatten)]
    grace: Grace,
}

impl Subcommand for Restart {
    const NAME: &'static str = "restart";
    const ABOUT: &'static str = "End apps of pods that stay, and start them again";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let is_running = |state| state == State::Running;
        for_each_pod(self.pods, context, is_running, |Named { typed, entry }| {
            match entry.state()? {
                State::Running => {}
                State::Exited => {
                    return Err(Failure::Other(not_again(&typed, &entry, "restarted")));
                }
                state => {
                    return Err(Failure::Other(format!(
                        "pod {typed} can't be restarted: it {}; `fairing start {typed}` starts it",
                        state.in_words()
                    )));
                }
            }
            let manifest = PodManifest::load(&entry.path)?;
            let names: Vec<AppName> = match &self.app {
                Some(app) => vec![app.clone()],
                None => manifest.apps.iter().map(|app| app.name.clone()).collect(),
            };
            // The end of its last app would be the pod's, and one runs only once.
            if manifest.lifetime == Lifetime::WithApps && names.len() >= manifest.apps.len() {
                return Err(Failure::Other(format!(
                    "pod {typed} can't be restarted: it ends with its apps; make it with \
                     `fairing run --lifetime=until-stopped`, or `fairing rm --force {typed}` and run it anew"
                )));
            }
            let pod = OpenPod::connect(&context.engine, &entry)?;
            // What can't be started again is not ended.
            for name in &names {
                pod.judge(name, &context.console)?;
            }
            for name in &names {
                pod.stop(name, self.grace.grace_period)?;
            }
            for name in &names {
                pod.start(name, &context.console)?;
            }
            output::line(&typed)
        })
    }
}
