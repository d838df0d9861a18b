//! Apps among the processes of another app of their pod.

use pod::manifest::App;

use crate::error::AppError;

/// Looks whether there is the app whose processes another is to join, and whether it has any of its own.
///
/// # Errors
/// If it isn't, or hasn't.
pub(super) fn require_target<'a>(
    app: &App,
    mut others: impl Iterator<Item = &'a App>,
) -> Result<(), AppError> {
    let Some(target) = &app.processes_of else {
        return Ok(());
    };
    let found = others.find(|other| other.name == *target && other.name != app.name);
    match found {
        Some(other) if other.own_processes || other.systemd => Ok(()),
        Some(_) => Err(AppError::NoProcessesOfItsOwn {
            app: app.name.clone(),
            target: target.clone(),
        }),
        None => Err(AppError::NoSuchTarget {
            app: app.name.clone(),
            target: target.clone(),
        }),
    }
}
