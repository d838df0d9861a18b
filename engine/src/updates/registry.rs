//! What registries have under the names of running images.

use image_name::Reference;

use super::plan::Offer;
use super::version::Version;
use crate::engine::Engine;
use crate::error::{Error, UpdateError};
use crate::images::fetch::offered;
use crate::images::registries;
use crate::policy::verifier::Verifier;

/// Asks the registry of a name what it has, and judges that as a fetch would. What goes wrong is added to `problems`.
pub(super) fn ask(
    engine: &Engine,
    verifier: &Verifier<'_>,
    name: &Reference,
    problems: &mut Vec<Error>,
) -> Offer {
    let mut problem = |error: Error| {
        problems.push(error);
        problems.len() - 1
    };
    let source =
        registries::candidate(engine, &name.to_string()).map(registries::Candidate::into_source);
    let source = match source {
        Ok(Some(source)) => source,
        Ok(None) => {
            return Offer::Unknown(problem(UpdateError::NoRegistry(name.to_string()).into()));
        }
        Err(error) => return Offer::Unknown(problem(error)),
    };
    match offered(engine, verifier, &source) {
        Err(error) => Offer::Unknown(problem(error)),
        Ok((_, Err(error))) => Offer::Unverified(problem(error)),
        Ok((offered, Ok(_))) => Offer::Image(Version {
            digest: offered.top,
            manifest: offered.manifest,
        }),
    }
}
