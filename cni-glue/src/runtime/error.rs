//! What goes wrong with plugins.

use std::path::PathBuf;
use std::time::Duration;

use super::invocation::Verb;

/// A plugin could not be called, or did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[error("network {network}: plugin {plugin}: {verb}: {failure}")]
pub struct PluginError {
    /// The network.
    pub network: String,
    /// The plugin's type.
    pub plugin: String,
    /// What it was asked to do.
    pub verb: Verb,
    /// What happened.
    #[source]
    pub failure: PluginFailure,
}

/// What happened to a call.
#[derive(Debug, thiserror::Error)]
pub enum PluginFailure {
    /// There is no such program.
    #[error("there is no such program in {}", searched.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", "))]
    NotFound {
        /// Where it was looked for.
        searched: Vec<PathBuf>,
    },
    /// It could not be started, or its streams failed.
    #[error("cannot run {}: {source}", path.display())]
    Run {
        /// The program.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It said what is wrong.
    #[error("{msg}{} (code {code})", if details.is_empty() { String::new() } else { format!(": {details}") })]
    Refused {
        /// 1 to 99 as the specification has it, from 100 on the plugin's own.
        code: u64,
        /// Its words.
        msg: String,
        /// More of them.
        details: String,
    },
    /// It failed without a word that can be understood.
    #[error("it ended with {status} and no error that can be understood{}", if said.is_empty() { String::new() } else { format!("; it said: {said}") })]
    Silent {
        /// How it ended.
        status: String,
        /// The beginning of what it wrote.
        said: String,
    },
    /// It was ended because nobody wants what it does any more.
    #[error("it was ended, because the pod's start was interrupted")]
    Interrupted,
    /// It was ended because it took too long.
    #[error("it did not finish within {} s and was ended", .0.as_secs_f32())]
    Timeout(Duration),
    /// What it wrote is no result.
    #[error("its answer can't be understood: {0}")]
    Garbage(String),
    /// It wrote more than is read.
    #[error("its answer is longer than {0} bytes")]
    TooLong(usize),
    /// No version of the specification is spoken by all.
    #[error("it supports none of the versions that the configuration allows; it supports {0}")]
    Version(String),
    /// What was to be told to it can't be written.
    #[error("its input can't be written: {0}")]
    Told(String),
    /// A built-in network.
    #[error(transparent)]
    BuiltIn(#[from] crate::error::NetworkError),
}

impl PluginFailure {
    /// Whether the plugin ran, and ended by itself.
    pub(super) fn is_its_own(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Silent { .. })
    }

    /// The code of the specification, where the plugin gave one.
    pub fn code(&self) -> Option<u64> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }
}

/// What a plugin wrote, fit to be shown: one line, without control characters, not too long.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 500;
    let mut shown: String = text
        .trim()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST + 1)
        .collect();
    if shown.chars().count() > LONGEST {
        shown.pop();
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_words_are_one_line() {
        assert_eq!(shown(" a\x1b[31m\nb\t "), "a [31m b");
        assert_eq!(shown(&"x".repeat(600)).chars().count(), 501);
        assert_eq!(shown(&"x".repeat(500)).chars().count(), 500);
    }
}
