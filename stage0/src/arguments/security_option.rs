//! `--security-opt`, as docker and podman have it. What is asked for is so already, or means nothing on this machine, or is
//! refused by its name.

use engine::selinux::{self, LabelOption};

/// What an option asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SecurityOption {
    /// What is so already.
    AsItIs,
    /// A label of SELinux, which means nothing where that isn't enabled.
    Label(LabelOption),
}

/// Parses `KEY`, `KEY=VALUE`, or `KEY:VALUE`, which docker had before.
pub(crate) fn security_option(text: &str) -> Result<SecurityOption, String> {
    parse(text, selinux::is_enabled())
}

fn parse(text: &str, selinux: bool) -> Result<SecurityOption, String> {
    let (key, value) = match text.split_once(['=', ':']) {
        Some((key, value)) => (key, Some(value)),
        None => (text, None),
    };
    match (key, value) {
        ("label", Some(label)) => label_of_apps(label, selinux),
        ("no-new-privileges", None | Some("true")) | ("apparmor", Some("unconfined")) => {
            Ok(SecurityOption::AsItIs)
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

fn label_of_apps(label: &str, selinux: bool) -> Result<SecurityOption, String> {
    if label == "nested" {
        return match selinux {
            true => {
                Err("label=nested is not there yet: all files of an app have one label".to_owned())
            }
            false => Ok(SecurityOption::AsItIs),
        };
    }
    match LabelOption::parse(label) {
        Ok(Some(option)) => Ok(SecurityOption::Label(option)),
        Ok(None) => Err(format!(
            "unknown label `{label}`; there are disable, user:, role:, type:, level: and filetype:"
        )),
        Err(_) => Err(format!(
            "`{label}` can't be part of a label of SELinux, such as system_u:system_r:container_t:s0:c1,c2"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_so_already_is_taken_and_all_else_refused_by_name() {
        let answer = |text: &str, selinux| match parse(text, selinux) {
            Ok(SecurityOption::AsItIs) => "taken".to_owned(),
            Ok(SecurityOption::Label(option)) => format!("{option:?}"),
            Err(why) => why,
        };
        for (text, without, with) in [
            ("label=disable", "Disable", "Disable"),
            ("label:disable", "Disable", "Disable"),
            (
                "label=type:container_t",
                "Type(\"container_t\")",
                "Type(\"container_t\")",
            ),
            (
                "label:level:s0:c1,c2",
                "Level(\"s0:c1,c2\")",
                "Level(\"s0:c1,c2\")",
            ),
            ("label=type:", "can't be part", "can't be part"),
            ("label=nested", "taken", "not there yet"),
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
