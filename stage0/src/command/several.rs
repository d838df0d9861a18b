//! Commands that work on several objects.

use crate::console::report;
use crate::wording::failure::Failure;

/// Does something for each of several objects; a failure of one is printed and keeps none of the others.
///
/// # Errors
/// The first failure, printed already.
pub(crate) fn for_each<T>(
    objects: impl IntoIterator<Item = T>,
    mut action: impl FnMut(T) -> Result<(), Failure>,
) -> Result<u8, Failure> {
    let mut first = None;
    for object in objects {
        if let Err(failure) = action(object) {
            report::print(&failure);
            // Who interrupts one means all of them.
            let last = matches!(failure, Failure::Interrupted { .. });
            first.get_or_insert(failure);
            if last {
                break;
            }
        }
    }
    match first {
        None => Ok(0),
        Some(failure) => Err(Failure::Printed {
            first: Box::new(failure),
        }),
    }
}
