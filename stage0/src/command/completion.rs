//! `fairing completion`: a script by which a shell completes command lines.

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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Subcommand for Completion {
    const NAME: &'static str = "completion";
    const ABOUT: &'static str = "Print a completion script for a shell";
    const NEEDS_ROOT: bool = false;

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let shell = match self.shell {
            Shell::Bash => clap_complete::Shell::Bash,
            Shell::Zsh => clap_complete::Shell::Zsh,
            Shell::Fish => clap_complete::Shell::Fish,
        };
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut (context.definition)(), "fairing", &mut script);
        output::text(&String::from_utf8_lossy(&script))?;
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn scripts_know_the_flags_of_subcommands() {
        for shell in [
            clap_complete::Shell::Bash,
            clap_complete::Shell::Zsh,
            clap_complete::Shell::Fish,
        ] {
            let mut script = Vec::new();
            let mut command = crate::command::definition();
            clap_complete::generate(shell, &mut command, "fairing", &mut script);
            let script = String::from_utf8(script).unwrap();
            for word in ["run-prepared", "uuid-file-save", "keygen"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }
}
