//! What the parser of the command line says.

use clap::error::ErrorKind;

use super::network::NET_VARIABLE;
use crate::wording::failure::Failure;

/// What the parser says, as this program words errors.
pub(crate) fn usage(error: &clap::Error, place: &str) -> Failure {
    // The parser calls a variable an argument.
    if error.kind() == ErrorKind::InvalidUtf8
        && std::env::args_os().all(|argument| argument.to_str().is_some())
        && std::env::var_os(NET_VARIABLE).is_some()
    {
        return Failure::Usage(format!("the variable {NET_VARIABLE} is not valid UTF-8"));
    }
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    Failure::Usage(format!("{place}{text}"))
}
