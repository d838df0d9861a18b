//! What else a program does in the place of the one that runs machines.

use std::io::{Error, Write};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Whether it is not to attack anybody, but to be stuck at first: told by the memory that the machine would have.
pub(crate) fn is_stuck_at_first(arguments: &[String]) -> bool {
    let mut words = arguments.iter().skip_while(|word| *word != "-m");
    words.nth(1).is_some_and(|memory| memory == "199")
}

/// Does nothing for ever, and says so: where somebody has said that already, it becomes the QEMU that the test has put
/// elsewhere, and comes back only if that fails.
pub(crate) fn be_stuck_at_first(arguments: &[String]) -> Error {
    let said = std::io::stderr();
    if rustix::io::ioctl_fionread(&said).is_ok_and(|waiting| waiting == 0) {
        let _ = writeln!(&said, "stuck");
        loop {
            std::thread::park();
        }
    }
    // It looks for its own files beside its program. Its own firmware comes before another package's of the same
    // name, with which the machine's port never appears.
    Command::new("/usr/lib/qemu/qemu-bridge-helper")
        .env("QEMU_MODULE_DIR", "/usr/lib/x86_64-linux-gnu/qemu")
        .args(arguments)
        .args(["-L", "/usr/share/qemu", "-L", "/usr/share/seabios"])
        .exec()
}

/// What of the host's files it can open that has nothing to do with it, in a line: told by the memory that the machine would
/// have.
pub(crate) fn files_in_reach(arguments: &[String]) -> Option<String> {
    let mut words = arguments.iter().skip_while(|word| *word != "-m");
    words.nth(1).filter(|memory| *memory == "198")?;
    let opened = |path: &&str| std::fs::File::open(path).is_ok();
    let of_others = [
        "/",
        "/etc",
        "/etc/passwd",
        "/tmp",
        "/proc/self/status",
        "/dev/null",
    ];
    let of_others: Vec<&str> = of_others.into_iter().filter(opened).collect();
    let own = ["/usr/lib", "/usr/share", "/proc/self/fd/3"];
    let own = own.iter().filter(|path| opened(path)).count();
    Some(format!(
        "reached {own} of its own and {of_others:?} of others"
    ))
}
