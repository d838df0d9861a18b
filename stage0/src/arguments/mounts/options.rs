//! Options of a mount by the words of mount(8), docker and podman.

use pod::manifest::{MountOption, Relabel};

/// Words that mean nothing here, and nothing that anybody would miss: how docker shares files with a virtual machine.
const IGNORED: &[&str] = &["cached", "consistent", "default", "delegated"];

const WORDS: &[(&str, MountOption)] = &[
    // Also of what is mounted below: who asks for it expects no exception.
    ("ro", MountOption::Rro),
    ("readonly", MountOption::Rro),
    ("rro", MountOption::Rro),
    ("rw", MountOption::Rw),
    ("nosuid", MountOption::Nosuid),
    ("suid", MountOption::Suid),
    ("nodev", MountOption::Nodev),
    ("dev", MountOption::Dev),
    ("noexec", MountOption::Noexec),
    ("exec", MountOption::Exec),
    ("noatime", MountOption::Noatime),
    ("relatime", MountOption::Relatime),
    ("nosymfollow", MountOption::Nosymfollow),
    ("idmap", MountOption::Idmap),
    ("noidmap", MountOption::Noidmap),
    ("bind", MountOption::Bind),
    ("rbind", MountOption::Rbind),
    ("private", MountOption::Rprivate),
    ("rprivate", MountOption::Rprivate),
    ("slave", MountOption::Rslave),
    ("rslave", MountOption::Rslave),
    ("shared", MountOption::Rshared),
    ("rshared", MountOption::Rshared),
    ("copy", MountOption::Copy),
    ("nocopy", MountOption::Nocopy),
];

/// What there is elsewhere.
const MISSING: &[&str] = &["U", "O", "idmap", "unbindable", "runbindable"];

/// One word. `None` if it means nothing here.
pub(super) fn option(word: &str) -> Result<Option<MountOption>, String> {
    if let Some((_, option)) = WORDS.iter().find(|(name, _)| *name == word) {
        return Ok(Some(*option));
    }
    if IGNORED.contains(&word) {
        return Ok(None);
    }
    let name = word.split('=').next().unwrap_or_default();
    match MISSING.contains(&name) {
        true => Err(format!("the option `{word}` is not there yet")),
        false => Err(format!(
            "unknown option `{word}`; there are ro, rw, [no]suid, [no]dev, [no]exec, noatime, nosymfollow, [no]idmap, bind, \
             rbind, rprivate, rslave, rshared and nocopy"
        )),
    }
}

/// What the words behind a mount say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct MountWords {
    pub(crate) options: Vec<MountOption>,
    pub(crate) relabel: Option<Relabel>,
}

impl MountWords {
    /// Takes one more word.
    pub(super) fn take(&mut self, word: &str) -> Result<(), String> {
        match word {
            "z" => self.relabel = Some(Relabel::Shared),
            "Z" => self.relabel = Some(Relabel::Private),
            word => self.options.extend(option(word)?),
        }
        Ok(())
    }
}

impl From<Vec<MountOption>> for MountWords {
    fn from(options: Vec<MountOption>) -> Self {
        Self {
            options,
            relabel: None,
        }
    }
}

/// Words with commas between.
pub(super) fn options(words: &str) -> Result<MountWords, String> {
    let mut said = MountWords::default();
    let words = words.split(',').filter(|word| !word.is_empty());
    for word in words {
        said.take(word)?;
    }
    Ok(said)
}

/// A switch that may stand alone.
pub(super) fn switch(name: &str, value: Option<&str>) -> Result<bool, String> {
    match value {
        None | Some("true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(other) => Err(format!("{name} is true or false, not `{other}`")),
    }
}

/// The number of a user or of a group.
pub(crate) fn id(key: &str, text: &str) -> Result<u32, String> {
    let id = text.parse().ok();
    // The last number is no user's: it means "as it is".
    id.filter(|id| *id != u32::MAX)
        .ok_or_else(|| format!("{key} is a number, such as 1000, not `{text}`"))
}

/// Permission bits, in octal as chmod(1) takes them.
pub(crate) fn mode(text: &str) -> Result<u32, String> {
    let mode = u32::from_str_radix(text, 8).ok();
    mode.filter(|mode| *mode <= 0o7777)
        .ok_or_else(|| format!("`{text}` are no permission bits in octal, such as 1777"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_asked_for_by_one_letter_of_which_the_last_counts() {
        let relabel = |words: &str| options(words).unwrap().relabel;
        assert_eq!(relabel("ro"), None);
        assert_eq!(relabel("ro,z"), Some(Relabel::Shared));
        assert_eq!(relabel("z,Z,nodev"), Some(Relabel::Private));
        let both = options("ro,z").unwrap();
        assert_eq!(both.options, [MountOption::Rro]);
    }
}
