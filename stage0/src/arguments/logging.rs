//! Where the output of apps is kept.

use std::path::PathBuf;

use clap::Args;
use engine::config::size::bytes_up_to;
use pod::manifest::{Bounds, Log, LogDriver};

use crate::wording::failure::Failure;

/// Flags of an app's log.
#[derive(Debug, Clone, Args)]
pub(crate) struct LogArguments {
    /// What keeps the app's output: k8s-file (a file in the CRI's format), journald, or none
    #[arg(long, value_name = "DRIVER", value_parser = driver, hide_short_help = true)]
    log_driver: Option<LogDriver>,
    /// How: max-size=BYTES of a file, or its path=FILE, or tag=TEXT for the journal
    #[arg(long, value_name = "KEY=VALUE", value_parser = option, hide_short_help = true)]
    log_opt: Vec<LogOption>,
}

/// The same for all apps of a pod that say nothing of it.
#[derive(Debug, Clone, Args)]
pub(crate) struct PodLogArguments {
    /// --log-driver of the apps that have none
    #[arg(long, value_name = "DRIVER", value_parser = driver, hide_short_help = true)]
    pod_log_driver: Option<LogDriver>,
    /// --log-opt of the apps that have none
    #[arg(long, value_name = "KEY=VALUE", value_parser = option, hide_short_help = true)]
    pod_log_opt: Vec<LogOption>,
}

/// One option of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LogOption {
    /// Size at which a file begins anew.
    MaxSize(u64),
    /// What the journal finds entries by.
    Tag(String),
    /// The file, which somebody else rotates.
    Path(PathBuf),
}

impl LogArguments {
    /// What is asked of the app's log, if anything is.
    ///
    /// # Errors
    /// [`Failure::Usage`] for an option that the driver has no use for.
    pub(crate) fn log(&self) -> Result<Option<Log>, Failure> {
        log("--log-", self.log_driver, &self.log_opt)
    }
}

impl PodLogArguments {
    /// What is asked of the logs of all apps, if anything is.
    ///
    /// # Errors
    /// [`Failure::Usage`] for an option that the driver has no use for.
    pub(crate) fn log(&self) -> Result<Option<Log>, Failure> {
        let is_path = |option: &LogOption| matches!(option, LogOption::Path(_));
        if self.pod_log_opt.iter().any(is_path) {
            return Err(Failure::Usage(
                "--pod-log-opt path: apps have no log together; --log-opt of each names its own"
                    .to_owned(),
            ));
        }
        log("--pod-log-", self.pod_log_driver, &self.pod_log_opt)
    }
}

fn log(
    flag: &str,
    driver: Option<LogDriver>,
    options: &[LogOption],
) -> Result<Option<Log>, Failure> {
    if driver.is_none() && options.is_empty() {
        return Ok(None);
    }
    let mut log = Log {
        driver,
        ..Log::default()
    };
    for option in options {
        let (key, takes) = match option {
            LogOption::MaxSize(size) => {
                log.max_size = Some(*size);
                ("max-size", LogDriver::K8sFile)
            }
            LogOption::Path(path) => {
                log.path = Some(path.clone());
                ("path", LogDriver::K8sFile)
            }
            LogOption::Tag(tag) => {
                log.tag = Some(tag.clone());
                ("tag", LogDriver::Journald)
            }
        };
        if driver.is_some_and(|driver| driver != takes) {
            let takes = takes.word();
            return Err(Failure::Usage(format!(
                "{flag}opt {key} is for {flag}driver={takes}"
            )));
        }
    }
    Ok(Some(log))
}

/// The words of podman, as far as there is such a log.
fn driver(text: &str) -> Result<LogDriver, String> {
    match text {
        // podman's other word for it.
        "k8s-file" | "json-file" => Ok(LogDriver::K8sFile),
        "journald" => Ok(LogDriver::Journald),
        "none" => Ok(LogDriver::None),
        "passthrough" | "passthrough-tty" => Err(
            "apps never get this command's own streams; without --detach, a pod's output is seen"
                .to_owned(),
        ),
        _ => Err("there are k8s-file (also called json-file), journald and none".to_owned()),
    }
}

fn option(text: &str) -> Result<LogOption, String> {
    let (key, value) = text
        .split_once('=')
        .ok_or("an option is KEY=VALUE, such as max-size=10m")?;
    match key {
        "max-size" => {
            let bytes = bytes_up_to(value, i64::MAX as u64)?;
            match bytes < Bounds::LOG_SIZE_MIN {
                true => Err(format!(
                    "{bytes} bytes are too few: {}k at least",
                    Bounds::LOG_SIZE_MIN >> 10
                )),
                false => Ok(LogOption::MaxSize(bytes)),
            }
        }
        "tag" if value.contains("{{") => {
            Err("templates are not there yet: a tag is the text itself".to_owned())
        }
        "tag" if value.is_empty() || value.contains(char::is_control) => {
            Err("a tag is a line of text".to_owned())
        }
        "tag" => Ok(LogOption::Tag(value.to_owned())),
        "max-file" => Err("max-file is not there: a log has one older file beside it".to_owned()),
        "path" if value.starts_with('/') => Ok(LogOption::Path(value.into())),
        "path" => Err("a path begins with /".to_owned()),
        _ => Err("there are max-size, path and tag".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        log: LogArguments,
    }

    fn parse(line: &str) -> Result<Option<Log>, String> {
        let words = ["run"].into_iter().chain(line.split_whitespace());
        let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        line.log.log().map_err(|failure| failure.to_string())
    }

    #[test]
    fn drivers_and_options_are_those_of_podman() {
        assert_eq!(parse(""), Ok(None));
        let driver = |line| parse(line).unwrap().unwrap().driver;
        assert_eq!(driver("--log-driver journald"), Some(LogDriver::Journald));
        assert_eq!(driver("--log-driver none"), Some(LogDriver::None));
        for word in ["k8s-file", "json-file"] {
            let log = parse(&format!("--log-driver {word} --log-opt max-size=10m")).unwrap();
            let log = log.unwrap();
            assert_eq!(
                (log.driver, log.max_size),
                (Some(LogDriver::K8sFile), Some(10 << 20))
            );
        }
        let log = parse("--log-opt tag=web/1").unwrap().unwrap();
        assert_eq!((log.driver, log.tag.as_deref()), (None, Some("web/1")));
    }

    #[test]
    fn what_is_not_there_is_refused_by_its_name() {
        for (bad, reason) in [
            ("--log-driver syslog", "json-file), journald and none"),
            ("--log-driver passthrough", "never get this command's own"),
            ("--log-opt max-size", "KEY=VALUE"),
            ("--log-opt max-size=1k", "too few"),
            ("--log-opt max-size=big", "max-size"),
            ("--log-opt max-file=3", "one older file"),
            ("--log-opt path=x", "begins with /"),
            ("--log-opt tag=", "a line of text"),
            ("--log-opt tag={{.ID}}", "templates are not there yet"),
            ("--log-opt labels=a", "max-size, path and tag"),
            (
                "--log-driver journald --log-opt max-size=4m",
                "is for --log-driver=k8s-file",
            ),
            (
                "--log-driver none --log-opt tag=x",
                "is for --log-driver=journald",
            ),
        ] {
            let error = parse(bad).unwrap_err();
            assert!(error.contains(reason), "{bad}: {error}");
        }
    }
}
