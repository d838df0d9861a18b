//! Why a pod, an app or a command could not be started.

use pod::accounts::UnknownAccount;
use pod::exit::FailureKind;

/// A failure on the way to the first instruction of an app, with what decides the exit code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[error("{message}")]
pub struct StartFailure {
    /// The kind of failure.
    pub kind: FailureKind,
    /// What failed, on what, and why; one line.
    pub message: String,
}

impl StartFailure {
    /// A failure that is neither the image's nor the user's doing.
    pub fn other(message: impl Into<String>) -> Self {
        Self {
            kind: FailureKind::Other,
            message: message.into(),
        }
    }

    /// A signal that ended the start, instead of what it did to the start.
    pub fn interrupted(signal: u32, failure: &Self) -> Self {
        let signal = i32::try_from(signal).unwrap_or_default();
        let name = nix::sys::signal::Signal::try_from(signal).map_or("a signal", |s| s.as_str());
        Self {
            kind: FailureKind::Interrupted { signal },
            message: format!("interrupted by {name}: {failure}"),
        }
    }

    /// The same, with the name of the app that could not be started.
    pub(crate) fn of_app(self, app: &pod::AppName) -> Self {
        Self {
            message: format!("app {app}: {}", self.message),
            ..self
        }
    }

    /// For `map_err`: what was tried, with the system's answer appended.
    pub fn os<E: std::fmt::Display>(what: impl std::fmt::Display) -> impl FnOnce(E) -> Self {
        move |error| Self::other(format!("cannot {what}: {error}"))
    }

    /// The same of files: where the disk is full, that is the kind of the failure.
    pub fn io(what: impl std::fmt::Display) -> impl FnOnce(std::io::Error) -> Self {
        move |error| Self {
            kind: kind_of(&error),
            ..Self::os(what)(error)
        }
    }
}

impl From<UnknownAccount> for StartFailure {
    fn from(unknown: UnknownAccount) -> Self {
        Self {
            kind: FailureKind::UnknownUser,
            message: unknown.to_string(),
        }
    }
}

fn kind_of(error: &std::io::Error) -> FailureKind {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => FailureKind::NoSpace,
        _ => FailureKind::Other,
    }
}

/// An amount of memory as people give it.
#[must_use]
pub fn in_units(bytes: u64) -> String {
    let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match units
        .into_iter()
        .find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit))
    {
        Some((name, unit)) => format!("{} {name}", bytes / unit),
        None => format!("{bytes} bytes"),
    }
}

/// A text as one line without control characters: words of an image, which messages quote, reach terminals.
#[must_use]
pub fn one_line(text: &str) -> String {
    text.trim_end()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

impl From<pod::PodError> for StartFailure {
    fn from(error: pod::PodError) -> Self {
        Self {
            kind: match &error {
                pod::PodError::Io { source, .. } => kind_of(source),
                _ => FailureKind::Other,
            },
            message: error.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn an_amount_is_in_the_largest_unit_that_it_is_whole_in() {
        for (bytes, text) in [
            (64 << 20, "64 MiB"),
            (1 << 30, "1 GiB"),
            (4096, "4 KiB"),
            (5000, "5000 bytes"),
        ] {
            assert_eq!(super::in_units(bytes), text);
        }
    }

    #[test]
    fn a_line_holds_no_control_characters() {
        assert_eq!(
            one_line("cannot run `/a\n\u{1b}[2J\u{9b}1mä`\r\n"),
            "cannot run `/a  [2J 1mä`"
        );
    }
}
