//! `fairing commit`: what an app has changed, as a new image.

use std::path::PathBuf;

use clap::Args;
use clap::builder::BoolishValueParser;
use engine::images::commit::{CommitSpec, change, stage};
use engine::images::fetch as fetching;
use engine::pods::files::still_there;
use engine::policy::circumstances;
use engine::policy::verifier::{Verifier, warn_if_unsigned};
use image_name::Reference;
use image_store::tree::Written;
use image_store::{ConfigChange, StagedCommit, StoreError};
use pod::AppName;
use pod::manifest::{App, PodManifest};
use pod::stage1::Stage1Error;

use super::export::app_of;
use crate::arguments::local_name::local;
use crate::arguments::pod_app::{PodApp, pod_app};
use crate::command::subcommand::Subcommand;
use crate::console::interrupt::until_signal;
use crate::console::output;
use crate::context::Context;
use crate::keys::files as key_files;
use crate::keys::passphrase::PassphraseArguments;
use crate::wording::failure::Failure;
use crate::wording::warning;

/// Arguments of `commit`.
#[derive(Debug, Args)]
pub(crate) struct Commit {
    /// Name or UUID of the pod, or the beginning of its UUID, and the app, if it has several
    #[arg(value_name = "POD[/APP]", value_parser = pod_app)]
    pod: PodApp,
    /// Name for the image; without a registry localhost/NAME
    #[arg(value_name = "NAME")]
    name: String,
    /// The app, if the pod has several
    #[arg(long, value_name = "NAME")]
    app: Option<AppName>,
    /// Dockerfile's instruction about how the image is run, such as 'CMD ["/bin/app"]'; may be repeated
    #[arg(short, long, value_name = "INSTRUCTION", value_parser = change)]
    change: Vec<ConfigChange>,
    /// What the image's history says of it
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// Whose word the image is
    #[arg(short, long, value_name = "NAME")]
    author: Option<String>,
    /// Freeze the app while its files are read
    #[arg(
        short,
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_value = "true",
        default_missing_value = "true",
        value_parser = BoolishValueParser::new()
    )]
    pause: bool,
    /// File of the private key that signs the image, of fairing or of cosign
    #[arg(long, value_name = "FILE")]
    sign_by: Option<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseArguments,
    /// Say nothing of what is done, as always
    #[arg(short, long, hide = true)]
    quiet: bool,
}

impl Subcommand for Commit {
    const NAME: &'static str = "commit";
    const ABOUT: &'static str =
        "Make an image of an app of a pod, with its changes, and print its name";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let name = local(&self.name)?;
        let key = self.sign_by.as_ref();
        let key = key.map(|file| key_files::read_private(file, &self.passphrase));
        let key = key.transpose()?;
        let entry = context.pod(&self.pod.pod)?;
        let manifest = PodManifest::load(&entry.path)?;
        let app = app_of(
            &manifest,
            self.pod.app_or(self.app.as_ref())?,
            &self.pod.pod,
        )?;
        let verifier = Verifier::new(&context.engine, &context.console)?;
        let spec = CommitSpec {
            changes: self.change,
            author: self.author,
            message: self.message,
            pauses: self.pause,
        };
        let staged = until_signal(|interrupt| {
            stage(&context.engine, &entry, &manifest, app, &spec, interrupt)
                .map_err(|error| advised(error, app))
        })?;
        still_there(&entry)?;
        let gone = Written {
            gone: staged.gone().to_vec(),
            ..Written::default()
        };
        for line in warning::of_tree(&gone, "".as_ref()) {
            output::warn(&line);
        }
        if let Some(key) = key {
            let now = circumstances::now();
            let payload = trust::payload(name.repository(), staged.manifest(), Some(now));
            staged.sign(&payload, &key.sign(&payload))?;
        }
        let reference = bring(context, &verifier, &staged, name)?;
        output::line(&reference.to_string())?;
        Ok(0)
    }
}

/// Brings it into the store, as any image from a file.
fn bring(
    context: &Context,
    verifier: &Verifier<'_>,
    staged: &StagedCommit,
    name: Reference,
) -> Result<Reference, Failure> {
    let fetched = fetching::import(&context.engine, verifier, &staged.source(), |options| {
        options.name = Some(name);
        options.keep_layers &= staged.keeps_layers();
    });
    let fetched = fetched.map_err(Failure::of_import)?;
    warn_if_unsigned(&fetched.proof, &context.console);
    Ok(fetched.reference)
}

/// What helps: the image of a pod that has ended may have been removed, and not every isolator can freeze apps.
fn advised(error: engine::Error, app: &App) -> Failure {
    let is_gone = matches!(&error, engine::Error::Store(StoreError::Missing { .. }));
    // What nobody can freeze can be read all the same.
    let can_not_freeze = matches!(&error, engine::Error::Stage1(Stage1Error::Lacks { .. }));
    let failure = Failure::from(error);
    if is_gone {
        let image = app.image.reference.at_digest(&app.image.manifest);
        return failure.helped(format!("fairing fetch {image} brings the app's image back"));
    }
    match can_not_freeze {
        true => failure.helped("--pause=false reads the app's files while it runs".to_owned()),
        false => failure,
    }
}
