//! `fairing login`: proves credentials at a registry, and keeps them.

use std::io::{self, Read};
use std::path::PathBuf;

use clap::Args;
use engine::images::registries;
use image_registry::{Keep, Registries, Scope, check_login, keep_login, known_user};

use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::terminal::question;
use crate::wording::failure::Failure;

/// Most bytes of a password on standard input.
const PASSWORD_MAX: u64 = 64 << 10;

/// Where credentials are kept, as `login` and `logout` take it.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Use this file, in the format of auth.json
    #[arg(long, value_name = "FILE")]
    authfile: Option<PathBuf>,
    /// Use the system configuration: also for services, and after a reboot
    #[arg(long, conflicts_with = "authfile")]
    system: bool,
}

impl Place {
    pub(super) fn keep(&self) -> Keep {
        match &self.authfile {
            _ if self.system => Keep::System,
            Some(path) => Keep::File(path.clone()),
            None => Keep::Usual,
        }
    }
}

/// Arguments of `login`.
#[derive(Debug, Args)]
pub(crate) struct Login {
    /// Registry, optionally with the beginning of a path
    #[arg(value_name = "REGISTRY[/PATH]")]
    registry: String,
    /// User name
    #[arg(short, long, visible_alias = "user", value_name = "USER")]
    username: Option<String>,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
    /// Only say who is logged in
    #[arg(long, conflicts_with_all = ["username", "password_stdin"])]
    get_login: bool,
    #[command(flatten)]
    place: Place,
}

impl Subcommand for Login {
    const NAME: &'static str = "login";
    const ABOUT: &'static str = "Log in to a registry: check credentials and keep them";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let registries = registries::load(&context.engine)?;
        let scope = Scope::parse(&self.registry)?;
        if self.get_login {
            return get_login(&scope, &registries);
        }
        let user = match &self.username {
            Some(user) => user.clone(),
            None => asked(&format!("User at {scope}: "), false, "--username")?,
        };
        if user.is_empty() || user.contains(':') || user.chars().any(char::is_control) {
            return Err(Failure::Usage(format!("{user:?} is not a user name")));
        }
        let password = match self.password_stdin {
            true => password_from_stdin()?,
            false => {
                let prompt = format!("Password of {user} at {scope}: ");
                asked(&prompt, true, "--password-stdin")?
            }
        };
        if password.is_empty() {
            return Err(Failure::Usage("the password is empty".to_owned()));
        }
        let proven = check_login(&scope, &user, &password, &registries)?;
        let keep = self.place.keep();
        let place = keep_login(&scope, &user, &password, &registries, &keep)?;
        let mut line = match proven {
            true => format!("logged in to {scope} as {user}; kept in {place}"),
            false => {
                format!("{scope} does not ask for credentials; kept {user} in {place} anyway")
            }
        };
        if place.starts_with("/run/") {
            line.push_str(" until the next boot (--system keeps it for services too)");
        }
        output::line(&line)?;
        warn_of_others(&scope, &place, &keep, &registries)?;
        Ok(0)
    }
}

/// Asks for what an option could have given.
fn asked(prompt: &str, secret: bool, option: &str) -> Result<String, Failure> {
    match question::somebody_is_there() {
        true => question::ask(prompt, secret),
        false => Err(Failure::Usage(format!(
            "there is no terminal to ask on; give {option}"
        ))),
    }
}

fn get_login(scope: &Scope, registries: &Registries) -> Result<u8, Failure> {
    match known_user(scope, registries)? {
        Some((user, from)) if user.is_empty() => {
            output::line(&format!("a token of {from}"))?;
        }
        Some((user, _)) => output::line(&user)?,
        None => {
            return Err(Failure::Other(format!(
                "nobody is logged in to {scope}; `fairing login {scope}` logs in"
            )));
        }
    }
    Ok(0)
}

/// Other credentials may count before those that were kept just now.
fn warn_of_others(
    scope: &Scope,
    place: &str,
    keep: &Keep,
    registries: &Registries,
) -> Result<(), Failure> {
    if let Some((_, from)) = known_user(scope, registries)?
        && from != place
        && !matches!(keep, Keep::File(_))
    {
        output::warn(&format!("the credentials for {scope} in {from} come first"));
    }
    Ok(())
}

fn password_from_stdin() -> Result<String, Failure> {
    let mut text = String::new();
    io::stdin()
        .lock()
        .take(PASSWORD_MAX)
        .read_to_string(&mut text)
        .map_err(Failure::io("read", "the password"))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    match line.contains(['\n', '\r']) {
        true => Err(Failure::Usage(
            "the password on standard input has more than one line".to_owned(),
        )),
        false => Ok(line.to_owned()),
    }
}
