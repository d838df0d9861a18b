//! What may come next on a command line, and the kinds of things that have names.

use clap::builder::StyledStr;

/// What may come next.
#[derive(Debug)]
pub(super) enum Wanted {
    /// One of these.
    These(Vec<Candidate>),
    /// Something that there is; `before` is what stands before it in the same word.
    Values { kind: Kind, before: String },
    /// A file, or whatever the program of an image takes.
    Files,
}

/// A word that may come, and what it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) text: String,
    pub(super) about: String,
}

impl Candidate {
    pub(super) fn plain(text: String) -> Self {
        Self {
            text,
            about: String::new(),
        }
    }
}

/// Things that have names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Pod(Which),
    App,
    Image,
    Network,
    /// What `--net` takes: networks, and words for several or none.
    Net,
    Volume,
    /// What `units show` takes, but for a path.
    Unit,
    Key,
    Prefix,
    /// What `inspect` takes.
    PodOrImage,
    /// What `trust rm` takes.
    PrefixOrKey,
    /// What `--volume` takes: a name, if it can be one.
    VolumeOrPath,
    /// A side of a copy: a pod, with the `:` behind it, or a path of the host.
    PodOrPath,
    /// A file or directory of the host, where the shell can't complete it itself.
    Path,
}

/// Which pods a command is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// All that there are.
    Any,
    Running,
    /// Those that `start` starts: prepared ones, and those that run without one of their apps.
    Startable,
    /// Those that stay when their apps end.
    Staying,
    Prepared,
    /// Those that don't run.
    Idle,
}

/// One line of a text.
pub(super) fn line(text: &StyledStr) -> String {
    text.to_string()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}
