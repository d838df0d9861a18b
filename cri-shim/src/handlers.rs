//! Runtime handlers: which isolator runs a sandbox.

use engine::isolators::find::{DEFAULT, find};
use engine::machine::VirtualMachines;
use pod::feature::Feature;
use pod::stage1::Stage1;

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

/// What is known of an isolator; nothing of one that is not installed, or is in an image: who starts a pod says more of it.
pub(crate) fn known(shim: &Shim, isolator: &str) -> Option<Stage1> {
    find(isolator, &shim.engine.directories).ok()
}

/// Why an isolator can't run pods here, if that is so: one of virtual machines needs more than itself.
pub(crate) fn lack(shim: &Shim, stage1: &Stage1) -> Option<String> {
    let is_of_machines = stage1.manifest.features.contains(&Feature::VirtualMachine);
    let lack = || shim.machines.lack(&shim.engine.directories);
    is_of_machines.then(lack).flatten()
}

/// Refuses an isolator that can't run pods here.
///
/// # Errors
/// [`CriError::NotReady`], with what is missing.
pub(crate) fn require_machines(
    shim: &Shim,
    handler: &str,
    stage1: &Stage1,
) -> Result<(), CriError> {
    let is_of_machines = stage1.manifest.features.contains(&Feature::VirtualMachine);
    // As it is now: it may just have been installed.
    let lack = || VirtualMachines::read(&shim.engine.directories).lack();
    match is_of_machines.then(lack).flatten() {
        Some(lack) => Err(CriError::NotReady(format!(
            "runtime_handler {handler:?}: no virtual machine can run here: {lack}; `fairing doctor` tells what they need"
        ))),
        None => Ok(()),
    }
}

/// The handlers that can't run pods here though their isolators are installed, each with the reason.
pub(crate) fn lacking(shim: &Shim) -> Vec<(String, String)> {
    let lack = |(name, isolator): (String, String)| {
        let stage1 = known(shim, &isolator)?;
        Some((name, lack(shim, &stage1)?))
    };
    all(shim).into_iter().filter_map(lack).collect()
}

/// Refuses what an isolator can't do, by the first field that asks for it.
///
/// # Errors
/// [`CriError`] with the field, the isolator, and what it lacks.
pub(crate) fn require(
    stage1: &Stage1,
    asked: impl IntoIterator<Item = (Feature, &'static str)>,
) -> Result<(), CriError> {
    let manifest = &stage1.manifest;
    let mut lacking = asked.into_iter();
    let lacking = lacking.find(|(feature, _)| !manifest.features.contains(feature));
    lacking.map_or(Ok(()), |(feature, field)| {
        let reason = format!(
            "the isolator `{}` of the runtime handler can't do this: it has no `{feature}`",
            manifest.name
        );
        Err(CriError::unsupported(field, reason))
    })
}
