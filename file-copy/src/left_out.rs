//! What is not copied, and why.

use std::path::Path;

/// Why something is not copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftOut {
    /// A socket, which no tar file can hold.
    Socket,
    /// A device.
    Device,
    /// A second name of another file, where links are not made.
    HardLink,
    /// It was removed, or replaced, meanwhile.
    Gone,
    /// It is nested too deeply.
    Deep,
    /// The content of a directory that the kernel makes up, such as `/proc`.
    Kernel,
}

impl LeftOut {
    /// A line that tells of it.
    #[must_use]
    pub fn told_of(self, path: &Path) -> String {
        format!("{} {}: left out", path.display(), self.in_words())
    }

    /// The reason in words, behind a name.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Socket => "is a socket",
            Self::Device => "is a device",
            Self::HardLink => "is a hard link",
            Self::Gone => "was removed meanwhile",
            Self::Deep => "is nested too deeply",
            Self::Kernel => "has files of the kernel's",
        }
    }
}
