//! `fairing complete`: what may come next on a command line, for the scripts of `fairing completion`.

mod candidate;
mod line;
mod values;
mod wanted;

use clap::Args;

use self::candidate::{Candidate, Wanted};
use self::line::words_of;
use self::wanted::wanted;
use super::completion::Shell;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// The shell completes files itself.
const FILES: u8 = 1;

/// Arguments of `complete`.
#[derive(Debug, Args)]
pub(crate) struct Complete {
    /// The shell that asks
    #[arg(value_enum)]
    shell: Shell,
    /// The words after the program's name; of bash, the line up to the cursor
    #[arg(last = true)]
    words: Vec<String>,
}

impl Subcommand for Complete {
    const NAME: &'static str = "complete";
    const ABOUT: &'static str = "Print what may come next on a command line";
    const HIDDEN: bool = true;
    const NEEDS_ROOT: bool = false;

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let words = match (self.shell, self.words.as_slice()) {
            (Shell::Bash, [line]) => words_of(line).split_off(1),
            _ => self.words,
        };
        let typed = words.last().cloned().unwrap_or_default();
        let mut definition = (context.definition)();
        definition.build();
        let candidates = match wanted(&definition, &words) {
            Wanted::Files => return Ok(FILES),
            Wanted::These(candidates) => candidates,
            Wanted::Values { kind, before } => {
                let named = |text: String| Candidate::plain(format!("{before}{text}"));
                let rest = typed.strip_prefix(&before).unwrap_or_default();
                let values = values::of(kind, rest, &words, context);
                values.into_iter().map(named).collect()
            }
        };
        let fitting = candidates
            .iter()
            .filter(|candidate| candidate.text.starts_with(&typed));
        let lines: Vec<String> = fitting
            .map(|candidate| line_for(self.shell, candidate, &typed))
            .collect();
        output::text(&lines.concat())?;
        Ok(0)
    }
}

/// A candidate as the shell's script takes it.
fn line_for(shell: Shell, candidate: &Candidate, typed: &str) -> String {
    let Candidate { text, about } = candidate;
    match shell {
        // For bash, a word begins anew behind these.
        Shell::Bash => {
            let done = typed.rfind([':', '=']).map_or(0, |place| place + 1);
            format!("{}\n", text.get(done..).unwrap_or(text))
        }
        Shell::Zsh => format!("{}:{about}\n", text.replace(':', "\\:")),
        Shell::Fish => format!("{text}\t{about}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_gets_candidates_in_its_own_form() {
        let candidate = Candidate {
            text: "a.io/b:1".to_owned(),
            about: "an image".to_owned(),
        };
        for (shell, typed, line) in [
            (Shell::Bash, "a", "a.io/b:1\n"),
            (Shell::Bash, "a.io/b:", "1\n"),
            (Shell::Zsh, "a", "a.io/b\\:1:an image\n"),
            (Shell::Fish, "a", "a.io/b:1\tan image\n"),
        ] {
            assert_eq!(line_for(shell, &candidate, typed), line);
        }
    }
}
