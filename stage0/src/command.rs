//! The subcommands: one file each, and the table by which they are found.

mod cat_manifest;
mod completion;
mod enter;
mod fetch;
mod gc;
mod image;
mod list;
mod login;
mod logout;
mod logs;
mod man;
mod network;
mod prepare;
mod push;
mod rm;
mod run;
mod run_prepared;
mod status;
mod stop;
mod trust;
mod version;

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::arguments::GlobalArguments;
use crate::arguments::split::split;
use crate::context::Context;
use crate::failure::Failure;
use crate::output;

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
    /// The usage line, where the arguments alone don't give it.
    const USAGE: Option<&'static str> = None;

    /// Does it; gives the exit code.
    ///
    /// # Errors
    /// Why it could not be done.
    fn run(self, context: &Context) -> Result<u8, Failure>;
}

/// A row of the table of subcommands.
pub(crate) struct Entry {
    name: &'static str,
    needs_root: bool,
    define: fn() -> Command,
    run: fn(&ArgMatches, &Context) -> Result<u8, Failure>,
}

impl Entry {
    pub(crate) const fn of<C: Subcommand>() -> Self {
        Self {
            name: C::NAME,
            needs_root: C::NEEDS_ROOT,
            define: define::<C>,
            run: run::<C>,
        }
    }

    /// A subcommand that only has subcommands.
    const fn group(
        name: &'static str,
        define: fn() -> Command,
        run: fn(&ArgMatches, &Context) -> Result<u8, Failure>,
    ) -> Self {
        Self {
            name,
            needs_root: false,
            define,
            run,
        }
    }
}

/// Arguments are defined only once the subcommand is chosen: a start pays for one, not for all.
fn define<C: Subcommand>() -> Command {
    Command::new(C::NAME)
        .about(C::ABOUT)
        .visible_aliases(C::ALIASES)
        .hide(C::HIDDEN)
        .defer(|command| {
            let command = C::augment_args(command).about(C::ABOUT).long_about(None);
            match C::USAGE {
                Some(usage) => command.override_usage(usage),
                None => command,
            }
        })
}

fn run<C: Subcommand>(matches: &ArgMatches, context: &Context) -> Result<u8, Failure> {
    C::from_arg_matches(matches)
        .map_err(|error| usage(&error, ""))?
        .run(context)
}

const COMMANDS: &[Entry] = &[
    Entry::of::<run::Run>(),
    Entry::of::<prepare::Prepare>(),
    Entry::of::<run_prepared::RunPrepared>(),
    Entry::of::<fetch::Fetch>(),
    Entry::of::<push::Push>(),
    Entry::of::<list::List>(),
    Entry::of::<status::Status>(),
    Entry::of::<stop::Stop>(),
    Entry::of::<rm::Rm>(),
    Entry::of::<gc::Gc>(),
    Entry::of::<enter::Enter>(),
    Entry::of::<logs::Logs>(),
    Entry::of::<cat_manifest::CatManifest>(),
    Entry::of::<login::Login>(),
    Entry::of::<logout::Logout>(),
    Entry::group("image", image::define, image::run),
    Entry::group("network", network::define, network::run),
    Entry::group("trust", trust::define, trust::run),
    Entry::of::<version::Version>(),
    Entry::of::<completion::Completion>(),
    Entry::of::<man::Man>(),
    Entry::of::<image::list::Images>(),
    Entry::of::<image::rm::Rmi>(),
];

const EXIT_CODES: &str = "\
Exit codes:
  those of the app for `run`, `run-prepared` and `enter` (128 + signal where one ended it), else 0, or
    2  the command line makes no sense
  110  the image is known neither to the store nor to the registry
  111  something has not the digest it should have, or a layer was changed in the store
  112  a layer is truncated or corrupt
  113  a manifest or configuration is not what it should be
  114  the image is not for this platform
  115  the image is unsigned, or no rule lets it run
  116  the image is signed, but not as the rule wants
  117  no space is left
  118  only root may do this
  119  the image does not know the user or group
  120  the name is in use
  121  there is no such pod, or more than one
  122  the registry can't be reached, or refuses
  125  anything else that went wrong within fairing
  126  the program can't be executed
  127  the program is not there
";

/// The whole command line, for parsing, help and completion.
pub(crate) fn definition() -> Command {
    let command = Command::new("fairing")
        .about("Runs signed OCI images as pods, without a daemon")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        // Wrappers set flags, and people want to change them: the last one counts.
        .args_override_self(true)
        .max_term_width(100)
        .after_help(EXIT_CODES);
    GlobalArguments::augment_args(command)
        .about("Runs signed OCI images as pods, without a daemon")
        .long_about(None)
        .subcommands(COMMANDS.iter().map(|entry| (entry.define)()))
}

/// Does what the command line says.
///
/// # Errors
/// Why it could not be done.
pub(crate) fn dispatch(argv: Vec<OsString>) -> Result<u8, Failure> {
    let split = split(argv);
    let matches = match definition().try_get_matches_from(split.first) {
        Ok(matches) => matches,
        Err(error) if !error.use_stderr() => {
            output::text(&error.render().to_string())?;
            return Ok(0);
        }
        Err(error) if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            output::error(&error.render().to_string());
            return Ok(2);
        }
        Err(error) => return Err(usage(&error, "")),
    };
    let global = GlobalArguments::from_arg_matches(&matches).map_err(|error| usage(&error, ""))?;
    let context = Context::new(global, split.later)?;
    delegate(COMMANDS, "", &matches, &context)
}

/// Runs the chosen one of several subcommands.
fn delegate(
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

/// What the parser says, as this program words errors.
pub(crate) fn usage(error: &clap::Error, place: &str) -> Failure {
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    Failure::Usage(format!("{place}{text}"))
}

/// Does something for each of several objects; a failure of one is printed and keeps none of the others.
///
/// # Errors
/// The first failure, printed already.
pub(crate) fn for_each<T>(
    objects: impl IntoIterator<Item = T>,
    mut action: impl FnMut(T) -> Result<(), Failure>,
) -> Result<u8, Failure> {
    let mut first = None;
    for object in objects {
        if let Err(failure) = action(object) {
            failure.print();
            // Who interrupts one means all of them.
            let last = matches!(failure, Failure::Interrupted { .. });
            first.get_or_insert(failure);
            if last {
                break;
            }
        }
    }
    match first {
        None => Ok(0),
        Some(failure) => Err(Failure::Printed {
            first: Box::new(failure),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_command_line_is_well_defined() {
        definition().debug_assert();
    }

    /// What a command line that fails ends with, in folders of its own below `folder`: nothing that a test
    /// does can touch the machine's.
    fn fails(folder: &Path, line: &str) -> u8 {
        let flags = ["--dir", "--run-dir", "--local-config", "--system-config"];
        let folders = flags.map(|flag| {
            let path = folder.join(flag.trim_start_matches('-'));
            format!("{flag}={}", path.display())
        });
        let argv = std::iter::once("fairing")
            .chain(folders.iter().map(String::as_str))
            .chain(line.split_whitespace());
        dispatch(argv.map(OsString::from).collect())
            .unwrap_err()
            .exit_code()
    }

    #[test]
    fn nonsense_is_a_usage_error_and_touches_nothing() {
        let folder = tempfile::tempdir().unwrap();
        for line in [
            "nonsense",
            "run",
            "run --nonsense a",
            "run --net=a,a b",
            "run --net=none --port 1:1 a",
            "run --port x a",
            "run --dns x a",
            "run --hosts-entry x a",
            "run a b",
            "image nonsense",
            "trust nonsense",
            "run --name deadbeef a",
            "run --insecure-options=network a",
            "gc --grace-period x",
        ] {
            assert_eq!(fails(folder.path(), line), 2, "{line}");
            let left = std::fs::read_dir(folder.path()).unwrap().count();
            assert_eq!(left, 0, "{line}");
        }
    }
}
