//! `fairing version`.

use clap::Args;
use serde::Serialize;
use serde_json::json;

use crate::arguments::format::{Format, format};
use crate::command::subcommand::Subcommand;
use crate::context::Context;
use crate::wording::docker_members::with;
use crate::wording::failure::Failure;

/// Arguments of `version`.
#[derive(Debug, Args)]
pub(crate) struct Version {
    /// How to show it: text, json, or a template
    #[arg(short, long, value_name = "FORMAT", value_parser = format, default_value = "text")]
    format: Format,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Versions {
    version: &'static str,
    stage1_contract: u64,
    platform: String,
}

impl Subcommand for Version {
    const NAME: &'static str = "version";
    const ABOUT: &'static str = "Print versions";
    const NEEDS_ROOT: bool = false;

    fn run(self, _: &Context) -> Result<u8, Failure> {
        let versions = Versions {
            version: env!("CARGO_PKG_VERSION"),
            stage1_contract: pod::stage1::CONTRACT_VERSION,
            platform: image_document::Platform::host().to_string(),
        };
        let text = || {
            format!(
                "fairing {}\nstage1 contract {}\nplatform {}\n",
                versions.version, versions.stage1_contract, versions.platform
            )
        };
        // There is no daemon: both ends are this program.
        let end = json!({
            "Version": versions.version,
            "Os": std::env::consts::OS,
            "Arch": versions.platform.rsplit('/').next(),
        });
        let words = json!({ "Client": end, "Server": end });
        self.format
            .show_with(&versions, |value| with(value, words), text)?;
        Ok(0)
    }
}
