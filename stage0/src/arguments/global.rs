//! Flags of every command, before or after its name.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::ValueEnum;
use pod::manifest::InsecureOption;

/// Flags of every command, before or after its name.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global flags")]
pub(crate) struct GlobalArguments {
    /// Directory of images and pods; also $FAIRING_DIR
    #[arg(long, global = true, hide_short_help = true, value_name = "DIR")]
    #[arg(default_value_os_t = directory("FAIRING_DIR", "/var/lib/fairing"))]
    pub(crate) dir: PathBuf,
    /// Directory of runtime state, until the next boot; also $FAIRING_RUN_DIR
    #[arg(long, global = true, hide_short_help = true, value_name = "DIR")]
    #[arg(default_value_os_t = directory("FAIRING_RUN_DIR", "/run/fairing"))]
    pub(crate) run_dir: PathBuf,
    /// Directory of the administrator's configuration; also $FAIRING_LOCAL_CONFIG
    #[arg(long, global = true, hide_short_help = true, value_name = "DIR")]
    #[arg(default_value_os_t = directory("FAIRING_LOCAL_CONFIG", "/etc/fairing"))]
    pub(crate) local_config: PathBuf,
    /// Directory of the vendor's configuration; also $FAIRING_SYSTEM_CONFIG
    #[arg(long, global = true, hide_short_help = true, value_name = "DIR")]
    #[arg(default_value_os_t = directory("FAIRING_SYSTEM_CONFIG", "/usr/lib/fairing"))]
    pub(crate) system_config: PathBuf,
    /// Protections to give up for this command, separated by commas
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_name = "LIST",
        value_delimiter = ','
    )]
    insecure_options: Vec<Insecure>,
    /// Say more about what is done
    #[arg(long, global = true, hide_short_help = true)]
    pub(crate) debug: bool,
}

/// The directory that a variable of the environment names, else this one. Not clap's `env`, which would count what is in
/// the environment as typed, and repeat it in usage lines.
fn directory(variable: &str, default: &str) -> PathBuf {
    match std::env::var_os(variable) {
        Some(path) if !path.is_empty() => path.into(),
        _ => default.into(),
    }
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
