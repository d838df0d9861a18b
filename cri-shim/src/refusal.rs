//! What helps against a refusal: commands for whoever keeps the node.

use trust::Refusal;

/// What would let the image run, to be read after the reason; empty where the rule that is named there is the last word.
pub(crate) fn remedy(refusal: &Refusal) -> String {
    match refusal {
        Refusal::NoRule {
            reference,
            repository,
            ..
        } => format!(
            "; on the node, `fairing trust add --prefix {repository} KEY` trusts whoever signs it, \
             and `fairing trust allow {reference}` pins its digest"
        ),
        Refusal::Unsigned { demand } | Refusal::NotEnough { demand, .. } => format!(
            "; `fairing image sign --key KEY {}` signs it",
            demand.reference
        ),
        Refusal::WrongKey { demand, .. } => format!(
            "; on the node, `fairing trust add --prefix {} KEY` trusts another key",
            demand.rule.prefix().as_str()
        ),
        _ => String::new(),
    }
}
