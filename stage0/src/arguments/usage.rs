//! What the parser of the command line says.

use crate::wording::failure::Failure;

/// What the parser says, as this program words errors.
pub(crate) fn usage(error: &clap::Error, place: &str) -> Failure {
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    Failure::Usage(format!("{place}{text}"))
}
