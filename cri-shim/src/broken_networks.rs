//! Files that are to be networks and are none: the journal is told of them once.

use std::sync::{Mutex, PoisonError};

use cni_glue::config::ConfigError;

use crate::journal::{self, Priority};

/// Files that are to be networks and are none, as the journal was told of them last: whoever starts a pod looks at them.
#[derive(Debug, Default)]
pub(crate) struct BrokenNetworks(Mutex<Vec<String>>);

impl BrokenNetworks {
    /// Tells of those that are new, or are broken otherwise by now.
    pub(crate) fn tell(&self, broken: &[ConfigError]) {
        let now: Vec<String> = broken.iter().map(ToString::to_string).collect();
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for text in now.iter().filter(|text| !told.contains(text)) {
            journal::line(
                Priority::Warning,
                &format!("warning: {text}; it is passed over"),
            );
        }
        *told = now;
    }
}
