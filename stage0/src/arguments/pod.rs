//! A pod as a whole: `[pod flags] IMAGE [app flags] [command] [args] [--- IMAGE2 …]`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use engine::pods::spec::PodSpec;
use pod::PodName;
use pod::manifest::{CgroupParent, DEFAULT_GRACE, HostNamespace};

use super::app::AppArguments;
use super::environment;
use super::grace::grace;
use super::image_flags::Pull;
use super::isolator::IsolatorArgument;
use super::label::label;
use super::logging::PodLogArguments;
use super::machine::MachineArguments;
use super::mounts::Namer;
use super::namespaces::{NamespaceOf, cgroups, ipc, those, uts};
use super::network::NetworkArguments;
use super::resources::PodResourceArguments;
use super::retry::RetryArguments;
use super::sysctl::{shm_size, sysctl};
use super::users::UserArguments;
use crate::wording::failure::Failure;

/// Flags of the pod, before its first image.
#[derive(Debug, Args)]
#[command(next_help_heading = "Pod flags")]
pub(crate) struct PodArguments {
    /// Name of the pod
    #[arg(long, value_name = "NAME")]
    name: Option<PodName>,
    /// Host name that the apps see [default: the pod's name]
    #[arg(short = 'h', long, value_name = "NAME", value_parser = host_name)]
    hostname: Option<String>,
    /// What the pod is found by, beside its name
    #[arg(short, long, value_name = "KEY[=VALUE]", value_parser = label, hide_short_help = true)]
    label: Vec<(String, String)>,
    /// File of labels, one per line
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    label_file: Vec<PathBuf>,
    /// Give the apps this command's environment, too: what images and other flags set counts more
    #[arg(long, alias = "env-host", hide_short_help = true)]
    inherit_env: bool,
    /// Stop and remove a pod of that name first
    ///
    /// This happens once all that the new one needs is known to be there: images, programs, users, ports.
    #[arg(long, requires = "name")]
    replace: bool,
    #[command(flatten)]
    users: UserArguments,
    #[command(flatten)]
    network: NetworkArguments,
    #[command(flatten)]
    limits: PodResourceArguments,
    #[command(flatten)]
    machine: MachineArguments,
    #[command(flatten)]
    log: PodLogArguments,
    /// Kernel parameter of the pod's network or IPC, such as net.core.somaxconn=1024
    #[arg(long, value_name = "NAME=VALUE", value_parser = sysctl, hide_short_help = true)]
    sysctl: Vec<(String, String)>,
    /// Shared memory and the like: private (the pod's own), or host
    #[arg(long, value_name = "WHOSE", value_parser = ipc, hide_short_help = true)]
    ipc: Option<NamespaceOf>,
    /// Host name: private (the pod's own), or host
    #[arg(long, value_name = "WHOSE", value_parser = uts, hide_short_help = true)]
    #[arg(conflicts_with = "hostname")]
    uts: Option<NamespaceOf>,
    /// What is seen of cgroups: private (each app's own), or host
    #[arg(long, value_name = "WHOSE", value_parser = cgroups, hide_short_help = true)]
    cgroupns: Option<NamespaceOf>,
    /// Size of the shared memory of the pod's apps, /dev/shm [default: 64m]
    #[arg(long, value_name = "BYTES", value_parser = shm_size, hide_short_help = true)]
    shm_size: Option<u64>,
    /// Cgroup that those of the pod and its monitor lie in: a path, or a slice of systemd (NAME.slice)
    #[arg(long, value_name = "PATH|SLICE", hide_short_help = true)]
    cgroup_parent: Option<CgroupParent>,
    /// Time between the stop signal and SIGKILL; -1 for no end of it
    #[arg(long, value_name = "DURATION", value_parser = grace, default_value = "10s")]
    #[arg(
        alias = "stop-timeout",
        hide_short_help = true,
        allow_negative_numbers = true
    )]
    grace_period: Duration,
    /// Fetch images: missing (as by default), always, newer or never
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        default_value_t,
        help_heading = "Pod flags"
    )]
    #[arg(hide_default_value = true, hide_possible_values = true)]
    pull: Pull,
    #[command(flatten)]
    pub(crate) retry: RetryArguments,
    #[command(flatten)]
    isolator: IsolatorArgument,
    /// File to write the pod's UUID to, before anything can fail
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    uuid_file_save: Option<PathBuf>,
    /// The same for a file that must not be there
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    #[arg(conflicts_with = "uuid_file_save")]
    cidfile: Option<PathBuf>,
}

impl PodArguments {
    /// The file that gets the pod's UUID.
    pub(crate) fn uuid_file(&self) -> Option<UuidPlace> {
        let any = self.uuid_file_save.clone().map(UuidPlace::Any);
        any.or_else(|| self.cidfile.clone().map(UuidPlace::New))
    }
}

/// Where a pod's UUID is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum UuidPlace {
    /// Whatever is there.
    Any(PathBuf),
    /// Where nothing is: a pod that is still known by its file must not be lost.
    New(PathBuf),
}

/// What is asked of a pod as a whole that has no apps.
///
/// # Errors
/// [`Failure::Usage`] if a part makes no sense.
pub(crate) fn empty_spec(pod: PodArguments) -> Result<PodSpec, Failure> {
    let namespaces = [
        (pod.ipc, HostNamespace::Ipc),
        (pod.uts, HostNamespace::Uts),
        (pod.cgroupns, HostNamespace::Cgroup),
    ];
    Ok(PodSpec {
        name: pod.name,
        hostname: pod.hostname,
        labels: labels(&pod.label_file, pod.label)?,
        replace: pod.replace,
        grace_period: pod.grace_period,
        pull: pod.pull.into(),
        isolator: pod.isolator.asked(),
        users: pod.users.users()?,
        machine: pod.machine.spec(),
        resources: pod.limits.resources()?,
        log: pod.log.log()?,
        sysctl: pod.sysctl.into_iter().collect(),
        shm_size: pod.shm_size,
        cgroup_parent: pod.cgroup_parent,
        host_namespaces: those(NamespaceOf::Host, &namespaces),
        own_namespaces: those(NamespaceOf::Own, &namespaces),
        ..PodSpec::new(pod.network.spec()?, Vec::new())
    })
}

/// What is asked of a pod as a whole, and of its apps.
///
/// # Errors
/// [`Failure::Usage`] if a part makes no sense, or an app wants the standard streams for itself and is
/// not alone.
pub(crate) fn spec(
    pod: PodArguments,
    first: &AppArguments,
    later: &[Vec<OsString>],
) -> Result<PodSpec, Failure> {
    let mut apps = vec![match later.is_empty() {
        true => first.spec()?,
        false => first.spec_among_others()?,
    }];
    let mut volumes = first.volumes();
    let mut image_volumes = first.image_volumes();
    let mut anonymous = vec![first.anonymous()];
    for words in later {
        let later = AppArguments::parse_later(words)?;
        apps.push(later.spec_among_others()?);
        volumes.extend(later.volumes());
        image_volumes.extend(later.image_volumes());
        anonymous.push(later.anonymous());
    }
    let of_images = image_volumes.iter().map(|volume| &volume.name);
    let names = volumes.iter().map(|volume| &volume.name).chain(of_images);
    let mut namer = Namer::new(names.cloned());
    for (app, asked) in apps.iter_mut().zip(anonymous) {
        for (volume, mount) in asked.into_iter().filter_map(|asked| namer.volume(asked)) {
            volumes.push(volume);
            app.mounts.push(mount);
        }
    }
    if apps.len() > 1 && apps.iter().any(|app| app.tty || app.stdin) {
        return Err(Failure::Usage(
            "--tty and --interactive are for pods of one app; `fairing app sandbox`, `fairing app add --tty --interactive --start` \
             and `fairing attach --app` do it with several"
                .to_owned(),
        ));
    }
    if pod.inherit_env {
        let inherited = environment::whole()?;
        for app in &mut apps {
            app.inherited.clone_from(&inherited);
        }
    }
    Ok(PodSpec {
        volumes,
        image_volumes,
        apps,
        ..empty_spec(pod)?
    })
}

/// The labels of files, and those of flags, which count more.
fn labels(
    files: &[PathBuf],
    given: Vec<(String, String)>,
) -> Result<BTreeMap<String, String>, Failure> {
    let mut labels = BTreeMap::new();
    for path in files {
        let failed = |failure: Failure| Failure::Other(format!("--label-file: {}", failure.line()));
        let text = environment::read(path).map_err(failed)?;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (key, value) = label(line).map_err(|reason| {
                let place = format!("{}:{}", path.display(), number.saturating_add(1));
                Failure::Usage(format!("--label-file: {place}: {reason}"))
            })?;
            labels.insert(key, value);
        }
    }
    labels.extend(given);
    Ok(labels)
}

/// Checks a host name: labels of RFC 1123, no longer than Linux takes.
fn host_name(text: &str) -> Result<String, String> {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || c == b'-')
    };
    if text.len() > 64 {
        return Err("it is longer than 64 characters".to_owned());
    }
    if !text.split('.').all(label) {
        return Err(
            "only letters, digits and inner hyphens may be used, in parts separated by dots"
                .to_owned(),
        );
    }
    Ok(text.to_owned())
}

const _: () = assert!(DEFAULT_GRACE.as_secs() == 10, "--grace-period says so");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_flags_count_more_than_those_of_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("labels");
        std::fs::write(&path, "# of all\n\n a=file\nb=x=y\nc\n").unwrap();
        let given = vec![("a".to_owned(), "flag".to_owned())];
        let all = labels(std::slice::from_ref(&path), given).unwrap();
        let pairs: Vec<_> = all
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        assert_eq!(pairs, ["a=flag", "b=x=y", "c="]);
        std::fs::write(&path, "a=1\n=x\n").unwrap();
        let error = labels(std::slice::from_ref(&path), Vec::new()).unwrap_err();
        assert!(error.to_string().contains("/labels:2: "), "{error}");
        assert_eq!(error.exit_code(), 2);
        let error = labels(&[dir.path().join("none")], Vec::new()).unwrap_err();
        assert!(
            error.to_string().contains("--label-file: cannot open"),
            "{error}"
        );
    }

    #[test]
    fn host_names_follow_rfc_1123() {
        for good in ["a", "web-1", "web.example.com", "X1"] {
            assert!(host_name(good).is_ok(), "{good}");
        }
        let (label, long) = ("x".repeat(64), format!("a.{}", "x".repeat(63)));
        for (bad, reason) in [
            ("", "inner hyphens"),
            ("-a", "inner hyphens"),
            ("a-", "inner hyphens"),
            ("a..b", "inner hyphens"),
            ("a_b", "inner hyphens"),
            ("a b", "inner hyphens"),
            (label.as_str(), "inner hyphens"),
            (long.as_str(), "longer than 64"),
        ] {
            let error = host_name(bad).unwrap_err();
            assert!(error.contains(reason), "{bad}: {error}");
        }
    }
}
