//! virtiofsd, which shares files of the host with a machine. There are two programs of this name: one in Rust, and one in C
//! that QEMU had up to its version 7.

use std::path::PathBuf;

use pod::machine_parts::{VIRTIOFSD, installed};
use stage1::link::Share;

/// The directory in which the one in C is.
const OF_QEMU: &str = "/usr/lib/qemu";

/// Which of them it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rust,
    C,
}

/// One that is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Virtiofsd {
    /// Where it is.
    pub(crate) path: PathBuf,
    kind: Kind,
}

impl Virtiofsd {
    /// The one that is installed, if one is.
    pub(crate) fn find() -> Option<Self> {
        let path = installed(&VIRTIOFSD)?;
        let kind = match path.starts_with(OF_QEMU) {
            true => Kind::C,
            false => Kind::Rust,
        };
        Some(Self { path, kind })
    }

    /// Its arguments, its own name not counted: it shares `directory` with whoever connects to the socket that listens at
    /// this descriptor. It makes namespaces of its own, of whose files that directory is all, and makes no devices.
    pub(crate) fn arguments(&self, share: Share, socket: i32, directory: &str) -> Vec<String> {
        // What nobody else changes is read once. Else a program would be read again at each start of it. What others change is
        // looked at anew at each open: one whose length was known from before would be read no further than that. The program in
        // Rust knows it for a second, unless it is told to let nobody map files either.
        let (cache, timeout) = match share {
            Share::Own => ("cache=always", None),
            Share::Host => ("cache=auto", Some("timeout=0")),
        };
        let mut arguments = vec![format!("--fd={socket}")];
        match self.kind {
            Kind::Rust => {
                arguments.push(format!("--shared-dir={directory}"));
                arguments.push(format!("--{cache}"));
                let others = [
                    "--sandbox=namespace",
                    "--seccomp=kill",
                    "--modcaps=-mknod",
                    "--xattr",
                    "--inode-file-handles=never",
                    "--announce-submounts",
                    "--log-level=error",
                ];
                arguments.extend(others.map(str::to_owned));
            }
            Kind::C => {
                arguments.push("-f".to_owned());
                let source = format!("source={directory}");
                let options = [
                    source.as_str(),
                    "sandbox=namespace",
                    "modcaps=-mknod",
                    cache,
                    "xattr",
                    "announce_submounts",
                    "log_level=err",
                ];
                let options = options.into_iter().chain(timeout);
                let options = options.flat_map(|option| ["-o", option]);
                arguments.extend(options.map(str::to_owned));
            }
        }
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_in_its_own_words_to_confine_itself_and_to_make_no_devices() {
        let words = |kind, share| {
            let path = PathBuf::from("/virtiofsd");
            let program = Virtiofsd { path, kind };
            program.arguments(share, 3, "/sys").join(" ")
        };
        assert_eq!(
            words(Kind::Rust, Share::Host),
            "--fd=3 --shared-dir=/sys --cache=auto --sandbox=namespace --seccomp=kill --modcaps=-mknod --xattr \
             --inode-file-handles=never --announce-submounts --log-level=error"
        );
        assert_eq!(
            words(Kind::C, Share::Own),
            "--fd=3 -f -o source=/sys -o sandbox=namespace -o modcaps=-mknod -o cache=always -o xattr \
             -o announce_submounts -o log_level=err"
        );
        assert!(words(Kind::C, Share::Host).ends_with(
            "-o cache=auto -o xattr -o announce_submounts -o log_level=err -o timeout=0"
        ));
    }
}
