//! What runs a pod.

use clap::Args;

/// Environment variable: the isolator of pods that name none.
const VARIABLE: &str = "FAIRING_STAGE1";

/// The flag of a pod's isolator.
#[derive(Debug, Clone, Args)]
pub(crate) struct IsolatorArgument {
    /// Isolator: its name (nspawn, kvm or fly), its directory (beginning with / or ./), or a signed image of it
    ///
    /// Without it, FAIRING_STAGE1 counts, then `pods.stage1` in config.toml, then nspawn.
    #[arg(long, value_name = "NAME|DIR|IMAGE", hide_short_help = true)]
    stage1: Option<String>,
}

impl IsolatorArgument {
    /// The one that is asked for, by the flag or the variable.
    pub(crate) fn asked(self) -> Option<String> {
        self.or_of_pod(None)
    }

    /// The same, where the pod itself may ask for one: the variable is for pods that don't.
    pub(crate) fn or_of_pod(self, of_pod: Option<String>) -> Option<String> {
        chosen(self.stage1, of_pod, variable())
    }
}

fn variable() -> Option<String> {
    let value = std::env::var_os(VARIABLE)?;
    Some(value.to_string_lossy().into_owned())
}

/// A variable that is set to nothing is none.
fn chosen(
    flag: Option<String>,
    of_pod: Option<String>,
    variable: Option<String>,
) -> Option<String> {
    let variable = variable.filter(|name| !name.is_empty());
    flag.or(of_pod).or(variable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_counts_more_than_the_pods_own_word_and_that_more_than_the_variable() {
        for (flag, of_pod, variable, expected) in [
            (Some("a"), Some("b"), Some("c"), Some("a")),
            (None, Some("b"), Some("c"), Some("b")),
            (None, None, Some("c"), Some("c")),
            (None, None, Some(""), None),
            (Some(""), None, Some("c"), Some("")),
        ] {
            let [flag, of_pod, variable] =
                [flag, of_pod, variable].map(|name| name.map(str::to_owned));
            assert_eq!(chosen(flag, of_pod, variable).as_deref(), expected);
        }
    }
}
