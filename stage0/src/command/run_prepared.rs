//! `fairing run-prepared`: starts a pod that was prepared, after judging its images once more.

use clap::Args;
use image_name::Digest;
use image_store::Reference;
use pod::manifest::{ImageRecord, MANIFEST_FILE, PodManifest, Streams};
use pod::{LockedPod, Phase, record};

use super::Subcommand;
use crate::context::Context;
use crate::failure::Failure;
use crate::prepare::image_record;
use crate::verify::{RunnableImage, Verifier};
use crate::{activation, handover, isolator};

/// Arguments of `run-prepared`.
#[derive(Debug, Args)]
pub(crate) struct RunPrepared {
    /// Name or UUID of the pod, or the beginning of its UUID
    #[arg(value_name = "POD")]
    pod: String,
    /// Remove the pod when it has ended
    #[arg(long)]
    rm: bool,
    /// Run in the background and print the pod's UUID once its apps are up
    #[arg(short, long)]
    detach: bool,
}

impl Subcommand for RunPrepared {
    const NAME: &'static str = "run-prepared";
    const ABOUT: &'static str = "Run a pod that was made with prepare";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let sockets = activation::take()?;
        let pods = context.pods();
        let entry = pods.find(&self.pod)?;
        if entry.phase != Phase::Prepared {
            return Err(Failure::Other(format!(
                "pod {} can't be started: it is {}",
                entry.uuid,
                entry.state()?
            )));
        }
        let pod = pods.lock(&entry)?;
        let mut manifest = PodManifest::load(pod.path())?;
        if self.detach
            && manifest
                .apps
                .iter()
                .any(|app| app.execution.terminal || app.execution.stdin)
        {
            return Err(Failure::Usage(format!(
                "pod {} was prepared with --tty or --interactive: it can't run in the background",
                entry.uuid
            )));
        }
        let mut stage1 = isolator::of_pod(&manifest.stage1, &context.directories)?;
        stage1.require_for(&manifest)?;
        let _pin = context.store().pin()?;
        let verifier = Verifier::new(context)?;
        if let Some(image) = &manifest.stage1.image {
            stage1 = isolator::of_image(&judge(context, &verifier, image)?)?;
        }
        activation::check(&sockets, &manifest, &stage1)?;
        verify_again(context, &verifier, &mut manifest)?;
        manifest.streams = match self.detach {
            true => Streams::Log,
            false => Streams::Foreground,
        };
        manifest.remove_on_exit = self.rm;
        manifest.insecure_options = context.insecure.clone();
        for app in manifest.apps.iter_mut() {
            app.insecure_options = context.insecure.clone();
        }
        update(&pod, &manifest)?;
        handover::hand_over(pod, &stage1, context, sockets, self.detach)
    }
}

/// Judges each image by the policy of now. The pod stays as it is if one is refused.
fn verify_again(
    context: &Context,
    verifier: &Verifier<'_>,
    manifest: &mut PodManifest,
) -> Result<(), Failure> {
    for app in manifest.apps.iter_mut() {
        let image = judge(context, verifier, &app.image)?;
        image.warn_if_unsigned();
        app.image = image_record(&image);
    }
    Ok(())
}

/// Judges the image that the pod was prepared from, which the name may no longer stand for.
fn judge(
    context: &Context,
    verifier: &Verifier<'_>,
    prepared: &ImageRecord,
) -> Result<RunnableImage, Failure> {
    let reference = Reference::parse(&prepared.reference)?;
    let named = context.store().resolve(&reference)?;
    let top = match (named, &prepared.verification.signed_digest) {
        (Some(record), _) if record.manifest.as_ref() == prepared.manifest => {
            context.store().note_use(&record);
            record.digest
        }
        // The index, if that is what was signed.
        (_, Some(signed)) => Digest::parse(signed)?,
        (_, None) => Digest::parse(&prepared.manifest)?,
    };
    let image = verifier.at_start(&reference, &top)?;
    if image.image().manifest_digest().as_ref() == prepared.manifest {
        return Ok(image);
    }
    Err(Failure::Other(format!(
        "image {} of the pod is now {}, and the pod was prepared from {}; prepare it again",
        prepared.reference,
        image.image().manifest_digest(),
        prepared.manifest
    )))
}

fn update(pod: &LockedPod, manifest: &PodManifest) -> Result<(), Failure> {
    Ok(record::replace(&pod.path().join(MANIFEST_FILE), manifest)?)
}
