//! `fairing image rm`: removes images that no pod needs.

use clap::Args;
use image_store::RefRecord;

use crate::command::{Subcommand, for_each};
use crate::context::Context;
use crate::failure::Failure;
use crate::image_choice::record;
use crate::output;
use crate::pod_removal::{Use, images_in_use};

/// Arguments of `image rm`.
#[derive(Debug, Args)]
pub(crate) struct Rm {
    /// References, or the beginnings of digests
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<String>,
}

/// Arguments of `rmi`, for those who know Docker.
#[derive(Debug, Args)]
pub(crate) struct Rmi {
    #[command(flatten)]
    rm: Rm,
}

impl Subcommand for Rm {
    const NAME: &'static str = "rm";
    const ABOUT: &'static str = "Remove images from the store";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let store = context.store();
        let alone = store.exclusive()?;
        let (uses, digests) = images_in_use(&context.pods())?;
        let result = for_each(&self.images, |image| {
            let record = record(context, image)?;
            refuse_if_in_use(&record, &uses, &store.references()?)?;
            store.remove(&record.reference)?;
            output::line(&record.reference.to_string())
        });
        // What the removed names alone needed goes with them.
        let report = store.gc(&digests, &alone)?;
        for damaged in &report.damaged {
            output::warn(damaged);
        }
        result
    }
}

impl Subcommand for Rmi {
    const NAME: &'static str = "rmi";
    const ABOUT: &'static str = Rm::ABOUT;
    const HIDDEN: bool = true;

    fn run(self, context: &Context) -> Result<u8, Failure> {
        self.rm.run(context)
    }
}

/// The last name of an image that pods use stays.
fn refuse_if_in_use(record: &RefRecord, uses: &[Use], names: &[RefRecord]) -> Result<(), Failure> {
    let has_other_name = names
        .iter()
        .any(|other| other.manifest == record.manifest && other.reference != record.reference);
    let mut pods: Vec<&str> = uses
        .iter()
        .filter(|used| used.manifest == record.manifest.as_ref())
        .map(|used| used.pod.as_str())
        .collect();
    pods.dedup();
    match pods.first() {
        Some(_) if !has_other_name => Err(Failure::Other(format!(
            "image {} is in use by pod {}; stop or remove it first",
            record.reference,
            pods.join(", ")
        ))),
        _ => Ok(()),
    }
}
