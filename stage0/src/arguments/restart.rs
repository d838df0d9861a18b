//! When an app is started again, and what it is to the others of its pod.

use clap::Args;
use engine::pods::spec::AppSpec;
use pod::manifest::{Restart, RestartPolicy, Role};

use crate::wording::failure::Failure;

/// Flags about an app's starts.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "App flags, after the image they are for")]
pub(crate) struct RestartArguments {
    /// Start the app again when it has ended: no, on-failure, on-failure:TIMES, always (or unless-stopped)
    #[arg(long, value_name = "WHEN", value_parser = restart, hide_short_help = true)]
    restart: Option<Restart>,
    /// Start the app before those behind it, and end it after all others; it starts again whenever it ends
    #[arg(long, hide_short_help = true)]
    sidecar: bool,
}

/// The words that docker and podman have.
fn restart(text: &str) -> Result<Restart, String> {
    let (word, times) = match text.split_once(':') {
        Some((word, times)) => (word, Some(times)),
        None => (text, None),
    };
    let policy = match (word, times) {
        ("no" | "never", None) => RestartPolicy::Never,
        ("on-failure", _) => RestartPolicy::OnFailure,
        ("always" | "unless-stopped", None) => RestartPolicy::Always,
        _ => {
            return Err(
                "there are no, on-failure, on-failure:TIMES, always and unless-stopped".to_owned(),
            );
        }
    };
    let max_retries = times.map(str::parse).transpose();
    let max_retries =
        max_retries.map_err(|_| "behind on-failure: stands how often at most".to_owned())?;
    Ok(Restart {
        policy,
        max_retries,
        ..Restart::default()
    })
}

impl RestartArguments {
    /// Whether it is a sidecar.
    pub(crate) fn is_sidecar(&self) -> bool {
        self.sidecar
    }

    /// Says it of an app.
    ///
    /// # Errors
    /// [`Failure::Usage`] for a sidecar that is not to come back: one always does.
    pub(crate) fn apply(&self, spec: AppSpec) -> Result<AppSpec, Failure> {
        let is_bounded = |restart: Restart| {
            restart.policy == RestartPolicy::Never || restart.max_retries.is_some()
        };
        if self.sidecar && self.restart.is_some_and(is_bounded) {
            return Err(Failure::Usage(
                "--sidecar and --restart=no or on-failure:TIMES contradict each other: a sidecar starts again whenever it ends"
                    .to_owned(),
            ));
        }
        Ok(AppSpec {
            restart: self.restart.unwrap_or_default(),
            role: match self.sidecar {
                true => Role::Sidecar,
                false => Role::Main,
            },
            ..spec
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sidecar_that_is_not_to_come_back_is_refused() {
        let apply = |text: Option<&str>| {
            let arguments = RestartArguments {
                restart: text.map(|text| restart(text).unwrap()),
                sidecar: true,
            };
            arguments
                .apply(AppSpec::default())
                .map(|spec| spec.restart.policy)
        };
        for good in [
            None,
            Some("always"),
            Some("unless-stopped"),
            Some("on-failure"),
        ] {
            apply(good).unwrap();
        }
        for bad in ["no", "never", "on-failure:3"] {
            let error = apply(Some(bad)).unwrap_err().to_string();
            assert!(error.contains("--sidecar and --restart"), "{error}");
        }
    }

    #[test]
    fn the_words_are_those_of_docker_and_podman() {
        for (text, policy, times) in [
            ("no", RestartPolicy::Never, None),
            ("never", RestartPolicy::Never, None),
            ("on-failure", RestartPolicy::OnFailure, None),
            ("on-failure:3", RestartPolicy::OnFailure, Some(3)),
            ("always", RestartPolicy::Always, None),
            ("unless-stopped", RestartPolicy::Always, None),
        ] {
            let parsed = restart(text).unwrap();
            assert_eq!(
                (parsed.policy, parsed.max_retries),
                (policy, times),
                "{text}"
            );
        }
        for bad in [
            "",
            "yes",
            "always:3",
            "on-failure:",
            "on-failure:-1",
            "on-failure:x",
        ] {
            restart(bad).unwrap_err();
        }
    }
}
