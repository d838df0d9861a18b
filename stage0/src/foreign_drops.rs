//! Warnings of other programs' chains that drop what pods send.

use cni_glue::builtin::is_forwarded;
use cni_glue::config::NetworkList;

use crate::context::Context;
use crate::output;

/// Warns of chains that let nothing of these networks' pods pass.
pub(crate) fn warn<'a>(lists: impl IntoIterator<Item = &'a NetworkList>, context: &Context) {
    if !lists.into_iter().any(is_forwarded) {
        return;
    }
    // That is not what the command was asked for: if the kernel can't be asked, what needs it will say so.
    for chain in context.attacher().foreign_drops().unwrap_or_default() {
        output::warn(&format!(
            "the chain `{chain}` of another program drops what pods send beyond this host and what is sent to them, \
             unless a rule lets it pass: `nft insert rule {chain} iifname \"fairing*\" accept` and \
             `nft insert rule {chain} oifname \"fairing*\" accept` do"
        ));
    }
}

/// As [`warn`], of networks that no pod was in yet: whoever starts the first is told, and no start after it
/// costs anything.
pub(crate) fn warn_the_first<'a>(
    lists: impl IntoIterator<Item = &'a NetworkList>,
    context: &Context,
) {
    let attacher = context.attacher();
    let new = lists
        .into_iter()
        .filter(|list| !attacher.is_made(&list.name));
    warn(new, context);
}
