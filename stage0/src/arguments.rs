//! The command line: flags of every command, and the grammar of a pod.

pub(crate) mod app;
pub(crate) mod image_flags;
pub(crate) mod listing;
pub(crate) mod network;
pub(crate) mod pod;
pub(crate) mod quantity;
pub(crate) mod selector;
pub(crate) mod split;

use std::path::PathBuf;

use ::pod::manifest::InsecureOption;
use clap::ValueEnum;

/// Flags of every command, before or after its name.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global flags")]
pub(crate) struct GlobalArguments {
    /// Folder of images and pods
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "FAIRING_DIR",
        hide_env = true
    )]
    #[arg(default_value = "/var/lib/fairing", hide_possible_values = true)]
    pub(crate) dir: PathBuf,
    /// Folder of what lives until the next boot
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "FAIRING_RUN_DIR",
        hide_env = true
    )]
    #[arg(default_value = "/run/fairing")]
    pub(crate) run_dir: PathBuf,
    /// Folder of the administrator's configuration
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "FAIRING_LOCAL_CONFIG",
        hide_env = true
    )]
    #[arg(default_value = "/etc/fairing")]
    pub(crate) local_config: PathBuf,
    /// Folder of the vendor's configuration
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "FAIRING_SYSTEM_CONFIG",
        hide_env = true
    )]
    #[arg(default_value = "/usr/lib/fairing")]
    pub(crate) system_config: PathBuf,
    /// Protections to give up for this command, separated by commas
    #[arg(long, global = true, value_name = "LIST", value_delimiter = ',')]
    pub(crate) insecure_options: Vec<Insecure>,
    /// Say more about what is done
    #[arg(long, global = true)]
    pub(crate) debug: bool,
}

/// The long global flags that take a value in the next argument.
pub(crate) const GLOBAL_FLAGS_WITH_VALUE: [&str; 5] = [
    "--dir",
    "--run-dir",
    "--local-config",
    "--system-config",
    "--insecure-options",
];

/// What `--insecure-options` may list. Each gives up one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Insecure {
    /// Run images that no rule of the policy lets run
    Image,
    /// Speak plain HTTP to registries that have no TLS
    Http,
    /// Don't check the certificates of registries
    Tls,
    /// Let apps make every system call
    Seccomp,
    /// Leave the root user of apps the capabilities of the host's
    Capabilities,
    /// Neither mask nor guard parts of /proc and /sys
    Paths,
    /// All of these
    All,
}

impl Insecure {
    /// The options that it stands for.
    pub(crate) fn options(self) -> &'static [InsecureOption] {
        match self {
            Self::Image => &[InsecureOption::Image],
            Self::Http => &[InsecureOption::Http],
            Self::Tls => &[InsecureOption::Tls],
            Self::Seccomp => &[InsecureOption::Seccomp],
            Self::Capabilities => &[InsecureOption::Capabilities],
            Self::Paths => &[InsecureOption::Paths],
            Self::All => &InsecureOption::ALL,
        }
    }
}

/// How to show things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// A duration such as `10s`, `1m30s` or `0`.
pub(crate) fn duration(text: &str) -> Result<std::time::Duration, String> {
    if text == "0" {
        return Ok(std::time::Duration::ZERO);
    }
    humantime::parse_duration(text).map_err(|error| format!("{error}; write such as 10s or 1m30s"))
}
