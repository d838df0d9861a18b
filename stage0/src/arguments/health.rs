//! How it is found out whether an app is well.

use std::num::NonZeroU32;
use std::time::Duration;

use clap::{Args, ValueEnum};
use engine::pods::health::{HealthSpec, StartupSpec};
use engine::pods::spec::AppSpec;
use pod::manifest::{ExecAction, HttpGetAction, ProbeAction, RestartPolicy, Scheme};

use super::grace::grace;
use super::seconds::whole_seconds;
use crate::wording::failure::Failure;

/// Flags about an app's health.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "App flags, after the image they are for")]
pub(crate) struct HealthArguments {
    /// Command that ends with 0 while the app is well: for its shell, or a JSON array of words; none for no check
    /// [default: HEALTHCHECK of the image]
    #[arg(
        long,
        value_name = "COMMAND",
        hide_short_help = true,
        verbatim_doc_comment
    )]
    health_cmd: Option<String>,
    /// The app is well while it answers a GET request with a status from 200 to 399
    #[arg(long, value_name = ":PORT[/PATH]", value_parser = http, hide_short_help = true)]
    #[arg(conflicts_with = "health_cmd")]
    health_http: Option<HttpGetAction>,
    /// The same over TLS, whose certificate is not checked
    #[arg(long, value_name = ":PORT[/PATH]", value_parser = https, hide_short_help = true)]
    #[arg(conflicts_with_all = ["health_cmd", "health_http"])]
    health_https: Option<HttpGetAction>,
    /// The app is well while this port takes connections
    #[arg(long, value_name = "PORT", value_parser = port, hide_short_help = true)]
    #[arg(conflicts_with_all = ["health_cmd", "health_http", "health_https"])]
    health_tcp: Option<u16>,
    /// The app is well while its health service of gRPC says that it, or a service of its, is serving
    #[arg(long, value_name = "PORT[/SERVICE]", value_parser = grpc, hide_short_help = true)]
    #[arg(conflicts_with_all = ["health_cmd", "health_http", "health_https", "health_tcp"])]
    health_grpc: Option<Grpc>,
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
    /// Time between two checks within that [default: 5s]
    #[arg(long, value_name = "DURATION", value_parser = grace, hide_short_help = true)]
    health_start_interval: Option<Duration>,
    /// Command that ends with 0 once the app has started; until then its health is not checked
    #[arg(long, value_name = "COMMAND", hide_short_help = true)]
    health_startup_cmd: Option<String>,
    /// Time between two of these [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = grace, hide_short_help = true)]
    #[arg(requires = "health_startup_cmd")]
    health_startup_interval: Option<Duration>,
    /// How long one may take [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = grace, hide_short_help = true)]
    #[arg(requires = "health_startup_cmd")]
    health_startup_timeout: Option<Duration>,
    /// How many in a row have to fail before the app is ended; 0 if it never is for that [default: 0]
    #[arg(long, value_name = "NUMBER", hide_short_help = true)]
    #[arg(requires = "health_startup_cmd")]
    health_startup_retries: Option<u32>,
    /// How many in a row have to pass [default: 1]
    #[arg(long, value_name = "NUMBER", hide_short_help = true)]
    #[arg(requires = "health_startup_cmd")]
    health_startup_success: Option<u32>,
    /// What becomes of an app that is not well: none (as by default), kill (after a second), restart, stop (in its time)
    #[arg(
        long,
        value_enum,
        value_name = "WHAT",
        default_value_t,
        hide_short_help = true
    )]
    health_on_failure: OnFailure,
    /// No check of the app's health, also if its image has one
    #[arg(long, hide_short_help = true)]
    #[arg(conflicts_with_all = ["health_cmd", "health_http", "health_https", "health_tcp", "health_grpc"])]
    no_healthcheck: bool,
}

/// A question to the health service of gRPC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grpc {
    port: u16,
    service: String,
}

/// What becomes of an app that is not well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum OnFailure {
    /// Nothing: it only counts as not ready
    #[default]
    None,
    /// It gets its stop signal, SIGKILL a second later, and has failed
    Kill,
    /// It is ended, and starts again
    Restart,
    /// It gets its stop signal, SIGKILL after the grace period, and has failed
    Stop,
}

impl From<OnFailure> for engine::pods::health::OnFailure {
    fn from(what: OnFailure) -> Self {
        match what {
            OnFailure::None => Self::None,
            OnFailure::Kill => Self::Kill,
            OnFailure::Restart => Self::Restart,
            OnFailure::Stop => Self::Stop,
        }
    }
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

fn https(text: &str) -> Result<HttpGetAction, String> {
    http(text).map(|get| HttpGetAction {
        scheme: Scheme::Https,
        ..get
    })
}

fn grpc(text: &str) -> Result<Grpc, String> {
    let (number, service) = text.split_once('/').unwrap_or((text, ""));
    Ok(Grpc {
        port: port(number)?,
        service: service.to_owned(),
    })
}

impl HealthArguments {
    fn action(&self) -> Option<ProbeAction> {
        if let Some(get) = self.health_http.as_ref().or(self.health_https.as_ref()) {
            return Some(ProbeAction::HttpGet(get.clone()));
        }
        if let Some(port) = self.health_tcp {
            return Some(ProbeAction::TcpSocket { port, host: None });
        }
        if let Some(Grpc { port, service }) = self.health_grpc.clone() {
            return Some(ProbeAction::Grpc { port, service });
        }
        let text = self.health_cmd.as_deref()?;
        command(text)
    }

    /// Whether the app is checked by nothing, whatever its image says.
    fn is_off(&self) -> bool {
        let words = self.health_cmd.as_deref();
        self.no_healthcheck || words.is_some_and(|words| command(words).is_none())
    }

    fn startup(&self) -> Option<StartupSpec> {
        let action = command(self.health_startup_cmd.as_deref()?)?;
        Some(StartupSpec {
            action,
            interval: seconds(self.health_startup_interval).unwrap_or(USUAL),
            timeout: seconds(self.health_startup_timeout).unwrap_or(USUAL),
            retries: self.health_startup_retries.and_then(NonZeroU32::new),
            successes: self
                .health_startup_success
                .and_then(NonZeroU32::new)
                .unwrap_or(NonZeroU32::MIN),
        })
    }

    /// Says it of an app.
    ///
    /// # Errors
    /// [`Failure::Usage`] for what contradicts itself.
    pub(crate) fn apply(&self, spec: AppSpec) -> Result<AppSpec, Failure> {
        let policy = spec.restart.policy;
        if self.health_on_failure == OnFailure::Stop && policy != RestartPolicy::Never {
            return Err(Failure::Usage(
                "--health-on-failure=stop and --restart contradict each other".to_owned(),
            ));
        }
        let health = HealthSpec {
            of_image: !self.is_off(),
            action: self.action(),
            interval: seconds(self.health_interval),
            timeout: seconds(self.health_timeout),
            retries: self.health_retries,
            start_period: seconds(self.health_start_period),
            start_interval: seconds(self.health_start_interval),
            on_failure: self.health_on_failure.into(),
            startup: self.startup(),
        };
        Ok(AppSpec { health, ..spec })
    }
}

const USUAL: NonZeroU32 = NonZeroU32::MIN.saturating_add(29);

fn seconds(given: Option<Duration>) -> Option<NonZeroU32> {
    given.and_then(whole_seconds)
}

/// A command, if it is one.
fn command(text: &str) -> Option<ProbeAction> {
    let args = match text {
        "" | "none" => return None,
        text => words(text),
    };
    Some(ProbeAction::Exec(ExecAction { args }))
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
    fn a_question_of_grpc_has_a_port_and_may_name_a_service() {
        let of = |text| grpc(text).map(|grpc| (grpc.port, grpc.service));
        assert_eq!(of("80"), Ok((80, String::new())));
        assert_eq!(of("80/a.b/C"), Ok((80, "a.b/C".to_owned())));
        for bad in ["", "/a", "0", ":80", "x"] {
            of(bad).unwrap_err();
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
