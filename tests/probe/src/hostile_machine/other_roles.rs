//! What else a program does in the place of the one that runs machines.

use std::io::{Error, Write};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// What came of another role than to attack, if there is one. Which, the memory tells that the machine would have.
pub(crate) fn play(arguments: &[String]) -> Option<String> {
    let mut words = arguments.iter().skip_while(|word| *word != "-m");
    match words.nth(1)?.as_str() {
        "199" => Some(be_stuck_at_first(arguments).to_string()),
        "198" => Some(files_in_reach()),
        "197" => Some(be_without_port(arguments).to_string()),
        _ => None,
    }
}

/// Does nothing for ever, and says so: where somebody has said that already, it becomes the QEMU that the test has put
/// elsewhere, and comes back only if that fails.
fn be_stuck_at_first(arguments: &[String]) -> Error {
    let said = std::io::stderr();
    if rustix::io::ioctl_fionread(&said).is_ok_and(|waiting| waiting == 0) {
        let _ = writeln!(&said, "stuck");
        loop {
            std::thread::park();
        }
    }
    be_qemu(arguments)
}

/// Becomes the QEMU that the test has put elsewhere, without the port by which pod init speaks, and comes back only if that fails.
fn be_without_port(arguments: &[String]) -> Error {
    let mut kept = arguments.to_vec();
    if let Some(port) = kept
        .iter()
        .position(|word| word.starts_with("virtserialport"))
    {
        kept.drain(port - 1..=port);
    }
    be_qemu(&kept)
}

/// It looks for its own files beside its program. Its own firmware comes before another package's of the same name, with
/// which the machine's port never appears.
fn be_qemu(arguments: &[String]) -> Error {
    Command::new("/usr/lib/qemu/qemu-bridge-helper")
        .env("QEMU_MODULE_DIR", "/usr/lib/x86_64-linux-gnu/qemu")
        .args(arguments)
        .args(["-L", "/usr/share/qemu", "-L", "/usr/share/seabios"])
        .exec()
}

/// What of the host's files it can open that has nothing to do with it, in a line.
fn files_in_reach() -> String {
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
    format!("reached {own} of its own and {of_others:?} of others")
}
