//! What a service manager has to do with an app.

use clap::Args;
use engine::pods::spec::AppSpec;
use pod::manifest::CredentialName;

/// Flags about what a service manager has to do with an app.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "App flags, after the image they are for")]
pub(crate) struct ManagerArguments {
    /// Whether the app says something of itself (sd_notify(3)) [default: as --ready-when says]
    #[arg(long, value_name = "true|false", hide_short_help = true)]
    #[arg(hide_possible_values = true)]
    notify: Option<bool>,
    /// Credential of the service that the app gets (LoadCredential=) [default: all]
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    credential: Vec<CredentialName>,
}

impl ManagerArguments {
    /// Says it of an app.
    pub(crate) fn apply(&self, spec: AppSpec) -> AppSpec {
        AppSpec {
            notify: self.notify,
            credentials: self.credential.clone(),
            ..spec
        }
    }
}
