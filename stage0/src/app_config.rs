//! What an app runs: its image's configuration, overridden by flags.

use image_store::Image;
use oci_spec::image::Config;
use pod::manifest::AppPath;
use pod::signal::SignalNumber;

use crate::arguments::app::AppArguments;
use crate::environment;
use crate::failure::Failure;
use crate::signal_names;

/// How an app is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AppConfig {
    /// Program and arguments; never empty.
    pub(crate) argv: Vec<String>,
    /// Variables.
    pub(crate) env: Vec<String>,
    /// User, empty for root.
    pub(crate) user: String,
    /// Group, empty for the user's own.
    pub(crate) group: String,
    /// Working directory.
    pub(crate) workdir: AppPath,
    /// The signal that asks the app to end.
    pub(crate) stop_signal: SignalNumber,
}

/// Puts image and flags together.
///
/// # Errors
/// If there is nothing to run, or a part of either makes no sense.
pub(crate) fn execution(arguments: &AppArguments, image: &Image) -> Result<AppConfig, Failure> {
    let empty = Config::default();
    let config = image.config().config().as_ref().unwrap_or(&empty);
    let (user, group) = identity(arguments, config.user().as_deref());
    let env = environment::build(
        config.env().as_deref().unwrap_or_default(),
        &arguments.env_file,
        &arguments.env,
    )?;
    Ok(AppConfig {
        argv: argv(arguments, config)?,
        env,
        user,
        group,
        workdir: workdir(arguments, config.working_dir().as_deref())?,
        stop_signal: stop_signal(arguments, config.stop_signal().as_deref())?,
    })
}

fn argv(arguments: &AppArguments, config: &Config) -> Result<Vec<String>, Failure> {
    let entrypoint = config.entrypoint().as_deref().unwrap_or_default();
    let cmd = config.cmd().as_deref().unwrap_or_default();
    let mut argv = match &arguments.exec {
        Some(program) => vec![program.clone()],
        None => entrypoint.to_vec(),
    };
    if arguments.exec.is_some() || !arguments.arguments.is_empty() {
        argv.extend_from_slice(&arguments.arguments);
    } else {
        argv.extend_from_slice(cmd);
    }
    match argv.first() {
        None => Err(Failure::Other(format!(
            "image {} names no program to run; name one with --exec PROGRAM or after `--`",
            arguments.image()
        ))),
        Some(program) if program.is_empty() => Err(Failure::Other(format!(
            "the program to run of {} is empty; name one with --exec PROGRAM",
            arguments.image()
        ))),
        Some(_) if argv.iter().any(|word| word.contains('\0')) => Err(Failure::Other(format!(
            "the command of {} holds a zero byte",
            arguments.image()
        ))),
        Some(_) => Ok(argv),
    }
}

/// User and group: `--user` replaces both of the image's, `--group` the group.
fn identity(arguments: &AppArguments, image: Option<&str>) -> (String, String) {
    let user = arguments.user.as_deref().or(image).unwrap_or_default();
    let (user, group) = user.split_once(':').unwrap_or((user, ""));
    let group = arguments.group.as_deref().unwrap_or(group);
    (user.to_owned(), group.to_owned())
}

fn workdir(arguments: &AppArguments, image: Option<&str>) -> Result<AppPath, Failure> {
    if let Some(path) = &arguments.workdir {
        return AppPath::try_from(path.clone())
            .map_err(|error| Failure::Usage(format!("--workdir: {error}")));
    }
    let path = match image.unwrap_or_default() {
        path if path.contains('\0') => "/".to_owned(),
        path if path.starts_with('/') => path.to_owned(),
        path => format!("/{path}"),
    };
    AppPath::try_from(path)
        .map_err(|error| Failure::Other(format!("image {}: {error}", arguments.image())))
}

fn stop_signal(arguments: &AppArguments, image: Option<&str>) -> Result<SignalNumber, Failure> {
    match image.unwrap_or_default() {
        "" => Ok(SignalNumber::TERM),
        text => signal_names::parse(text)
            .and_then(|number| number.try_into().ok())
            .ok_or_else(|| {
                Failure::Other(format!(
                    "image {} has the stop signal {text:?}, which is none",
                    arguments.image()
                ))
            }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    fn arguments(line: &str) -> AppArguments {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        AppArguments::parse_later(&words).unwrap()
    }

    fn config(json: &str) -> Config {
        serde_json::from_str(json).unwrap()
    }

    fn argv_of(line: &str, image: &str) -> Vec<String> {
        argv(&arguments(line), &config(image)).unwrap()
    }

    const IMAGE: &str = r#"{"Entrypoint":["/entry","-e"],"Cmd":["c","d"]}"#;

    #[test]
    fn arguments_replace_cmd_and_exec_replaces_all() {
        assert_eq!(argv_of("i", IMAGE), ["/entry", "-e", "c", "d"]);
        assert_eq!(argv_of("i -- x", IMAGE), ["/entry", "-e", "x"]);
        assert_eq!(argv_of("i --exec /p", IMAGE), ["/p"]);
        assert_eq!(argv_of("i --exec /p -- x", IMAGE), ["/p", "x"]);
        assert_eq!(argv_of("i -- x", r#"{"Cmd":["c"]}"#), ["x"]);
    }

    #[test]
    fn nothing_to_run_is_an_error_that_says_what_to_do() {
        for image in [
            "{}",
            r#"{"Cmd":[]}"#,
            r#"{"Cmd":[""]}"#,
            r#"{"Cmd":["a\u0000b"]}"#,
        ] {
            let error = argv(&arguments("i"), &config(image)).unwrap_err();
            assert_eq!(error.exit_code(), 125, "{image}");
        }
        let error = argv(&arguments("i"), &config("{}")).unwrap_err();
        assert!(error.to_string().contains("--exec"), "{error}");
    }

    #[test]
    fn users_and_groups_are_split_and_overridden() {
        let of = |line: &str, image| identity(&arguments(line), image);
        let pair = |user: &str, group: &str| (user.to_owned(), group.to_owned());
        assert_eq!(of("i", None), pair("", ""));
        assert_eq!(of("i", Some("www:data")), pair("www", "data"));
        assert_eq!(of("i --user 5", Some("www:data")), pair("5", ""));
        assert_eq!(of("i --user 5:6", Some("www")), pair("5", "6"));
        assert_eq!(of("i --group 7", Some("www:data")), pair("www", "7"));
    }

    #[test]
    fn working_directories_are_absolute() {
        let of = |line: &str, image| workdir(&arguments(line), image);
        let of = |line: &str, image| of(line, image).map(String::from);
        assert_eq!(of("i", None).unwrap(), "/");
        assert_eq!(of("i", Some("srv")).unwrap(), "/srv");
        assert_eq!(of("i --workdir /x", Some("/srv")).unwrap(), "/x");
        assert_eq!(of("i --workdir x", None).unwrap_err().exit_code(), 2);
    }

    #[test]
    fn stop_signals_come_by_name_or_number() {
        let of = |image| stop_signal(&arguments("i"), image).map(SignalNumber::number);
        assert_eq!(of(None).unwrap(), 15);
        assert_eq!(of(Some("SIGQUIT")).unwrap(), 3);
        assert_eq!(of(Some("9")).unwrap(), 9);
        assert!(of(Some("nonsense")).is_err());
    }
}
