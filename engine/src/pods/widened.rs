//! Warnings of what apps are given.

use pod::manifest::App;

use crate::observer::{Observer, Warning};

/// Says what widens what an app may do.
pub(super) fn warn_of_widened(app: &App, observer: &dyn Observer) {
    let by = app.widened();
    if !by.is_empty() {
        observer.warning(Warning::Widened {
            app: app.name.clone(),
            by,
        });
    }
}
