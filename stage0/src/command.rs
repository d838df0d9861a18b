//! The subcommands: one file each, and the table by which they are found.

mod app;
mod attach;
mod attached;
mod auto_update;
mod cat_manifest;
mod commit;
mod complete;
mod completion;
mod cp;
mod diff;
mod doctor;
mod down;
mod enter;
mod export;
mod fetch;
mod gc;
mod image;
mod inspect;
mod kill;
mod kube;
mod list;
mod load;
mod login;
mod logout;
mod logs;
mod man;
mod network;
mod pause;
mod play;
mod port;
mod prepare;
mod push;
mod rename;
mod restart;
mod rm;
mod run;
mod run_prepared;
mod running_app;
mod save;
mod several;
mod start;
mod stats;
mod status;
mod stop;
mod subcommand;
mod system;
mod top;
mod trust;
mod units;
mod update;
mod version;
mod volume;
mod wait;

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use self::subcommand::{Entry, delegate, help_flags};
use crate::arguments::booleans::{has_truth_values, without_truth_value};
use crate::arguments::global::GlobalArguments;
use crate::arguments::split::{Split, command_name, split};
use crate::arguments::usage::{Typed, refused_value, usage, usage_of};
use crate::console::output;
use crate::context::Context;
use crate::wording::exit_code::{TABLE, USAGE};
use crate::wording::failure::Failure;
use crate::wording::guide::GUIDE;
use crate::wording::help::grouped;

const COMMANDS: &[Entry] = &[
    Entry::of::<run::Run>(),
    Entry::of::<prepare::Prepare>(),
    Entry::of::<run_prepared::RunPrepared>(),
    Entry::of::<play::Play>(),
    Entry::of::<down::Down>(),
    Entry::group("kube", kube::define, kube::run),
    Entry::group("generate", kube::define_generate, kube::run_generate),
    Entry::of::<fetch::Fetch>(),
    Entry::of::<push::Push>(),
    Entry::of::<list::List>(),
    Entry::of::<list::Ps>(),
    Entry::of::<status::Status>(),
    Entry::of::<inspect::Inspect>(),
    Entry::of::<top::Top>(),
    Entry::of::<stats::Stats>(),
    Entry::of::<wait::Wait>(),
    Entry::of::<start::Start>(),
    Entry::of::<restart::Restart>(),
    Entry::of::<kill::Kill>(),
    Entry::of::<stop::StopPods>(),
    Entry::of::<pause::Pause>(),
    Entry::of::<pause::Resume>(),
    Entry::of::<update::Update>(),
    Entry::of::<auto_update::AutoUpdate>(),
    Entry::of::<rm::Rm>(),
    Entry::of::<rename::Rename>(),
    Entry::of::<gc::Gc>(),
    Entry::of::<enter::Enter>(),
    Entry::of::<attach::Attach>(),
    Entry::of::<cp::Cp>(),
    Entry::of::<diff::Diff>(),
    Entry::of::<logs::Logs>(),
    Entry::of::<port::Port>(),
    Entry::of::<export::Export>(),
    Entry::of::<commit::Commit>(),
    Entry::of::<cat_manifest::CatManifest>(),
    Entry::of::<save::Save>(),
    Entry::of::<load::Load>(),
    Entry::of::<login::Login>(),
    Entry::of::<logout::Logout>(),
    Entry::group("app", app::define, app::run),
    Entry::group("image", image::define, image::run),
    Entry::group("network", network::define, network::run),
    Entry::group("volume", volume::define, volume::run),
    Entry::group("trust", trust::define, trust::run),
    Entry::group("units", units::define, units::run),
    Entry::group("system", system::define, system::run),
    Entry::of::<doctor::Doctor>(),
    Entry::of::<version::Version>(),
    Entry::of::<completion::Completion>(),
    Entry::of::<complete::Complete>(),
    Entry::of::<man::Man>(),
    Entry::of::<image::list::Images>(),
    Entry::of::<image::rm::Rmi>(),
    Entry::of::<image::tag::Tag>().hidden(),
    Entry::of::<image::history::History>().hidden(),
    Entry::of::<system::info::Info>(),
];

/// The whole command line, for help, completion and whatever is not understood.
pub(crate) fn definition() -> Command {
    definition_with(COMMANDS.iter())
}

/// The command line with the one subcommand that is named in it: each subcommand that is defined gets copies of all
/// global flags, and a start would pay for forty of them.
fn definition_for(argv: &[OsString]) -> Command {
    match named_entry(argv) {
        Some(entry) => definition_with(std::iter::once(entry)),
        None => definition(),
    }
}

/// The subcommand that a command line is all about: flags before it, such as one for help, may ask for something else.
fn named_entry(argv: &[OsString]) -> Option<&'static Entry> {
    let word = command_name(argv)?;
    COMMANDS.iter().find(|entry| entry.is_called(word))
}

fn definition_with<'a>(entries: impl Iterator<Item = &'a Entry>) -> Command {
    let command = Command::new("fairing")
        .about("Runs signed OCI images as pods, without a daemon")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_flag(true)
        // Wrappers set flags, and people want to change them: the last one counts.
        .args_override_self(true)
        .max_term_width(80)
        .after_help("`fairing COMMAND --help` has the flags of a command, `fairing --help-all` the exit codes.")
        .arg(
            Arg::new("short-version")
                .short('v')
                .action(ArgAction::Version)
                .hide(true),
        )
        .after_long_help(TABLE);
    help_flags(GlobalArguments::augment_args(command), Some('h'))
        .about("Runs signed OCI images as pods, without a daemon")
        .long_about(None)
        .subcommands(entries.map(Entry::command))
}

/// Does what the command line says.
///
/// # Errors
/// Why it could not be done.
pub(crate) fn dispatch(argv: Vec<OsString>) -> Result<u8, Failure> {
    if argv.len() < 2 {
        output::error(GUIDE);
        return Ok(USAGE);
    }
    let (split, parsed) = understood(argv)?;
    let matches = match parsed {
        Ok(matches) => matches,
        Err(error) if !error.use_stderr() => {
            let text = error.render().to_string();
            let is_whole = named_entry(&split.first).is_none();
            output::text(&match is_whole {
                true => grouped(&text),
                false => text,
            })?;
            return Ok(0);
        }
        Err(error) if names_no_command(&error) => {
            output::error(GUIDE);
            return Ok(USAGE);
        }
        Err(error) if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            output::error(&error.render().to_string());
            return Ok(USAGE);
        }
        Err(error) => {
            let failure = usage_of(&split.first, split.makes_app, definition(), &error);
            return Err(failure);
        }
    };
    let global = GlobalArguments::from_arg_matches(&matches).map_err(|error| usage(&error))?;
    let context = Context::new(global, (split.later, split.doubt), definition, self::parsed)?;
    let done = delegate(COMMANDS, "", &matches, &context);
    if done.is_err() {
        context.remember_names();
    }
    done
}

/// What the parser makes of a command line. Switches may have truth values; what begins a pod has none any more once it is
/// split, and others are done without when the parser refuses them.
fn understood(
    mut argv: Vec<OsString>,
) -> Result<(Split, Result<ArgMatches, clap::Error>), Failure> {
    loop {
        let typed = has_truth_values(&argv).then(|| argv.clone());
        let split = split(argv)?;
        let parsed = match definition_for(&split.first).try_get_matches_from(&split.first) {
            // What is wrong can be told only by who knows all commands.
            Err(error) if error.use_stderr() => definition().try_get_matches_from(&split.first),
            parsed => parsed,
        };
        let without = match (&typed, &parsed) {
            (Some(typed), Err(error)) => refused_value(error).and_then(|word| {
                let command = Typed::of(typed, definition(), None);
                without_truth_value(typed, word, &command.definition)
            }),
            _ => None,
        };
        match without {
            Some(changed) => argv = changed,
            None => return Ok((split, parsed)),
        }
    }
}

/// Whether flags are all that was typed.
fn names_no_command(error: &clap::Error) -> bool {
    let above = error.get(ContextKind::InvalidSubcommand);
    error.kind() == ErrorKind::MissingSubcommand
        && matches!(above, Some(ContextValue::String(name)) if name == "fairing")
}

/// What a command line means, as far as it can be understood without doing anything.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parsed(argv: Vec<OsString>) -> Result<ArgMatches, Failure> {
    let (split, matches) = understood(argv)?;
    for words in &split.later {
        crate::arguments::app::AppArguments::parse_later(words)?;
    }
    matches.map_err(|error| usage_of(&split.first, split.makes_app, definition(), &error))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_command_line_is_well_defined() {
        definition().debug_assert();
    }

    #[test]
    fn help_fits_a_screen_and_help_all_has_every_flag() {
        for name in ["run", "prepare", "list"] {
            let mut definition = definition();
            definition.build();
            let command = definition.find_subcommand_mut(name).unwrap();
            let short = command.render_help().to_string();
            let lines = short.lines().count();
            assert!(lines <= 40, "{name}: {lines} lines\n{short}");
            let wide = short.lines().find(|line| line.chars().count() > 80);
            assert_eq!(wide, None, "{name}");
            let all = command.render_long_help().to_string();
            let shown = command.get_arguments().filter(|flag| !flag.is_hide_set());
            for flag in shown.filter_map(clap::Arg::get_long) {
                assert!(all.contains(&format!("--{flag}")), "{name}: --{flag}");
            }
        }
    }

    /// What a command line that fails ends with, in directories of its own below `folder`: nothing that a test
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
            "run --volume .data:/b a",
            "run a --mount /a:/b",
            "run a --memroy 64m",
            "run a --- --rm b",
            "app add p a --memroy 64m",
            "build .",
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
