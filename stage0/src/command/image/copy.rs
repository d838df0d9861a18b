//! `fairing image copy`: from one place to another, without the store.

use clap::Args;
use engine::images::choice::record;
use engine::images::registries;
use image_document::Platform;
use image_store::{CopyOptions, ImageArgument, ImageSource, StoreError, copy};

use crate::command::subcommand::Subcommand;
use crate::console::interrupt::until_signal;
use crate::console::output;
use crate::console::progress::Progress;
use crate::context::Context;
use crate::wording::failure::{Failure, one_line};

const PLACES: &str =
    "Reference, oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:REF], or a path";

/// Arguments of `image copy`.
#[derive(Debug, Args)]
pub(crate) struct Copy {
    #[arg(value_name = "SOURCE", help = PLACES)]
    source: String,
    /// The same; the image is added to an existing layout, a file must not exist
    #[arg(value_name = "DEST")]
    dest: String,
    /// One platform of an index, such as linux/arm64 [default: all]
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    platform: Option<Platform>,
    /// Leave out signatures and whatever else refers to the image
    #[arg(long)]
    no_signatures: bool,
}

impl Subcommand for Copy {
    const NAME: &'static str = "copy";
    const ABOUT: &'static str =
        "Copy an image between registries, directories and files, and print its digest";
    const ALIASES: &'static [&'static str] = &["cp"];

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let source = ImageSource::parse(&self.source)?;
        let dest = ImageSource::parse_destination(&self.dest)?;
        let mut options = CopyOptions {
            platform: self.platform,
            signatures: !self.no_signatures,
            access: registries::fetch_options(&context.engine)?,
        };
        let store = context.engine.store();
        let copied = until_signal(|interrupt| {
            options.access.interrupt = interrupt.clone();
            let mut progress = Progress::new(dest.to_string());
            let mut on_event = |event| progress.event(event);
            let copied = copy(&store, &source, &dest, &options, &mut on_event);
            drop(progress);
            copied.map_err(|error| told(context, &self.source, &dest, error))
        })?;
        warn(&copied.notes);
        output::line(copied.digest.as_ref())?;
        Ok(0)
    }
}

/// Who names an image of the store may mean that one: a registry was asked.
fn told(context: &Context, source: &str, dest: &ImageSource, error: StoreError) -> Failure {
    let failure = Failure::from(error);
    let is_name = matches!(
        ImageArgument::parse(source),
        Ok(ImageArgument::ShortName(_) | ImageArgument::Source(ImageSource::Registry(_)))
    );
    if !is_name || record(&context.engine, source).is_err() {
        return failure;
    }
    let command = match dest.reference() {
        Some(name) => format!("fairing push {source} {name}"),
        None => format!("fairing image export {source} {dest}"),
    };
    failure.helped(format!("`{command}` takes the one of the store"))
}

/// Says what was left out.
pub(crate) fn warn(notes: &[String]) {
    for note in notes {
        output::warn(&one_line(note));
    }
}
