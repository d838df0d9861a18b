//! A `.volume`, a `.network`, an `.image`: a command that is over when the service has started.

use super::flags::{flags, further, is_true, values_of};
use super::service::Form;
use super::work::Work;
use crate::unit::{Unit, UnitText};
use crate::unit_file::{Command, Entry, Word};

/// A unit that runs a command once, and then counts as there.
fn once(work: &mut Work<'_>, words: &[&str]) -> (UnitText, Command) {
    let mut text = work.begin(Form::Once);
    text.service.unless_said("Type", "oneshot");
    text.service.unless_said("RemainAfterExit", "yes");
    text.service.unless_said("SyslogIdentifier", "%N");
    let mut command = Command::new(&work.program());
    words.iter().for_each(|word| command.word(word));
    (text, command)
}

/// Flags as they are, and what the tables say.
fn extend(work: &mut Work<'_>, command: &mut Command, section: &str) {
    let parsed = work.parsed;
    let of_table = flags(&parsed.file, section, &mut work.findings);
    command.extend(of_table.of_pod());
    command.extend(further(&parsed.file, section, &mut work.findings));
}

/// Refuses all but one value, which is how it is.
fn is_only(work: &mut Work<'_>, entry: Option<&Entry>, value: &str, why: &str) {
    if let Some(entry) = entry.filter(|entry| entry.value != value) {
        work.findings.error(entry, why);
    }
}

/// The unit of a volume.
pub(crate) fn volume(work: &mut Work<'_>) -> Option<Unit> {
    const SECTION: &str = "Volume";
    let (text, mut command) = once(work, &["volume", "create", "--ignore"]);
    extend(work, &mut command, SECTION);
    let parsed = work.parsed;
    let last = |key: &str| parsed.file.last(SECTION, key);
    is_only(
        work,
        last("Driver"),
        "local",
        "volumes are directories of this host: there is local alone",
    );
    let copies = is_true(&parsed.file, SECTION, "Copy", &mut work.findings);
    if let Some((false, entry)) = copies {
        work.findings.error(
            entry,
            "whoever mounts it says so: Volume=NAME.volume:/PLACE:nocopy",
        );
    }
    for (key, flag) in [("User", "--uid="), ("Group", "--gid=")] {
        let Some(entry) = last(key) else { continue };
        if !entry.value.contains('%') && entry.value.parse::<u32>().is_err() {
            work.findings.error(
                entry,
                "it is a number: names are those of an image, and a volume has none",
            );
        }
        command.push(Word::of(entry).after(flag));
    }
    if let Some(entry) = last("Options") {
        for option in entry.value.split(',') {
            let option = option.strip_prefix("o=").unwrap_or(option);
            if !option.starts_with("size=") {
                work.findings.error(entry, "there is size= alone");
            }
            command.push(Word::written(option).at(entry).after("--opt="));
        }
    }
    let name = parsed.resource();
    check_name(work, last("VolumeName"), &name);
    command.push(Word::written(name).said_by(last("VolumeName")));
    work.finish(text, &command, Vec::new())
}

/// The unit of a network.
pub(crate) fn network(work: &mut Work<'_>) -> Option<Unit> {
    const SECTION: &str = "Network";
    let (mut text, mut command) = once(work, &["network", "create", "--ignore"]);
    extend(work, &mut command, SECTION);
    let parsed = work.parsed;
    let last = |key: &str| parsed.file.last(SECTION, key);
    if let Some(entry) = last("Driver") {
        match entry.value.as_str() {
            mode @ ("bridge" | "ptp" | "macvlan") => {
                command.push(Word::written(mode).at(entry).after("--mode="))
            }
            _ => work
                .findings
                .error(entry, "there are bridge, ptp and macvlan"),
        }
    }
    is_only(
        work,
        last("IPAMDriver"),
        "host-local",
        "there is host-local alone",
    );
    for (key, value, why) in [
        (
            "DisableDNS",
            false,
            "pods of a network always find each other",
        ),
        ("IPv6", true, "built-in networks have IPv6 addresses, too"),
    ] {
        let said = is_true(&parsed.file, SECTION, key, &mut work.findings);
        if let Some((_, entry)) = said.filter(|(said, _)| *said != value) {
            work.findings.error(entry, why);
        }
    }
    let (mut four, mut six) = (None, None);
    for (value, entry) in values_of(&parsed.file, SECTION, "Subnet", &mut work.findings) {
        let (place, flag) = match value.as_str().contains(':') {
            true => (&mut six, "--subnet6="),
            false => (&mut four, "--subnet="),
        };
        if place.replace(entry).is_some() {
            work.findings
                .error(entry, "a network has one subnet of IPv4 and one of IPv6");
        }
        command.push(value.after(flag));
    }
    for (value, entry) in values_of(&parsed.file, SECTION, "Options", &mut work.findings) {
        for option in value.as_str().split(',') {
            let flag = match option.split_once('=') {
                Some(("mtu" | "com.docker.network.driver.mtu", mtu)) => {
                    Word::written(mtu).at(entry).after("--mtu=")
                }
                Some(("parent", interface)) => {
                    Word::written(interface).at(entry).after("--master=")
                }
                _ => {
                    work.findings.error(
                        entry,
                        format!("`{option}` is not there: there are mtu= and parent="),
                    );
                    continue;
                }
            };
            command.push(flag);
        }
    }
    let name = parsed.resource();
    check_name(work, last("NetworkName"), &name);
    command.push(Word::written(&*name).said_by(last("NetworkName")));
    if let Some((true, _)) = is_true(
        &parsed.file,
        SECTION,
        "NetworkDeleteOnStop",
        &mut work.findings,
    ) {
        let mut remove = Command::new(&work.program());
        remove.word("network");
        remove.word("rm");
        remove.push(Word::written(name));
        text.service.push("ExecStop", remove.to_string());
    }
    work.finish(text, &command, Vec::new())
}

/// The unit of an image.
pub(crate) fn image(work: &mut Work<'_>) -> Option<Unit> {
    const SECTION: &str = "Image";
    let (text, mut command) = once(work, &["fetch"]);
    extend(work, &mut command, SECTION);
    match work.parsed.file.last(SECTION, "Image") {
        Some(entry) => command.push(Word::of(entry)),
        None => work.findings.file("[Image] has no Image="),
    }
    work.finish(text, &command, Vec::new())
}

/// Names of volumes and networks, as docker and podman have them.
fn check_name(work: &mut Work<'_>, entry: Option<&Entry>, name: &str) {
    let inner = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    let is_good = name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(inner);
    if is_good || name.contains(['%', '$']) {
        return;
    }
    let reason = format!(
        "`{name}` is no name: only letters, digits, dots, hyphens and underscores may be used"
    );
    match entry {
        Some(entry) => work.findings.error(entry, reason),
        None => work.findings.file(reason),
    }
}
