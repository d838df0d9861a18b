//! From a pod's command line to a prepared pod: what `run` and `prepare` have in common.

use image_store::Pin;
use pod::activation::ActivationSockets;
use pod::manifest::Streams;
use pod::stage1::Stage1;
use pod::{LockedPod, PodUuid};

use crate::arguments::app::AppArguments;
use crate::arguments::pod::PodArguments;
use crate::context::Context;
use crate::failure::Failure;
use crate::prepare::{self, PlannedApp, PodRequest, image_record};
use crate::uuid_file::UuidFile;
use crate::verify::{RunnableImage, Verifier};
use crate::{app_config, image_choice, isolator, network_settings, output};

/// A pod that has been prepared and not yet moved on, with what it needs kept in the store.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// The pod, in phase `prepare`.
    pub(crate) pod: LockedPod,
    /// Its isolator.
    pub(crate) stage1: Stage1,
    /// To be dropped once the pod has moved on.
    pub(crate) pin: Pin,
    /// The file that names the pod, if one was asked for: to be kept once the pod has moved on.
    pub(crate) uuid_file: Option<UuidFile>,
}

/// Resolves, fetches, verifies and prepares a pod that will be handed these sockets.
///
/// # Errors
/// What stands in the way; nothing of the pod is left then.
pub(crate) fn prepare(
    context: &Context,
    pod: PodArguments,
    apps: &[AppArguments],
    streams: Streams,
    remove_on_exit: bool,
    sockets: &ActivationSockets,
) -> Result<Prepared, Failure> {
    let network = network_settings::understand(pod.network)?;
    let uuid = PodUuid::random();
    let uuid_file = pod
        .uuid_file_save
        .map(|path| UuidFile::save(path, uuid))
        .transpose()?;
    let installed = match isolator::is_image(&pod.stage1) {
        true => None,
        false => Some(isolator::find(&pod.stage1, &context.directories)?),
    };
    let verifier = Verifier::new(context)?;
    let pin = context.store().pin()?;
    let (stage1, stage1_image) = match installed {
        Some(stage1) => (stage1, None),
        None => {
            let choice = image_choice::choose(context, &verifier, &pod.stage1, pod.pull)?;
            let image = verifier.at_start(&choice.reference, &choice.top)?;
            choice.note_use(context);
            (isolator::of_image(&image)?, Some(image_record(&image)))
        }
    };
    output::debug(|| {
        format!(
            "isolator {} of {}",
            stage1.manifest.name,
            stage1.path.display()
        )
    });
    let mut choices = Vec::with_capacity(apps.len());
    let mut images = Vec::with_capacity(apps.len());
    for app in apps {
        let choice = image_choice::choose(context, &verifier, app.image(), pod.pull)?;
        output::debug(|| format!("{} is {} {}", app.image(), choice.reference, choice.top));
        images.push(verifier.at_start(&choice.reference, &choice.top)?);
        choices.push(choice);
    }
    let named: Vec<_> = apps
        .iter()
        .zip(images.iter().map(|i| i.repository().as_str()))
        .collect();
    let names = prepare::app_names(&named)?;
    let mut planned = Vec::with_capacity(apps.len());
    for ((arguments, image), name) in apps.iter().zip(&images).zip(names) {
        let execution = app_config::execution(arguments, image.image())?;
        planned.push(PlannedApp::new(name, arguments, execution, image));
    }
    let exposed: Vec<_> = images.iter().map(RunnableImage::image).collect();
    let network = network.resolve(&exposed, context)?;
    for (at, image) in images.iter().enumerate() {
        let said = |other: &RunnableImage| other.proof() == image.proof();
        if !images.iter().take(at).any(said) {
            image.warn_if_unsigned();
        }
    }
    let request = PodRequest {
        uuid,
        name: pod.name,
        hostname: pod.hostname,
        network,
        streams,
        grace_period: pod.grace_period,
        remove_on_exit,
        insecure: context.insecure.clone(),
        stage1_image,
    };
    let pod = prepare::prepare(&context.pods(), request, &stage1, planned, sockets)?;
    for choice in &choices {
        choice.note_use(context);
    }
    Ok(Prepared {
        pod,
        stage1,
        pin,
        uuid_file,
    })
}
