//! Who else makes networks of pods in this network namespace.

use super::modules::{Availability, Modules};
use crate::engine::Engine;

/// What is in the way of built-in networks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Networks {
    /// Where another fairing keeps its state, if it has the firewall rules of pods here.
    pub other_fairing: Option<String>,
}

impl Networks {
    pub(super) fn read(engine: &Engine, modules: &Modules) -> Self {
        // Without its module there are no rules; to ask would load it.
        let can_be_asked = modules.get("nf_tables") == Availability::Present;
        let asked = can_be_asked.then(|| engine.attacher().other_fairing());
        Self {
            // Who may not look can't start pods either, which is another check.
            other_fairing: asked.and_then(Result::ok).flatten(),
        }
    }
}
