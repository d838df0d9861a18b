//! What pods use, as far as they tell.

use engine::Error;
use engine::pods::uses::InUse;

use super::failure::Failure;
use crate::console::output;

/// What is known, with a warning for each pod that does not tell.
pub(crate) fn told<T>(in_use: InUse<T>) -> T {
    for pod in in_use.unreadable {
        output::warn(&Failure::from(Error::Unreadable(Box::new(pod))).line());
    }
    in_use.known
}
