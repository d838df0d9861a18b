//! What was found, told to the journal; where there is none yet, to the kernel's log, and else to standard error.

use std::fs::File;
use std::io::Write;
use std::os::unix::net::UnixDatagram;

use crate::finding::{Finding, Severity};

const SOCKET: &str = "/run/systemd/journal/socket";
const KERNEL_LOG: &str = "/dev/kmsg";
const IDENTIFIER: &str = "fairing-generator";
/// The kernel drops lines of a process that writes more than ten in five seconds.
const LINES_MAX: usize = 8;
/// The longest line that the kernel's log takes, less what stands before it.
const LINE_MAX: usize = 900;

/// Tells what was found. Nobody is waited for.
pub fn tell(findings: &[Finding]) {
    let untold = match journal() {
        Some(socket) => {
            let is_untold = |finding: &&Finding| socket.send(&entry(finding)).is_err();
            findings.iter().filter(is_untold).collect()
        }
        None => findings.iter().collect::<Vec<_>>(),
    };
    if untold.is_empty() {
        return;
    }
    let mut lines: Vec<String> = untold
        .iter()
        .take(LINES_MAX)
        .map(|finding| format!("<{}>{IDENTIFIER}: {}", priority(finding), line(finding)))
        .collect();
    let left = untold.len().saturating_sub(lines.len());
    if left > 0 {
        lines.push(format!(
            "<4>{IDENTIFIER}: {left} more: `fairing units check` has them all"
        ));
    }
    let log = File::options().write(true).open(KERNEL_LOG);
    for text in lines {
        let line = format!("{text}\n");
        let told = log
            .as_ref()
            .is_ok_and(|mut log| log.write_all(line.as_bytes()).is_ok());
        if !told {
            // There is nobody left to tell.
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
    }
}

fn journal() -> Option<UnixDatagram> {
    let socket = UnixDatagram::unbound().ok()?;
    socket.set_nonblocking(true).ok()?;
    socket.connect(SOCKET).ok()?;
    Some(socket)
}

fn priority(finding: &Finding) -> u8 {
    match finding.severity {
        Severity::Error => 3,
        Severity::Warning => 4,
    }
}

/// A line that the kernel's log takes as a whole.
fn line(finding: &Finding) -> String {
    let mut text = finding.to_string();
    let fits = |(place, c): (usize, char)| {
        (place.saturating_add(c.len_utf8()) > LINE_MAX).then_some(place)
    };
    if let Some(end) = text.char_indices().find_map(fits) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// An entry in the journal's native protocol. With the unit in it, `journalctl -u` and `systemctl status` show it.
fn entry(finding: &Finding) -> Vec<u8> {
    let mut entry = format!(
        "MESSAGE={}\nPRIORITY={}\nSYSLOG_IDENTIFIER={IDENTIFIER}\n",
        line(finding),
        priority(finding)
    );
    // Names of files may hold anything.
    let is_plain = |text: &str| !text.contains(char::is_control);
    if let Some(unit) = finding.unit.as_deref().filter(|unit| is_plain(unit)) {
        entry.push_str(&format!("OBJECT_SYSTEMD_UNIT={unit}\n"));
    }
    entry.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_lines_whatever_a_file_is_called() {
        let mut finding = Finding::of_file("/x\ny.container", "a\nPRIORITY=0");
        finding.unit = Some("x\ny.service".to_owned());
        let text = String::from_utf8(entry(&finding)).unwrap();
        assert_eq!(
            text,
            "MESSAGE=/x\u{fffd}y.container: a\u{fffd}PRIORITY=0\nPRIORITY=3\nSYSLOG_IDENTIFIER=fairing-generator\n"
        );
        let mut finding = Finding::of_file("/x.container", "é".repeat(1000));
        finding.unit = Some("x.service".to_owned());
        let text = String::from_utf8(entry(&finding)).unwrap();
        assert!(text.len() < 1200 && text.ends_with("\nOBJECT_SYSTEMD_UNIT=x.service\n"));
    }
}
