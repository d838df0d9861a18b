//! What a subcommand is, and the rows of the tables by which subcommands are found.

use clap::{Arg, ArgAction, ArgMatches, Args, Command};

use crate::arguments::usage::usage;
use crate::context::Context;
use crate::wording::failure::Failure;

/// A subcommand: its arguments, and what it does with them.
pub(crate) trait Subcommand: Args {
    /// What it is called by.
    const NAME: &'static str;
    /// One line for the help.
    const ABOUT: &'static str;
    /// Other words for it.
    const ALIASES: &'static [&'static str] = &[];
    /// Whether the help doesn't mention it.
    const HIDDEN: bool = false;
    /// Whether only root may use it.
    const NEEDS_ROOT: bool = true;
    /// What stands below the help.
    const EPILOGUE: Option<&'static str> = None;
    /// The usage line, where the arguments alone don't give it.
    const USAGE: Option<&'static str> = None;

    /// Its definition, where the arguments that it shares with others are not quite its own.
    fn adjusted(command: Command) -> Command {
        command
    }

    /// Does it; gives the exit code.
    ///
    /// # Errors
    /// Why it could not be done.
    fn run(self, context: &Context) -> Result<u8, Failure>;
}

/// A row of the table of subcommands.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    aliases: &'static [&'static str],
    needs_root: bool,
    is_hidden: bool,
    define: fn() -> Command,
    run: fn(&ArgMatches, &Context) -> Result<u8, Failure>,
}

impl Entry {
    pub(crate) const fn of<C: Subcommand>() -> Self {
        Self {
            name: C::NAME,
            aliases: C::ALIASES,
            needs_root: C::NEEDS_ROOT,
            is_hidden: C::HIDDEN,
            define: define::<C>,
            run: run::<C>,
        }
    }

    /// A subcommand that only has subcommands.
    pub(crate) const fn group(
        name: &'static str,
        define: fn() -> Command,
        run: fn(&ArgMatches, &Context) -> Result<u8, Failure>,
    ) -> Self {
        Self {
            name,
            aliases: &[],
            needs_root: false,
            is_hidden: false,
            define,
            run,
        }
    }

    /// The same for those who know it from elsewhere: the help doesn't mention it here.
    pub(crate) const fn hidden(mut self) -> Self {
        self.is_hidden = true;
        self
    }

    /// Whether this word is a name of it.
    pub(crate) fn is_called(&self, word: &str) -> bool {
        self.name == word || self.aliases.contains(&word)
    }

    /// Its definition.
    pub(crate) fn command(&self) -> Command {
        (self.define)().hide(self.is_hidden)
    }
}

/// The flags for help. The short one fits a screen: it leaves out what few need.
pub(crate) fn help_flags(command: Command, letter: Option<char>) -> Command {
    let mut short = Arg::new("help")
        .long("help")
        .action(ArgAction::HelpShort)
        .help("Print help with the flags that most need");
    let mut all = Arg::new("help-all")
        .long("help-all")
        .action(ArgAction::HelpLong)
        .help("Print help with all flags");
    match letter {
        Some(letter) => short = short.short(letter),
        // Commands that make a pod have so many flags that no line is wasted; their epilogue says it.
        None => {
            short = short.hide_short_help(true);
            all = all.hide_short_help(true);
        }
    }
    let command = command.disable_help_flag(true);
    command.next_help_heading(None).args([short, all])
}

/// Arguments are defined only once the subcommand is chosen: a start pays for one, not for all.
fn define<C: Subcommand>() -> Command {
    Command::new(C::NAME)
        .about(C::ABOUT)
        .visible_aliases(C::ALIASES)
        .defer(|command| {
            let command = C::adjusted(C::augment_args(command));
            let command = command.about(C::ABOUT).long_about(None);
            // Of a pod, it is the short form of --hostname.
            let taken = command
                .get_arguments()
                .any(|argument| argument.get_short() == Some('h'));
            let command = help_flags(command, (!taken).then_some('h'));
            let command = match C::EPILOGUE {
                Some(text) => command.after_help(text),
                None => command,
            };
            match C::USAGE {
                Some(usage) => command.override_usage(usage),
                None => command,
            }
        })
}

fn run<C: Subcommand>(matches: &ArgMatches, context: &Context) -> Result<u8, Failure> {
    C::from_arg_matches(matches)
        .map_err(|error| usage(&error))?
        .run(context)
}

/// Runs the chosen one of several subcommands.
pub(crate) fn delegate(
    entries: &[Entry],
    above: &str,
    matches: &ArgMatches,
    context: &Context,
) -> Result<u8, Failure> {
    let chosen = matches.subcommand().and_then(|(name, matches)| {
        let entry = entries.iter().find(|entry| entry.name == name)?;
        Some((entry, matches))
    });
    let Some((entry, matches)) = chosen else {
        return Err(Failure::Usage("no subcommand is given".to_owned()));
    };
    if entry.needs_root && !nix::unistd::geteuid().is_root() {
        return Err(Failure::NotRoot {
            command: format!("{above}{}", entry.name),
        });
    }
    (entry.run)(matches, context)
}
