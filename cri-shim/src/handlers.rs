//! Runtime handlers: which isolator runs a sandbox.

use engine::isolators::find::DEFAULT;

use crate::error::CriError;
use crate::shim::Shim;

/// The handlers that there are without configuration, and the isolator of each.
const USUAL: [(&str, &str); 3] = [("", DEFAULT), ("fairing", DEFAULT), ("fairing-kvm", "kvm")];

/// All handlers, each with its isolator.
pub(crate) fn all(shim: &Shim) -> Vec<(String, String)> {
    let own = |(name, isolator): (&str, &str)| (name.to_owned(), isolator.to_owned());
    let configured = &shim.settings.runtime_handlers;
    let usual = USUAL.into_iter().map(own);
    let usual = usual.filter(|(name, _)| !configured.contains_key(name));
    let more = configured
        .iter()
        .map(|(name, isolator)| own((name, isolator)));
    usual.chain(more).collect()
}

/// The isolator of a handler.
///
/// # Errors
/// [`CriError`] if there is no such handler.
pub(crate) fn isolator(shim: &Shim, handler: &str) -> Result<String, CriError> {
    let mut all = all(shim).into_iter();
    let found = all.find(|(name, _)| name == handler);
    found.map(|(_, isolator)| isolator).ok_or_else(|| {
        CriError::invalid(
            "runtime_handler",
            format!("there is no runtime handler {handler:?}; [cri.runtime-handlers] can name one"),
        )
    })
}
