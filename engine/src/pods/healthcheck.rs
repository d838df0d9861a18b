//! The probes of an app: what is asked for, and the `HEALTHCHECK` of its image.

use image_store::Image;
use pod::feature::Feature;
use pod::manifest::{Probes, Restart, RestartPolicy};
use pod::stage1::Stage1;

use super::health::OnFailure;
use super::spec::AppSpec;
use crate::error::AppError;
use crate::observer::{Observer, Warning};

/// An app's probes, and when it is started again.
///
/// # Errors
/// [`AppError::NoHealthcheck`] if it is said how to check, and not what.
pub(super) fn resolve(
    spec: &AppSpec,
    image: &Image,
    stage1: &Stage1,
    observer: &dyn Observer,
) -> Result<(Probes, Restart), AppError> {
    let asked = &spec.health;
    let mut health = asked.over(image.healthcheck());
    let is_of_image = asked.action.is_none() && health.action.is_some();
    if is_of_image && !asked.says_how() && asked.startup.is_none() {
        // Nobody has asked for what this isolator can't do.
        let features = &stage1.manifest.features;
        if !features.contains(&Feature::Probes) {
            observer.warning(Warning::NoHealthcheck {
                image: spec.image.clone(),
                isolator: stage1.manifest.name.to_string(),
            });
            health.action = None;
        }
    }
    let Some(probes) = health.probes() else {
        return match asked.says_how() {
            true => Err(AppError::NoHealthcheck {
                image: spec.image.clone(),
            }),
            false => Ok((spec.probes.clone(), spec.restart)),
        };
    };
    let restart = match (health.on_failure, spec.restart.policy) {
        (OnFailure::Restart, RestartPolicy::Never) => Restart {
            policy: RestartPolicy::OnFailure,
            ..spec.restart
        },
        _ => spec.restart,
    };
    Ok((probes, restart))
}
