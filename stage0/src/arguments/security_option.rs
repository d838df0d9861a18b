//! `--security-opt`, as docker and podman have it. What is asked for is so already, or means nothing on this machine, or is
//! refused by its name.

use engine::selinux;

/// An option that is as it should be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AsAsked;

/// Parses `KEY`, `KEY=VALUE`, or `KEY:VALUE`, which docker had before.
pub(crate) fn security_option(text: &str) -> Result<AsAsked, String> {
    parse(text, selinux::is_enabled())
}

fn parse(text: &str, selinux: bool) -> Result<AsAsked, String> {
    let (key, value) = match text.split_once(['=', ':']) {
        Some((key, value)) => (key, Some(value)),
        None => (text, None),
    };
    match (key, value) {
        ("label", Some(label)) => label_of_apps(label, selinux),
        ("no-new-privileges", None | Some("true")) | ("apparmor", Some("unconfined")) => {
            Ok(AsAsked)
        }
        ("no-new-privileges", _) => Err("apps never gain privileges".to_owned()),
        ("seccomp", Some("unconfined")) => {
            Err("it is called --insecure-options=seccomp".to_owned())
        }
        ("seccomp", _) => Err("choosing a filter is not there yet".to_owned()),
        ("systempaths", Some("unconfined")) | ("unmask", Some("ALL" | "all")) => {
            Err("it is called --insecure-options=paths".to_owned())
        }
        ("mask" | "unmask" | "systempaths" | "proc-opts", _) => {
            Err("choosing what of /proc and /sys is masked is not there yet".to_owned())
        }
        ("apparmor", _) => Err("profiles of AppArmor are not there yet".to_owned()),
        _ => Err(format!(
            "unknown option `{key}`; there are label, no-new-privileges and apparmor=unconfined"
        )),
    }
}

/// Where nothing is labelled, any label will do.
fn label_of_apps(label: &str, selinux: bool) -> Result<AsAsked, String> {
    let key = label.split_once(':').map_or(label, |(key, _)| key);
    match key {
        // Apps have their caller's label, which is what it says.
        "disable" => Ok(AsAsked),
        "user" | "role" | "type" | "level" | "filetype" | "nested" if selinux => Err(
            "SELinux is enabled here, and apps have no labels of their own yet: they keep their caller's"
                .to_owned(),
        ),
        "user" | "role" | "type" | "level" | "filetype" | "nested" => Ok(AsAsked),
        _ => Err(format!(
            "unknown label `{label}`; there are disable, user:, role:, type:, level:, filetype: and nested"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_so_already_is_taken_and_all_else_refused_by_name() {
        let answer = |text: &str, selinux| match parse(text, selinux) {
            Ok(AsAsked) => "taken".to_owned(),
            Err(why) => why,
        };
        for (text, without, with) in [
            ("label=disable", "taken", "taken"),
            ("label:disable", "taken", "taken"),
            ("label=type:container_t", "taken", "SELinux is enabled"),
            ("label=level:s0:c1,c2", "taken", "SELinux is enabled"),
            ("label=nested", "taken", "SELinux is enabled"),
            ("label=nonsense", "unknown label", "unknown label"),
            ("no-new-privileges", "taken", "taken"),
            ("no-new-privileges:true", "taken", "taken"),
            ("no-new-privileges=false", "never gain", "never gain"),
            (
                "seccomp=unconfined",
                "--insecure-options=seccomp",
                "--insecure-options=seccomp",
            ),
            ("seccomp=./filter.json", "not there yet", "not there yet"),
            (
                "unmask=ALL",
                "--insecure-options=paths",
                "--insecure-options=paths",
            ),
            ("unmask=/proc/kcore", "not there yet", "not there yet"),
            ("apparmor=unconfined", "taken", "taken"),
            ("apparmor=web", "AppArmor", "AppArmor"),
            ("label", "unknown option", "unknown option"),
            ("credentialspec=x", "unknown option", "unknown option"),
        ] {
            for (selinux, part) in [(false, without), (true, with)] {
                let answer = answer(text, selinux);
                assert!(answer.contains(part), "{text} {selinux}: {answer}");
            }
        }
    }
}
