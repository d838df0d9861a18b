//! `fairing completion`: a script by which a shell completes command lines. It asks `fairing complete` at each key.

use clap::{Args, ValueEnum};

use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `completion`.
#[derive(Debug, Args)]
pub(crate) struct Completion {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// A shell that completes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Subcommand for Completion {
    const NAME: &'static str = "completion";
    const ABOUT: &'static str = "Print a completion script for a shell";
    const NEEDS_ROOT: bool = false;

    fn run(self, _: &Context) -> Result<u8, Failure> {
        output::text(match self.shell {
            Shell::Bash => include_str!("completion/fairing.bash"),
            Shell::Zsh => include_str!("completion/_fairing"),
            Shell::Fish => include_str!("completion/fairing.fish"),
        })?;
        Ok(0)
    }
}
