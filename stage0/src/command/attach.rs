//! `fairing attach`: shares the standard streams of an app that runs.

use clap::Args;
use pod::AppName;
use pod::feature::Feature;
use pod::manifest::PodManifest;

use crate::arguments::attachment::AttachmentFlags;
use crate::command::attached::{end, request};
use crate::command::running_app::RunningApp;
use crate::command::subcommand::Subcommand;
use crate::context::Context;
use crate::terminal::attachment;
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
    #[command(flatten)]
    flags: AttachmentFlags,
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
        let (entry, _) = context.pod_or_app(&self.pod)?;
        let manifest = PodManifest::load(&entry.path)?;
        let request = request(&manifest, app, !self.no_stdin);
        let manner = self.flags.manner(request.stdin);
        let asked = attachment::ask(connection, request)?;
        let ended = attachment::go_on(asked, manner, None)?;
        end(context, &entry, &manifest, ended)
    }
}
