//! `fairing attach`: shares the standard streams of an app that runs.

use clap::Args;
use pod::AppName;
use pod::control::AttachRequest;
use pod::feature::Feature;
use pod::manifest::{PodManifest, Streams};

use crate::command::running_app::RunningApp;
use crate::command::subcommand::Subcommand;
use crate::context::Context;
use crate::terminal::attachment::{self, Manner};
use crate::terminal::detach_keys::{DetachKeys, USUAL};
use crate::terminal::raw_mode::window_size;
use crate::wording::failure::Failure;

/// Arguments of `attach`.
#[derive(Debug, Args)]
pub(crate) struct Attach {
    /// Name or UUID of the pod, or the beginning of its UUID
    #[arg(value_name = "POD")]
    pod: String,
    /// The app, if the pod has several
    #[arg(long, value_name = "NAME")]
    app: Option<AppName>,
    /// Only see what the app writes
    #[arg(long)]
    no_stdin: bool,
    /// Keys that leave the app to itself; "" for none
    #[arg(long, value_name = "KEYS", value_parser = keys, default_value = USUAL)]
    detach_keys: Keys,
    /// Pass signals on to an app without a terminal: true or false
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1)]
    #[arg(require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    sig_proxy: bool,
}

/// The keys, if there are any.
#[derive(Debug, Clone)]
struct Keys(Option<DetachKeys>);

fn keys(text: &str) -> Result<Keys, String> {
    match text {
        "" => Ok(Keys(None)),
        text => Ok(Keys(Some(text.parse()?))),
    }
}

impl Subcommand for Attach {
    const NAME: &'static str = "attach";
    const ABOUT: &'static str = "Share the standard streams of an app that runs, until it ends or the detach keys are typed";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let RunningApp { connection, app } = RunningApp::open(
            context,
            &self.pod,
            self.app.as_ref(),
            "attached to",
            Feature::Attach,
        )?;
        let manifest = PodManifest::load(&context.pod(&self.pod)?.path)?;
        // The input of a pod in the foreground is its user's.
        let takes_input = manifest.streams == Streams::Log
            && manifest.app(&app).is_some_and(|app| app.execution.stdin);
        let stdin = takes_input && !self.no_stdin;
        let request = AttachRequest {
            app: Some(app),
            stdin,
            size: window_size(),
        };
        let manner = Manner {
            keys: self.detach_keys.0.filter(|_| stdin),
            sig_proxy: self.sig_proxy,
        };
        attachment::run(connection, request, manner)
    }
}
