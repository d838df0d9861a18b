//! The verbs of the specification.

use std::fmt;

/// What a plugin is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Put a pod into the network.
    Add,
    /// Take it out.
    Del,
    /// See whether it is in it.
    Check,
    /// Clear what belongs to nobody.
    Gc,
    /// Tell whether pods can be put in.
    Status,
    /// Tell which versions of the specification it speaks.
    Version,
}

impl Verb {
    /// As the specification writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "ADD",
            Self::Del => "DEL",
            Self::Check => "CHECK",
            Self::Gc => "GC",
            Self::Status => "STATUS",
            Self::Version => "VERSION",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
