//! What `run` asks about an image that no rule speaks of: whether to pin what it is today.

use engine::Error;
use engine::config::files::Config;
use engine::isolators::find::{is_image, wanted};
use engine::pods::spec::PodSpec;
use trust::Refusal;

use super::pin::Pin;
use crate::console::output;
use crate::context::Context;
use crate::terminal::question;
use crate::wording::failure::{Failure, one_line};

/// The questions of one command: about each image, one.
#[derive(Debug, Default)]
pub(crate) struct Offers {
    /// The images that were asked about.
    asked: Vec<String>,
}

impl Offers {
    /// Offers to pin the image that was refused, if a person is there to answer. Once this returns,
    /// it may be tried again.
    ///
    /// # Errors
    /// The refusal itself, if nobody is there, the answer is no, or a pin would not help.
    pub(crate) fn pin(
        &mut self,
        context: &Context,
        spec: &PodSpec,
        error: Error,
    ) -> Result<(), Failure> {
        let failure = match image_to_pin(&error) {
            // An isolator is root before anything confines it: that is no question in passing.
            Some(image)
                if !self.asked.contains(&image)
                    && !is_isolator_of_image(context, spec)
                    && question::somebody_is_there() =>
            {
                let failure = Failure::from(error);
                self.asked.push(image.clone());
                match Pin::of(context, &image) {
                    Ok(pin) => return ask(context, &pin, failure),
                    // Such as a rule that is somebody else's to change: the refusal says enough.
                    Err(_) => failure,
                }
            }
            _ => error.into(),
        };
        Err(failure)
    }
}

fn is_isolator_of_image(context: &Context, spec: &PodSpec) -> bool {
    let config = Config::read(&context.engine.directories).unwrap_or_default();
    is_image(wanted(spec.isolator.as_deref(), &config))
}

/// The image of a refusal that a pin would undo, as it can be named to the store or its origin.
fn image_to_pin(error: &Error) -> Option<String> {
    let Error::Refused { refusal, place } = error else {
        return None;
    };
    match refusal.as_ref() {
        Refusal::NoRule { image, .. } | Refusal::DigestNotListed { image, .. } => {
            Some(place.clone().unwrap_or_else(|| image.reference.clone()))
        }
        _ => None,
    }
}

fn ask(context: &Context, pin: &Pin, failure: Failure) -> Result<(), Failure> {
    output::failure(&failure.line());
    pin.show(context)?;
    if question::confirm(&pin.question())? {
        pin.write(context)?;
        return Ok(());
    }
    for line in failure.advice() {
        output::error(&format!("  {}\n", one_line(&line)));
    }
    Err(Failure::Printed {
        first: Box::new(failure),
    })
}
