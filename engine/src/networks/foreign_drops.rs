//! Warnings of other programs' chains that drop what pods send.

use cni_glue::builtin::is_forwarded;
use cni_glue::config::NetworkList;

use crate::engine::Engine;
use crate::observer::{Observer, Warning};

/// Warns of chains that let nothing of these networks' pods pass.
pub fn warn<'a>(
    lists: impl IntoIterator<Item = &'a NetworkList>,
    engine: &Engine,
    observer: &dyn Observer,
) {
    if !lists.into_iter().any(is_forwarded) {
        return;
    }
    // That is not what the command was asked for: if the kernel can't be asked, what needs it will say so.
    for chain in engine.attacher().foreign_drops().unwrap_or_default() {
        observer.warning(Warning::ForeignDrops { chain });
    }
}

/// As [`warn`], of networks that no pod was in yet: whoever starts the first is told, and no start after it
/// costs anything.
pub(crate) fn warn_the_first<'a>(
    lists: impl IntoIterator<Item = &'a NetworkList>,
    engine: &Engine,
    observer: &dyn Observer,
) {
    let attacher = engine.attacher();
    let new = lists
        .into_iter()
        .filter(|list| !attacher.is_made(&list.name));
    warn(new, engine, observer);
}
