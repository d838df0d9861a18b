//! What an app runs: its image's configuration, overridden by what is asked for.

use image_store::Image;
use oci_spec::image::Config;
use pod::manifest::{AppPath, Probes, Restart, Security};
use pod::signal::SignalNumber;

use super::environment;
use super::spec::AppSpec;
use super::{security, systemd};
use crate::error::{AppError, Error};
use crate::observer::Observer;
use crate::signal_names;

/// How an app is started.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AppConfig {
    /// Program and arguments; never empty.
    pub(super) argv: Vec<String>,
    /// Variables.
    pub(super) env: Vec<String>,
    /// User, empty for root.
    pub(super) user: String,
    /// Group, empty for the user's own.
    pub(super) group: String,
    /// Groups beside those that are asked for, which its devices need.
    pub(super) groups: Vec<u32>,
    /// Working directory.
    pub(super) workdir: AppPath,
    /// The signal that asks the app to end.
    pub(super) stop_signal: SignalNumber,
    /// Whether it is run as systemd is.
    pub(super) systemd: bool,
    /// How it is confined.
    pub(super) security: Security,
    /// How it is found out whether it is well.
    pub(super) probes: Probes,
    /// When it is started again.
    pub(super) restart: Restart,
}

impl AppConfig {
    /// Sets variables, each `KEY=VALUE`, over others of their names.
    pub(super) fn add_env(&mut self, variables: Vec<String>) {
        let name = |variable: &str| variable.split('=').next().map(str::to_owned);
        for variable in variables {
            self.env.retain(|old| name(old) != name(&variable));
            self.env.push(variable);
        }
    }
}

/// Puts together what the image says and what is asked for.
///
/// # Errors
/// If there is nothing to run, or a part of either makes no sense.
pub(super) fn execution(
    spec: &AppSpec,
    image: &Image,
    is_in_machine: bool,
    observer: &dyn Observer,
) -> Result<AppConfig, Error> {
    let empty = Config::default();
    let config = image.config().config().as_ref().unwrap_or(&empty);
    let (user, group) = identity(spec, config.user().as_deref())?;
    if spec.non_root {
        require_non_root(spec, &user)?;
    }
    let of_image = config.env().as_deref().unwrap_or_default();
    let is_kept = |entry: &&String| {
        let name = entry
            .split_once('=')
            .map_or(entry.as_str(), |(name, _)| name);
        !spec.unset_all_env && !spec.unset_env.iter().any(|unset| unset == name)
    };
    let of_image: Vec<String> = of_image.iter().filter(is_kept).cloned().collect();
    let env = environment::build(&spec.inherited, &of_image, &spec.env);
    let argv = argv(spec, config)?;
    let systemd = systemd::is_wanted(spec, &argv, is_in_machine, observer)?;
    let usual_signal = match systemd {
        true => systemd::stop_signal(),
        false => SignalNumber::TERM,
    };
    Ok(AppConfig {
        argv,
        systemd,
        env,
        user,
        group,
        groups: Vec::new(),
        security: security::resolve(&spec.security)?,
        workdir: workdir(spec, config.working_dir().as_deref())?,
        probes: spec.probes.clone(),
        restart: spec.restart,
        stop_signal: stop_signal(spec, config.stop_signal().as_deref(), usual_signal)?,
    })
}

fn argv(spec: &AppSpec, config: &Config) -> Result<Vec<String>, AppError> {
    // One empty word is how builders take back the entry point of an image below.
    let entrypoint = match config.entrypoint().as_deref().unwrap_or_default() {
        [only] if only.is_empty() => &[],
        words => words,
    };
    let cmd = config.cmd().as_deref().unwrap_or_default();
    let mut argv = match &spec.exec {
        Some(program) => vec![program.clone()],
        None => entrypoint.to_vec(),
    };
    if spec.exec.is_some() || !spec.arguments.is_empty() {
        argv.extend_from_slice(&spec.arguments);
    } else {
        argv.extend_from_slice(cmd);
    }
    let image = || spec.image.clone();
    match argv.first() {
        None => Err(AppError::NoProgram { image: image() }),
        Some(program) if program.is_empty() => Err(AppError::EmptyProgram { image: image() }),
        // No image has a program of such a name; it was meant for somebody else.
        Some(word) if word.starts_with('-') && spec.arguments.first() == Some(word) => {
            Err(AppError::FlagAsProgram {
                image: image(),
                word: word.clone(),
            })
        }
        Some(_) if argv.iter().any(|word| word.contains('\0')) => {
            Err(AppError::ZeroByte { image: image() })
        }
        Some(_) => Ok(argv),
    }
}

/// User and group: `--user` replaces both of the image's, `--group` the group.
pub(super) fn identity(spec: &AppSpec, image: Option<&str>) -> Result<(String, String), AppError> {
    let text = spec.user.as_deref().or(image).unwrap_or_default();
    let (user, group) = text.split_once(':').unwrap_or((text, ""));
    if user.is_empty() && !text.is_empty() {
        return Err(AppError::User {
            image: spec.image.clone(),
            user: text.to_owned(),
        });
    }
    let group = spec.group.as_deref().unwrap_or(group);
    Ok((user.to_owned(), group.to_owned()))
}

/// Refuses root, and who may be root: a name is looked up in the image only when the app starts.
fn require_non_root(spec: &AppSpec, user: &str) -> Result<(), AppError> {
    match user.parse::<u32>() {
        Ok(uid) if uid != 0 => Ok(()),
        _ => Err(AppError::MayBeRoot {
            image: spec.image.clone(),
            user: match user {
                "" => "root".to_owned(),
                user => user.to_owned(),
            },
        }),
    }
}

fn workdir(spec: &AppSpec, image: Option<&str>) -> Result<AppPath, AppError> {
    if let Some(path) = &spec.workdir {
        return Ok(path.clone());
    }
    let path = match image.unwrap_or_default() {
        path if path.contains('\0') => "/".to_owned(),
        path if path.starts_with('/') => path.to_owned(),
        path => format!("/{path}"),
    };
    AppPath::try_from(path).map_err(|source| AppError::Workdir {
        image: spec.image.clone(),
        source,
    })
}

fn stop_signal(
    spec: &AppSpec,
    image: Option<&str>,
    usual: SignalNumber,
) -> Result<SignalNumber, AppError> {
    if let Some(asked) = spec.stop_signal {
        return Ok(asked);
    }
    match image.unwrap_or_default() {
        "" => Ok(usual),
        text => signal_names::parse(text)
            .and_then(|number| number.try_into().ok())
            .ok_or_else(|| AppError::StopSignal {
                image: spec.image.clone(),
                signal: text.to_owned(),
            }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(change: impl FnOnce(&mut AppSpec)) -> AppSpec {
        let mut spec = AppSpec::of("i");
        change(&mut spec);
        spec
    }

    fn config(json: &str) -> Config {
        serde_json::from_str(json).unwrap()
    }

    fn argv_of(exec: &str, arguments: &[&str], image: &str) -> Vec<String> {
        let spec = app(|spec| {
            spec.exec = (!exec.is_empty()).then(|| exec.to_owned());
            spec.arguments = arguments.iter().map(|word| (*word).to_owned()).collect();
        });
        argv(&spec, &config(image)).unwrap()
    }

    const IMAGE: &str = r#"{"Entrypoint":["/entry","-e"],"Cmd":["c","d"]}"#;

    #[test]
    fn arguments_replace_cmd_and_exec_replaces_all() {
        assert_eq!(argv_of("", &[], IMAGE), ["/entry", "-e", "c", "d"]);
        assert_eq!(argv_of("", &["x"], IMAGE), ["/entry", "-e", "x"]);
        assert_eq!(argv_of("/p", &[], IMAGE), ["/p"]);
        assert_eq!(argv_of("/p", &["x"], IMAGE), ["/p", "x"]);
        assert_eq!(argv_of("", &["x"], r#"{"Cmd":["c"]}"#), ["x"]);
    }

    #[test]
    fn nothing_to_run_is_an_error() {
        let error = |image| argv(&AppSpec::of("i"), &config(image)).unwrap_err();
        for image in ["{}", r#"{"Cmd":[]}"#] {
            assert!(
                matches!(error(image), AppError::NoProgram { .. }),
                "{image}"
            );
        }
        let empty = error(r#"{"Cmd":[""]}"#);
        assert!(matches!(empty, AppError::EmptyProgram { .. }), "{empty}");
        let flag = app(|spec| spec.arguments = vec!["-x".to_owned()]);
        let flag = argv(&flag, &config(r#"{"Cmd":["sh"]}"#)).unwrap_err();
        assert!(matches!(flag, AppError::FlagAsProgram { .. }), "{flag}");
        let zero = error(r#"{"Cmd":["a\u0000b"]}"#);
        assert!(matches!(zero, AppError::ZeroByte { .. }), "{zero}");
    }

    #[test]
    fn users_and_groups_are_split_and_overridden() {
        let of = |user: &str, group: &str, image| {
            let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let spec = app(|spec| (spec.user, spec.group) = (some(user), some(group)));
            identity(&spec, image)
        };
        for (user, group, image, expected) in [
            ("", "", None, ("", "")),
            ("", "", Some("www:data"), ("www", "data")),
            ("", "", Some("www:"), ("www", "")),
            ("5", "", Some("www:data"), ("5", "")),
            ("5", "", Some(":"), ("5", "")),
            ("5:6", "", Some("www"), ("5", "6")),
            ("", "7", Some("www:data"), ("www", "7")),
        ] {
            let (user, group) = of(user, group, image).unwrap();
            assert_eq!((user.as_str(), group.as_str()), expected);
        }
        // Without a user there is no group either: nobody becomes root by a mistake.
        for image in [":", ":5"] {
            let error = of("", "", Some(image)).unwrap_err();
            assert!(matches!(error, AppError::User { .. }), "{error}");
        }
    }

    #[test]
    fn working_directories_are_absolute() {
        let of = |asked: Option<&str>, image| {
            let asked = asked.map(|path| AppPath::try_from(path.to_owned()).unwrap());
            workdir(&app(|spec| spec.workdir = asked), image).map(String::from)
        };
        assert_eq!(of(None, None).unwrap(), "/");
        assert_eq!(of(None, Some("srv")).unwrap(), "/srv");
        assert_eq!(of(Some("/x"), Some("/srv")).unwrap(), "/x");
        let long = of(None, Some(&"/z".repeat(2048))).unwrap_err();
        assert!(matches!(long, AppError::Workdir { .. }), "{long}");
    }

    #[test]
    fn stop_signals_come_by_name_or_number() {
        let usual = SignalNumber::TERM;
        let of = |image| stop_signal(&AppSpec::of("i"), image, usual).map(SignalNumber::number);
        assert_eq!(of(None).unwrap(), 15);
        assert_eq!(of(Some("SIGQUIT")).unwrap(), 3);
        assert_eq!(of(Some("9")).unwrap(), 9);
        let error = of(Some("nonsense")).unwrap_err();
        assert!(matches!(&error, AppError::StopSignal { signal, .. } if signal == "nonsense"));
    }
}
