//! Policy files that a command can't change, as a person is told of them.

use trust::EditError;

use engine::policy::remedy::shell_word;

/// What stands in the way, and what to do about it.
pub(super) fn text(error: &EditError) -> String {
    match error {
        EditError::OtherType { prefix, .. } => format!(
            "{error}; `fairing trust rm {}` removes that rule",
            shell_word(prefix)
        ),
        EditError::OtherRules { .. } => format!("{error}; edit it by hand"),
        EditError::Ambiguous { .. } => format!("{error}; give more of the fingerprint"),
        error => error.to_string(),
    }
}
