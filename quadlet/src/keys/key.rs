//! What a key is, and what may become of one.

use Meaning::{App, AppSwitch, Own, Pod, PodSwitch, Refused};

/// A key of a section.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// How often it may stand there.
    pub takes: Takes,
    /// What becomes of it.
    pub meaning: Meaning,
}

/// How often a key may stand there, and what a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Once: the last assignment counts.
    One,
    /// Each assignment is a value.
    Lines,
    /// Each assignment is words, with quotes and escapes, and each of these is a value.
    Words,
}

/// What becomes of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The value behind this, for the app.
    App(&'static str),
    /// The same for the pod.
    Pod(&'static str),
    /// A truth value: what stands for true, and for false; nothing if that is so anyway.
    AppSwitch(&'static str, &'static str),
    /// The same for the pod.
    PodSwitch(&'static str, &'static str),
    /// Something of its own; in words.
    Own(&'static str),
    /// An error, and why.
    Refused(&'static str),
}

pub(super) const fn key(name: &'static str, takes: Takes, meaning: Meaning) -> Key {
    Key {
        name,
        takes,
        meaning,
    }
}

pub(super) const fn one(name: &'static str, meaning: Meaning) -> Key {
    key(name, Takes::One, meaning)
}

pub(super) const fn lines(name: &'static str, meaning: Meaning) -> Key {
    key(name, Takes::Lines, meaning)
}

pub(super) const fn words(name: &'static str, meaning: Meaning) -> Key {
    key(name, Takes::Words, meaning)
}

pub(super) const fn refused(name: &'static str, why: &'static str) -> Key {
    key(name, Takes::Words, Refused(why))
}

/// Reasons that several sections have.
pub(super) const MODULE: &str =
    "there are no modules of containers.conf: the files of /etc/fairing/config.d say such things";
pub(super) const GLOBAL: &str =
    "flags of podman itself mean nothing here; flags of `fairing run` are written into PodmanArgs=";
pub(super) const SUBORDINATE: &str =
    "the table [user-namespaces] of config.toml says whose subordinate IDs UserNS=auto takes";
pub(super) const REMAP: &str = "podman has given it up; write UserNS=auto, or UIDMap= and GIDMap=";
pub(super) const ALIAS: &str = "the pod's name is what others find it by";
pub(super) const PLATFORM: &str = "images for other platforms than this machine's don't run";

impl Meaning {
    /// In words, for the documentation.
    pub fn text(self) -> String {
        let flag = |prefix: &str| format!("`{}`", prefix.trim_end_matches('='));
        match self {
            App(prefix) | Pod(prefix) => flag(prefix),
            AppSwitch(on, off) | PodSwitch(on, off) => match (on, off) {
                ("", off) => format!("if false, {}", flag(off)),
                (on, "") => format!("if true, {}", flag(on)),
                (on, off) => format!("{}, {}", flag(on), flag(off)),
            },
            Own(text) => text.to_owned(),
            Refused(why) => format!("refused: {why}"),
        }
    }

    /// Whether a file with it becomes no unit.
    pub fn is_refused(self) -> bool {
        matches!(self, Refused(_))
    }
}
