//! Flags of every command, before or after its name.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::ValueEnum;
use pod::manifest::InsecureOption;

/// Flags of every command, before or after its name.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global flags")]
pub(crate) struct GlobalArguments {
    /// Directory of images and pods
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "FAIRING_DIR",
        hide_env = true
    )]
    #[arg(default_value = "/var/lib/fairing", hide_possible_values = true)]
    pub(crate) dir: PathBuf,
    /// Directory of runtime state, until the next boot
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "FAIRING_RUN_DIR",
        hide_env = true
    )]
    #[arg(default_value = "/run/fairing")]
    pub(crate) run_dir: PathBuf,
    /// Directory of the administrator's configuration
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "FAIRING_LOCAL_CONFIG",
        hide_env = true
    )]
    #[arg(default_value = "/etc/fairing")]
    pub(crate) local_config: PathBuf,
    /// Directory of the vendor's configuration
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
    insecure_options: Vec<Insecure>,
    /// Say more about what is done
    #[arg(long, global = true)]
    pub(crate) debug: bool,
}

impl GlobalArguments {
    /// The protections that are given up.
    pub(crate) fn insecure(&self) -> BTreeSet<InsecureOption> {
        let options = self.insecure_options.iter();
        options
            .flat_map(|option| option.options())
            .copied()
            .collect()
    }
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
    /// Let the root user of apps keep all capabilities
    Capabilities,
    /// Don't mask or write-protect parts of /proc and /sys
    Paths,
    /// All of these
    All,
}

impl Insecure {
    /// The options that it stands for.
    fn options(self) -> &'static [InsecureOption] {
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
