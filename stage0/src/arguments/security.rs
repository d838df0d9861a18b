//! How an app is confined, and what its processes are limited by.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use engine::pods::security::{Capabilities, CapabilityWord, SeccompChoice, SecuritySpec};
use engine::pods::spec::AppSpec;
use engine::selinux::LabelOption;
use engine::signal_names;
use pod::AppName;
use pod::manifest::{Capability, Rlimit};
use pod::signal::SignalNumber;

use super::label::label;
use super::namespaces::unknown;
use super::process_limits::{Ulimit, oom_score, ulimit, umask};
use super::security_option::{SecurityOption, seccomp, security_option};
use crate::wording::failure::Failure;

/// Flags of an app's confinement.
#[derive(Debug, Clone, Args)]
pub(crate) struct SecurityArguments {
    /// Capability to give the app beyond the usual ones; ALL for all
    #[arg(long, value_name = "CAPABILITY", value_parser = capability_word, value_delimiter = ',')]
    #[arg(hide_short_help = true)]
    cap_add: Vec<CapabilityWord>,
    /// Capability to take from the app; ALL for all but those that are added
    #[arg(long, value_name = "CAPABILITY", value_parser = capability_word, value_delimiter = ',')]
    #[arg(hide_short_help = true)]
    cap_drop: Vec<CapabilityWord>,
    /// The only capabilities that the app has
    #[arg(long, value_name = "CAPABILITY", value_parser = capability, value_delimiter = ',')]
    #[arg(hide_short_help = true, alias = "cap-retain", conflicts_with_all = ["cap_add", "cap_drop", "caps_remove"])]
    caps_retain: Vec<Capability>,
    /// Those of the usual capabilities that it does not have
    #[arg(long, value_name = "CAPABILITY", value_parser = capability, value_delimiter = ',')]
    #[arg(hide_short_help = true, alias = "cap-remove", conflicts_with_all = ["cap_add", "cap_drop"])]
    caps_remove: Vec<Capability>,
    /// System call filter: a profile as docker and podman have it, default, or unconfined
    #[arg(long, value_name = "FILE|default|unconfined", value_parser = seccomp, hide_short_help = true)]
    seccomp: Option<SeccompChoice>,
    /// Whether set-user-ID programs and the like give the app no privileges [default: true]
    #[arg(long, value_name = "BOOL", hide_short_help = true, action = clap::ArgAction::Set)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    no_new_privileges: Option<bool>,
    /// Protection as docker and podman call it, such as seccomp=unconfined, mask=PATH or label=disable
    #[arg(long, value_name = "KEY=VALUE", value_parser = security_option, hide_short_help = true)]
    security_opt: Vec<SecurityOption>,
    /// Give up what confines the app: all capabilities, all system calls, no masks
    ///
    /// The app gets no devices by it. In a pod with users of its own (--userns=auto), its capabilities count only there.
    #[arg(long, hide_short_help = true)]
    #[arg(conflicts_with_all = ["cap_drop", "caps_retain", "caps_remove"])]
    privileged: bool,
    /// Make the root filesystem read-only
    #[arg(long, alias = "readonly-rootfs", hide_short_help = true)]
    read_only: bool,
    /// With --read-only, whether /run, /tmp and /var/tmp are in memory, to be written to [default: true]
    #[arg(long, value_name = "BOOL", hide_short_help = true, action = clap::ArgAction::Set)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    read_only_tmpfs: Option<bool>,
    /// Resource limit as setrlimit(2) has it, such as nofile=1024:4096; host for the caller's
    #[arg(long, value_name = "NAME=SOFT[:HARD]", value_parser = ulimit, hide_short_help = true)]
    ulimit: Vec<Ulimit>,
    /// How soon the app is killed when memory is short, from -1000 to 1000
    #[arg(long, value_name = "NUMBER", value_parser = oom_score, allow_negative_numbers = true)]
    #[arg(hide_short_help = true)]
    oom_score_adj: Option<i16>,
    /// Group beside those of the user, by name or number
    #[arg(long, value_name = "GROUP", value_parser = further_group, value_delimiter = ',')]
    #[arg(alias = "supplementary-gids", hide_short_help = true)]
    group_add: Vec<String>,
    /// File mode creation mask in octal [default: 0022]
    #[arg(long, value_name = "MASK", value_parser = umask, hide_short_help = true)]
    umask: Option<u32>,
    /// Signal that asks the app to end [default: the image's]
    #[arg(long, value_name = "SIGNAL", value_parser = stop_signal, hide_short_help = true)]
    stop_signal: Option<SignalNumber>,
    /// Variable of the image to leave out
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    unsetenv: Vec<String>,
    /// Leave out all variables of the image
    #[arg(long, hide_short_help = true)]
    unsetenv_all: bool,
    /// Process IDs: pod (those of the pod), private (the app is process 1 of its own), app:NAME (those of that app of the pod,
    /// which is private), or host (with --userns=host)
    #[arg(long, value_name = "WHOSE", value_parser = processes, hide_short_help = true)]
    pid: Option<Processes>,
    /// In a pod of several apps: the next one starts when this one has ended well
    ///
    /// In a pod of one app: have an init reap what the app leaves, as each pod does anyway.
    #[arg(long, hide_short_help = true)]
    pub(super) init: bool,
    /// Note for those who look at the app
    #[arg(long, value_name = "KEY[=VALUE]", value_parser = label, alias = "user-annotation")]
    #[arg(hide_short_help = true)]
    annotation: Vec<(String, String)>,
}

/// Whose process IDs an app sees.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Processes {
    Pod,
    Private,
    Of(AppName),
    Host,
}

impl SecurityArguments {
    /// Says it of an app.
    ///
    /// # Errors
    /// [`Failure::Usage`] for what contradicts itself.
    pub(crate) fn apply(&self, spec: AppSpec) -> Result<AppSpec, Failure> {
        if self.init && self.pid == Some(Processes::Private) {
            return Err(Failure::Usage(
                "--init and --pid=private contradict each other: either the app is process 1, or an init is".to_owned(),
            ));
        }
        Ok(AppSpec {
            groups: self.group_add.clone(),
            umask: self.umask,
            unset_env: self.unsetenv.clone(),
            unset_all_env: self.unsetenv_all,
            stop_signal: self.stop_signal,
            rlimits: self.rlimits(),
            oom_score_adj: self.oom_score_adj,
            security: self.security()?,
            labels: self.labels(),
            writable_in_memory: self.read_only && self.read_only_tmpfs.unwrap_or(true),
            own_processes: self.pid == Some(Processes::Private),
            processes_of: match &self.pid {
                Some(Processes::Of(app)) => Some(app.clone()),
                _ => None,
            },
            host_processes: self.pid == Some(Processes::Host),
            annotations: self.annotation.iter().cloned().collect::<BTreeMap<_, _>>(),
            ..spec
        })
    }

    /// What is asked of its labels. What is not confined has none.
    fn labels(&self) -> Vec<LabelOption> {
        let asked = self.security_opt.iter().filter_map(|option| match option {
            SecurityOption::Label(label) => Some(label.clone()),
            _ => None,
        });
        asked
            .chain(self.privileged.then_some(LabelOption::Disable))
            .collect()
    }

    /// The last of each kind counts.
    fn rlimits(&self) -> Vec<Rlimit> {
        let limits = self.ulimit.iter().filter_map(|limit| match limit {
            Ulimit::Host => None,
            Ulimit::One(limit) => Some((limit.kind, limit.clone())),
        });
        limits.collect::<BTreeMap<_, _>>().into_values().collect()
    }

    fn security(&self) -> Result<SecuritySpec, Failure> {
        let mut spec = SecuritySpec {
            privileged: self.privileged,
            capabilities: self.capabilities(),
            new_privileges: self.no_new_privileges.map(|none| !none),
            read_only: self.read_only,
            ..SecuritySpec::default()
        };
        let mut seccomp = self.seccomp.clone();
        for option in &self.security_opt {
            match option {
                SecurityOption::AsAsked | SecurityOption::Label(_) => {}
                SecurityOption::NoNewPrivileges(wanted) => {
                    if self.no_new_privileges.is_some_and(|other| other != *wanted) {
                        return Err(twice("no-new-privileges"));
                    }
                    spec.new_privileges = Some(!wanted);
                }
                SecurityOption::Seccomp(choice) => {
                    if seccomp.as_ref().is_some_and(|other| other != choice) {
                        return Err(twice("seccomp"));
                    }
                    seccomp = Some(choice.clone());
                }
                SecurityOption::Mask(paths) => spec.mask.extend(paths.iter().cloned()),
                SecurityOption::Proc(options) => spec.proc_options.extend(options.iter().cloned()),
                SecurityOption::WritableCgroups(wanted) => spec.writable_cgroups = *wanted,
                SecurityOption::AppArmor(profile) => spec.apparmor = Some(profile.clone()),
                SecurityOption::Unmask(paths) => spec.unmask.extend(paths.iter().cloned()),
            }
        }
        let asks_for_default = matches!(seccomp, Some(SeccompChoice::Default));
        spec.seccomp = seccomp.unwrap_or_default();
        if spec.privileged {
            let filters = asks_for_default || matches!(spec.seccomp, SeccompChoice::File(_));
            if filters || !spec.mask.is_empty() {
                return Err(Failure::Usage(
                    "--privileged gives up filters and masks: leave out one of them".to_owned(),
                ));
            }
            let asks = |option: &SecurityOption| *option == SecurityOption::NoNewPrivileges(true);
            if self.no_new_privileges == Some(true) || self.security_opt.iter().any(asks) {
                return Err(Failure::Usage(
                    "--privileged lets the app gain privileges: leave out --no-new-privileges"
                        .to_owned(),
                ));
            }
        }
        Ok(spec)
    }

    fn capabilities(&self) -> Capabilities {
        let removed = self.caps_remove.iter().copied();
        if !self.caps_retain.is_empty() {
            return Capabilities::Retained(
                self.caps_retain.iter().copied().collect::<BTreeSet<_>>(),
            );
        }
        let dropped = self.cap_drop.iter().copied();
        Capabilities::Changed {
            add: self.cap_add.clone(),
            drop: dropped.chain(removed.map(CapabilityWord::One)).collect(),
        }
    }
}

fn twice(what: &str) -> Failure {
    Failure::Usage(format!("--security-opt says two things of {what}"))
}

/// A capability, or ALL.
fn capability_word(text: &str) -> Result<CapabilityWord, String> {
    match text.eq_ignore_ascii_case("all") {
        true => Ok(CapabilityWord::All),
        false => capability(text).map(CapabilityWord::One),
    }
}

fn capability(text: &str) -> Result<Capability, String> {
    Capability::named(text).ok_or_else(|| {
        format!("there is no capability `{text}`; capabilities(7) has them, with or without CAP_")
    })
}

fn further_group(text: &str) -> Result<String, String> {
    match text {
        "" => Err("the group must not be empty".to_owned()),
        "keep-groups" => Err("the groups of the caller can't be kept".to_owned()),
        "4294967295" => Err(format!("{text} means no group to the kernel")),
        _ => Ok(text.to_owned()),
    }
}

fn stop_signal(text: &str) -> Result<SignalNumber, String> {
    let number = signal_names::parse(text);
    number
        .and_then(|number| number.try_into().ok())
        .ok_or_else(|| "it must be a signal such as SIGTERM, QUIT or 15".to_owned())
}

fn processes(text: &str) -> Result<Processes, String> {
    match text {
        "pod" | "" => Ok(Processes::Pod),
        "private" => Ok(Processes::Private),
        "host" => Ok(Processes::Host),
        _ => match text.strip_prefix("app:") {
            Some(app) => {
                let app = app.parse::<AppName>().map_err(|error| error.to_string());
                app.map(Processes::Of)
            }
            None => Err(unknown(text, "pod, private, app:NAME and host")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_have_their_names_with_and_without_a_prefix() {
        assert_eq!(capability_word("all"), Ok(CapabilityWord::All));
        let admin = CapabilityWord::One(Capability::NetAdmin);
        assert_eq!(capability_word("CAP_NET_ADMIN"), Ok(admin));
        assert_eq!(capability_word("net_admin"), Ok(admin));
        let error = capability_word("NET").unwrap_err();
        assert!(error.contains("capabilities(7)"), "{error}");
    }

    #[test]
    fn processes_are_the_pods_or_the_apps() {
        assert_eq!(processes("private"), Ok(Processes::Private));
        assert_eq!(processes("host"), Ok(Processes::Host));
        for (text, part) in [
            ("container:web", "other pods"),
            ("ns:/proc/1/ns/pid", "other pods"),
            ("app:", "name"),
            ("x", "pod, private, app:NAME and host"),
        ] {
            let error = processes(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
