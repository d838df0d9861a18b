//! One app of a pod: `IMAGE [app flags] [command] [args]`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, FromArgMatches};
use engine::devices::DeviceRequest;
use engine::pods::spec::{AppSpec, ImageMount, ImageVolume, Systemd};
use pod::AppName;
use pod::manifest::{AppPath, DeviceRule, Mount, Role, Volume};

use super::devices::{device, device_rule};
use super::environment;
use super::health::HealthArguments;
use super::logging::LogArguments;
use super::manager::ManagerArguments;
use super::mounts::{AnonymousMount, MountWord, VolumeWord, mount, tmpfs, volume};
use super::resources::ResourceArguments;
use super::restart::RestartArguments;
use super::security::SecurityArguments;
use super::usage::usage_of_later_app;
use crate::wording::failure::Failure;

/// An app as asked for on the command line. Unset flags leave what the image says.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "App flags, after the image they are for")]
pub(crate) struct AppArguments {
    /// Reference, digest in the store, or source of an image
    #[arg(value_name = "IMAGE", help_heading = None, hide_short_help = true)]
    image: String,
    // The command line gets its `--` before it is parsed, if it has none.
    /// Command and arguments, instead of those that the image has
    #[arg(value_name = "COMMAND", last = true, help_heading = None, hide_short_help = true)]
    arguments: Vec<String>,
    /// Name of the app [default: from the image's name]
    #[arg(long, value_name = "NAME")]
    app_name: Option<AppName>,
    /// Program to run instead of the image's
    #[arg(long, value_name = "PROGRAM", value_parser = NonEmptyStringValueParser::new())]
    exec: Option<String>,
    /// The same: a program, or a JSON array of words; with "", the image has none
    #[arg(
        long,
        value_name = "PROGRAM",
        conflicts_with = "exec",
        hide_short_help = true
    )]
    entrypoint: Option<String>,
    /// Variable; the name alone: as in this environment
    #[arg(short, long, value_name = "KEY[=VALUE]", alias = "set-env")]
    env: Vec<String>,
    /// File of environment variables, one per line
    #[arg(long, value_name = "FILE", alias = "set-env-file")]
    env_file: Vec<PathBuf>,
    /// User by name or number
    #[arg(short, long, value_name = "USER[:GROUP]", value_parser = user)]
    user: Option<String>,
    /// Group by name or number
    #[arg(long, value_name = "GROUP", value_parser = group)]
    #[arg(hide_short_help = true)]
    group: Option<String>,
    /// Working directory
    #[arg(short, long, value_name = "PATH", value_parser = NonEmptyStringValueParser::new())]
    #[arg(alias = "working-dir")]
    workdir: Option<String>,
    /// Mount a directory or file of the host, or a named volume
    ///
    /// A SOURCE without a `/` is a named volume, which is made if it is missing. Behind PLACE may come `:` and options such
    /// as ro or noexec. PLACE alone gets an empty volume. NAME,kind=host|empty|tmpfs|named|image,… describes a volume of the
    /// pod.
    #[arg(short, long, value_name = "SOURCE:PLACE", value_parser = volume)]
    volume: Vec<VolumeWord>,
    /// The same in words: type=bind|volume|image|tmpfs, source=…, target=PLACE; or volume=NAME
    #[arg(long, value_name = "KEY=VALUE,…", value_parser = mount, hide_short_help = true)]
    mount: Vec<MountWord>,
    /// Memory to write files to
    #[arg(long, value_name = "PLACE[:OPTIONS]", value_parser = tmpfs, hide_short_help = true)]
    tmpfs: Vec<Mount>,
    #[command(flatten)]
    limits: ResourceArguments,
    /// Device of the host, or a directory of them, or one that a vendor describes
    #[arg(long, value_name = "HOST[:PLACE[:rwm]]", value_parser = device, hide_short_help = true)]
    device: Vec<DeviceRequest>,
    /// What else the app may do with devices, such as 'c 10:200 rwm'
    #[arg(long, value_name = "RULE", value_parser = device_rule, hide_short_help = true)]
    device_cgroup_rule: Vec<DeviceRule>,
    /// Run the app as process 1 with what systemd needs: if it is systemd (true), never (false), or always
    #[arg(long, value_name = "WHEN", value_parser = systemd, default_value = "true", hide_default_value = true)]
    #[arg(hide_short_help = true)]
    systemd: Systemd,
    #[command(flatten)]
    log: LogArguments,
    #[command(flatten)]
    restart: RestartArguments,
    #[command(flatten)]
    health: HealthArguments,
    #[command(flatten)]
    manager: ManagerArguments,
    #[command(flatten)]
    security: SecurityArguments,
    /// Give the app a pseudo-terminal
    #[arg(short, long)]
    tty: bool,
    /// Give the app the standard input
    #[arg(short, long)]
    interactive: bool,
}

/// The words that podman has.
fn systemd(text: &str) -> Result<Systemd, String> {
    match text {
        "true" => Ok(Systemd::IfItIs),
        "false" => Ok(Systemd::Never),
        "always" => Ok(Systemd::Always),
        _ => Err("there are true, false and always".to_owned()),
    }
}

/// Refuses a user that is empty, as the variable of a script may be: that would be root, whatever the image says.
pub(crate) fn user(text: &str) -> Result<String, String> {
    match text.split_once(':') {
        Some((user, group)) if user.is_empty() || group.is_empty() => {
            Err("user and group must not be empty".to_owned())
        }
        None if text.is_empty() => Err("the user must not be empty".to_owned()),
        Some((user, group)) => {
            id("user", user)?;
            id("group", group)?;
            Ok(text.to_owned())
        }
        None => id("user", text).map(|()| text.to_owned()),
    }
}

/// Refuses the number by which the kernel says that there is none.
fn id(what: &str, text: &str) -> Result<(), String> {
    match text.parse::<u32>() {
        Ok(u32::MAX) => Err(format!("{text} means no {what} to the kernel")),
        _ => Ok(()),
    }
}

/// The same of a group.
pub(crate) fn group(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("the group must not be empty".to_owned());
    }
    id("group", text).map(|()| text.to_owned())
}

impl AppArguments {
    fn workdir(&self) -> Result<Option<AppPath>, Failure> {
        let path = self.workdir.clone().map(AppPath::try_from).transpose();
        path.map_err(|error| Failure::Usage(format!("--workdir: {error}")))
    }

    fn mounts(&self) -> Vec<Mount> {
        let volumes = self.volume.iter().filter_map(|word| match word {
            VolumeWord::Mount(mount) => Some(&**mount),
            _ => None,
        });
        let mounts = self.mount.iter().filter_map(|word| match word {
            MountWord::Mount(mount) => Some(&**mount),
            _ => None,
        });
        volumes.chain(mounts).chain(&self.tmpfs).cloned().collect()
    }

    fn image_mounts(&self) -> Vec<ImageMount> {
        let mounts = self.mount.iter().filter_map(|word| match word {
            MountWord::Image(image) => Some(image.clone()),
            _ => None,
        });
        mounts.collect()
    }

    /// The places that get volumes which nobody has described.
    pub(crate) fn anonymous(&self) -> Vec<AnonymousMount> {
        let volumes = self.volume.iter().filter_map(|word| match word {
            VolumeWord::Anonymous(mount) => Some(mount),
            _ => None,
        });
        let mounts = self.mount.iter().filter_map(|word| match word {
            MountWord::Anonymous(mount) => Some(mount),
            _ => None,
        });
        volumes.chain(mounts).cloned().collect()
    }

    /// The volumes that it describes for the whole pod.
    pub(crate) fn volumes(&self) -> Vec<Volume> {
        let volumes = self.volume.iter().filter_map(|word| match word {
            VolumeWord::Definition(volume) => Some(volume.clone()),
            _ => None,
        });
        volumes.collect()
    }

    /// Those of them that are images.
    pub(crate) fn image_volumes(&self) -> Vec<ImageVolume> {
        let volumes = self.volume.iter().filter_map(|word| match word {
            VolumeWord::Image(volume) => Some(volume.clone()),
            _ => None,
        });
        volumes.collect()
    }

    /// The program that replaces the image's, and the arguments.
    fn command(&self) -> Result<(Option<String>, Vec<String>), Failure> {
        match self.entrypoint.as_deref() {
            None => Ok((self.exec.clone(), self.arguments.clone())),
            Some(text) => entrypoint(text, &self.arguments),
        }
    }

    /// What is asked of the app.
    ///
    /// # Errors
    /// [`Failure::Usage`] for a variable that makes no sense, or why a file of variables can't be read.
    pub(crate) fn spec(&self) -> Result<AppSpec, Failure> {
        let (exec, arguments) = self.command()?;
        let spec = AppSpec {
            image: self.image.clone(),
            name: self.app_name.clone(),
            exec,
            arguments,
            inherited: Vec::new(),
            env: environment::variables(&self.env_file, &self.env)?,
            user: self.user.clone(),
            group: self.group.clone(),
            workdir: self.workdir()?,
            mounts: self.mounts(),
            image_mounts: self.image_mounts(),
            devices: self.device.clone(),
            device_rules: self.device_cgroup_rule.clone(),
            resources: self.limits.resources()?,
            log: self.log.log()?,
            systemd: self.systemd,
            tty: self.tty,
            stdin: self.interactive,
            ..AppSpec::default()
        };
        if self.security.init && self.restart.is_sidecar() {
            return Err(Failure::Usage(
                "--init and --sidecar contradict each other: an init app ends before the next one starts".to_owned(),
            ));
        }
        let spec = self.manager.apply(self.restart.apply(spec)?);
        self.security.apply(self.health.apply(spec)?)
    }

    /// What is asked of it as one of several apps.
    ///
    /// # Errors
    /// As [`AppArguments::spec`], and for an app that would be two things to the others.
    pub(crate) fn spec_among_others(&self) -> Result<AppSpec, Failure> {
        let spec = self.spec()?;
        Ok(match self.security.init {
            true => AppSpec {
                role: Role::Init,
                ..spec
            },
            false => spec,
        })
    }

    /// Parses the part of the command line after a `---`.
    ///
    /// # Errors
    /// [`Failure::Usage`].
    pub(crate) fn parse_later(words: &[OsString]) -> Result<Self, Failure> {
        let usage = |error: clap::Error| usage_of_later_app(&error);
        let mut matches = definition_of_later()
            .try_get_matches_from(words)
            .map_err(usage)?;
        Self::from_arg_matches_mut(&mut matches).map_err(usage)
    }
}

/// What `--entrypoint` stands for: a program, the words of a JSON array, or that the image has none.
fn entrypoint(text: &str, arguments: &[String]) -> Result<(Option<String>, Vec<String>), Failure> {
    let words = match text {
        "" => Vec::new(),
        // Another text that begins so is the name of a program.
        text => serde_json::from_str(text).unwrap_or_else(|_| vec![text.to_owned()]),
    };
    let mut words = words.into_iter().chain(arguments.iter().cloned());
    match words.next() {
        Some(program) => Ok((Some(program), words.collect())),
        None => Err(Failure::Usage(
            "--entrypoint \"\" leaves nothing to run: the program follows the image".to_owned(),
        )),
    }
}

/// What may stand after a `---`.
pub(crate) fn definition_of_later() -> clap::Command {
    let command = clap::Command::new("fairing run")
        .no_binary_name(true)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .override_usage("… --- IMAGE [APP FLAGS] [COMMAND] [ARGS]");
    AppArguments::augment_args(command)
}

#[cfg(test)]
mod tests {
    use pod::manifest::Limit;

    use super::*;

    fn parse(line: &str) -> Result<AppArguments, Failure> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        AppArguments::parse_later(&words)
    }

    #[test]
    fn flags_belong_to_the_image_and_the_rest_to_the_app() {
        let app =
            parse("a.io/b:1 --env A=1 -e B --memory 64m --cpus 1.5 -it -- -x --env C").unwrap();
        assert_eq!(app.image, "a.io/b:1");
        assert_eq!(app.env, ["A=1", "B"]);
        assert_eq!(app.arguments, ["-x", "--env", "C"]);
        let resources = app.limits.resources().unwrap();
        assert_eq!(resources.memory.limit, Some(Limit::At(64 << 20)));
        assert_eq!(resources.memory.swap, resources.memory.limit);
        assert_eq!(resources.cpu.quota, Some(Limit::At(150_000)));
        assert_eq!(resources.cpu.period, Some(100_000));
        assert!(app.tty && app.interactive);
    }

    #[test]
    fn a_limit_of_0_is_none() {
        let app = parse("a --memory 0 --cpus 0 --cpu-shares 0").unwrap();
        assert_eq!(
            app.limits.resources().unwrap(),
            parse("a").unwrap().limits.resources().unwrap()
        );
    }

    #[test]
    fn limits_are_those_of_docker_and_podman() {
        let of = |line: &str| parse(line).unwrap().limits.resources();
        let all = of(
            "a -m 64m --memory-swap 128m --memory-reservation 32m --memory-swappiness 7 \
             --cpu-period 20000 --cpu-quota 10000 --cpuset-cpus 0 --hugetlb 2MB=4m --io-weight 500",
        )
        .unwrap();
        assert_eq!(all.memory.swap, Some(Limit::At(128 << 20)));
        assert_eq!(all.memory.reservation, Some(Limit::At(32 << 20)));
        assert_eq!(all.memory.swappiness, Some(7));
        assert_eq!(
            (all.cpu.period, all.cpu.quota),
            (Some(20_000), Some(Limit::At(10_000)))
        );
        assert_eq!(
            (all.cpu.cpus.as_str(), all.block_io.weight),
            ("0", Some(500))
        );
        let swapping = of("a -m 64m --memory-swap -1").unwrap();
        assert_eq!(swapping.memory.swap, Some(Limit::Unlimited));
        for (bad, reason) in [
            ("a --memory-swap 64m", "only where memory is limited"),
            ("a -m 64m --memory-swap 32m", "are more than the"),
            ("a -m 64m --memory-reservation 128m", "can't be reserved"),
            ("a --cpuset-cpus 4000", "the host has no 4000"),
            ("a --device-read-bps /dev/null:1m", "not a block device"),
        ] {
            let error = of(bad).unwrap_err();
            assert!(error.to_string().contains(reason), "{bad}: {error}");
            assert_eq!(error.exit_code(), 2, "{bad}");
        }
        assert!(parse("a --cpus 1 --cpu-quota 1000").is_err());
    }

    #[test]
    fn an_entrypoint_is_a_program_or_words_or_none() {
        let command = |line: &str| {
            let (exec, arguments) = parse(line).unwrap().command().unwrap();
            format!("{} {}", exec.unwrap_or_default(), arguments.join(" "))
        };
        assert_eq!(command("--entrypoint /bin/sh a -- -c x"), "/bin/sh -c x");
        assert_eq!(command("a --entrypoint [\"/a\",\"b\"] -- c"), "/a b c");
        assert_eq!(command("a --entrypoint= -- /c d"), "/c d");
        assert_eq!(command("a -u 1 -w / -m 64m --entrypoint [ -- d"), "[ d");
    }

    #[test]
    fn mistakes_are_usage_errors() {
        for bad in [
            "",
            "--env A=1",
            "a --name pod",
            "a --memory 16",
            "a --entrypoint=",
            "a --entrypoint=b --exec=c",
            "a --pids-limit -2",
            "a --pids-limit many",
            "a --cpu-shares 1",
            "a --app-name Not_A_Label",
            "a --exec=",
            "a --user=",
            "a --user=:5",
            "a --user=5:",
            "a --user=4294967295",
            "a --user=0:4294967295",
            "a --group=4294967295",
            "a --group=",
            "a --workdir=",
            "a --init --sidecar",
            "a --sidecar --restart no",
            "a --health-cmd x --health-retries 0",
        ] {
            let error = parse(bad).and_then(|app| app.spec()).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{bad}: {error}");
        }
    }
}
