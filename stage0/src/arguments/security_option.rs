//! `--security-opt`, as docker and podman have it. What is asked for is done, or is so already, or means nothing on this
//! machine, or is refused by its name.

use std::path::PathBuf;

use engine::pods::security::{SeccompChoice, Unmask};
use engine::selinux::{self, LabelOption};
use pod::manifest::AppPath;

/// An option that is understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SecurityOption {
    /// It is so already.
    AsAsked,
    /// Whether executing a program can't give privileges.
    NoNewPrivileges(bool),
    /// What decides on system calls.
    Seccomp(SeccompChoice),
    /// Paths that can't be read.
    Mask(Vec<AppPath>),
    /// Paths that can.
    Unmask(Vec<Unmask>),
    /// A label of SELinux, which means nothing where that isn't enabled.
    Label(LabelOption),
    /// A profile of AppArmor.
    AppArmor(String),
    /// Whether it may make cgroups below its own.
    WritableCgroups(bool),
    /// Options of `/proc`.
    Proc(Vec<(String, String)>),
}

/// Parses `KEY`, `KEY=VALUE`, or `KEY:VALUE`, which docker had before.
pub(crate) fn security_option(text: &str) -> Result<SecurityOption, String> {
    parse(text, selinux::is_enabled())
}

fn parse(text: &str, selinux: bool) -> Result<SecurityOption, String> {
    use SecurityOption::{AsAsked, Mask, NoNewPrivileges, Seccomp};
    let (key, value) = match text.split_once(['=', ':']) {
        Some((key, value)) => (key, Some(value)),
        None => (text, None),
    };
    match (key, value) {
        ("label", Some(label)) => label_of_apps(label, selinux),
        ("apparmor", Some("unconfined")) => Ok(AsAsked),
        ("no-new-privileges", None | Some("true")) => Ok(NoNewPrivileges(true)),
        ("no-new-privileges", Some("false")) => Ok(NoNewPrivileges(false)),
        ("no-new-privileges", Some(_)) => Err("there are true and false".to_owned()),
        ("seccomp", Some(choice)) => seccomp(choice).map(Seccomp),
        ("systempaths", Some("unconfined")) => Ok(SecurityOption::Unmask(vec![Unmask::All])),
        ("unmask", Some(paths)) => unmasked(paths).map(SecurityOption::Unmask),
        ("mask", Some(paths)) => masked(paths).map(Mask),
        ("proc-opts", Some(options)) => proc_options(options).map(SecurityOption::Proc),
        ("apparmor", Some(profile)) => apparmor(profile),
        ("writable-cgroups", None | Some("true")) => Ok(SecurityOption::WritableCgroups(true)),
        ("writable-cgroups", Some("false")) => Ok(SecurityOption::WritableCgroups(false)),
        ("writable-cgroups", Some(_)) => Err("there are true and false".to_owned()),
        ("label" | "seccomp" | "systempaths" | "unmask" | "mask" | "proc-opts" | "apparmor", _) => {
            Err(needs_value(key, value))
        }
        ("credentialspec", _) => Err("credentials of Windows mean nothing here".to_owned()),
        _ => Err(format!(
            "unknown option `{key}`; there are label, apparmor, no-new-privileges, seccomp, mask, unmask, systempaths, proc-opts \
             and writable-cgroups"
        )),
    }
}

/// What an option is missing that is nothing without a value, or has another one than it can.
fn needs_value(key: &str, value: Option<&str>) -> String {
    let values = match key {
        "label" => "label=disable or label=type:TYPE",
        "seccomp" => "seccomp=FILE, seccomp=default or seccomp=unconfined",
        "apparmor" => "apparmor=PROFILE or apparmor=unconfined",
        "systempaths" => "systempaths=unconfined",
        "proc-opts" => "proc-opts=hidepid=2",
        "mask" => "mask=PATH",
        _ => "unmask=PATH or unmask=ALL",
    };
    match value {
        None => format!("`{key}` needs a value: {values}"),
        Some(_) => format!("there is {values}"),
    }
}

/// A profile by its name. That the kernel has it is looked at when the pod is made.
fn apparmor(profile: &str) -> Result<SecurityOption, String> {
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control();
    match !profile.is_empty() && profile.len() <= 255 && profile.chars().all(is_plain) {
        true => Ok(SecurityOption::AppArmor(profile.to_owned())),
        false => Err("a profile of AppArmor has a name without blanks".to_owned()),
    }
}

fn label_of_apps(label: &str, selinux: bool) -> Result<SecurityOption, String> {
    if label == "nested" {
        return match selinux {
            true => {
                Err("label=nested is not there yet: all files of an app have one label".to_owned())
            }
            false => Ok(SecurityOption::AsAsked),
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

/// A filter by a word, or a file.
pub(super) fn seccomp(text: &str) -> Result<SeccompChoice, String> {
    Ok(match text {
        "" => return Err("it must not be empty".to_owned()),
        "default" | "builtin" => SeccompChoice::Default,
        "unconfined" => SeccompChoice::Unconfined,
        path => SeccompChoice::File(PathBuf::from(path)),
    })
}

/// Options of `/proc`, with commas between.
fn proc_options(text: &str) -> Result<Vec<(String, String)>, String> {
    const HIDING: [&str; 7] = ["0", "1", "2", "4", "off", "noaccess", "invisible"];
    let option = |option: &str| match option.split_once('=') {
        Some(("hidepid", value)) if HIDING.contains(&value) || value == "ptraceable" => {
            Ok(("hidepid".to_owned(), value.to_owned()))
        }
        Some(("subset", "pid")) => Ok(("subset".to_owned(), "pid".to_owned())),
        Some(("gid", value)) if value.parse::<u32>().is_ok() => {
            Ok(("gid".to_owned(), value.to_owned()))
        }
        _ => Err(format!(
            "`{option}` is no option of /proc; there are hidepid=, gid= and subset=pid"
        )),
    };
    text.split(',').map(option).collect()
}

/// Paths with colons between, or all.
fn unmasked(text: &str) -> Result<Vec<Unmask>, String> {
    if text.eq_ignore_ascii_case("all") {
        return Ok(vec![Unmask::All]);
    }
    let paths = text.split(':').map(|path| match path.starts_with('/') {
        true => Ok(Unmask::Path(path.to_owned())),
        false => Err(format!(
            "`{path}` is a path in the app, and must begin with /"
        )),
    });
    paths.collect()
}

/// Paths with colons between.
fn masked(text: &str) -> Result<Vec<AppPath>, String> {
    let paths = text.split(':').map(|path| {
        if !path.starts_with('/') || path == "/" {
            return Err(format!(
                "`{path}` is no path in the app to be masked: it begins with /"
            ));
        }
        AppPath::try_from(path.to_owned()).map_err(|error| error.to_string())
    });
    paths.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_so_already_is_taken_and_all_else_refused_by_name() {
        let answer = |text: &str, selinux| match parse(text, selinux) {
            Ok(SecurityOption::Label(option)) => format!("{option:?}"),
            Ok(_) => "taken".to_owned(),
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
            ("no-new-privileges=false", "taken", "taken"),
            ("no-new-privileges=x", "true and false", "true and false"),
            ("seccomp=unconfined", "taken", "taken"),
            ("seccomp=./filter.json", "taken", "taken"),
            ("seccomp=", "empty", "empty"),
            ("unmask=ALL", "taken", "taken"),
            ("unmask=/proc/kcore:/proc/acpi", "taken", "taken"),
            ("unmask=proc", "begin with /", "begin with /"),
            ("mask=/srv", "taken", "taken"),
            ("systempaths=unconfined", "taken", "taken"),
            (
                "systempaths=x",
                "systempaths=unconfined",
                "systempaths=unconfined",
            ),
            ("proc-opts=hidepid=2,subset=pid,gid=5", "taken", "taken"),
            (
                "proc-opts=hidepid=9",
                "no option of /proc",
                "no option of /proc",
            ),
            ("writable-cgroups=true", "taken", "taken"),
            ("writable-cgroups=x", "true and false", "true and false"),
            ("apparmor=unconfined", "taken", "taken"),
            ("apparmor=web", "taken", "taken"),
            ("apparmor=a b", "without blanks", "without blanks"),
            ("apparmor", "needs a value", "needs a value"),
            ("label", "needs a value", "needs a value"),
            ("seccomp", "seccomp=FILE", "seccomp=FILE"),
            ("nonsense", "there are label, apparmor", "writable-cgroups"),
            ("credentialspec=x", "Windows", "Windows"),
        ] {
            for (selinux, part) in [(false, without), (true, with)] {
                let answer = answer(text, selinux);
                assert!(answer.contains(part), "{text} {selinux}: {answer}");
            }
        }
    }

    #[test]
    fn masks_are_paths() {
        let all = Ok(vec![Unmask::All]);
        assert_eq!(unmasked("ALL"), all);
        assert_eq!(unmasked("/proc/kcore:/sys/*").unwrap().len(), 2);
        assert_eq!(masked("/a:/b").unwrap().len(), 2);
        for bad in ["", "x", "/a:b", "/"] {
            masked(bad).unwrap_err();
        }
        unmasked("proc").unwrap_err();
    }
}
