//! How it is found out whether an app is well.

use std::num::NonZeroU32;
use std::time::Duration;

use clap::{Args, ValueEnum};
use engine::pods::spec::AppSpec;
use pod::manifest::{
    ExecAction, HttpGetAction, Probe, ProbeAction, Probes, Restart, RestartPolicy, Scheme,
};

use super::grace::grace;
use super::seconds::whole_seconds;
use crate::wording::failure::Failure;

/// Flags about an app's health.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "App flags, after the image they are for")]
pub(crate) struct HealthArguments {
    /// Command that ends with 0 while the app is well: for its shell, or a JSON array of words; none for no check
    #[arg(long, value_name = "COMMAND", hide_short_help = true)]
    health_cmd: Option<String>,
    /// The app is well while it answers a GET request with a status from 200 to 399
    #[arg(long, value_name = ":PORT[/PATH]", value_parser = http, hide_short_help = true)]
    #[arg(conflicts_with = "health_cmd")]
    health_http: Option<HttpGetAction>,
    /// The app is well while this port takes connections
    #[arg(long, value_name = "PORT", value_parser = port, hide_short_help = true)]
    #[arg(conflicts_with_all = ["health_cmd", "health_http"])]
    health_tcp: Option<u16>,
    /// Time between two checks [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = grace, hide_short_help = true)]
    health_interval: Option<Duration>,
    /// How long a check may take [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = grace, hide_short_help = true)]
    health_timeout: Option<Duration>,
    /// How many checks in a row have to fail [default: 3]
    #[arg(long, value_name = "NUMBER", hide_short_help = true)]
    health_retries: Option<NonZeroU32>,
    /// How long the app may take to be well for the first time [default: 0s]
    #[arg(long, value_name = "DURATION", value_parser = grace, hide_short_help = true)]
    health_start_period: Option<Duration>,
    /// What becomes of an app that is not well
    #[arg(
        long,
        value_enum,
        value_name = "WHAT",
        default_value_t,
        hide_short_help = true
    )]
    health_on_failure: OnFailure,
    /// No check of the app's health
    #[arg(long, hide_short_help = true)]
    #[arg(conflicts_with_all = ["health_cmd", "health_http", "health_tcp"])]
    no_healthcheck: bool,
}

/// What becomes of an app that is not well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum OnFailure {
    /// Nothing: it only counts as not ready
    #[default]
    None,
    /// It is killed after a second, and has failed
    Kill,
    /// It is ended, and starts again
    Restart,
    /// It is ended, and has failed
    Stop,
}

fn port(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err("a port is a number from 1 to 65535".to_owned()),
    }
}

fn http(text: &str) -> Result<HttpGetAction, String> {
    let form = "write :PORT or :PORT/PATH";
    let rest = text.strip_prefix(':').ok_or(form)?;
    let (number, path) = match rest.find('/') {
        Some(place) => rest.split_at(place),
        None => (rest, ""),
    };
    Ok(HttpGetAction {
        port: port(number)?,
        path: path.to_owned(),
        host: None,
        scheme: Scheme::Http,
        headers: Vec::new(),
    })
}

impl HealthArguments {
    fn action(&self) -> Option<ProbeAction> {
        if let Some(http) = &self.health_http {
            return Some(ProbeAction::HttpGet(http.clone()));
        }
        if let Some(port) = self.health_tcp {
            return Some(ProbeAction::TcpSocket { port, host: None });
        }
        let text = self.health_cmd.as_deref()?;
        let args = match text {
            "" | "none" => return None,
            text => words(text),
        };
        Some(ProbeAction::Exec(ExecAction { args }))
    }

    /// Says it of an app.
    ///
    /// # Errors
    /// [`Failure::Usage`] for what contradicts itself.
    pub(crate) fn apply(&self, spec: AppSpec) -> Result<AppSpec, Failure> {
        let usage = |text: &str| Err(Failure::Usage(text.to_owned()));
        let Some(action) = self.action() else {
            let is_given = self.health_interval.is_some()
                || self.health_timeout.is_some()
                || self.health_retries.is_some()
                || self.health_start_period.is_some()
                || self.health_on_failure != OnFailure::None;
            return match is_given {
                true => usage(
                    "without --health-cmd, --health-http or --health-tcp there is nothing to check",
                ),
                false => Ok(spec),
            };
        };
        let interval = seconds(self.health_interval);
        let readiness = Probe {
            action,
            initial_delay_seconds: 0,
            timeout_seconds: seconds(self.health_timeout),
            period_seconds: interval,
            success_threshold: NonZeroU32::MIN,
            failure_threshold: self.health_retries.unwrap_or(RETRIES),
            termination_grace_period_seconds: None,
        };
        let grace = (self.health_on_failure == OnFailure::Kill).then_some(NonZeroU32::MIN);
        let ends = self.health_on_failure != OnFailure::None;
        let liveness = ends.then(|| Probe {
            termination_grace_period_seconds: grace,
            ..readiness.clone()
        });
        let start = self.health_start_period.and_then(whole_seconds);
        let startup = start.filter(|_| ends).map(|start| Probe {
            failure_threshold: start
                .div_ceil(interval)
                .saturating_add(readiness.failure_threshold.get()),
            termination_grace_period_seconds: grace,
            ..readiness.clone()
        });
        let restart = match (self.health_on_failure, spec.restart.policy) {
            (OnFailure::Restart, RestartPolicy::Never) => Restart {
                policy: RestartPolicy::OnFailure,
                ..spec.restart
            },
            (OnFailure::Stop, RestartPolicy::OnFailure | RestartPolicy::Always) => {
                return usage("--health-on-failure=stop and --restart contradict each other");
            }
            _ => spec.restart,
        };
        Ok(AppSpec {
            restart,
            probes: Probes {
                startup,
                readiness: Some(readiness),
                liveness,
            },
            ..spec
        })
    }
}

const RETRIES: NonZeroU32 = NonZeroU32::MIN.saturating_add(2);
const USUAL: NonZeroU32 = NonZeroU32::MIN.saturating_add(29);

fn seconds(given: Option<Duration>) -> NonZeroU32 {
    given.and_then(whole_seconds).unwrap_or(USUAL)
}

/// A JSON array of words, which may begin with docker's word for what they are; else a line of the app's shell.
fn words(text: &str) -> Vec<String> {
    let shell = |line: &str| ["/bin/sh", "-c", line].map(str::to_owned).to_vec();
    let Ok(mut words) = serde_json::from_str::<Vec<String>>(text) else {
        return shell(text);
    };
    match words.first().map(String::as_str) {
        Some("CMD") => {
            words.remove(0);
            words
        }
        Some("CMD-SHELL") => shell(&words.split_off(1).join(" ")),
        Some(_) => words,
        None => shell(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_a_line_of_the_shell_or_words() {
        for (text, args) in [
            ("a b", &["/bin/sh", "-c", "a b"][..]),
            (r#"["a","b c"]"#, &["a", "b c"]),
            (r#"["CMD","a"]"#, &["a"]),
            (r#"["CMD-SHELL","a || b"]"#, &["/bin/sh", "-c", "a || b"]),
            ("[ -e /x ]", &["/bin/sh", "-c", "[ -e /x ]"]),
        ] {
            assert_eq!(words(text), args, "{text}");
        }
    }

    #[test]
    fn a_request_has_a_port_and_may_have_a_path() {
        let of = |text| http(text).map(|get| (get.port, get.path));
        assert_eq!(of(":80"), Ok((80, String::new())));
        assert_eq!(of(":8080/a?b=/c"), Ok((8080, "/a?b=/c".to_owned())));
        for bad in ["", "80", ":", ":0", ":x/", "http://a", ":65536"] {
            of(bad).unwrap_err();
        }
    }
}
